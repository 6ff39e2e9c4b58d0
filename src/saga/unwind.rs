//! The way back on one host.

use super::host::HostRun;
use super::{End, Failure};
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
            Err(_) => match self.unwind_anew().await {
                Ok(unwound) => unwound,
                Err(_) if self.verdict.is_some() => {
                    let (end, mut more) = self.verdict.take().unwrap_or((End::Stuck, Vec::new()));
                    residue.append(&mut more);
                    return end;
                }
                Err(_) => {
                    residue.push(format!("the line was lost while taking back; run {} on the node is interrupted", self.run));
                    return End::Stuck;
                }
            },
        };
        let end = self.unwound(unwound, residue);
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
                self.adopt(wire).await?;
                Ok(self.on.wire.unwind(&self.run).await?)
            }
            None => Err(Failure::Stopped),
        }
    }
}
