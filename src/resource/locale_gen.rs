//! `locale_gen`: which languages and character sets the programs of a Debian can speak.

use super::shared::attrs::wrong;
use super::shared::edit::{Edit, Lines};
use super::shared::put::Manner;
use super::shared::tool::{answer, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Command, Op, Probe, World};

/// The declaration.
pub static LOCALE_GEN: KindSpec = KindSpec {
    name: "locale_gen",
    summary: "Generates a locale on Debian and its kin, and makes it the system's",
    description: "\
Keeps the locale's line in `/etc/locale.gen`, and has `locale-gen` generate what is missing; what is there is not generated again. On a small machine one takes a minute.
`locale-gen` comes with the package `locales`, which an earlier task can install. A locale that the node's C library does not know is refused when planning, and so is a node that is no Debian, Raspberry Pi OS or Ubuntu.

With `default: true` it is also what programs speak unless told otherwise: `LANG` in `/etc/default/locale`, or in `/etc/locale.conf` where that is a link to it, as on Debian 13. Other lines there stay.
It holds from the next login on; services keep what they started with.

`state: absent` takes a locale away that `locale-gen` made; one that a package brings, as `C.UTF-8`, is refused. The files are taken back exactly; a locale that was taken away is generated again.",
    params: &[
        Param::required("name", Ty::Strs, "The locale, as in `de_DE.UTF-8`, or several."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("default", Ty::Bool, "Make it the system's; of several, the first.").default("false"),
    ],
    bare: "name",
    example: "\
- name: Have the package that generates locales
  package: locales
- name: Speak German
  locale_gen: { name: de_DE.UTF-8, default: true }
",
    build,
};

const LIST: &str = "/etc/locale.gen";
const DEFAULT: &str = "/etc/default/locale";
const CONF: &str = "/etc/locale.conf";
/// Older ones, and Ubuntu's, may not know the option.
const GENERATE: &str = "locale-gen --keep-existing || locale-gen";

#[derive(Debug)]
struct LocaleGen {
    names: Vec<String>,
    present: bool,
    default: bool,
}

/// How a locale stands.
struct Seen {
    made: bool,
    /// By `locale-gen`, which can also take it away.
    ours: bool,
    charset: Option<String>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut names: Vec<String> = Vec::new();
    for name in args.strs("name").iter().map(|name| name.trim()) {
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.@-".contains(c)) {
            problems.push(wrong(args, "name", format!("`{}` is not a locale", name.escape_debug()), "", "as in `de_DE.UTF-8`"));
        } else if !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    if args.strs("name").is_empty() {
        problems.push(wrong(args, "name", "`name` is empty", "", "name a locale, as in `de_DE.UTF-8`"));
    }
    if args.is_secret("name") {
        problems.push(wrong(args, "name", "a locale cannot be secret", "", "every user of the node can see it"));
    }
    let (present, default) = (args.str("state") != Some("absent"), args.bool("default", false));
    if default && !present {
        problems.push(wrong(args, "default", "a locale that is to go cannot be the system's", "", "leave `default` out"));
    }
    problems.into_result(Box::new(LocaleGen { names, present, default }) as Box<dyn Resource>)
}

/// As `locale -a` writes it: the character set in small letters, without dashes.
fn normal(name: &str) -> String {
    let (base, modifier) = name.split_once('@').map_or((name, String::new()), |(base, modifier)| (base, format!("@{modifier}")));
    let Some((base, charset)) = base.split_once('.') else { return name.to_owned() };
    let charset: String = charset.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let iso = if charset.chars().all(|c| c.is_ascii_digit()) { "iso" } else { "" };
    format!("{base}.{iso}{charset}{modifier}")
}

/// The locale and the character set of a line, and whether it is commented out.
fn read(line: &str) -> Option<(bool, &str, &str)> {
    let bare = line.trim_start_matches(['#', ' ', '\t']);
    let mut words = bare.split_ascii_whitespace();
    let (name, charset) = (words.next()?, words.next()?);
    words.next().is_none().then_some((line.trim_start().starts_with('#'), name, charset))
}

fn edit(path: &str, removes: bool) -> Edit {
    Edit { path: path.into(), create: true, removes, secret: false, manner: Manner::default() }
}

/// `text`, of which the line of `name` is no comment, or is one.
fn listed(text: &str, name: &str, charset: &str, present: bool) -> String {
    let split = Lines::new(text);
    let find = |commented: bool| split.lines.iter().position(|line| read(line).is_some_and(|(off, locale, set)| off == commented && locale == name && (!present || set == charset)));
    match (present, find(false)) {
        (true, Some(_)) | (false, None) => text.to_owned(),
        (true, None) => {
            let at = find(true).map_or(split.lines.len()..split.lines.len(), |at| at..at + 1);
            split.splice(at, &[&format!("{name} {charset}")])
        }
        (false, Some(at)) => listed(&split.splice(at..at + 1, &[&format!("# {}", split.lines[at].trim())]), name, charset, present),
    }
}

/// `text` with `LANG=name`, once.
fn spoken(text: &str, name: &str) -> String {
    let split = Lines::new(text);
    let hits: Vec<usize> = (0..split.lines.len()).filter(|at| split.lines[*at].starts_with("LANG=")).collect();
    let right = |at: usize| split.lines[at]["LANG=".len()..].trim().trim_matches(['"', '\'']) == name;
    match hits[..] {
        [at] if right(at) => text.to_owned(),
        [at] => split.splice(at..at + 1, &[&format!("LANG={name}")]),
        [] => split.splice(split.lines.len()..split.lines.len(), &[&format!("LANG={name}")]),
        [.., last] => spoken(&split.splice(last..last + 1, &[]), name),
    }
}

impl LocaleGen {
    fn question(&self) -> Command {
        let words: Vec<String> = self.names.iter().flat_map(|name| [name.clone(), normal(name)]).collect();
        script(include_str!("scripts/locale.sh"), &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What the node says of each.
    fn now(&self, world: &World) -> Result<Vec<Seen>, Block> {
        let ran = answer(world, &self.question(), "locale-gen", "put `package: locales` before this task")?;
        let seen = |name: &String| {
            let mut words = ran.stdout.lines().find_map(|line| line.strip_prefix(name.as_str())?.strip_prefix(' '))?.split(' ');
            let (state, charset) = (words.next()?, words.next()?);
            Some(Seen { made: state != "missing", ours: state == "archive", charset: Some(charset.to_owned()).filter(|set| set != "-") })
        };
        self.names.iter().map(|name| seen(name).ok_or_else(|| Block::refused(format!("the node does not say whether it has the locale `{name}`"), "see what `locale -a` says there"))).collect()
    }

    fn possible(&self, now: &[Seen]) -> Result<(), Block> {
        for (name, seen) in self.names.iter().zip(now) {
            if self.present && seen.charset.is_none() {
                let meant = normal(name).ends_with(".utf8").then(|| format!("{}.UTF-8", name.split('.').next().unwrap_or_default())).filter(|meant| meant != name);
                let hint = meant.map_or("/usr/share/i18n/SUPPORTED on the node lists them, as `de_DE.UTF-8`".into(), |meant| format!("did you mean `{meant}`?"));
                return Err(Block::refused(format!("this node's C library knows no locale `{name}`"), hint));
            }
            if !self.present && seen.made && !seen.ours {
                return Err(Block::refused(format!("the locale `{name}` cannot go: `locale-gen` has not made it"), "a package brings it, as `libc-bin` and `locales-all` do: remove that, or leave it"));
            }
        }
        Ok(())
    }

    /// Takes those out of the archive that are to come or to go.
    fn drop(&self, now: &[Seen]) -> Command {
        let todo: Vec<_> = self.names.iter().zip(now).filter(|(_, seen)| seen.made != self.present).collect();
        // One without a character set in its name is kept by that of the list, too.
        let full: Vec<String> = todo.iter().map(|(name, seen)| match (name.contains('.'), name.split_once('@')) {
            (true, _) => (*name).clone(),
            (false, Some((base, modifier))) => format!("{base}.{}@{modifier}", seen.charset.as_deref().unwrap_or_default()),
            (false, None) => format!("{name}.{}", seen.charset.as_deref().unwrap_or_default()),
        }).collect();
        let mut words: Vec<String> = todo.iter().map(|(name, _)| normal(name)).chain(full.iter().map(|name| normal(name))).collect();
        words.dedup();
        words.push("--".into());
        words.extend(full);
        script(include_str!("scripts/locale_drop.sh"), &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn told(&self, now: &[Seen]) -> Option<Op> {
        let todo: Vec<&String> = self.names.iter().zip(now).filter(|(_, seen)| seen.made != self.present).map(|(name, _)| name).collect();
        if todo.is_empty() {
            return None;
        }
        let drop = self.drop(now);
        let state = if self.present { "archive" } else { "missing" };
        let after = self.names.iter().zip(now).map(|(name, seen)| format!("{name} {state} {}\n", seen.charset.as_deref().unwrap_or("-")));
        let named = todo.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let answers = vec![(self.question(), says(after.collect::<String>()))];
        Some(Op::Tool(match self.present {
            true => ToolOp {
                says: vec![format!("generate the locale {named}")],
                turn: Turn::Create,
                command: script(GENERATE, &[]),
                undo: Some(drop),
                answers,
                ..ToolOp::default()
            },
            false => ToolOp {
                says: vec![format!("take away the locale {named}")],
                turn: Turn::Remove,
                command: drop,
                // When its line is back.
                undo: Some(script(GENERATE, &[])),
                again: true,
                answers,
                ..ToolOp::default()
            },
        }))
    }

    /// The file that says what is spoken.
    fn default_file(world: &World) -> &'static str {
        match world.path(DEFAULT) {
            Some(Node::Link { target }) if target == CONF || target == "../locale.conf" => CONF,
            _ => DEFAULT,
        }
    }
}

impl Resource for LocaleGen {
    fn id(&self) -> Id {
        Id { kind: LOCALE_GEN.name.into(), key: self.names.join(","), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let lines = self.names.iter().map(|name| Claim::Slice(LIST.into(), name.clone()));
        lines.chain(self.default.then(|| Claim::Other("locale:LANG".into()))).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.question())];
        probes.extend(edit(LIST, !self.present).look());
        if self.default {
            probes.extend([DEFAULT, CONF].into_iter().flat_map(|path| edit(path, false).look()));
        }
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        if world.facts.os.family != "debian" {
            return Err(Block::refused("`locale_gen` is for Debian and its kin, and this node is another", "skip the task there: `when: facts.os.family == \"debian\"`"));
        }
        let now = self.now(world)?;
        self.possible(&now)?;
        let mut ops = edit(LIST, !self.present).plan(world, |text| {
            Ok(self.names.iter().zip(&now).fold(text.to_owned(), |text, (name, seen)| listed(&text, name, seen.charset.as_deref().unwrap_or_default(), self.present)))
        })?;
        ops.extend(self.told(&now));
        if let Some(first) = self.names.first().filter(|_| self.default) {
            ops.extend(edit(Self::default_file(world), false).plan(world, |text| Ok(spoken(text, first)))?);
        }
        Ok(ops)
    }

    fn slice(&self, text: &str) -> Option<String> {
        let ours = |line: &&str| match read(line) {
            Some((off, name, _)) => !off && self.names.iter().any(|ours| ours == name),
            None => self.default && line.starts_with("LANG="),
        };
        Some(text.lines().filter(ours).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_library_keeps_them() {
        for (name, kept) in [
            ("de_DE.UTF-8", "de_DE.utf8"), ("de_DE", "de_DE"), ("de_DE@euro", "de_DE@euro"), ("en_US.ISO-8859-15", "en_US.iso885915"), ("sr_RS.UTF-8@latin", "sr_RS.utf8@latin"),
            ("C.UTF-8", "C.utf8"), ("ru_RU.KOI8-R", "ru_RU.koi8r"), ("x.8859-1", "x.iso88591"),
        ] {
            assert_eq!(normal(name), kept);
        }
    }

    #[test]
    fn one_line_of_the_list_is_touched() {
        let text = "# This file lists locales.\n#\n\n# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\n";
        let on = text.replace("# de_DE.UTF-8", "de_DE.UTF-8");
        assert_eq!(listed(text, "de_DE.UTF-8", "UTF-8", true), on);
        assert_eq!(listed(&on, "de_DE.UTF-8", "UTF-8", true), on);
        assert_eq!(listed(&on, "de_DE.UTF-8", "", false), text);
        assert_eq!(listed(text, "de_DE.UTF-8", "", false), text);
        assert_eq!(listed(&(on.clone() + "de_DE.UTF-8 UTF-8\n"), "de_DE.UTF-8", "", false), text.to_owned() + "# de_DE.UTF-8 UTF-8\n");
        assert_eq!(listed(text, "fr_FR.UTF-8", "UTF-8", true), format!("{text}fr_FR.UTF-8 UTF-8\n"));
        assert_eq!(listed("", "fr_FR.UTF-8", "UTF-8", true), "fr_FR.UTF-8 UTF-8\n");
    }

    #[test]
    fn one_language_is_spoken() {
        assert_eq!(spoken("", "x"), "LANG=x\n");
        assert_eq!(spoken("#  File generated by update-locale\nLANG=\"x\"\nLC_TIME=y\n", "x"), "#  File generated by update-locale\nLANG=\"x\"\nLC_TIME=y\n");
        assert_eq!(spoken("LANG=y\nLANGUAGE=y\nLANG=z\n", "x"), "LANG=x\nLANGUAGE=y\n");
    }
}
