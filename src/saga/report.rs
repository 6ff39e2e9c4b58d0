//! What came of a run.

use crate::lang::Diagnostics;
use crate::node::probe::Ran;
use crate::plan::Mark;
use serde::{Serialize, Serializer};
use std::time::SystemTime;

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
    /// Left alone: what was to fail for practice has nothing to do here.
    Spared,
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
    #[serde(rename = "change")]
    pub mark: Option<Mark>,
    /// What came of it.
    pub end: StepEnd,
    /// Whether what it did was taken back; nothing where it did nothing, or nobody tried.
    pub undone: Option<bool>,
    /// When it began, by the controller's clock. Steps of one batch begin together.
    #[serde(serialize_with = "time")]
    pub began: Option<SystemTime>,
    /// How long it took, verification and further tries included, in seconds.
    pub seconds: Option<f64>,
    /// What its command said; nothing where that must not show.
    pub data: Option<Said>,
}

/// What a command said, as `register` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its status.
    pub rc: i32,
    /// Its output.
    pub stdout: String,
    /// Its complaints.
    pub stderr: String,
}

impl Said {
    /// Of a command that ran.
    pub fn of(ran: &Ran) -> Said {
        let text = |text: &str| text.trim_end_matches('\n').to_owned();
        Said { rc: ran.rc, stdout: text(&ran.stdout), stderr: text(&ran.stderr) }
    }
}

/// A time as people and machines read it.
pub fn stamp(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn time<S: Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    at.map(stamp).serialize(to)
}

impl StepReport {
    /// Of a step of which no more is known yet.
    pub fn new(key: String, label: String, mark: Option<Mark>, end: StepEnd) -> Self {
        StepReport { key, label, mark, end, undone: None, began: None, seconds: None, data: None }
    }
}

/// A host's run.
#[derive(Debug)]
pub struct HostReport {
    /// Which.
    pub host: String,
    /// The steps that had something to do.
    pub steps: Vec<StepReport>,
    /// The tasks of `on_failure` that ran.
    pub aftermath: Vec<StepReport>,
    /// How it ended.
    pub end: End,
    /// What went wrong.
    pub problems: Diagnostics,
    /// What taking back could not bring back, in words.
    pub residue: Vec<String>,
    /// It was made to fail, for practice.
    pub simulated: bool,
    /// On trial for so many seconds from the end of the run.
    pub trial: Option<u64>,
}

impl HostReport {
    /// Of a host on which no step was begun.
    pub fn without_steps(host: &str, end: End, problems: Diagnostics) -> Self {
        HostReport { host: host.to_owned(), steps: Vec::new(), aftermath: Vec::new(), end, problems, residue: Vec::new(), simulated: false, trial: None }
    }
}

impl HostReport {
    /// How many steps ended so.
    pub fn count(&self, end: StepEnd) -> usize {
        self.steps.iter().filter(|step| step.end == end).count()
    }
}
