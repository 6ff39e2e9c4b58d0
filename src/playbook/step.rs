//! What compilation yields: the steps of one play for one host.

use super::model::Register;
use crate::lang::{Diagnostic, Diagnostics, Span};
use crate::resource::Resource;
use std::collections::{BTreeMap, BTreeSet};

/// One play, compiled for one host with what is known.
#[derive(Debug, Default)]
pub struct Compiled {
    /// In order.
    pub steps: Vec<Step>,
    /// All handlers in reach, the play's and its roles'; those notified by a changed step run at the end, in this order.
    pub handlers: Vec<Step>,
    /// What runs after a failure has been taken back.
    pub on_failure: Vec<Step>,
    /// What the user has to mend.
    pub problems: Diagnostics,
    /// What was read of facts, dotted, as templates name it: `facts.os.family`, `hosts.pi-1.facts.arch`.
    pub fact_reads: BTreeSet<String>,
    /// Other hosts whose kept values are waited for, and where they are read: their steps of this play come first
    /// ([`order::rounds`](super::order::rounds)).
    pub waits: BTreeMap<String, Option<Span>>,
}

impl Compiled {
    /// Tasks, handlers, and what runs after a failure.
    pub fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(&self.handlers).chain(&self.on_failure)
    }

    /// The one at this place among [`all`](Self::all).
    pub fn at(&self, at: usize) -> Option<&Step> {
        let (tasks, handlers) = (self.steps.len(), self.handlers.len());
        match at {
            at if at < tasks => self.steps.get(at),
            at if at < tasks + handlers => self.handlers.get(at - tasks),
            at => self.on_failure.get(at - tasks - handlers),
        }
    }
}

/// One task, for one item of its loop.
#[derive(Debug)]
pub struct Step {
    /// Its stable position: `play/task/subtask#item`; handlers `play/handlers/NAME`, in a role `play/task/handlers/NAME`.
    pub key: String,
    /// What a person calls it: `ROLE: name (item)`, or made from the resource's id. Never shows a secret.
    pub label: String,
    /// The task's place.
    pub span: Option<Span>,
    /// As root.
    pub become_: bool,
    /// Its own and those of play, blocks and roles around it.
    pub tags: Vec<String>,
    /// Keys of the handlers' steps.
    pub notify: Vec<String>,
    /// What becomes of its result.
    pub register: Option<Register>,
    /// How often to try again.
    pub retries: u32,
    /// Seconds between tries.
    pub delay: u64,
    /// Seconds it may take.
    pub timeout: Option<u64>,
    /// The only paths that it may bring.
    pub provides: Option<Vec<String>>,
    /// Whether to arm the guard; `None`: as its ops say.
    pub guard: Option<bool>,
    /// Runs on the first host of the play only; its result is for all of them.
    pub run_once: bool,
    /// Its diff and result must not be shown.
    pub secret: bool,
    /// What it is.
    pub body: Body,
}

/// What a step is.
#[derive(Debug)]
pub enum Body {
    /// A resource, ready to plan.
    Resource(Box<dyn Resource>),
    /// Known only after something else.
    Late {
        /// After what.
        cause: String,
        /// Gathering this host's facts is what it waits for.
        needs_facts: bool,
    },
    /// Nothing to do here.
    Skipped {
        /// Why.
        why: String,
    },
    /// Something that had to hold; `failed` says what did not.
    Assert {
        /// `None`: it holds.
        failed: Option<Box<Diagnostic>>,
    },
}
