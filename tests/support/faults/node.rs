//! A node with two sides, what it looks like on each, and the ways to finish what was begun.

use crate::line::Fate;
use crate::remote::Remote;
use crate::site::{Ended, Site};
use crate::tree::{self, Times};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Files in which accounts are kept: compared by their fields, since tools rewrite them.
const ACCOUNTS: [&str; 4] = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];
/// The node's own business, homelab's, ours, and what account tools keep for themselves.
const BUT: &[&str] = &[
    "proc", "sys", "dev", "run", "var/lib/homelab", "var/gate", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/subuid",
    "etc/subgid", "etc/.pwd.lock",
];

pub type State = BTreeMap<String, String>;

/// How a run that was broken off is brought to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the next apply: as after.
    NextApply,
    /// By `homelab resume`: as after.
    Resume,
    /// By `homelab rollback`: as before.
    Rollback,
}

/// The ways that are tried, in turn.
pub const WAYS: &[Way] = &[Way::Resume, Way::Rollback, Way::NextApply];
/// Those for a run that is stuck: there is no going on with it.
pub const WAYS_OUT: &[Way] = &[Way::Rollback, Way::NextApply];

pub struct Node {
    pub remote: Remote,
    /// The side it is on.
    pub side: char,
    /// What each side looks like, times aside.
    sides: BTreeMap<char, State>,
}

impl Node {
    /// A node on side `a`, which has been on side `b`.
    pub fn new(site: Site) -> Node {
        let remote = Remote::in_site(site, "", "[]");
        remote.site.write("site.yaml", &crate::tasks::playbook());
        for side in ["a", "b"] {
            remote.site.write(&format!("large-{side}"), &side.repeat(90_000));
        }
        let mut node = Node { remote, side: 'a', sides: BTreeMap::new() };
        nix::unistd::mkfifo(&node.remote.site.inside("pi", "/var/gate"), Mode::from_bits_truncate(0o666)).unwrap();
        for side in ['a', 'b', 'a'] {
            node.done(side);
            let now = untimed(&node.state());
            if let Some(known) = node.sides.insert(side, now.clone()) {
                tree::same("side a is not what it was", &known, &now);
            }
        }
        node
    }

    /// The side that it is not on.
    pub fn other(&self) -> char {
        if self.side == 'a' { 'b' } else { 'a' }
    }

    fn args(command: &[&str], side: char, at: usize, fault: &str) -> Vec<String> {
        let set = [format!("side={side}"), format!("at={at}"), format!("fault={fault}")];
        let mut args: Vec<String> = command.iter().map(|arg| (*arg).to_owned()).collect();
        args.push("inventory.yaml".to_owned());
        args.extend(set.into_iter().flat_map(|set| ["--set".to_owned(), set]));
        args
    }

    /// Runs to its end, undisturbed; `at` is where it stops, or no boundary at all.
    pub fn run(&self, command: &[&str], side: char, at: usize, fault: &str) -> Ended {
        let args = Self::args(command, side, at, fault);
        self.remote.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), Fate::Nothing).0
    }

    /// Begins an apply of the other side that waits at this boundary; when it does, answers it and what lets it go on.
    pub fn stopped_at(&self, at: usize) -> (Child, File) {
        self.remote.line.expect(Fate::Nothing);
        // Nobody reads what it says until it has ended; a pipe does not hold the diff of a large file.
        let args = Self::args(&["apply", "--yes", "--no-diff"], self.other(), at, "none");
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut child = self.remote.site.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.remote.line.controller(child.id());
        let gate = self.remote.site.inside("pi", "/var/gate");
        let since = Instant::now();
        loop {
            // It can be opened as soon as somebody reads.
            if let Ok(gate) = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&gate) {
                return (child, gate);
            }
            if child.try_wait().unwrap().is_some() || since.elapsed() > Duration::from_secs(60) {
                let output = child.wait_with_output().unwrap();
                panic!("boundary {at} was not reached:\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything that an undo must give back: accounts by their fields, files with their times.
    pub fn state(&self) -> State {
        let mut but = BUT.to_vec();
        but.extend(ACCOUNTS);
        let root = self.remote.site.inside("pi", "/");
        let mut state = tree::tree(&root, Times::OfFiles, &but);
        for file in ACCOUNTS {
            for line in std::fs::read_to_string(root.join(file)).unwrap_or_default().lines() {
                let (name, fields) = line.split_once(':').unwrap_or((line, ""));
                state.insert(format!("{file} {name}"), fields.to_owned());
            }
        }
        // A handler that ran once more on what is there again has written it anew, and so has `crontab`, the only one to write these.
        for (_, what) in state.iter_mut().filter(|(path, _)| *path == "srv/c/loaded" || path.starts_with("var/spool/cron/")) {
            *what = without_time(what);
        }
        state
    }

    /// Applies a side, and sees that then there is nothing left to do.
    pub fn done(&mut self, side: char) {
        let ended = self.run(&["apply", "--yes"], side, NOWHERE, "none");
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        self.side = side;
    }

    /// It is as it was, and what only the kernel knows of is too.
    pub fn is_before(&self, when: &str, before: &State, thoroughly: bool) {
        tree::same(when, before, &self.state());
        if thoroughly {
            self.has_nothing_to_do(when, self.side);
        }
        self.nothing_is_left(when);
    }

    /// It is what the other side looks like, and that is its side now.
    pub fn is_after(&mut self, when: &str, thoroughly: bool) {
        self.side = self.other();
        let mut now = untimed(&self.state());
        // A stuck node wants a person. The next apply makes what is wished, and nobody wishes for what a broken-off tool left: of the account
        // that goes, the group of its name.
        let wish = &self.sides[&self.side];
        if when.contains("stuck") {
            now.retain(|path, _| wish.contains_key(path) || !path.ends_with(" guest"));
        }
        tree::same(when, wish, &now);
        if thoroughly {
            self.has_nothing_to_do(when, self.side);
        }
        self.nothing_is_left(when);
    }

    fn has_nothing_to_do(&self, when: &str, side: char) {
        let plan = self.run(&["plan", "--detailed-exitcode"], side, NOWHERE, "none");
        assert_eq!(plan.code, 0, "{when}: there is something to do\n{}{}", plan.out, plan.err);
    }

    fn nothing_is_left(&self, when: &str) {
        for name in ["lock", "open", "pending"] {
            let path = self.remote.site.inside("pi", "/var/lib/homelab").join(name);
            assert!(std::fs::read(&path).unwrap_or_default().is_empty() && !path.is_dir(), "{when}: `{name}` is left over");
        }
    }

    /// Brings what was broken off to its end, and sees that it is there.
    pub fn finish_by(&mut self, way: Way, before: &State, when: &str, thoroughly: bool) {
        let when = format!("{when}, then {way:?}");
        let command: &[&str] = match way {
            Way::NextApply => &["apply", "--yes"],
            Way::Resume => &["resume", "--yes"],
            Way::Rollback => &["rollback", "--yes"],
        };
        let ended = self.run(command, self.other(), NOWHERE, "none");
        assert_eq!(ended.code, 0, "{when}\n{}{}", ended.out, ended.err);
        let gated = self.remote.site.inside("pi", "/var/gated");
        match way {
            Way::NextApply | Way::Resume => {
                // What stopped it is part of the run, and not of the side.
                let _ = std::fs::remove_file(gated);
                self.is_after(&when, thoroughly);
            }
            Way::Rollback => self.is_before(&when, before, thoroughly),
        }
    }
}

/// No boundary.
pub const NOWHERE: usize = 999;

fn without_time(what: &str) -> String {
    what.split(" m ").next().unwrap_or_default().to_owned()
}

fn untimed(state: &State) -> State {
    state.iter().map(|(path, what)| (path.clone(), without_time(what))).collect()
}

/// Whether everything is tried, which takes minutes.
pub fn all() -> bool {
    std::env::var_os("HOMELAB_TEST_SLOW").is_some_and(|value| value == "1")
}

/// The boundaries that are tried: all, or every third from `first` on, so that the faults together meet each.
pub fn tried(first: usize) -> impl Iterator<Item = usize> {
    let (first, step) = if all() { (0, 1) } else { (first, 3) };
    (0..crate::tasks::boundaries()).skip(first).step_by(step)
}
