//! How a run leaves a host: finished, or as it is.

use super::guard::Guard;
use super::host::HostRun;
use super::Failure;

impl HostRun {
    /// Writes the receipt and lets the node go.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        if self.begun {
            self.on.wire.finish(&self.on.receipts(&self.held)).await?;
            self.begun = false;
        }
        Ok(())
    }

    /// Lets the node go as it is; the run stays in its journal as interrupted.
    pub async fn abandon(&mut self) {
        if self.begun && self.steps.is_empty() && self.guard.take().is_some() {
            // Nothing has been done that there would be to watch over.
            let _ = self.on.wire.disarm(&self.run).await;
        }
        // What stays is to be lived with: can one still log in?
        if self.begun && self.release().await.is_err() && self.verdict.is_none() {
            self.note("its guard could not be disarmed: the node takes the run back by itself".into());
        }
        if let Some(Guard { seconds, trial: true }) = self.guard {
            self.note(format!("on trial: the node takes back what was done in {seconds} s, unless `homelab keep` comes first"));
        }
        if self.begun {
            let _ = self.on.wire.abandon().await;
            self.begun = false;
        }
    }
}
