//! Edits of a text file of which a resource owns a part: the planning that `lineinfile`, `blockinfile`, `replace`, `ini_file` and others share.
//!
//! An edit is a function from text to text. It is planned on the text that the file will have by then, so that several
//! edits of one file chain, also where the file does not exist yet.

use super::attrs::{answered, parent, stat};
use super::put::{FRESH, FRESH_SECRET, Manner, text};
use crate::node::probe::{Depth, File, Node, TEXT_LIMIT};
use crate::node::{Content, Need, Op, Probe, Standing, World};
use crate::resource::{Args, Block, Claim};

/// A file of which a part is owned.
#[derive(Debug)]
pub struct Edit {
    /// Where it is.
    pub path: String,
    /// Make it where it is missing.
    pub create: bool,
    /// The part is to be gone: a file that is missing is as wished.
    pub removes: bool,
    /// What is put in is secret.
    pub secret: bool,
    /// Attributes and validation.
    pub manner: Manner,
}

impl Edit {
    /// From `path`, `create`, `state` and the parameters of [`Manner`].
    pub fn from_args(args: &Args, secret: bool) -> Self {
        Edit {
            path: super::attrs::clean(args.str("path").unwrap_or_default()).0,
            create: args.bool("create", false),
            removes: args.str("state") == Some("absent"),
            secret,
            manner: Manner { only_absent: false, ..Manner::from_args(args) },
        }
    }

    /// What it manages of the file: the `slice` of its text, and what it wishes of its attributes.
    pub fn claims(&self, slice: &str) -> Vec<Claim> {
        let slice = Claim::Slice(self.path.clone(), slice.to_owned());
        [slice].into_iter().chain(self.manner.wish.claim(&self.path)).collect()
    }

    /// Asks for the file's text, its directory, and the accounts that are named.
    pub fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Path { path: self.path.clone(), depth: Depth::Text { unless: None } }, stat(parent(&self.path))];
        self.manner.wish.look(&mut probes);
        probes
    }

    /// The ops after which the text is `edit` of what it was; `edit` gets the text, which is empty for a new file.
    pub fn plan(&self, world: &World, edit: impl Fn(&str) -> Result<String, Block>) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let node = world.path(&self.path).unwrap_or(Node::Absent);
        let file = match &node {
            Node::File(file) => Some(file),
            Node::Absent => {
                // An opaque step may bring the file: what is in it then, nobody knows.
                match world.need(&Need::Path(self.path.clone())) {
                    Standing::Open(cause) => return Err(Block::Later(cause)),
                    _ if self.removes => return Ok(Vec::new()),
                    _ if self.create => None,
                    _ => return Err(Block::Unmet(Need::Path(self.path.clone()))),
                }
            }
            Node::Link { target } => {
                return Err(Block::refused(
                    format!("{} is a link to {target}, and links are not followed", self.path),
                    "name the file that it leads to",
                ));
            }
            Node::Dir(_) | Node::Other(_) => {
                return Err(Block::refused(format!("{} is not a regular file", self.path), "name a text file"));
            }
        };
        let before = match file {
            Some(file) => self.text(file)?,
            None => "",
        };
        let after = edit(before)?;
        if after == before && file.is_some() {
            return match file.and_then(|file| self.manner.wish.fix(&self.path, &file.attrs, false, world).transpose()) {
                Some(op) => Ok(vec![op?]),
                None => Ok(Vec::new()),
            };
        }
        if edit(&after)? != after {
            return Err(Block::refused(
                format!("this edit of {} would never be done: applied to its own result it changes it again", self.path),
                "let `regexp` match the new text in the way that it matches the old one, or not at all",
            ));
        }
        let secret = self.secret || file.is_some_and(|file| file.secret);
        match file {
            Some(file) => drop(self.manner.wish.fix(&self.path, &file.attrs, false, world)?),
            None => self.manner.wish.possible(&self.path, world)?,
        }
        Ok(vec![Op::Put {
            path: self.path.clone(),
            content: Content::inline(after, secret),
            mode: self.manner.wish.bits(file.map(|file| file.attrs.mode), if secret { FRESH_SECRET } else { FRESH }, false),
            owner: self.manner.wish.owner.clone(),
            group: self.manner.wish.group.clone(),
            validate: self.manner.validate.clone(),
        }])
    }

    fn text<'a>(&self, file: &'a File) -> Result<&'a str, Block> {
        let path = &self.path;
        match &file.text {
            Some(bytes) => text(bytes).ok_or_else(|| {
                Block::refused(format!("{path} is not a text: it is not UTF-8, or has NUL bytes in it"), "edit it with a `command`, or put the whole file with `copy`")
            }),
            None if file.size > TEXT_LIMIT => Err(Block::refused(
                format!("{path} is too large to edit: {} bytes, where {TEXT_LIMIT} are the limit", file.size),
                "put the whole file with `copy`, or edit it with a `command`",
            )),
            None => Err(Block::refused(
                format!("{path} cannot be edited: its text is not known here"),
                "a file that `copy` streams cannot be edited in the same play; make the edit in the file that is copied",
            )),
        }
    }
}

/// A text as lines with their endings: `\n`, `\r\n`, or none for a last line that is not ended.
pub struct Lines<'a> {
    /// Without endings.
    pub lines: Vec<&'a str>,
    endings: Vec<&'a str>,
    /// What ends a new line: the ending of the first line.
    newline: &'static str,
}

impl<'a> Lines<'a> {
    /// Splits `text`.
    pub fn new(text: &'a str) -> Self {
        let mut split = Lines { lines: Vec::new(), endings: Vec::new(), newline: "\n" };
        for line in text.split_inclusive('\n') {
            let bare = line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line);
            split.lines.push(bare);
            split.endings.push(&line[bare.len()..]);
        }
        if split.endings.first() == Some(&"\r\n") {
            split.newline = "\r\n";
        }
        split
    }

    /// The text with the lines in `range` (within the lines) replaced by `new`. What takes the place of lines keeps their last ending;
    /// an inserted one is ended, and so is the one before it.
    pub fn splice(&self, range: std::ops::Range<usize>, new: &[&str]) -> String {
        let mut out = String::new();
        let mut add = |line: &str, ending: &str| {
            out.push_str(line);
            out.push_str(ending);
        };
        let more = !new.is_empty();
        for at in 0..range.start {
            let ending = if self.endings[at].is_empty() && more { self.newline } else { self.endings[at] };
            add(self.lines[at], ending);
        }
        for (at, line) in new.iter().enumerate() {
            let last = at + 1 == new.len();
            let kept = if last { range.clone().next_back() } else { range.clone().nth(at).filter(|_| range.len() == new.len()) };
            add(line, kept.map_or(self.newline, |at| self.endings[at]));
        }
        for at in range.end..self.lines.len() {
            add(self.lines[at], self.endings[at]);
        }
        out
    }
}

/// Where something new goes.
#[derive(Debug, Clone)]
pub enum Place {
    /// At the end.
    End,
    /// At the beginning.
    Begin,
    /// After the last line that matches, else at the end.
    After(regex::Regex),
    /// Before the last line that matches, else at the end.
    Before(regex::Regex),
}

impl Place {
    /// From `insertafter` and `insertbefore`.
    pub fn from_args(args: &Args, problems: &mut crate::lang::Diagnostics) -> Self {
        let (after, before) = (args.str("insertafter"), args.str("insertbefore"));
        if after.is_some() && before.is_some() {
            problems.push(super::attrs::wrong(args, "insertbefore", "both `insertafter` and `insertbefore` are given", "", "keep one of them"));
        }
        match (after, before) {
            (Some("EOF") | None, None) | (_, Some("EOF")) => Place::End,
            (Some("BOF"), _) | (_, Some("BOF")) => Place::Begin,
            (Some(_), _) => pattern(args, "insertafter", "", problems).map_or(Place::End, Place::After),
            (None, Some(_)) => pattern(args, "insertbefore", "", problems).map_or(Place::End, Place::Before),
        }
    }

    /// The line number that it takes among `lines`; by the `first` match rather than the last.
    pub fn at(&self, lines: &[&str], first: bool) -> usize {
        let find = |regex: &regex::Regex| {
            let mut hits = lines.iter().enumerate().filter(|(_, line)| regex.is_match(line)).map(|(at, _)| at);
            if first { hits.next() } else { hits.next_back() }
        };
        match self {
            Place::End => lines.len(),
            Place::Begin => 0,
            Place::After(regex) => find(regex).map_or(lines.len(), |at| at + 1),
            Place::Before(regex) => find(regex).unwrap_or(lines.len()),
        }
    }
}

/// The regular expression in `name`, if it is given and is one; with `flags` before it, as `(?m)`.
pub fn pattern(args: &Args, name: &str, flags: &str, problems: &mut crate::lang::Diagnostics) -> Option<regex::Regex> {
    let text = args.str(name)?;
    match regex::Regex::new(&format!("{flags}{text}")) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let hint = if why.contains("look-around") || why.contains("backreferences") {
                "look-around and backreferences in the expression are not supported; say it without them"
            } else {
                "the syntax is that of https://docs.rs/regex; single quotes in YAML leave backslashes alone"
            };
            problems.push(super::attrs::wrong(args, name, format!("`{name}` is not a regular expression: {why}"), "", hint));
            None
        }
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Lines;
    use crate::node::probe::{Answer, Attrs, File, Node};
    use crate::node::{Facts, Probe, World, op::sha256};
    use crate::resource::Resource;

    /// A world in which `/f` has `text`.
    pub fn world(text: &str, resource: &dyn Resource) -> World {
        let bytes = text.as_bytes().to_vec();
        let file = File { attrs: Attrs::default(), size: bytes.len() as u64, sha256: Some(sha256(&bytes)), text: Some(bytes.into()), secret: false };
        let answers = resource.look().into_iter().filter_map(|probe| match &probe {
            Probe::Path { path, .. } if path == "/f" => Some((probe, Answer::Path(Node::File(file.clone())))),
            _ => None,
        });
        World::new(Facts::default(), answers.collect())
    }

    /// What `/f` has after the plan of `resource`; `None` where it is refused. Whatever it is: one go is enough.
    pub fn after(text: &str, resource: &dyn Resource) -> Option<String> {
        let mut world = world(text, resource);
        let ops = resource.plan(&world).ok()?;
        ops.iter().for_each(|op| world.effect(op));
        assert_eq!(resource.plan(&world), Ok(Vec::new()), "a second time");
        let Some(Node::File(File { text: Some(after), .. })) = world.path("/f") else { unreachable!() };
        Some(String::from_utf8(after.to_vec()).unwrap())
    }

    #[test]
    fn splicing_keeps_endings() {
        for (text, range, new, result) in [
            ("", 0..0, vec!["a"], "a\n"),
            ("a", 1..1, vec!["b"], "a\nb\n"),
            ("a", 0..1, vec!["b"], "b"),
            ("a\nb", 0..1, vec![], "b"),
            ("a\r\nb\r\n", 2..2, vec!["c"], "a\r\nb\r\nc\r\n"),
            ("a\r\nb\n", 1..2, vec!["c"], "a\r\nc\n"),
            ("a\nb\nc", 1..3, vec!["x", "y", "z"], "a\nx\ny\nz"),
            ("a\nb\nc", 1..2, vec!["x", "y"], "a\nx\ny\nc"),
            ("a\nb\n", 0..0, vec!["x"], "x\na\nb\n"),
        ] {
            assert_eq!(Lines::new(text).splice(range.clone(), &new), result, "{text:?} {range:?} {new:?}");
        }
    }
}
