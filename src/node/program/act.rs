//! Ops compiled to units. File ops that follow each other share one capture, one journal write and one sync, and those
//! that are alike share their processes.

use super::Unit;
use super::stage::place;
use super::system;
use crate::node::op::Op;
use crate::node::quote::{quote, words};
use std::collections::{BTreeMap, BTreeSet};

/// Paths captured at once.
const CAPTURE: usize = 250;

/// The unit that performs `batch`, in this order, each op under its number in the run. Every op that was done is answered
/// by `op N done`; after `op N failed` (the body says why) nothing more of the batch is begun.
pub fn act(seq: u32, batch: &[(u32, &Op)]) -> Unit {
    act_as(seq, batch, &[], 0)
}

/// A step to which ops belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// The number of its first op.
    pub first: u32,
    /// What people call it; without a secret, for the journal tells it.
    pub label: &'a str,
}

/// The same, with the steps that the ops belong to, for the journal; `since` is seconds since 1970 by the controller's clock.
pub fn act_as(seq: u32, batch: &[(u32, &Op)], steps: &[Named<'_>], since: u64) -> Unit {
    let mut unit = Unit::new(seq);
    unit.push("stop=\n");
    let mut rest = batch;
    while let Some((number, op)) = rest.first() {
        let length = if op.is_file_op() { together(rest) } else { 1 };
        let (now, later) = rest.split_at(length);
        unit.push("if h_on; then\n");
        let begun = steps.iter().filter(|step| now.iter().any(|(number, _)| *number == step.first));
        let notes: Vec<String> = begun.map(|step| format!("S {} {since} {}", step.first, line(step.label))).collect();
        if !notes.is_empty() {
            unit.push(format!("h_note {}\n", quote(&notes.join("\n"))));
        }
        if op.is_file_op() { files(&mut unit, now) } else { system::op(&mut unit, *number, op) }
        unit.push("fi\n");
        rest = later;
    }
    // What came of it counts only if nobody has taken the node over meanwhile.
    unit.push("h_ours && [ -z \"$stop\" ]");
    unit
}

/// A label as the journal writes it.
fn line(label: &str) -> String {
    label.replace('%', "%25").replace('\n', "%0A").replace(char::is_control, " ")
}

fn path(op: &Op) -> &str {
    match op {
        Op::Put { path, .. } | Op::Mkdir { path, .. } | Op::Attr { path, .. } | Op::Link { path, .. } | Op::Remove { path } => path,
        _ => "",
    }
}

/// How many of the first ops may be captured together: what one of them takes away or redirects, no other of them touches; and
/// none finds at its path what another one has left there, for it is captured before either is done.
fn together(ops: &[(u32, &Op)]) -> usize {
    let related = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|r| r.starts_with('/')) || b.strip_prefix(a).is_some_and(|r| r.starts_with('/'));
    let mut moving: Vec<&str> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (i, (_, op)) in ops.iter().enumerate().take(CAPTURE) {
        let here = path(op);
        let moves = matches!(op, Op::Remove { .. } | Op::Link { .. });
        if !op.is_file_op() || seen.contains(&here) || moving.iter().any(|m| related(here, m)) || (moves && seen.iter().any(|s| related(here, s))) {
            return i;
        }
        if moves {
            moving.push(here);
        }
        seen.push(here);
    }
    ops.len().min(CAPTURE)
}

/// `owner:group` for chown; empty where neither is wished. Nothing that a shell would split or expand is a name.
fn owner(owner: &Option<String>, group: &Option<String>) -> String {
    let safe = |name: &String| name.chars().map(|c| if c.is_alphanumeric() || "_-.$@+".contains(c) { c } else { '?' }).collect::<String>();
    match (owner, group) {
        (None, None) => String::new(),
        (Some(owner), None) => safe(owner),
        (owner, Some(group)) => format!("{}:{}", owner.as_ref().map(safe).unwrap_or_default(), safe(group)),
    }
    .replace('$', "\\$")
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// One sub-batch of file ops.
fn files(unit: &mut Unit, ops: &[(u32, &Op)]) {
    let first = ops.first().map_or(0, |(number, _)| *number);
    // Before-images lie in directories in which no two have the same name.
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    let mut group = BTreeMap::new();
    let mut spec = Vec::new();
    for (number, op) in ops {
        let name = path(op).rsplit('/').next().unwrap_or_default();
        let count = names.entry(name).or_default();
        group.insert(*number, format!("{first}_{count}"));
        *count += 1;
        let kind = match op {
            Op::Put { .. } => "put",
            Op::Mkdir { .. } => "mkdir",
            Op::Attr { .. } => "attr",
            Op::Link { .. } => "link",
            _ => "remove",
        };
        spec.push(format!("{number}:{kind}:{first}_{}", *count - 1));
    }
    unit.push(format!("h_capture '{}'{}\n", spec.join(" "), words(ops.iter().map(|(_, op)| path(op)))));
    dress(unit, ops);
    let mut rest = ops;
    while let Some((number, op)) = rest.first() {
        let alike = rest.iter().take_while(|(_, other)| same(op, other)).count().max(1);
        let (now, later) = rest.split_at(alike);
        let numbers = now.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(" ");
        let paths = words(now.iter().map(|(_, op)| path(op)));
        unit.push("h_on && ");
        match op {
            Op::Put { path, validate, .. } => {
                if let Some(command) = validate {
                    unit.push(format!("h_validate {number} {} {} && ", quote(command), place(*number, path)));
                }
                // Two puts to one path must not be one rename.
                let mut seen = BTreeSet::new();
                let unique = now.iter().take_while(|(_, op)| seen.insert(self::path(op))).count().max(1);
                let (now, _) = now.split_at(unique);
                let numbers = now.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(" ");
                let staged: Vec<String> = now.iter().map(|(number, op)| place(*number, self::path(op))).collect();
                let dir = parent(path);
                unit.push(format!("h_put '{numbers}' {} {}\n", if dir == "/" { "''".to_owned() } else { quote(dir) }, staged.join(" ")));
                rest = &rest[unique..];
                continue;
            }
            Op::Mkdir { mode, owner: o, group: g, .. } => {
                unit.push(format!("h_mkdir '{numbers}' {mode:05o} '{}'{paths}\n", owner(o, g)));
            }
            Op::Attr { mode, owner: o, group: g, .. } => {
                let mode = mode.map(|mode| format!("{mode:05o}")).unwrap_or_default();
                unit.push(format!("h_attr '{numbers}' '{mode}' '{}'{paths}\n", owner(o, g)));
            }
            Op::Link { path, target } => unit.push(format!("h_link {number} {} {}\n", quote(target), quote(path))),
            _ => {
                let spec: Vec<String> =
                    now.iter().map(|(number, _)| format!("{number}:{}", group.get(number).map_or("", String::as_str))).collect();
                unit.push(format!("h_remove '{}'{paths}\n", spec.join(" ")));
            }
        }
        rest = later;
    }
    let dirs: BTreeSet<&str> = ops.iter().map(|(_, op)| parent(path(op))).collect();
    unit.push(format!("h_flush{}\n", words(dirs)));
}

/// Whether two ops that follow each other can share their processes.
fn same(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Put { path: a, validate: None, .. }, Op::Put { path: b, validate: None, .. }) => parent(a) == parent(b),
        (Op::Mkdir { mode: a, owner: b, group: c, .. }, Op::Mkdir { mode: d, owner: e, group: f, .. }) => (a, b, c) == (d, e, f),
        (Op::Attr { mode: a, owner: b, group: c, .. }, Op::Attr { mode: d, owner: e, group: f, .. }) => (a, b, c) == (d, e, f),
        (Op::Remove { .. }, Op::Remove { .. }) => true,
        _ => false,
    }
}

/// Gives staged files their owners and modes before any of them goes live, many at once; owners first, since a change of
/// owner takes setuid bits away.
fn dress(unit: &mut Unit, ops: &[(u32, &Op)]) {
    let mut owners: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
    let mut modes: BTreeMap<u32, Vec<(u32, String)>> = BTreeMap::new();
    let mut dirs: BTreeSet<&str> = BTreeSet::new();
    for (number, op) in ops {
        let Op::Put { path, mode, owner: o, group: g, .. } = op else { continue };
        let staged = place(*number, path);
        dirs.insert(parent(path));
        // A staged file is born 0600.
        if *mode != 0o600 {
            modes.entry(*mode).or_default().push((*number, staged.clone()));
        }
        if o.is_some() && g.is_some() {
            owners.entry(owner(o, g)).or_default().push((*number, staged));
        } else {
            let word = |name: &Option<String>| quote(&owner(name, &None));
            unit.push(format!("h_on && h_owner {number} {} {} {staged}\n", word(o), word(g)));
        }
    }
    let chown = owners.into_iter().map(|(owner, files)| (format!("chown {owner}"), files));
    let chmod = modes.into_iter().map(|(mode, files)| (format!("chmod {mode:05o}"), files));
    for (command, files) in chown.chain(chmod) {
        let numbers: Vec<String> = files.iter().map(|(number, _)| number.to_string()).collect();
        let files: Vec<&str> = files.iter().map(|(_, file)| file.as_str()).collect();
        unit.push(format!("h_on && h_each '{}' '{command}' {}\n", numbers.join(" "), files.join(" ")));
    }
    if !dirs.is_empty() {
        unit.push(format!("h_on && h_devices{}\n", words(dirs)));
    }
}
