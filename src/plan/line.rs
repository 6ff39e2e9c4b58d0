//! A line of a plan: one task on one host, and what is to become of it.

use super::{Detail, Divergence};
use crate::lang::Span;
use crate::node::{Cause, Grade, Op};
use crate::resource::Id;

/// What kind of change a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Something new.
    Create,
    /// Something there becomes different.
    Change,
    /// Something goes.
    Remove,
    /// An act without a lasting object: a command, a restart.
    Run,
}

/// What a resource's ops will do.
#[derive(Debug, Clone)]
pub struct Change {
    /// In order. Tentative while `open` is set: made again at apply from what is then there.
    pub ops: Vec<Op>,
    /// The kind of change.
    pub mark: Mark,
    /// What is shown of it.
    pub details: Vec<Detail>,
    /// The weakest grade of its ops.
    pub grade: Grade,
    /// Known only after apply, because of this.
    pub open: Option<Cause>,
}

/// What is to become of a task on a host.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Nothing to do.
    AsWished,
    /// Changes.
    Change(Change),
    /// Not known before apply, because of this.
    Later(Cause),
    /// Its `when` is false, or it is for another host (`run_once`).
    Skipped(String),
    /// An assertion that holds.
    Holds,
}

/// One task (or one loop item of it) on one host.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which play, from 0.
    pub play: usize,
    /// Stable position: play, task, loop item.
    pub key: String,
    /// What people read.
    pub label: String,
    /// Where the task is written.
    pub span: Option<Span>,
    /// What it manages, where that is known.
    pub id: Option<Id>,
    /// It is a handler, and this is the name by which a pending one is kept on the node.
    pub handler: Option<String>,
    /// What will be.
    pub outcome: Outcome,
    /// Handlers it notifies when it changes something.
    pub notify: Vec<String>,
    /// It may cut the line: before it, the guard is armed with these seconds.
    pub guard: Option<u64>,
    /// Why it is not as wished, once receipts have been compared; nothing where it is.
    pub divergence: Option<Divergence>,
}

impl Line {
    /// Whether apply has something to do (or may have) here.
    pub fn acts(&self) -> bool {
        matches!(self.outcome, Outcome::Change(_) | Outcome::Later(_))
    }

    /// Whether all it does is to ask and wait: it rests on nothing, for whatever the answer is by then, it is asked for again.
    pub fn waits(&self) -> bool {
        matches!(&self.outcome, Outcome::Change(change) if !change.ops.is_empty() && change.ops.iter().all(|op| matches!(op, Op::Tool(tool) if tool.asks)))
    }
}
