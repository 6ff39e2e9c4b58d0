//! The way back on one host.

use super::host::HostRun;
use super::{End, StepEnd};
use crate::fleet::event::What;

impl HostRun {
    /// Takes back everything this run did here, backwards.
    pub async fn take_back(&mut self, residue: &mut Vec<String>) -> End {
        if !self.begun {
            return End::Refused;
        }
        self.events.tell(&self.on.host, What::Unwinding);
        let unwound = match self.on.wire.unwind(&self.run).await {
            Ok(unwound) => unwound,
            Err(trouble) => {
                let why = trouble.into_problem().message;
                residue.push(format!("taking back was cut off ({why}); `homelab rollback` takes back what is left of run {}", self.run));
                return End::Stuck;
            }
        };
        for (op, end) in &unwound.ops {
            if let Some(step) = self.op_steps.get(op).and_then(|at| self.steps.get_mut(*at)) {
                // Of several ops, the one that stays counts.
                step.undone = Some(matches!(end, Ok(true)) && step.undone != Some(false));
                step.end = match (end, step.end) {
                    (_, StepEnd::Failed) => StepEnd::Failed,
                    (Ok(true), StepEnd::Left) => StepEnd::Left,
                    (Ok(true), _) => StepEnd::Undone,
                    (Ok(false), _) | (Err(_), _) => StepEnd::Left,
                };
            }
        }
        let mut stuck = false;
        let nothing_stays = unwound.ops.values().all(|end| matches!(end, Ok(true)));
        for (op, end) in unwound.ops {
            let label = self.op_steps.get(&op).and_then(|at| self.steps.get(*at)).map_or("a step", |step| &step.label).to_owned();
            match end {
                Ok(true) => {}
                Ok(false) => residue.push(format!("`{label}` cannot be undone and stays")),
                Err(why) => {
                    stuck = true;
                    residue.push(format!("`{label}` could not be undone: {why}"));
                }
            }
        }
        residue.extend(unwound.notes);
        // Only what was verified is called taken back. What could not be undone may well stand where something else was; and before
        // a run that was adopted, others looked.
        if unwound.whole && nothing_stays && !self.adopted {
            match self.not_as_before().await {
                Ok(wrong) => {
                    stuck |= !wrong.is_empty();
                    residue.extend(wrong);
                }
                Err(_) => {
                    residue.push(format!("run {} was undone, but the line was lost before that could be verified", self.run));
                    return End::Stuck;
                }
            }
        }
        if stuck || !unwound.whole { End::Stuck } else { End::TakenBack }
    }
}
