//! Noting what comes of each step, under its own name.

use super::host::HostRun;
use super::report::{Said, StepEnd, StepReport};
use super::{End, HostReport};
use crate::lang::Diagnostics;
use crate::node::probe::Ran;
use crate::plan::{Mark, Outcome};
use std::time::SystemTime;

impl HostRun {
    pub(super) fn report(&mut self, index: usize, mark: Option<Mark>, end: StepEnd) -> usize {
        let line = &self.on.plan.lines[index];
        if let Some(at) = self.steps_now.reported.get(&line.key) {
            return *at;
        }
        self.steps_now.reported.insert(line.key.clone(), self.steps.len());
        self.steps.push(StepReport::new(line.key.clone(), line.label.clone(), mark, end));
        self.steps.len() - 1
    }

    fn reported(&mut self, index: usize) -> Option<&mut StepReport> {
        let at = self.steps_now.reported.get(&self.on.plan.lines[index].key)?;
        self.steps.get_mut(*at)
    }

    pub(super) fn set(&mut self, index: usize, end: StepEnd) {
        if let Some(step) = self.reported(index) {
            step.end = end;
        }
    }

    /// A line's step began at `since`, or earlier if it is tried again, and has come this far.
    pub(super) fn begun_at(&mut self, index: usize, since: SystemTime) {
        if let Some(step) = self.reported(index) {
            let began = *step.began.get_or_insert(since);
            step.seconds = Some(began.elapsed().unwrap_or_default().as_secs_f64());
        }
    }

    /// What a line's command said, unless that must not show.
    pub(super) fn said(&mut self, index: usize, ran: Option<&Ran>) {
        let secret = self.step(index).is_none_or(|step| step.secret);
        let (Some(ran), false, Some(step)) = (ran, secret, self.reported(index)) else { return };
        step.data = Some(Said::of(ran));
    }

    /// What came of it; the steps that were never begun are in it too.
    pub fn report_of(mut self, end: End, problems: Diagnostics, mut residue: Vec<String>) -> HostReport {
        residue.append(&mut self.notes);
        if !matches!(end, End::Done | End::AsWished | End::Spared) {
            for line in self.on.plan.lines.iter().filter(|line| line.acts()) {
                let mark = match &line.outcome {
                    Outcome::Change(change) => Some(change.mark),
                    _ => None,
                };
                // One handler or loop that turned out to be others stands for them.
                let known = self.steps.iter().chain(&self.aftermath).any(|step| step.key == line.key);
                if !known && line.handler.is_none() {
                    self.steps.push(StepReport::new(line.key.clone(), line.label.clone(), mark, StepEnd::NotBegun));
                }
            }
        }
        let simulated = self.practice.is_some_and(|practice| practice.came);
        let trial = self.guard.filter(|guard| guard.trial && end == End::Done).map(|guard| guard.seconds);
        HostReport { host: self.on.host, steps: self.steps, aftermath: self.aftermath, end, problems, residue, simulated, trial }
    }
}
