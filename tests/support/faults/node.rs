//! A node with two sides, what it looks like on each, and the ways to finish what was begun.

use super::{Tasks, Way};
use crate::line::{Fate, Line};
use crate::site::{Ended, Site};
use crate::tree;
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What is on a node, by name.
pub type State = BTreeMap<String, String>;

/// What a node is, wherever it lives.
pub trait Place {
    /// What the inventory calls it.
    fn name(&self) -> &str;
    /// Where the controller has its files.
    fn site(&self) -> &Site;
    /// What is between the two.
    fn line(&self) -> &Line;
    /// Its root, as seen from here, now.
    fn root(&self) -> PathBuf;
    /// Everything that an undo must give back: accounts by their fields, files with their times.
    fn state(&self) -> State;
}

/// Files in which accounts are kept: compared by their fields, since tools rewrite them.
const ACCOUNTS: [&str; 4] = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];

/// Those files, what their tools keep for themselves, and what is ours or homelab's.
pub fn but_accounts() -> Vec<&'static str> {
    let tools = ["etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/subuid", "etc/subgid", "etc/.pwd.lock"];
    [&ACCOUNTS[..], &tools, &["var/lib/homelab", "var/gate"]].concat()
}

/// The accounts of a node.
pub fn accounts(root: &Path) -> State {
    let mut state = State::new();
    for file in ACCOUNTS {
        for line in std::fs::read_to_string(root.join(file)).unwrap_or_default().lines() {
            let (name, fields) = line.split_once(':').unwrap_or((line, ""));
            state.insert(format!("{file} {name}"), fields.to_owned());
        }
    }
    state
}

pub struct Node<P: Place> {
    pub place: P,
    pub tasks: Tasks,
    /// The side it is on.
    pub side: char,
    /// What it looks like.
    now: State,
    /// What each side looks like, times aside.
    sides: BTreeMap<char, State>,
}

impl<P: Place> Node<P> {
    /// A node on side `a`, which has been on side `b`.
    pub fn new(place: P, tasks: Tasks) -> Node<P> {
        place.site().write("site.yaml", &tasks.playbook(place.name()));
        for side in ["a", "b"] {
            place.site().write(&format!("large-{side}"), &side.repeat(90_000));
        }
        let mut node = Node { place, tasks, side: 'b', now: State::new(), sides: BTreeMap::new() };
        let gate = node.place.root().join("var/gate");
        let _ = std::fs::remove_file(&gate);
        nix::unistd::mkfifo(&gate, Mode::from_bits_truncate(0o666)).unwrap();
        for side in ['b', 'a'] {
            node.done(side);
            node.sides.insert(side, untimed(&node.now));
        }
        node
    }

    /// The side that it is not on.
    pub fn other(&self) -> char {
        if self.side == 'a' { 'b' } else { 'a' }
    }

    fn args(&self, command: &[&str], side: char, at: usize, fault: &str) -> Vec<String> {
        let set = [format!("side={side}"), format!("at={at}"), format!("fault={fault}")];
        let mut args: Vec<String> = command.iter().chain(&["inventory.yaml", "--limit", self.place.name()]).map(|arg| (*arg).to_owned()).collect();
        // Nobody reads what it says until it has ended; a pipe does not hold the diff of a large file.
        args.extend((command[0] != "rollback").then(|| "--no-diff".to_owned()));
        args.extend(set.into_iter().flat_map(|set| ["--set".to_owned(), set]));
        args
    }

    fn begun(&self, args: &[String]) -> Child {
        self.place.line().expect(Fate::Nothing);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let child = self.place.site().command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.place.line().controller(child.id());
        child
    }

    /// Runs to its end, undisturbed; `at` is where it stops, or no boundary at all.
    pub fn run(&self, command: &[&str], side: char, at: usize, fault: &str) -> Ended {
        ended(self.begun(&self.args(command, side, at, fault)))
    }

    /// Begins an apply of the other side that waits at this boundary; when it does, answers it and what lets it go on.
    pub fn stopped_at(&self, at: usize) -> (Child, File) {
        let mut child = self.begun(&self.args(&["apply", "--yes"], self.other(), at, "none"));
        let gate = self.place.root().join("var/gate");
        let since = Instant::now();
        loop {
            // It can be opened as soon as somebody reads.
            if let Ok(gate) = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&gate) {
                return (child, gate);
            }
            if child.try_wait().unwrap().is_some() || since.elapsed() > Duration::from_secs(60) {
                let ended = ended(child);
                panic!("boundary {at} was not reached:\n{}{}", ended.out, ended.err);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The lock goes by itself, at the latest when the command that was under way has ended.
    pub fn released(&self) {
        let lock = self.place.root().join("var/lib/homelab/lock");
        let since = Instant::now();
        while lock.exists() {
            assert!(since.elapsed() < Duration::from_secs(20), "the lock is still held");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn state(&self) -> State {
        let mut state = self.place.state();
        // What ran once more on what is there again has written these anew, and so has `crontab`, the only one to write those.
        for (_, what) in state.iter_mut().filter(|(path, _)| matches!(path.as_str(), "srv/c/loaded" | "srv/c/reread") || path.starts_with("var/spool/cron/")) {
            *what = without_time(what);
        }
        state
    }

    /// Applies a side.
    pub fn done(&mut self, side: char) {
        let ended = self.run(&["apply", "--yes"], side, NOWHERE, "none");
        assert_eq!(ended.code, 0, "{}: {}{}", self.place.name(), ended.out, ended.err);
        self.side = side;
        self.now = self.state();
    }

    /// It is as it was.
    pub fn is_before(&mut self, when: &str, thoroughly: bool) {
        let mut now = self.state();
        // Rebooted in the middle of a run, a service has read what has been taken back since: that is said.
        if when.contains("rebooted") {
            now.extend(self.now.iter().filter(|(path, _)| path.as_str() == "run/served").map(|(path, what)| (path.clone(), what.clone())));
        }
        tree::same(when, &self.now, &now);
        self.is_finished(when, thoroughly);
    }

    /// It is what the other side looks like, and that is its side now.
    pub fn is_after(&mut self, when: &str, thoroughly: bool) {
        self.side = self.other();
        self.now = self.state();
        let mut now = untimed(&self.now);
        // A stuck node wants a person. The next apply makes what is wished, and nobody wishes for what a broken-off tool left: of the account
        // that goes, the group of its name.
        let wish = &self.sides[&self.side];
        if when.contains("stuck") {
            now.retain(|path, _| wish.contains_key(path) || !path.ends_with(" guest"));
        }
        tree::same(when, wish, &now);
        self.is_finished(when, thoroughly);
    }

    fn is_finished(&self, when: &str, thoroughly: bool) {
        if thoroughly {
            let plan = self.run(&["plan", "--detailed-exitcode"], self.side, NOWHERE, "none");
            assert_eq!(plan.code, 0, "{when}: there is something to do\n{}{}", plan.out, plan.err);
        }
        for name in ["lock", "open", "pending"] {
            let path = self.place.root().join("var/lib/homelab").join(name);
            assert!(std::fs::read(&path).unwrap_or_default().is_empty() && !path.is_dir(), "{when}: `{name}` is left over");
        }
    }

    /// Brings what was broken off to its end, sees that it is there, and answers what was said.
    pub fn finish_by(&mut self, way: Way, when: &str, thoroughly: bool) -> String {
        let when = format!("{when}, then {way:?}");
        let command: &[&str] = match way {
            Way::NextApply => &["apply", "--yes"],
            Way::Resume => &["resume", "--yes"],
            Way::Rollback => &["rollback", "--yes"],
        };
        let ended = self.run(command, self.other(), NOWHERE, "none");
        assert_eq!(ended.code, 0, "{when}\n{}{}", ended.out, ended.err);
        match way {
            Way::NextApply | Way::Resume => self.is_after(&when, thoroughly),
            Way::Rollback => self.is_before(&when, thoroughly),
        }
        ended.out + &ended.err
    }
}

/// No boundary.
pub const NOWHERE: usize = 999;

/// What came of it.
pub fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

fn without_time(what: &str) -> String {
    what.split(" m ").next().unwrap_or_default().to_owned()
}

fn untimed(state: &State) -> State {
    state.iter().map(|(path, what)| (path.clone(), without_time(what))).collect()
}
