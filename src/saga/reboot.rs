//! A step that reboots the node: the line drops, and the run goes on when the node answers with another boot id.

use super::Failure;
use super::host::{Act, HostRun};
use super::report::StepEnd;
use crate::fleet::event::What;
use crate::fleet::wire::Wire;
use crate::lang::{Diagnostic, Kind};
use crate::node::Op;
use std::time::Duration;
use tokio::time::Instant;

/// Between two tries to log in.
const PAUSE: Duration = Duration::from_secs(2);

impl HostRun {
    /// Reboots the node as `act` says, and waits until it is back. `marks`: the handlers that the step notifies.
    pub(super) async fn reboot(&mut self, act: &Act, marks: &[String]) -> Result<(), Failure> {
        let label = self.on.plan.lines[act.line].label.clone();
        let Some((number, op @ Op::Reboot { timeout, connect, .. })) = act.ops().next() else { return Ok(()) };
        let (timeout, connect) = (Duration::from_secs(*timeout), connect.map(Duration::from_secs));
        let before = match self.on.wire.boot().await {
            Ok(boot) => boot,
            Err(trouble) => return Err(trouble.into()),
        };
        self.set(act.line, StepEnd::Unknown);
        // A node that is quick takes the line down before it has said so.
        if let Ok(Some(why)) = self.on.wire.reboot(marks, number, op).await {
            self.set(act.line, StepEnd::Failed);
            self.events.tell(&self.on.host, What::Failed(label.clone()));
            return Err(self.failed(&label, &why));
        }
        self.on.wire.drop_line();
        let until = Instant::now() + timeout;
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Some(wire) = self.booted(&before, connect).await {
                self.change_line(wire).await?;
                break;
            }
            if Instant::now() > until {
                let problem = Diagnostic::new(Kind::Unreachable, format!("{}: `{label}`: it is not back {} s after it was told to reboot", self.on.host, timeout.as_secs()))
                    .hint("look at the machine; a larger `reboot_timeout` gives a slow one more time");
                return Err(Failure::Lost(problem));
            }
        }
        let done = self.on.wire.booted(number).await?;
        self.judge(std::slice::from_ref(act), &done).await
    }

    /// A new line to the node, if it is not the boot from before.
    async fn booted(&self, before: &str, connect: Option<Duration>) -> Option<Wire> {
        let mut wire = self.on.wire.again(connect).await.ok()?;
        let boot = wire.boot().await.ok()?;
        (!boot.is_empty() && boot != before).then_some(wire)
    }
}
