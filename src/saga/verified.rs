//! Whether what was taken back is as it was: *taken back* is never said on the strength of an undo that ended well. The paths that the
//! plan rested on are asked about once more.

use super::host::HostRun;
use crate::node::probe::{Answer, Node};
use crate::node::{Answers, Probe};
use crate::plan::digest;
use crate::playbook::{Body, Step};
use std::collections::BTreeMap;

/// What was at the paths that steps look at, before the first act.
#[derive(Debug, Default)]
pub(super) struct Before(BTreeMap<Probe, Was>);

#[derive(Debug)]
struct Was {
    /// Whose path it is.
    label: String,
    /// A digest of what was there; of a command's path only whether anything was, since its undo is the user's word.
    state: Result<String, bool>,
}

fn there(answers: &Answers, probe: &Probe) -> bool {
    !matches!(answers.get(probe), None | Some(Answer::Path(Node::Absent)))
}

fn state(probe: &Probe, answers: &Answers) -> String {
    digest::of_probes(std::slice::from_ref(probe), answers)
}

impl HostRun {
    /// Notes what was there, as `answers` have it.
    pub(super) fn note_before(&mut self, answers: &Answers) {
        let mut before = BTreeMap::new();
        for index in (0..self.on.plan.lines.len()).filter(|at| self.on.plan.lines[*at].acts()) {
            let Some(Step { body: Body::Resource(resource), label, .. }) = self.step(index) else { continue };
            let command = resource.id().kind == "command";
            for probe in resource.look().into_iter().filter(|probe| matches!(probe, Probe::Path { .. }) && answers.contains_key(probe)) {
                let now = if command { Err(there(answers, &probe)) } else { Ok(state(&probe, answers)) };
                let was = before.entry(probe).or_insert_with(|| Was { label: label.clone(), state: Err(false) });
                if now.is_ok() || was.state.is_err() {
                    *was = Was { label: label.clone(), state: now };
                }
            }
        }
        self.before = Before(before);
    }

    /// What is not as it was, in words; or nothing.
    pub(super) async fn not_as_before(&mut self) -> Result<Vec<String>, super::Failure> {
        let probes: Vec<Probe> = self.before.0.keys().cloned().collect();
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.on.wire.look(&probes, None).await?.answers;
        let wrong = self.before.0.iter().filter(|(probe, was)| match &was.state {
            Ok(before) => *before != state(probe, &now),
            Err(before) => *before != there(&now, probe),
        });
        let mut said: Vec<String> = Vec::new();
        for (probe, was) in wrong {
            let Probe::Path { path, .. } = probe else { continue };
            let line = format!("`{}` was undone, but {path} is not as it was", was.label);
            if !said.contains(&line) {
                said.push(line);
            }
        }
        Ok(said)
    }
}
