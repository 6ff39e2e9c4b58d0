//! Probes compiled to one unit, batched by kind: few processes on the node, however many questions.

use super::Unit;
use crate::node::Costly;
use crate::node::probe::{Command, Depth, Probe};
use crate::node::quote::{quote, words};
use std::collections::BTreeMap;

/// Paths asked about at once: more would make shells slow.
pub(super) const CHUNK: usize = 250;

/// The questions, sorted by kind. Compiling and reading use the same order, so answers need no names.
#[derive(Debug, Default)]
pub(super) struct Batches<'a> {
    /// Each path once, with the most that is asked of it.
    pub paths: Vec<(&'a str, Word<'a>)>,
    pub trees: Vec<&'a str>,
    pub packages: Vec<&'a str>,
    pub candidates: Vec<&'a str>,
    pub units: Vec<&'a str>,
    pub users: Vec<&'a str>,
    pub accounts: bool,
    pub crontabs: Vec<&'a str>,
    pub sysctls: Vec<&'a str>,
    pub hostname: bool,
    pub commands: Vec<&'a Command>,
}

/// The most that is asked of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word<'a> {
    Stat,
    Digest,
    Unless(&'a str),
    Text,
}

impl<'a> Batches<'a> {
    pub fn new(probes: &'a [Probe]) -> Self {
        let mut batches = Batches::default();
        let mut paths: BTreeMap<&str, Word<'_>> = BTreeMap::new();
        for probe in probes {
            match probe {
                Probe::Path { path, depth } => {
                    let wanted = match depth {
                        Depth::Stat => Word::Stat,
                        Depth::Digest => Word::Digest,
                        Depth::Text { unless: Some(hex) } if is_hex(hex) => Word::Unless(hex),
                        Depth::Text { .. } => Word::Text,
                    };
                    let have = paths.entry(path).or_insert(wanted);
                    *have = match (*have, wanted) {
                        // Two questions that spare different texts: send it.
                        (Word::Unless(a), Word::Unless(b)) if a != b => Word::Text,
                        (a, b) => a.max(b),
                    };
                }
                Probe::Tree { path } => batches.trees.push(path),
                Probe::Package { name, candidate } => {
                    batches.packages.push(name);
                    if *candidate {
                        batches.candidates.push(name);
                    }
                }
                Probe::Unit { name } => batches.units.push(name),
                Probe::User { name } => {
                    batches.users.push(name);
                    batches.accounts = true;
                }
                Probe::Group { .. } => batches.accounts = true,
                Probe::Crontab { user } => batches.crontabs.push(user),
                Probe::Sysctl { key } => batches.sysctls.push(key),
                Probe::Hostname => batches.hostname = true,
                Probe::Run(command) => batches.commands.push(command),
            }
        }
        batches.paths = paths.into_iter().collect();
        for list in [
            &mut batches.trees,
            &mut batches.packages,
            &mut batches.candidates,
            &mut batches.units,
            &mut batches.users,
            &mut batches.crontabs,
            &mut batches.sysctls,
        ] {
            list.sort_unstable();
            list.dedup();
        }
        batches.commands.sort_unstable();
        batches.commands.dedup();
        batches
    }
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The program that answers `probes`, and says what the node keeps of us; with `facts`, also what the node is, the costly facts as
/// far as they are asked for, and its receipts. If `paranoid`, every file is hashed, and no digest is believed that an earlier run recorded.
pub fn look(seq: u32, probes: &[Probe], facts: Option<Costly>, paranoid: bool) -> Unit {
    let batches = Batches::new(probes);
    let mut unit = Unit::new(seq);
    // In a run, one look follows the other: thousands of receipts would come each time.
    unit.push(if facts.is_some() { "h_state y\n" } else { "h_state\n" });
    if paranoid {
        unit.push("h_sums=\n");
    }
    if let Some(Costly { machine, addresses, clock }) = facts {
        let named = [(machine, " machine"), (addresses, " addresses"), (clock, " clock")];
        let named: String = named.iter().filter(|(asked, _)| *asked).map(|(_, name)| *name).collect();
        unit.push(format!("h_facts{named}\n"));
    }
    for (chunk, paths) in batches.paths.chunks(CHUNK).enumerate() {
        let spec: Vec<String> = paths
            .iter()
            .map(|(_, word)| match word {
                Word::Stat => "s".to_owned(),
                Word::Digest => "d".to_owned(),
                Word::Unless(hex) => format!("t:{hex}"),
                Word::Text => "t".to_owned(),
            })
            .collect();
        unit.push(format!("h_paths {chunk} '{}'{}\n", spec.join(" "), words(paths.iter().map(|(path, _)| path))));
    }
    for (i, path) in batches.trees.iter().enumerate() {
        unit.push(format!("h_tree {i} {}\n", quote(path)));
    }
    for (function, names) in [("h_packages", &batches.packages), ("h_candidates", &batches.candidates), ("h_units", &batches.units)] {
        if !names.is_empty() {
            unit.push(format!("{function}{}\n", words(names)));
        }
    }
    if batches.accounts {
        unit.push(format!("h_accounts{}\n", words(&batches.users)));
    }
    for (i, user) in batches.crontabs.iter().enumerate() {
        unit.push(format!("h_crontab {i} {}\n", quote(user)));
    }
    if !batches.sysctls.is_empty() {
        unit.push(format!("h_sysctls{}\n", words(batches.sysctls.iter().map(|key| sysctl_path(key)))));
    }
    if batches.hostname {
        unit.push("h_hostname\n");
    }
    for (i, command) in batches.commands.iter().enumerate() {
        let user = command.user.as_deref().unwrap_or_default();
        unit.push(format!("h_ran {i} {} {}", quote(user), quote(&script(command))));
        if let Some(stdin) = &command.stdin {
            unit.push(format!(" {}", quote(stdin)));
        }
        unit.push("\n");
    }
    unit.push(":");
    unit
}

/// A dotted key as a path below `/proc/sys`: dots and slashes change places.
pub(super) fn sysctl_path(key: &str) -> String {
    key.chars().map(|c| if c == '.' { '/' } else if c == '/' { '.' } else { c }).collect()
}

/// A command as the text of a shell script.
pub(super) fn script(command: &Command) -> String {
    // The runtime's own files are nobody else's; what a command makes is as it would be from a login.
    let mut text = String::from("umask 022\n");
    for (name, value) in &command.environment {
        text.push_str(&format!("export {}\n", quote(&format!("{name}={value}"))));
    }
    match (&command.chdir, &command.user) {
        (Some(dir), _) => text.push_str(&format!("cd -- {} || exit 126\n", quote(dir))),
        // The login's directory may be out of another user's reach.
        (None, Some(_)) => text.push_str("cd 2>/dev/null || cd /\n"),
        (None, None) => {}
    }
    match (&command.argv[..], command.shell) {
        ([script], true) => text.push_str(script),
        (argv, _) => {
            text.push_str("exec");
            text.push_str(&words(argv));
        }
    }
    text
}
