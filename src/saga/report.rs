//! What came of a run.

use crate::lang::Diagnostics;
use crate::plan::Mark;
use serde::Serialize;

/// How a host's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// There was nothing to do.
    AsWished,
    /// All done and verified.
    Done,
    /// A step failed or the line was lost under way; what was done stays.
    Failed,
    /// A step failed and everything was taken back and verified.
    TakenBack,
    /// A step failed and taking back failed too.
    Stuck,
    /// Never reached, or lost before anything was done.
    Unreachable,
    /// Refused before anything was done: stale, locked, or wrong.
    Refused,
    /// Nobody can log in any more, also after the guard's time: what the node has done by itself, nobody has seen.
    Lost,
    /// Stopped at a boundary, as asked.
    Stopped,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// Done and verified.
    Done,
    /// There was nothing to do after all.
    AsWished,
    /// Failed.
    Failed,
    /// Begun; the line was lost before the node said what came of it.
    Unknown,
    /// Done, then undone.
    Undone,
    /// Done, and it cannot be undone.
    Left,
    /// Never begun.
    NotBegun,
}

/// One step of a run.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Its stable position.
    pub key: String,
    /// What people read.
    pub label: String,
    /// What kind of change.
    #[serde(skip)]
    pub mark: Option<Mark>,
    /// What came of it.
    pub end: StepEnd,
}

/// A host's run.
#[derive(Debug)]
pub struct HostReport {
    /// Which.
    pub host: String,
    /// The steps that had something to do.
    pub steps: Vec<StepReport>,
    /// How it ended.
    pub end: End,
    /// What went wrong.
    pub problems: Diagnostics,
    /// What taking back could not bring back, in words.
    pub residue: Vec<String>,
    /// On trial for so many seconds from the end of the run.
    pub trial: Option<u64>,
}

impl HostReport {
    /// How many steps ended so.
    pub fn count(&self, end: StepEnd) -> usize {
        self.steps.iter().filter(|step| step.end == end).count()
    }
}
