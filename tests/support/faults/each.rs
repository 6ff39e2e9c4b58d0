//! The faults, each at one boundary; `nth` tells which way out is tried, and how thoroughly it is looked at what came of it.

use super::node::{NOWHERE, Node, Place, ended};
use super::{WAYS, WAYS_OUT, Way};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// How a run on a full disk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Taken back.
    Back,
    /// Stuck, and finished when there was room again.
    Stuck,
    /// Done: nothing that came after needed room.
    Through,
}

impl Full {
    /// How many of each.
    pub fn told(all: &[Full]) -> String {
        let count = |one: Full| all.iter().filter(|came| **came == one).count();
        format!("{} as before, {} stuck and then finished, {} done", count(Full::Back), count(Full::Stuck), count(Full::Through))
    }
}

/// Takes all that is left of a disk; `ballast` is a file on it.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    for size in [1 << 20, 1 << 16, 512, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

impl<P: Place> Node<P> {
    fn at(&self, what: &str, at: usize) -> String {
        format!("{}: {what} at {at} on the way to {}", self.place.name(), self.other())
    }

    /// What stands at the boundary fails.
    pub fn fails(&mut self, at: usize, nth: usize) {
        let when = self.at("failed", at);
        let ended = self.run(&["apply", "--yes"], self.other(), at, "fail");
        assert!(ended.code == 3 && ended.out.contains("taken back"), "{when}: exit {}\n{}{}", ended.code, ended.out, ended.err);
        self.is_before(&when, nth.is_multiple_of(4));
    }

    /// Each task and handler is performed and said to have failed: those that act on the way to the other side, and where it is not all that is
    /// tried, of those that act both ways every other one. Answers how many.
    pub fn rehearses(&mut self) -> usize {
        let here = self.other();
        let all = self.tasks.named().into_iter().enumerate();
        let chosen = all.filter(|(nth, (_, only))| only.map_or(super::all() || nth % 2 == usize::from(here == 'a'), |side| side == here));
        let mut count = 0;
        for (nth, (name, _)) in chosen {
            let when = self.at(&name, nth);
            let ended = self.run(&["apply", "--yes", &format!("--simulate-fail={name}")], here, NOWHERE, "none");
            assert_eq!(ended.code, 3, "{when}\n{}{}", ended.out, ended.err);
            self.is_before(&when, nth % 6 == 1);
            count += 1;
        }
        count
    }

    /// The controller is killed.
    pub fn is_killed(&mut self, at: usize, nth: usize) {
        let when = self.at("killed", at);
        let (mut child, mut gate) = self.stopped_at(at);
        child.kill().unwrap();
        child.wait().unwrap();
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        self.released();
        self.finish_by(WAYS[nth % WAYS.len()], &when, nth.is_multiple_of(4));
    }

    /// The line is cut.
    pub fn is_cut(&mut self, at: usize, nth: usize) {
        let when = self.at("cut", at);
        let (child, mut gate) = self.stopped_at(at);
        self.place.line().cut();
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        let ended = ended(child);
        let said = ended.out + &ended.err;
        assert!(matches!(ended.code, 1 | 4) && !said.contains("taken back"), "{when}: {}\n{said}", ended.code);
        self.released();
        self.finish_by(WAYS[nth % WAYS.len()], &when, nth.is_multiple_of(4));
    }

    /// The node is rebooted, at once and without a word.
    pub fn is_rebooted(&mut self, at: usize, nth: usize, reboot: impl FnOnce()) {
        let when = self.at("rebooted", at);
        let (child, gate) = self.stopped_at(at);
        reboot();
        drop(gate);
        let ended = ended(child);
        assert!(ended.code == 1 && ended.err.contains("the connection was lost"), "{when}: {}\n{}{}", ended.code, ended.out, ended.err);
        let way = WAYS[nth % WAYS.len()];
        let said = self.finish_by(way, &when, nth.is_multiple_of(4));
        assert_eq!(said.contains("the node was rebooted"), way == Way::Rollback, "{when}\n{said}");
    }

    /// The disk is full from the boundary on, until the run has ended.
    pub fn is_full(&mut self, at: usize, nth: usize, ballast: &Path) -> Full {
        let when = self.at("full", at);
        let (child, mut gate) = self.stopped_at(at);
        fill(ballast);
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        let ended = ended(child);
        std::fs::remove_file(ballast).unwrap();
        let said = ended.out + &ended.err;
        let (thoroughly, way) = (nth.is_multiple_of(3), WAYS_OUT[nth % WAYS_OUT.len()]);
        match ended.code {
            3 => {
                self.is_before(&when, thoroughly);
                Full::Back
            }
            // What it says is true: a person is needed, here to free the disk.
            5 => {
                assert!(said.contains("stuck") && !said.contains("and taken back"), "{when}\n{said}");
                said.lines().filter(|line| line.contains("could not be undone") || line.contains("cannot be")).for_each(|line| eprintln!("{when}: {}", line.trim()));
                self.finish_by(way, &format!("{when}, stuck"), thoroughly);
                Full::Stuck
            }
            // All is done, and only that cannot be recorded; or what failed was left.
            1 => {
                assert!(!said.contains("taken back"), "{when}\n{said}");
                self.finish_by(way, &when, thoroughly);
                Full::Stuck
            }
            0 => {
                self.is_after(&when, thoroughly);
                Full::Through
            }
            code => panic!("{when}: {code}\n{said}"),
        }
    }
}
