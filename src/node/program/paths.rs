//! What the node said of paths: `stat` records, digests and texts, matched against what was asked.

use super::look::Word;
use super::Sums as Recorded;
use crate::node::frame::Frame;
use crate::node::probe::{Answer, Attrs, Depth, File, Node, TEXT_LIMIT};
use crate::node::op::sha256;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is stamped with the time at which `stat` ran.
const NOW: &str = "/proc/self/";

/// What was said of the paths that were asked about.
#[derive(Debug, Default)]
pub(super) struct Paths<'a> {
    answers: BTreeMap<&'a str, Answer>,
    /// Files whose content is out of reach still have attributes.
    closed: BTreeMap<&'a str, Node>,
    /// What may be recorded of large ones.
    pub sums: Recorded,
}

impl<'a> Paths<'a> {
    pub fn read(frames: &[Frame], asked: &[(&'a str, Word<'a>)], chunk: usize) -> Self {
        let mut paths = Paths::default();
        for (number, asked) in asked.chunks(chunk).enumerate() {
            let of = |tag: &'static str| {
                frames.iter().filter(move |frame| frame.tag == tag && frame.number(0) == Some(number as u64))
            };
            let Some(frame) = of("paths").next() else { continue };
            let classes = frame.field(1).as_bytes();
            let stat = records(&frame.body);
            let mut stat = stat.iter().peekable();
            let sums = Sums::read(of("sums").next(), of("sum"), asked);
            let texts = texts(of("text"));
            let stamps = of("stamps").next().map(Frame::text).unwrap_or_default();
            let stamps = stamps_of(&stamps);
            for (i, (path, word)) in asked.iter().enumerate() {
                let answer = match classes.get(i) {
                    Some(b'a') => Ok(Node::Absent),
                    Some(b'x') => Err("permission denied: a directory above it cannot be searched"),
                    Some(b'u') if *word != Word::Stat => {
                        let node = stat.next_if(|record| record.is(path)).and_then(|record| record.node(path, b'u'));
                        paths.closed.extend(node.map(|node| (*path, node)));
                        Err("permission denied: its content cannot be read")
                    }
                    Some(b'd' | b'f' | b'l' | b'o' | b'u') => match stat.next_if(|record| record.is(path)) {
                        Some(record) => record.node(path, classes[i]).ok_or("the node's stat said something odd"),
                        None => Err("it vanished or changed while being looked at"),
                    },
                    _ => Err("the node did not answer this"),
                };
                let answer = match answer {
                    Ok(Node::File(mut file)) if *word != Word::Stat => content(&mut file, *word, sums.of(i), texts.get(&i)).map(|()| Node::File(file)),
                    other => other,
                };
                if let (Ok(Node::File(File { sha256: Some(sum), .. })), Some(stamp)) = (&answer, stamps.get(path)) {
                    paths.sums.insert((*path).to_owned(), format!("{stamp} {sum}"));
                }
                paths.answers.insert(path, answer.map_or_else(|why| Answer::Failed(why.into()), Answer::Path));
            }
        }
        paths
    }

    pub fn answer(&self, path: &str, depth: &Depth) -> Answer {
        if let (Depth::Stat, Some(node)) = (depth, self.closed.get(path)) {
            return Answer::Path(node.clone());
        }
        match self.answers.get(path) {
            Some(Answer::Path(Node::File(file))) => {
                let mut file = file.clone();
                // A path can be asked about twice; each question gets what it asked for.
                match depth {
                    Depth::Stat => (file.sha256, file.text) = (None, None),
                    Depth::Digest => file.text = None,
                    Depth::Text { unless } if unless.is_some() && *unless == file.sha256 => file.text = None,
                    Depth::Text { .. } => {}
                }
                Answer::Path(Node::File(file))
            }
            Some(answer) => answer.clone(),
            None => Answer::Failed("the node did not answer this".into()),
        }
    }
}

/// The stamps (`INODE SIZE DATE TIME ZONE`) that tell a large file from what it may be later, by path. One whose change
/// is not over, by the clock that stamps it, or that comes without a fraction of a second, tells nothing.
fn stamps_of(text: &str) -> BTreeMap<&str, &str> {
    let lines = || text.lines().filter_map(|line| line.split_once("// "));
    let time = |stamp: &str| {
        let words: Vec<&str> = stamp.split(' ').collect();
        let plain = stamp.bytes().all(|b| b.is_ascii_digit() || b" .:-+".contains(&b));
        let [_, size, date, time, "+0000"] = words[..] else { return None };
        (plain && time.contains('.')).then(|| Some((size.parse::<u64>().ok()?, format!("{date} {time}"))))?
    };
    let Some((_, now)) = lines().find(|(path, _)| *path == NOW).and_then(|(_, stamp)| time(stamp)) else { return BTreeMap::new() };
    let settled = |stamp: &str| time(stamp).is_some_and(|(size, at)| size >= TEXT_LIMIT && at < now && !at.ends_with(".000000000"));
    lines().filter(|(_, stamp)| settled(stamp)).collect()
}

/// Puts digest and text where they belong.
fn content(file: &mut File, word: Word<'_>, sum: Option<&str>, text: Option<&Vec<u8>>) -> Result<(), &'static str> {
    file.sha256 = Some(sum.ok_or("its content could not be read")?.to_owned());
    let wanted = match word {
        Word::Stat | Word::Digest => false,
        Word::Unless(hex) => file.sha256.as_deref() != Some(hex),
        Word::Text => true,
    };
    if wanted && file.size <= TEXT_LIMIT {
        let text = text.ok_or("its content could not be read")?;
        if file.sha256.as_deref() != Some(&sha256(text)) {
            return Err("it changed while being looked at");
        }
        file.size = text.len() as u64;
        file.text = Some(Arc::new(text.clone()));
    }
    Ok(())
}

/// One record of `stat`.
#[derive(Debug)]
struct Record {
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    owner: String,
    group: String,
    /// `path`, or for a link `path -> target`, or with busybox `'path' -> 'target'`.
    name: Vec<u8>,
}

/// Cuts `NONCE:size:mode:uid:gid:owner:group:name` records apart. The nonce is not known here, but it is the first word of
/// the body and nobody can have put it into a file's name.
fn records(body: &[u8]) -> Vec<Record> {
    let end = body.iter().position(|b| *b == b':').unwrap_or(0);
    let mut mark = b"\n".to_vec();
    mark.extend_from_slice(&body[..end]);
    mark.push(b':');
    let mut out = Vec::new();
    if end == 0 {
        return out;
    }
    let mut rest = &body[end + 1..];
    loop {
        let next = rest.windows(mark.len()).position(|w| w == mark);
        let (record, more) = match next {
            Some(at) => (&rest[..at], Some(&rest[at + mark.len()..])),
            None => (rest, None),
        };
        out.extend(Record::parse(record));
        match more {
            Some(more) => rest = more,
            None => return out,
        }
    }
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = bytes.splitn(7, |b| *b == b':');
        let mut text = || fields.next().map(|f| String::from_utf8_lossy(f).into_owned());
        let size = text()?.parse().ok()?;
        let mode = u32::from_str_radix(&text()?, 16).ok()?;
        let (uid, gid) = (text()?.parse().ok()?, text()?.parse().ok()?);
        let (owner, group) = (text()?, text()?);
        let name = |name: String, id: u32| if name == "UNKNOWN" || name == "?" { id.to_string() } else { name };
        Some(Record { mode, uid, gid, size, owner: name(owner, uid), group: name(group, gid), name: fields.next()?.to_vec() })
    }

    fn link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    /// The name and what a link says. A name that the shell's `$()` shortened by newlines is matched by the caller.
    fn parts(&self) -> (&[u8], &[u8]) {
        let name = &self.name[..];
        if !self.link() {
            return (name, b"");
        }
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let (inner, arrow): (&[u8], &[u8]) = match name.strip_prefix(b"'").and_then(|n| n.strip_suffix(b"'")) {
            Some(inner) => (inner, b"' -> '"),
            None => (name, b" -> "),
        };
        // A link's size is the length of what it says; in /proc it is not.
        let cut = inner.len().checked_sub(size).filter(|at| size > 0 && inner[..*at].ends_with(arrow));
        let cut = cut.or_else(|| inner.windows(arrow.len()).position(|w| w == arrow).map(|at| at + arrow.len()));
        cut.map_or((inner, b""), |at| (&inner[..at - arrow.len()], &inner[at..]))
    }

    fn is(&self, path: &str) -> bool {
        let name = self.parts().0;
        name == path.as_bytes() || (path.ends_with('\n') && name == path.trim_end_matches('\n').as_bytes())
            || (self.link() && self.name.starts_with(path.as_bytes()) && self.name[path.len()..].starts_with(b" -> "))
    }

    fn attrs(&self) -> Attrs {
        Attrs { mode: self.mode & 0o7777, uid: self.uid, gid: self.gid, owner: self.owner.clone(), group: self.group.clone() }
    }

    /// What it is, if the letter that the shell gave it does not contradict.
    fn node(&self, path: &str, class: u8) -> Option<Node> {
        let node = match self.mode & 0o170_000 {
            0o100_000 => Node::File(File { attrs: self.attrs(), size: self.size, ..File::default() }),
            0o040_000 => Node::Dir(self.attrs()),
            0o120_000 => {
                let target = self.parts().1;
                let target = if target.is_empty() { self.name.get(path.len() + 4..)? } else { target };
                Node::Link { target: String::from_utf8_lossy(target).into_owned() }
            }
            _ => Node::Other(self.attrs()),
        };
        let same = matches!(
            (&node, class),
            (Node::File(_), b'f' | b'u') | (Node::Dir(_), b'd') | (Node::Link { .. }, b'l') | (Node::Other(_), b'o')
        );
        same.then_some(node)
    }
}

/// The tree that was asked for as number `at`.
pub(super) fn tree(frames: &[Frame], at: usize, root: &str) -> Answer {
    let Some(frame) = frames.iter().find(|frame| frame.tag == "tree" && frame.number(0) == Some(at as u64)) else {
        return Answer::Failed("the node did not answer this (or the tree is too large)".into());
    };
    let mut tree = BTreeMap::new();
    match frame.field(1) {
        "a" => {
            tree.insert(root.to_owned(), Node::Absent);
        }
        "y" => {
            for record in records(&frame.body) {
                let name = String::from_utf8_lossy(record.parts().0).into_owned();
                let class = match record.mode & 0o170_000 {
                    0o100_000 => b'f',
                    0o040_000 => b'd',
                    0o120_000 => b'l',
                    _ => b'o',
                };
                if let Some(node) = record.node(&name, class) {
                    tree.insert(name, node);
                }
            }
        }
        "x" => return Answer::Failed("permission denied: a directory above it cannot be searched".into()),
        _ => return Answer::Failed("it could not be read entirely: something in it is out of reach or changed meanwhile".into()),
    }
    Answer::Tree(tree)
}

/// Digests by place in the chunk.
struct Sums(BTreeMap<usize, String>);

impl Sums {
    fn read<'f>(batch: Option<&Frame>, odd: impl Iterator<Item = &'f Frame>, asked: &[(&str, Word<'_>)]) -> Self {
        let mut sums = BTreeMap::new();
        let text = batch.map(Frame::text).unwrap_or_default();
        let by_name: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
        for (i, (path, _)) in asked.iter().enumerate() {
            if let Some(sum) = by_name.get(path) {
                sums.insert(i, (*sum).to_owned());
            }
        }
        for frame in odd {
            if let (Some(i), Some(sum)) = (frame.number(1), frame.text().split_whitespace().next()) {
                sums.insert((i as usize).saturating_sub(1), sum.to_owned());
            }
        }
        sums.retain(|_, sum| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit()));
        Sums(sums)
    }

    fn of(&self, i: usize) -> Option<&str> {
        self.0.get(&i).map(String::as_str)
    }
}

/// Texts by place in the chunk: each frame holds several, end to end.
fn texts<'f>(frames: impl Iterator<Item = &'f Frame>) -> BTreeMap<usize, Vec<u8>> {
    let mut out = BTreeMap::new();
    for frame in frames {
        let Some(bytes) = super::base64(&frame.body) else { continue };
        let parts: Vec<(usize, usize)> = frame.field(1).split(',').filter_map(|part| {
            let (i, size) = part.split_once(':')?;
            Some((i.parse::<usize>().ok()?.checked_sub(1)?, size.parse().ok()?))
        }).collect();
        if let [(i, _)] = parts[..] {
            // Alone it needs no cutting, and files in /proc do not know their size.
            out.insert(i, bytes);
            continue;
        }
        let mut rest = &bytes[..];
        for (i, size) in parts {
            let Some((text, more)) = rest.split_at_checked(size) else { break };
            out.insert(i, text.to_vec());
            rest = more;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_only_what_is_over_large_and_exact() {
        let at = |time: &str| format!("1 2097152 2026-01-02 {time} +0000");
        let now = format!("{NOW}// 7 0 2026-01-02 03:04:05.500000000 +0000\n");
        let kept = |stamp: &str| stamps_of(&format!("/a b// {stamp}\n{now}")).get("/a b") == Some(&stamp);
        assert!(kept(&at("03:04:05.499999999")) && kept("1 1048576 2025-12-31 23:59:59.100000000 +0000"));
        // In the moment of the look, and after it.
        assert!(!kept(&at("03:04:05.500000000")) && !kept(&at("03:04:05.6")));
        // Without a fraction, or with one that only fills the place.
        assert!(!kept(&at("03:04:04")) && !kept(&at("03:04:04.000000000")));
        for stamp in ["", "1", "1 1048575 2026-01-02 03:04:04.1 +0000", "1 2097152 2026-01-02 03:04:04.1 +0100", "1 2097152 $(id) 03:04:04.1 +0000"] {
            assert!(!kept(stamp), "{stamp}");
        }
        assert!(stamps_of(&format!("/a b// {}\n", at("03:04:04.1"))).is_empty(), "without a clock");
    }
}
