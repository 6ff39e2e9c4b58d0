//! Random lists of ops on a real `sh`, 1,000 in all (times `HOMELAB_TEST_CASES`): undo after apply is before, undo twice is undo once, and an
//! apply that was killed at any moment is carried on to after, or taken back to before.

use crate::shell::{Node, Session, Sh};
use homelab::node::journal::{Journal, Stage};
use homelab::node::op::Content;
use homelab::node::{Command, Op, program};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// Few paths, so that ops meet: each after the directory that it is in.
const PATHS: [&str; 10] = ["a", "two words", "-dash", "d", "d/x", "d/it's 100%", "d/e", "d/e/z", "new\nline", "l"];
const MODES: [u32; 7] = [0o644, 0o600, 0o755, 0o4711, 0o400, 0o2750, 0o1777];

/// What a choice of numbers says is done, as far as it can be where `kinds` are.
type Choice = (u8, u8, u16);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    File,
    Dir,
    Link,
}

fn text(number: u16) -> Vec<u8> {
    match number % 6 {
        0 => Vec::new(),
        1 => format!("plain {number}\n").into_bytes(),
        2 => format!("it's \"{number}\" $HOME `id` \\n %s\n\n").into_bytes(),
        3 => vec![0, b'x', (number >> 8) as u8, 255, b'\n'],
        4 => vec![b'y'; usize::from(number % 4000)],
        _ => format!("ünï\r\n\t{number}").into_bytes(),
    }
}

/// The list that the choices are. Most of it can be done; now and then an op cannot, and then nothing after it is.
fn ops(root: &str, choices: &[Choice], mut kinds: BTreeMap<String, Kind>) -> Vec<Op> {
    let mut ops = Vec::new();
    for (at, (what, which, number)) in choices.iter().enumerate() {
        let name = PATHS[usize::from(*which) % PATHS.len()];
        let path = format!("{root}/{name}");
        let mode = MODES[usize::from(*number) % MODES.len()];
        let there = kinds.get(name).copied();
        let parent = name.rsplit_once('/').is_none_or(|(dir, _)| kinds.get(dir) == Some(&Kind::Dir));
        let careless = *number % 41 == 0;
        let put = || Op::Put { path: path.clone(), content: Content::inline(text(*number), false), mode, owner: None, group: None, validate: None };
        let op = match (what % 8, there) {
            _ if !parent && !careless => continue,
            (0..=2, Some(Kind::Dir)) if !careless => Op::Attr { path: path.clone(), mode: Some(mode | 0o700), owner: None, group: None },
            (0..=2, _) => put(),
            (3, None | Some(Kind::Dir)) => Op::Mkdir { path: path.clone(), mode: mode | 0o700, owner: None, group: None },
            (4, Some(Kind::File)) => Op::Attr { path: path.clone(), mode: Some(mode), owner: None, group: None },
            (5, None | Some(Kind::File | Kind::Link)) => Op::Link { path: path.clone(), target: PATHS[usize::from(*number) % PATHS.len()].into() },
            (6, _) => Op::Remove { path: path.clone() },
            (7, _) => {
                let script = |text: String| Command { argv: vec![text], shell: true, ..Default::default() };
                let made = format!("{root}/ran-{at}");
                Op::Run { command: script(format!("echo {number} >'{made}'")), undo: Some(script(format!("rm -f '{made}'"))), ok: vec![], creates: vec![], brings: vec![], again: false }
            }
            _ => continue,
        };
        match &op {
            Op::Put { .. } => drop(kinds.insert(name.into(), Kind::File)),
            Op::Mkdir { .. } => drop(kinds.insert(name.into(), Kind::Dir)),
            Op::Link { .. } => drop(kinds.insert(name.into(), Kind::Link)),
            Op::Remove { .. } => kinds.retain(|other, _| other != name && !other.starts_with(&format!("{name}/"))),
            _ => {}
        }
        ops.push(op);
    }
    ops
}

/// Puts there what the choices say, without the runtime.
fn furnish(root: &str, choices: &[Choice]) -> BTreeMap<String, Kind> {
    let _ = fs::remove_dir_all(root);
    fs::create_dir(root).unwrap();
    let mut kinds = BTreeMap::new();
    for (at, name) in PATHS.iter().enumerate() {
        let Some((what, _, number)) = choices.get(at) else { continue };
        let path = format!("{root}/{name}");
        if name.rsplit_once('/').is_some_and(|(dir, _)| kinds.get(dir) != Some(&Kind::Dir)) {
            continue;
        }
        let mode = MODES[usize::from(*number) % MODES.len()];
        let kind = match what % 5 {
            0 => continue,
            1 => {
                symlink(PATHS[usize::from(*number) % PATHS.len()], &path).unwrap();
                Kind::Link
            }
            2 if !name.starts_with("d") => {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o700)).unwrap();
                Kind::Dir
            }
            _ if name.starts_with('d') && !name.contains(['x', '\'', 'z']) => {
                fs::create_dir(&path).unwrap();
                Kind::Dir
            }
            _ => {
                fs::write(&path, text(*number)).unwrap();
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_500_000_000 + u64::from(*number), 123_456_789)).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                Kind::File
            }
        };
        kinds.insert((*name).to_owned(), kind);
    }
    kinds
}

/// Everything there: kind, mode, owners, content or target; of files also when they were written, if that counts.
fn seen(root: &str, times: Option<Sh>) -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &str, times: Option<Sh>, out: &mut BTreeMap<String, String>) {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let meta = path.symlink_metadata().unwrap();
            let what = if meta.is_dir() {
                walk(&path, root, times, out);
                "directory".to_owned()
            } else if meta.is_symlink() {
                format!("-> {:?}", fs::read_link(&path).unwrap())
            } else {
                let time = match times {
                    None => String::new(),
                    // Its cp keeps whole seconds only.
                    Some(Sh::Busybox) => meta.mtime().to_string(),
                    Some(_) => format!("{}.{:09}", meta.mtime(), meta.mtime_nsec()),
                };
                format!("{:?} {time}", String::from_utf8_lossy(&fs::read(&path).unwrap()))
            };
            out.insert(path.display().to_string().replacen(root, "", 1), format!("{:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid()));
        }
    }
    let mut out = BTreeMap::new();
    walk(Path::new(root), root, times, &mut out);
    out
}

/// Numbers ops from `first`.
fn from(first: u32, ops: &[Op]) -> Vec<(u32, &Op)> {
    (first..).zip(ops).collect()
}

struct Case<'a> {
    node: &'a Node,
    root: String,
    number: u32,
}

impl Case<'_> {
    fn pending(&self) -> String {
        fs::read_to_string(self.node.state().join("pending")).unwrap_or_default()
    }

    fn is(&self, what: &str, wish: &BTreeMap<String, String>, times: bool) -> Result<(), TestCaseError> {
        let now = seen(&self.root, times.then_some(self.node.sh));
        prop_assert_eq!(&now, wish, "{} on {:?}", what, self.node.sh);
        Ok(())
    }

    fn unwind(&self, session: &mut Session, run: &str) -> Result<(), TestCaseError> {
        let journal = || fs::read_to_string(self.node.state().join("runs").join(run).join("journal")).unwrap_or_default();
        session.try_unwind(run).map(drop).map_err(|stuck| TestCaseError::fail(format!("stuck on {:?}:\n{stuck}{}", self.node.sh, journal())))
    }

    /// All laws of one list, over `session`, which lives on. True if the list could be done to its end.
    fn laws(&self, session: &mut Session, furniture: &[Choice], choices: &[Choice], moment: (u8, u8)) -> Result<bool, TestCaseError> {
        let kinds = furnish(&self.root, furniture);
        let ops = ops(&self.root, choices, kinds);
        let before = seen(&self.root, Some(self.node.sh));
        let marks = self.pending();
        let run = format!("r{:06}a", self.number);
        session.begin_again(&run);
        session.mark("a handler");
        let done = session.perform(&from(1, &ops)).is_ok();
        let after = seen(&self.root, None);
        self.unwind(session, &run)?;
        self.is("undo after apply is not before", &before, true)?;
        prop_assert_eq!(self.pending(), marks.as_str(), "a handler is left pending");
        self.unwind(session, &run)?;
        self.is("undo twice is not undo once", &before, true)?;
        session.finish();
        if !done {
            return Ok(false);
        }
        let run = format!("r{:06}b", self.number);
        let mut other = self.node.connect_apart();
        other.begin(&run);
        other.stage(&from(1, &ops));
        let unit = program::act(other.next(), &from(1, &ops));
        other.killed_after(&unit, usize::from(moment.0) % (ops.len() + 1), u64::from(moment.1) * 8);
        session.begin_again(&run);
        match moment.1 % 3 {
            0 => {
                let text = fs::read_to_string(self.node.state().join("runs").join(&run).join("journal")).unwrap();
                let journal = Journal::read(&text).unwrap();
                let first = (1..).find(|op| journal.ops.get(op) != Some(&Stage::Done)).unwrap();
                let rest = &ops[first as usize - 1..];
                // Numbers are never given twice: the before-images of the first try are still needed.
                session.perform(&from(ops.len() as u32 + 1, rest)).map_err(|(op, why)| TestCaseError::fail(format!("carried on, op {op} failed: {why}\n{text}")))?;
                self.is("killed and carried on is not after", &after, false)?;
                self.unwind(session, &run)?;
                self.is("killed, carried on and taken back is not before", &before, true)?;
            }
            1 => {
                self.unwind(session, &run)?;
                self.is("killed and taken back is not before", &before, true)?;
            }
            _ => {
                // The unwinding is killed too.
                session.abandon();
                let mut third = self.node.connect_apart();
                third.begin(&run);
                let unit = program::unwind(third.next(), &run);
                third.killed_after(&unit, 0, u64::from(moment.0) * 40);
                session.begin_again(&run);
                self.unwind(session, &run)?;
                self.is("killed, and killed again while it was taken back, is not before", &before, true)?;
            }
        }
        session.finish();
        Ok(true)
    }
}

fn random(sh: Sh, cases: u32) {
    let times = std::env::var("HOMELAB_TEST_CASES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let node = Node::in_memory(sh);
    let mut session = node.connect();
    session.ready_to_act();
    let (mut number, mut whole, mut longest) = (0, 0, 0);
    let mut runner = TestRunner::new(Config { cases: cases * times, max_shrink_iters: 60, failure_persistence: None, ..Config::default() });
    let list = |length: std::ops::Range<usize>| proptest::collection::vec(any::<Choice>(), length);
    let cells = std::cell::RefCell::new((&mut session, &mut number, &mut whole, &mut longest));
    let end = runner.run(&(list(0..11), list(1..10), any::<(u8, u8)>()), |(furniture, choices, moment)| {
        let (session, number, whole, longest) = &mut *cells.borrow_mut();
        **number += 1;
        let case = Case { node: &node, root: node.root(), number: **number };
        let done = case.laws(session, &furniture, &choices, moment);
        if done.is_err() {
            // What was left open by this one is not the next one's.
            **session = node.connect();
            session.ready_to_act();
        }
        **whole += u32::from(done?);
        **longest = (**longest).max(choices.len());
        Ok(())
    });
    end.unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{number} lists of up to {longest} choices on {sh:?}: {whole} could be done to the end, were killed, and carried on or taken back");
    assert!(whole * 2 > number, "too few lists can be done: {whole} of {number}");
    session.close();
}

// Most of them where a list costs least; two for dash, so that two processors have something to do.

#[test]
fn a_hundred_and_fifty_lists_keep_the_laws_on_dash() {
    random(Sh::Dash, 150);
}

#[test]
fn another_hundred_and_fifty_on_dash() {
    random(Sh::Dash, 150);
}

#[test]
fn one_hundred_on_bash() {
    random(Sh::Bash, 100);
}

#[test]
fn six_hundred_on_busybox() {
    random(Sh::Busybox, 600);
}
