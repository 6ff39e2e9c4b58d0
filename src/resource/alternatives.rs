//! `alternatives`: which of several programs a common name leads to, on Debian and its kin.

use super::shared::attrs::{answered, clean, stat, wrong};
use super::shared::tool::{answer, command, says, script, trouble};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Ran;
use crate::node::{Command, Need, Op, Probe, Standing, World};

/// The declaration.
pub static ALTERNATIVES: KindSpec = KindSpec {
    name: "alternatives",
    summary: "Chooses which program a common name such as `editor` leads to",
    description: "\
Tells `update-alternatives`, which Debian and its kin have. With `path`, the name leads there from now on, whatever packages come later (`state: selected`); with `state: auto`, to the one of highest priority.

A program that is none of the alternatives yet is added where `link` says the common name's own path, as `/usr/local/bin/node`; `priority` counts for `auto`. `state: present` adds it and chooses nothing;
`state: absent` takes it out of the alternatives. The program itself must be there, or come with an earlier task.

Which choices come with each other, as an editor's manual pages, is the packages' business and stays. Taken back by choosing what was chosen before.",
    params: &[
        Param::required("name", Ty::Str, "The common name, as in `editor`."),
        Param::new("path", Ty::Path, "The program that it leads to."),
        Param::new("state", Ty::Choice(&["selected", "auto", "present", "absent"]), "`selected` chooses `path`; `auto` lets priorities choose; `present` and `absent` say whether `path` is an alternative at all.").default("selected"),
        Param::new("link", Ty::Path, "Where the common name is, to add `path`."),
        Param::new("priority", Ty::Int, "Its priority when it is added.").default("50"),
    ],
    bare: "",
    example: "\
- name: Edit with vim
  alternatives:
    name: editor
    path: /usr/bin/vim.tiny
",
    build,
};

const TOOL: &str = "update-alternatives";
const HINT: &str = "it is a part of Debian's dpkg; on another system use `file: {state: link}`";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Selected,
    Auto,
    Present,
    Absent,
}

#[derive(Debug)]
struct Alternatives {
    name: String,
    path: Option<String>,
    wish: Wish,
    link: Option<String>,
    priority: i64,
}

/// A program among the alternatives; `companions` are what comes with it, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    path: String,
    priority: i64,
    companions: Vec<(String, String)>,
}

/// The alternatives of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    link: String,
    /// What comes with it, by name, and where.
    companions: Vec<(String, String)>,
    auto: bool,
    value: String,
    choices: Vec<Choice>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let name = args.str("name").unwrap_or_default().trim().to_owned();
    if name.is_empty() || name.starts_with('-') || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        refuse("name", format!("`{}` is not an alternative's name", name.escape_debug()), "one word without `/`, as `editor`");
    }
    let wish = match args.str("state") {
        Some("auto") => Wish::Auto,
        Some("present") => Wish::Present,
        Some("absent") => Wish::Absent,
        _ => Wish::Selected,
    };
    let path = args.str("path").map(|path| clean(path).0);
    let link = args.str("link").map(|path| clean(path).0);
    for (name, path) in [("path", &path), ("link", &link)] {
        if path.as_ref().is_some_and(|path| path.contains(char::is_control)) {
            refuse(name, format!("`{name}` has a control character in it"), "name a program");
        }
    }
    match (wish, &path) {
        (Wish::Auto, Some(_)) => refuse("path", "with `state: auto` no `path` is chosen".into(), "leave `path` out, or `state`"),
        (Wish::Selected | Wish::Present | Wish::Absent, None) => refuse("name", "`alternatives` does not say which program".into(), "give `path`, or `state: auto` to let priorities choose"),
        _ => {}
    }
    if path.is_some() && path == link {
        refuse("link", "`link` and `path` are the same".into(), "`link` is the common name's path, as `/usr/bin/editor`; `path` is the program");
    }
    if let Some(name) = ["name", "path", "link"].iter().find(|name| args.is_secret(name)) {
        refuse(name, format!("`{name}` cannot be secret"), "every user of the node can see it");
    }
    let priority = args.int("priority").unwrap_or(50);
    problems.into_result(Box::new(Alternatives { name, path, wish, link, priority }) as Box<dyn Resource>)
}

/// Reads what `update-alternatives --query` says: paragraphs of fields, of which `Slaves` goes on in indented lines.
fn read(text: &str) -> Option<Group> {
    let mut paragraphs = text.trim_end().split("\n\n").map(|paragraph| {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
        let companions = paragraph.lines().filter_map(|line| line.strip_prefix(' ')?.split_once(' ')).map(|(name, path)| (name.to_owned(), path.to_owned()));
        (field("Link"), field("Status"), field("Value"), field("Alternative"), field("Priority"), companions.collect::<Vec<_>>())
    });
    let (link, status, value, _, _, companions) = paragraphs.next()?;
    let choice = |(_, _, _, path, priority, companions): (_, _, _, Option<String>, Option<String>, _)| Some(Choice { path: path?, priority: priority?.parse().ok()?, companions });
    Some(Group { link: link?, companions, auto: status? == "auto", value: value?, choices: paragraphs.map(choice).collect::<Option<_>>()? })
}

impl Group {
    /// The one of highest priority.
    fn best(&self) -> Option<&Choice> {
        self.choices.iter().reduce(|best, choice| if choice.priority > best.priority { choice } else { best })
    }

    /// What `--query` says of it, as [`read`] reads it.
    fn shown(&self) -> String {
        let companions = |of: &[(String, String)]| of.iter().map(|(name, path)| format!(" {name} {path}\n")).collect::<String>();
        let choices = self.choices.iter().map(|choice| format!("\nAlternative: {}\nPriority: {}\n{}", choice.path, choice.priority, companions(&choice.companions)));
        let status = if self.auto { "auto" } else { "manual" };
        format!("Link: {}\n{}Status: {status}\nValue: {}\n{}", self.link, companions(&self.companions), self.value, choices.collect::<String>())
    }
}

impl Alternatives {
    fn question(&self) -> Command {
        command([TOOL, "--query", self.name.as_str()])
    }

    fn now(&self, world: &World) -> Result<Option<Group>, Block> {
        let ran = answer(world, &self.question(), TOOL, HINT)?;
        match ran.rc {
            0 => read(&ran.stdout).map(Some).ok_or_else(|| Block::refused(format!("`{TOOL}` describes `{}` in a way that is not understood", self.name), HINT)),
            _ if ran.stderr.contains("no alternatives for") => Ok(None),
            _ => Err(trouble(world, ran, TOOL, HINT)),
        }
    }

    /// A line of shell that tells the tool.
    fn tell(&self, words: &[&str]) -> String {
        super::shared::words::join(&[TOOL].iter().chain(words).map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    fn choose(&self, group: &Group) -> String {
        if group.auto { self.tell(&["--auto", &self.name]) } else { self.tell(&["--set", &self.name, &group.value]) }
    }

    fn install(&self, group: &Group, choice: &Choice) -> String {
        let priority = choice.priority.to_string();
        let mut words = vec!["--install", &group.link, &self.name, &choice.path, &priority];
        for (name, path) in &choice.companions {
            if let Some((_, link)) = group.companions.iter().find(|(other, _)| other == name) {
                words.extend(["--slave", link, name, path]);
            }
        }
        self.tell(&words)
    }

    fn told(&self, says: String, turn: Turn, lines: &[String], undo: &[String], after: Ran, brings: Option<&str>) -> Op {
        Op::Tool(ToolOp {
            says: vec![says],
            turn,
            command: script(&lines.join(" && "), &[]),
            undo: Some(script(&undo.join("\n"), &[])),
            answers: vec![(self.question(), after)],
            brings: brings.map(str::to_owned).into_iter().collect(),
            ..ToolOp::default()
        })
    }

    /// The program is to be an alternative, and with `select` the one.
    fn comes(&self, path: &str, select: bool, now: Option<Group>, world: &World) -> Result<Option<Op>, Block> {
        let name = &self.name;
        let have = now.as_ref().is_some_and(|group| group.choices.iter().any(|choice| choice.path == path));
        let chosen = now.as_ref().is_some_and(|group| !group.auto && group.value == path);
        if have && (chosen || !select) {
            return Ok(None);
        }
        let need = Need::Path(path.to_owned());
        match world.need(&need) {
            Standing::Open(cause) => return Err(Block::Later(cause)),
            Standing::Refuted => return Err(Block::Unmet(need)),
            Standing::Met => {}
        }
        if let (Some(link), Some(group)) = (self.link.as_ref().filter(|_| !have), now.as_ref())
            && *link != group.link
        {
            return Err(Block::refused(format!("`{name}` is at {} on this node, not at {link}", group.link), "say so in `link`"));
        }
        let Some(link) = now.as_ref().filter(|_| have).map(|group| &group.link).or(self.link.as_ref()) else {
            let others = now.as_ref().map_or(String::new(), |group| group.choices.iter().map(|choice| choice.path.as_str()).collect::<Vec<_>>().join(", "));
            let known = if others.is_empty() { format!("this node has no alternatives for `{name}`") } else { format!("{path} is none of the alternatives for `{name}`: {others}") };
            return Err(match world.opaque(Some("/var/lib/dpkg/alternatives")) {
                Some(cause) => Block::Later(cause),
                None => Block::refused(known, "name one of them, or give `link`, the common name's path, to add it"),
            });
        };
        let fresh = Group { link: link.clone(), companions: Vec::new(), auto: true, value: String::new(), choices: Vec::new() };
        let (before, mut after) = (now.clone(), now.unwrap_or(fresh));
        let (mut lines, mut undo) = (Vec::new(), Vec::new());
        if !have {
            let choice = Choice { path: path.to_owned(), priority: self.priority, companions: Vec::new() };
            lines.push(self.install(&after, &choice));
            undo.push(self.tell(&["--remove", name, path]));
            after.choices.push(choice);
        }
        if select {
            lines.push(self.tell(&["--set", name, path]));
            (after.auto, after.value) = (false, path.to_owned());
        } else if let Some(best) = after.best().filter(|_| after.auto) {
            after.value = best.path.clone();
        }
        undo.extend(before.as_ref().map(|group| self.choose(group)));
        let what = match &before {
            _ if !select => format!("make {path} an alternative for {name}"),
            Some(group) if group.value == path => format!("hold {name} at {path}, whatever comes"),
            Some(group) => format!("{name}: {} → {path}", group.value),
            None => format!("{name}: {path}"),
        };
        let turn = if before.is_some() { Turn::Change } else { Turn::Create };
        let link = after.link.clone();
        Ok(Some(self.told(what, turn, &lines, &undo, says(after.shown()), (!have).then_some(link.as_str()))))
    }

    fn goes(&self, path: &str, mut now: Group) -> Option<Op> {
        let at = now.choices.iter().position(|choice| choice.path == path)?;
        let undo = [self.install(&now, &now.choices[at]), self.choose(&now)];
        now.choices.remove(at);
        now.auto |= now.value == path;
        let after = match now.best().cloned() {
            None => Ran { rc: 2, stdout: String::new(), stderr: format!("no alternatives for {}", self.name) },
            Some(best) => {
                now.value = if now.auto { best.path } else { now.value };
                says(now.shown())
            }
        };
        Some(self.told(format!("{path} is no alternative for {} any more", self.name), Turn::Remove, &[self.tell(&["--remove", &self.name, path])], &undo, after, None))
    }

    fn by_priority(&self, now: Option<Group>, world: &World) -> Result<Option<Op>, Block> {
        let Some(mut group) = now else {
            return Err(match world.opaque(Some("/var/lib/dpkg/alternatives")) {
                Some(cause) => Block::Later(cause),
                None => Block::refused(format!("this node has no alternatives for `{}`", self.name), "look at the spelling; `update-alternatives --get-selections` lists them there"),
            });
        };
        if group.auto {
            return Ok(None);
        }
        let undo = [self.choose(&group)];
        let best = group.best().map(|best| best.path.clone()).unwrap_or_default();
        let what = format!("{}: {} → {best}, by its priority", self.name, group.value);
        (group.auto, group.value) = (true, best);
        Ok(Some(self.told(what, Turn::Change, &[self.choose(&group)], &undo, says(group.shown()), None)))
    }
}

impl Resource for Alternatives {
    fn id(&self) -> Id {
        let slice = self.path.clone().filter(|_| matches!(self.wish, Wish::Present | Wish::Absent)).unwrap_or_default();
        Id { kind: ALTERNATIVES.name.into(), key: self.name.clone(), slice }
    }

    fn claims(&self) -> Vec<Claim> {
        let of = |what: &str| Claim::Other(format!("alternatives:{}{what}", self.name));
        let path = self.path.iter().map(|path| of(&format!("#{path}")));
        let choice = matches!(self.wish, Wish::Selected | Wish::Auto).then(|| of(""));
        choice.into_iter().chain(path).collect()
    }

    fn look(&self) -> Vec<Probe> {
        [Probe::Run(self.question())].into_iter().chain(self.path.as_deref().map(stat)).collect()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        if world.facts.os.family != "debian" {
            return Err(Block::refused("`alternatives` tells Debian's `update-alternatives`, and this node is no Debian", "skip the task there: `when: facts.os.family == \"debian\"`"));
        }
        answered(world, &self.look())?;
        let now = self.now(world)?;
        let op = match (self.wish, &self.path) {
            (Wish::Auto, _) => self.by_priority(now, world)?,
            (Wish::Absent, Some(path)) => now.and_then(|group| self.goes(path, group)),
            (wish, Some(path)) => self.comes(path, wish == Wish::Selected, now, world)?,
            (_, None) => None,
        };
        Ok(op.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SAID: &str = "Name: editor\nLink: /usr/bin/editor\nSlaves:\n editor.1.gz /usr/share/man/man1/editor.1.gz\nStatus: auto\nBest: /usr/bin/vim.tiny\nValue: /usr/bin/vim.tiny\n\n\
        Alternative: /bin/ed\nPriority: -100\nSlaves:\n editor.1.gz /usr/share/man/man1/ed.1.gz\n\nAlternative: /usr/bin/vim.tiny\nPriority: 15\n";

    #[test]
    fn what_the_tool_says_is_read() {
        let group = read(SAID).unwrap();
        assert_eq!((group.link.as_str(), group.auto, group.value.as_str(), group.choices.len()), ("/usr/bin/editor", true, "/usr/bin/vim.tiny", 2));
        assert_eq!(group.choices[0].companions, [("editor.1.gz".into(), "/usr/share/man/man1/ed.1.gz".into())]);
        assert_eq!(read(&group.shown()).unwrap(), group);
        for odd in ["", "hello", "Link: a\n\nStatus: auto", "Link: a\nStatus: auto\nValue: b\n\nAlternative: b\nPriority: x"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
