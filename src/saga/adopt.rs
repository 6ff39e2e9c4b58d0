//! Going on in a run that was begun before: under its name, so that a failure takes back all of it.

use super::host::HostRun;
use super::report::{StepEnd, StepReport};
use crate::history::{Came, steps};
use crate::node::journal::Journal;

impl HostRun {
    /// Takes on the run of `journal`; to be done before it is begun (again). Ops are numbered on from the highest there is,
    /// and steps that are not known here yet are reported with what came of them.
    pub fn adopt(&mut self, journal: &Journal) {
        self.adopted = true;
        self.run.clone_from(&journal.run);
        let highest = journal.ops.keys().last().copied().unwrap_or(0);
        self.next_op = self.next_op.max(highest.saturating_add(1));
        let told = steps(journal);
        let mut told = told.iter();
        let mut before = None;
        for op in journal.ops.keys() {
            let step = journal.step_of(*op);
            if step.is_none() || step != before {
                before = step;
                let Some(told) = told.next() else { break };
                if self.op_steps.contains_key(op) {
                    continue;
                }
                let end = match told.came {
                    Came::Done => StepEnd::Done,
                    Came::Undone => StepEnd::Undone,
                    Came::Left => StepEnd::Left,
                    Came::Failed => StepEnd::Failed,
                    Came::Half => StepEnd::Unknown,
                };
                self.steps.push(StepReport::new(format!("{}/{op}", journal.run), told.label.clone(), None, end));
            }
            let last = self.steps.len().saturating_sub(1);
            self.op_steps.entry(*op).or_insert(last);
        }
    }

    /// Whether anything is to be done here, be it only to end what was begun.
    pub(super) fn acts(&self) -> bool {
        self.adopted || self.on.acts()
    }
}
