//! Failing on purpose, so that taking back can be practised: a step is performed, and then said to have failed.

use super::host::HostRun;
use super::report::StepEnd;
use super::Failure;
use crate::fleet::event::What;
use crate::lang::{Diagnostic, Kind};
use crate::plan::Outcome;
use crate::playbook::select;
use std::hash::{BuildHasher, Hasher};

/// Which step is to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simulate {
    /// One of those that have something to do.
    Anywhere,
    /// The task at this position.
    At(String),
}

/// What is to be made to fail on one host.
#[derive(Debug, Clone, Copy)]
pub struct Practice {
    /// The line.
    line: usize,
    /// It has failed.
    pub(super) came: bool,
}

impl HostRun {
    /// Chooses the step that is to fail here; false if none does anything.
    pub(super) fn practise(&mut self, simulate: &Simulate) -> bool {
        let lines = &self.on.plan.lines;
        let acting: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].acts()).collect();
        let chosen = match simulate {
            Simulate::At(task) => acting.iter().copied().find(|at| select::within(&lines[*at].key, task)),
            Simulate::Anywhere => {
                // One of which it is certain that it acts, if there is any.
                let certain = |at: &usize| matches!(&lines[*at].outcome, Outcome::Change(change) if change.open.is_none());
                let sure: Vec<usize> = acting.iter().copied().filter(certain).collect();
                let from = if sure.is_empty() { &acting } else { &sure };
                let any = std::hash::RandomState::new().build_hasher().finish();
                usize::try_from(any % from.len().max(1) as u64).ok().and_then(|at| from.get(at).copied())
            }
        };
        self.practice = chosen.map(|line| Practice { line, came: false });
        chosen.is_some()
    }

    /// Whether this line is to fail; it is the last of its batch then.
    pub(super) fn practises(&self, index: usize) -> bool {
        self.practice.is_some_and(|practice| practice.line == index && !practice.came)
    }

    /// Whether the failure that was asked for has come: it is not tried again.
    pub(super) fn practised(&self) -> bool {
        self.practice.is_some_and(|practice| practice.came)
    }

    /// Says of a line that has been done and verified that it failed, if that was asked for.
    pub(super) fn rehearse(&mut self, index: usize, label: &str) -> Result<(), Failure> {
        if !self.practises(index) {
            return Ok(());
        }
        self.set(index, StepEnd::Failed);
        self.events.tell(&self.on.host, What::Failed(label.to_owned()));
        Err(self.pretend(format!("`{label}` is said to have failed, as `--simulate-fail` asked; it had been done")))
    }

    /// The end of the run was reached, and the step that was to fail had nothing to do after all. A practice leaves nothing.
    pub(super) fn rehearsed_nothing(&mut self) -> Failure {
        self.pretend("the step that `--simulate-fail` chose had nothing to do after all, so the run is said to have failed at its end".into())
    }

    fn pretend(&mut self, what: String) -> Failure {
        if let Some(practice) = &mut self.practice {
            practice.came = true;
        }
        let problem = Diagnostic::new(Kind::Failed, format!("{}: {what}", self.on.host)).hint("nothing is wrong: without `--simulate-fail` the run goes on from there");
        Failure::Step(problem.into())
    }
}
