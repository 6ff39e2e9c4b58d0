//! The way back on one host.

use super::host::HostRun;
use super::{End, Failure, StepEnd};
use crate::fleet::event::What;
use crate::fleet::wire::Unwound;

impl HostRun {
    /// Takes back everything this run did here, backwards.
    pub async fn take_back(&mut self, residue: &mut Vec<String>) -> End {
        if !self.begun {
            return End::Refused;
        }
        self.events.tell(&self.on.host, What::Unwinding);
        let unwound = match self.on.wire.unwind(&self.run).await {
            Ok(unwound) => unwound,
            Err(trouble) => match self.unwind_anew().await {
                Ok(unwound) => unwound,
                Err(_) if self.verdict.is_some() => {
                    let (end, mut more) = self.verdict.take().unwrap_or((End::Stuck, Vec::new()));
                    residue.append(&mut more);
                    return end;
                }
                Err(_) => {
                    let why = trouble.into_problem().message;
                    residue.push(format!("taking back was cut off ({why}); `homelab rollback` takes back what is left of run {}", self.run));
                    return End::Stuck;
                }
            },
        };
        let nothing_stays = unwound.ops.values().all(|end| matches!(end, Ok(true)));
        let end = self.unwound(unwound, residue);
        // What could not be undone may well stand where something else was; and before a run that was adopted, others looked.
        let end = if end == End::TakenBack && nothing_stays && !self.adopted { self.verified(residue).await } else { end };
        // What is as before lets people in as before.
        if end == End::TakenBack && self.guard.take().is_some() {
            let _ = self.on.wire.disarm(&self.run).await;
        }
        end
    }

    /// Once more, over a new line, where a guard has kept watch.
    async fn unwind_anew(&mut self) -> Result<Unwound, Failure> {
        match self.reach(false).await? {
            Some(wire) => {
                self.change_line(wire).await?;
                Ok(self.on.wire.unwind(&self.run).await?)
            }
            None => Err(Failure::Stopped),
        }
    }

    /// Only what was verified is called taken back.
    async fn verified(&mut self, residue: &mut Vec<String>) -> End {
        match self.not_as_before().await {
            Ok(wrong) if wrong.is_empty() => End::TakenBack,
            Ok(wrong) => {
                residue.extend(wrong);
                End::Stuck
            }
            Err(_) => {
                residue.push(format!("run {} was undone, but the line was lost before that could be verified", self.run));
                End::Stuck
            }
        }
    }

    /// What unwinding did, step by step; whoever did it.
    pub(super) fn unwound(&mut self, unwound: Unwound, residue: &mut Vec<String>) -> End {
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
        if stuck || !unwound.whole { End::Stuck } else { End::TakenBack }
    }
}
