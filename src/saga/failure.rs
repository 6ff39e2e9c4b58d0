//! Why performing stopped on a host.

use crate::fleet::wire::Trouble;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::program::Armed;

/// Why performing stopped on a host.
#[derive(Debug)]
pub enum Failure {
    /// An op failed, or a resource was not as wished after its ops.
    Step(Diagnostics),
    /// The node is not what the plan rests on; nothing was done.
    Stale(Diagnostics),
    /// Somebody else's run holds the node; nothing was done.
    Locked {
        /// Who.
        who: String,
        /// Since when, in the node's time.
        since: String,
    },
    /// The line is gone, or the node answers nonsense.
    Lost(Diagnostic),
    /// The user asked to stop; a boundary was reached.
    Stopped,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Failure::Lost(trouble.into_problem())
    }
}

impl Failure {
    /// As problems to show.
    pub fn problems(&self, host: &str) -> Diagnostics {
        let one = |problem: Diagnostic| Diagnostics::from(problem);
        match self {
            Failure::Step(problems) | Failure::Stale(problems) => problems.clone(),
            Failure::Lost(problem) => one(problem.clone()),
            Failure::Locked { who, since } => one(
                Diagnostic::new(Kind::Failed, format!("{host}: another run has this node: {who}, since {since}"))
                    .hint("wait for it to end, then run this again; `--break-lock` takes the node over from it. A lock whose process is gone is taken over by itself"),
            ),
            Failure::Stopped => one(
                Diagnostic::new(Kind::Failed, format!("{host}: stopped at a step boundary, as asked"))
                    .hint("what was done stays; `homelab resume` goes on, `homelab rollback` takes it back"),
            ),
        }
    }
}

/// A guard watches `host` for another run.
pub fn watched(host: &str, armed: &Armed) -> Diagnostic {
    let run = &armed.run;
    if armed.left == 0 && !armed.trial {
        return Diagnostic::new(Kind::Failed, format!("{host}: its guard takes run {run} back at any moment")).hint("run this again when it has; that takes a minute at most");
    }
    let (what, hint) = match armed.trial {
        true => ("is on trial", "`homelab keep INVENTORY` keeps what it did; or wait until the node has taken it back"),
        false => ("is guarded, and its controller is gone", "wait until the node has taken it back"),
    };
    Diagnostic::new(Kind::Failed, format!("{host}: run {run} {what}; the node takes it back in {} s", armed.left)).hint(hint)
}
