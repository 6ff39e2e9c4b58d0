//! The frames that answer a look, read back into answers. Untrusted: what is missing or odd is an [`Answer::Failed`].

use super::look::{Batches, CHUNK};
use super::guard::{Armed, read_armed};
use super::paths::Paths;
use crate::node::facts::Facts;
use crate::node::frame::Frame;
use crate::node::probe::{Account, Answer, Answers, GroupEntry, PackageState, Probe, Ran, TEXT_LIMIT, UnitState};
use std::collections::BTreeMap;
use thiserror::Error;

/// What a look brought home.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// What the node is, if that was asked.
    pub facts: Option<Facts>,
    /// What it keeps of us.
    pub state: NodeState,
    /// The answer to every probe.
    pub answers: Answers,
    /// What the node may record of the large files among them, for the next look to believe.
    pub sums: Sums,
}

/// Digests of large files with what `stat` said before they were hashed, by path: `INODE SIZE DATE TIME ZONE SHA256`.
/// Beside the answers: a file that was replaced by its like is no other file.
pub type Sums = BTreeMap<String, String>;

/// What a node keeps of homelab.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeState {
    /// Handlers that an earlier run notified and did not get to run.
    pub pending: Vec<String>,
    /// Who holds the lock now, if anybody alive does.
    pub locked_by: Option<Owner>,
    /// How many runs this node has had.
    pub run_number: u64,
    /// Resource id → (digest of what was desired, digest of what was observed after), where facts were asked for.
    pub receipts: BTreeMap<String, (String, String)>,
    /// The run that neither finished nor was unwound. With `locked_by` it is in progress, without it was interrupted.
    pub interrupted: Option<String>,
    /// The guard that watches it, if one does.
    pub guard: Option<Armed>,
    /// Values kept by `register`, by name.
    pub kept: BTreeMap<String, Vec<u8>>,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// `user@controller`, in the controller's words.
    pub who: String,
    /// Seconds since 1970 by the controller's clock.
    pub since: u64,
}

/// The node's answer does not keep to the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The answer to a unit has no end: the program was cut off or died.
    #[error("the node's answer stops in the middle")]
    Unfinished,
    /// A frame that must be there is not.
    #[error("the node did not answer with `{0}`")]
    Missing(&'static str),
}

/// Reads what `look(_, probes, _)` is answered by.
pub fn read_look(frames: &[Frame], probes: &[Probe]) -> Result<Look, ProtocolError> {
    if !frames.iter().any(|frame| frame.tag == "end") {
        return Err(ProtocolError::Unfinished);
    }
    let one = |tag: &str| frames.iter().find(|frame| frame.tag == tag);
    let facts = one("facts").map(|frame| {
        let addresses = one("addr").map(Frame::text).unwrap_or_default();
        super::facts::facts(&frame.text(), &addresses)
    });
    let batches = Batches::new(probes);
    let paths = Paths::read(frames, &batches.paths, CHUNK);
    let accounts = Accounts::read(frames);
    let mut answers = Answers::new();
    for probe in probes {
        let failed = || Answer::Failed("the node did not answer this".into());
        let answer = match probe {
            Probe::Path { path, depth } => paths.answer(path, depth),
            Probe::Tree { path } => {
                batches.trees.binary_search(&path.as_str()).map_or_else(|_| failed(), |i| super::paths::tree(frames, i, path))
            }
            Probe::Package { name, candidate } => package(frames, name, *candidate).unwrap_or_else(failed),
            Probe::Unit { name } => unit(frames, &batches.units, name).unwrap_or_else(failed),
            Probe::User { name } => accounts.as_ref().map_or_else(failed, |a| Answer::User(a.user(name))),
            Probe::Group { name } => accounts.as_ref().map_or_else(failed, |a| Answer::Group(a.group(name))),
            Probe::Crontab { user } => crontab(frames, &batches.crontabs, user).unwrap_or_else(failed),
            Probe::Sysctl { key } => sysctl(frames, &batches.sysctls, key).unwrap_or_else(failed),
            Probe::Hostname => one("hostname").map_or_else(failed, |f| Answer::Hostname(f.text().trim_end().to_owned())),
            Probe::Run(command) => {
                let at = batches.commands.binary_search(&command).ok();
                let frame = at.and_then(|at| numbered(frames, "ran", at));
                let asked = command.argv.is_empty().then(|| Answer::Failed("an empty command".into()));
                asked.or_else(|| frame.and_then(ran).map(|(_, ran)| Answer::Ran(ran))).unwrap_or_else(|| Answer::Failed(format!("no answer to `{}`", first_line(&command.argv.join(" "), command.secret))))
            }
        };
        answers.insert(probe.clone(), answer);
    }
    Ok(Look { facts, state: state(frames)?, answers, sums: paths.sums })
}

fn first_line(script: &str, secret: bool) -> &str {
    if secret { "a secret command" } else { script.lines().next().unwrap_or_default() }
}

/// The frame called `tag` whose first field is `at`.
fn numbered<'a>(frames: &'a [Frame], tag: &str, at: usize) -> Option<&'a Frame> {
    frames.iter().find(|frame| frame.tag == tag && frame.number(0) == Some(at as u64))
}

fn state(frames: &[Frame]) -> Result<NodeState, ProtocolError> {
    let one = |tag: &str| frames.iter().find(|frame| frame.tag == tag);
    let mut state = NodeState { run_number: one("state").ok_or(ProtocolError::Missing("state"))?.number(0).unwrap_or(0), ..NodeState::default() };
    let lines = |tag: &str| one(tag).map(Frame::text).unwrap_or_default();
    state.pending = lines("pending").lines().map(super::state::unescape).collect();
    for line in lines("receipts").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if let [id, desired, observed] = words[..] {
            state.receipts.insert(super::state::unescape(id), (desired.into(), observed.into()));
        }
    }
    for line in lines("kept").lines() {
        if let Some((name, value)) = line.split_once(' ').and_then(|(n, v)| Some((n, super::base64(v.as_bytes())?))) {
            state.kept.insert(super::state::unescape(name), value);
        }
    }
    state.interrupted = lines("open").lines().next().map(str::to_owned);
    state.guard = one("guard").and_then(|frame| read_armed(&frame.text()));
    state.locked_by = one("lock").map(|frame| Owner { who: frame.text().trim_end().to_owned(), since: frame.number(0).unwrap_or(0) });
    Ok(state)
}

fn package(frames: &[Frame], name: &str, candidate: bool) -> Option<Answer> {
    let frame = frames.iter().find(|frame| frame.tag == "packages")?;
    let text = frame.text();
    let mut state = PackageState::default();
    match frame.field(0) {
        "dpkg" => {
            let (base, arch) = name.split_once(':').unwrap_or((name, ""));
            for line in text.lines() {
                let mut words = line.split_whitespace();
                let (Some(n), Some(a), Some(status)) = (words.next(), words.next(), words.next()) else { continue };
                if n != base || !(arch.is_empty() || arch == a) {
                    continue;
                }
                // The second letter is the state: `i` installed, `c` only its configuration is left.
                match status.as_bytes().get(1) {
                    Some(b'i') => state.installed = words.next().map(str::to_owned),
                    Some(b'c') => state.residue = state.installed.is_none(),
                    _ => {}
                }
            }
        }
        "rpm" => {
            state.installed = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        }
        "apk" => {
            state.installed = text.lines().find_map(|line| {
                let version = line.split(' ').next()?.strip_prefix(name)?.strip_prefix('-')?;
                version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
            });
        }
        _ => return Some(Answer::Failed("there is no package manager that homelab knows (dpkg, rpm, apk)".into())),
    }
    if candidate {
        let frame = frames.iter().find(|frame| frame.tag == "candidates")?;
        state.candidate = offered(&frame.text(), frame.field(0), name);
    }
    Some(Answer::Package(state))
}

/// The version that the node's lists offer.
fn offered(text: &str, manager: &str, name: &str) -> Option<String> {
    if manager == "dnf" {
        return text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
    }
    // apt-cache policy and apk policy: a line `name:` and indented lines below it.
    let mut here = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            here = line.trim_end_matches(" policy:").trim_end_matches(':') == name;
        } else if here && manager == "apt" {
            if let Some(version) = line.trim().strip_prefix("Candidate: ") {
                return (version != "(none)").then(|| version.to_owned());
            }
        } else if here {
            return Some(line.trim().trim_end_matches(':').to_owned());
        }
    }
    None
}

fn unit(frames: &[Frame], asked: &[&str], name: &str) -> Option<Answer> {
    let frame = frames.iter().find(|frame| frame.tag == "units")?;
    match frame.field(0) {
        "none" => return Some(Answer::Unit(None)),
        "systemd" => {}
        _ => return Some(Answer::Failed(frame.text())),
    }
    let text = frame.text();
    let block = text.split("\n\n").nth(asked.binary_search(&name).ok()?)?;
    let mut state = UnitState::default();
    for line in block.lines() {
        match line.split_once('=') {
            Some(("LoadState", v)) => state.load = v.into(),
            Some(("ActiveState", v)) => state.active = v.into(),
            Some(("UnitFileState", v)) => state.file = v.into(),
            Some(("NeedDaemonReload", v)) => state.stale = v == "yes",
            _ => {}
        }
    }
    Some(Answer::Unit(Some(state)))
}

fn crontab(frames: &[Frame], asked: &[&str], user: &str) -> Option<Answer> {
    let text = numbered(frames, "crontab", asked.binary_search(&user).ok()?)?.text();
    let (text, rc) = text.rsplit_once('.')?;
    Some(match rc {
        "0" => Answer::Crontab(Some(text.to_owned())),
        _ if text.contains("no crontab for") || text.contains("can't open") => Answer::Crontab(None),
        _ => Answer::Failed(text.trim_end().to_owned()),
    })
}

fn sysctl(frames: &[Frame], asked: &[&str], key: &str) -> Option<Answer> {
    let frame = numbered(frames, "sysctl", asked.binary_search(&key).ok()? + 1)?;
    Some(match frame.field(1) {
        "value" => Answer::Sysctl(Some(frame.text().trim_end_matches('\n').to_owned())),
        "none" => Answer::Sysctl(None),
        _ => Answer::Failed("the kernel lets only root read it".into()),
    })
}

/// How a command ended, from a frame `ran`: by the op's number in a run. `None` for any other frame.
pub fn ran(frame: &Frame) -> Option<(u32, Ran)> {
    if frame.tag != "ran" {
        return None;
    }
    // Standard error, the session's mark, standard output, a colon and the status.
    let text = frame.text();
    let mark = frame.fields.get(1)?;
    let (stderr, rest) = text.split_once(&format!("@{mark}"))?;
    let (stdout, rc) = rest.rsplit_once(':')?;
    let cut = |text: &str| {
        let mut end = text.len().min(TEXT_LIMIT as usize);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    let number = u32::try_from(frame.number(0)?).ok()?;
    Some((number, Ran { rc: rc.trim().parse().ok()?, stdout: cut(stdout), stderr: cut(stderr) }))
}

/// `/etc/passwd`, `/etc/group` and what could be read of `/etc/shadow`.
struct Accounts {
    passwd: String,
    group: String,
    shadow: Option<String>,
}

impl Accounts {
    fn read(frames: &[Frame]) -> Option<Self> {
        let one = |tag: &str| frames.iter().find(|frame| frame.tag == tag);
        let shadow = one("shadow")?;
        Some(Accounts {
            passwd: one("passwd")?.text(),
            group: one("group")?.text(),
            shadow: (shadow.field(0) != "none").then(|| shadow.text()),
        })
    }

    fn user(&self, name: &str) -> Option<Account> {
        let line: Vec<&str> = self.passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        let [_, _, uid, gid, comment, home, shell, ..] = line[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        let mut account = Account { uid, gid, comment: comment.into(), home: home.into(), shell: shell.into(), ..Account::default() };
        account.group = gid.to_string();
        for fields in self.group.lines().map(|line| line.split(':').collect::<Vec<_>>()) {
            let [group, _, number, members, ..] = fields[..] else { continue };
            if number.parse() == Ok(gid) {
                account.group = group.into();
            }
            if members.split(',').any(|member| member == name) {
                account.groups.push(group.into());
            }
        }
        account.groups.sort();
        account.password = self.shadow.as_ref().and_then(|shadow| {
            shadow.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split(':').next().map(str::to_owned))
        });
        Some(account)
    }

    fn group(&self, name: &str) -> Option<GroupEntry> {
        let line: Vec<&str> = self.group.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        let [_, _, gid, members, ..] = line[..] else { return None };
        let mut members: Vec<String> = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
        members.sort();
        Some(GroupEntry { gid: gid.parse().ok()?, members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::probe::{Command, Depth};
    use proptest::prelude::*;

    fn probes() -> Vec<Probe> {
        vec![
            Probe::Path { path: "/a".into(), depth: Depth::Text { unless: None } },
            Probe::Path { path: "/b\n".into(), depth: Depth::Stat },
            Probe::Tree { path: "/t".into() },
            Probe::Package { name: "x".into(), candidate: true },
            Probe::Unit { name: "x.service".into() },
            Probe::User { name: "a".into() },
            Probe::Group { name: "a".into() },
            Probe::Crontab { user: "a".into() },
            Probe::Sysctl { key: "a.b".into() },
            Probe::Hostname,
            Probe::Run(Command { argv: vec!["true".into()], ..Command::default() }),
        ]
    }

    proptest! {
        #[test]
        fn a_node_that_lies_makes_no_panic(
            frames in prop::collection::vec(
                (
                    "facts|addr|state|paths|stamps|sums|sum|text|tree|packages|candidates|units|passwd|group|shadow|crontab|sysctl|ran|lock|receipts|kept",
                    prop::collection::vec("[0-9]{0,3}|[adflo]{1,2}|n|[0-9]:[0-9],?|dpkg|apt|systemd|value", 0..3),
                    "(n:|\n|81a4:|a1ff:|[0-9]{1,2}:|root:|/a|/b|' -> '| -> |x |ii |=|\\.|[ -~])|(?s:.){0,30}",
                ),
                0..12,
            )
        ) {
            let mut frames: Vec<Frame> = frames
                .into_iter()
                .map(|(tag, fields, body)| Frame { tag, fields, body: body.into_bytes() })
                .collect();
            frames.push(Frame { tag: "end".into(), fields: vec!["1".into(), "0".into()], body: Vec::new() });
            let probes = probes();
            if let Ok(look) = read_look(&frames, &probes) {
                prop_assert_eq!(look.answers.len(), probes.len());
            }
        }
    }
}
