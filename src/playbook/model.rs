//! The model of a playbook: what was written, checked for form, not yet rendered.

use crate::lang::{Span, Value};
use crate::resource::KindSpec;
use indexmap::IndexMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file of plays.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// Where it was read.
    pub path: PathBuf,
    /// Its plays, in order.
    pub plays: Vec<Play>,
}

/// Seconds that a guard waits for the controller, where the play does not say.
pub const GUARD: u64 = 60;

/// Tasks for some hosts.
#[derive(Debug, Clone, Default)]
pub struct Play {
    /// Its name, or its pattern where it has none.
    pub name: String,
    /// The file it is in.
    pub path: PathBuf,
    /// Where it begins.
    pub span: Option<Span>,
    /// The pattern of its hosts, as written.
    pub pattern: String,
    /// Where that was written.
    pub pattern_span: Option<Span>,
    /// The hosts chosen by it and by `--limit`, in the order of the inventory.
    pub hosts: Vec<String>,
    /// Sizes of the batches of hosts; the last one repeats. Empty: all at once.
    pub serial: Vec<Serial>,
    /// How many hosts may fail before the play stops.
    pub max_failures: Tolerance,
    /// Whether tasks run as root, where they don't say.
    pub become_: bool,
    /// Its variables, `vars_files` included.
    pub vars: Arc<IndexMap<String, Value>>,
    /// What a failure takes back.
    pub rollback: Rollback,
    /// Tags of all its tasks.
    pub tags: Vec<String>,
    /// Seconds that a guard waits for the controller; 0: there is to be none.
    pub guard: u64,
    /// What is to be.
    pub tasks: Vec<Task>,
    /// By name.
    pub handlers: Vec<Task>,
    /// After a failure.
    pub on_failure: Vec<Task>,
}

/// The size of a batch of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serial {
    /// So many.
    Hosts(usize),
    /// So many per cent of the play's hosts, at least one.
    Percent(u8),
}

impl Serial {
    /// How many of `all` hosts, at least one.
    pub fn of(self, all: usize) -> usize {
        match self {
            Serial::Hosts(n) => n.max(1),
            Serial::Percent(p) => (all * usize::from(p) / 100).max(1),
        }
    }
}

/// How many hosts may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// So many.
    Hosts(usize),
    /// So many per cent of the play's hosts.
    Percent(u8),
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance::Hosts(0)
    }
}

impl Tolerance {
    /// How many of `all` hosts.
    pub fn of(self, all: usize) -> usize {
        match self {
            Tolerance::Hosts(n) => n,
            Tolerance::Percent(p) => all * usize::from(p) / 100,
        }
    }
}

/// What a failure takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rollback {
    /// What was done on the host that failed.
    #[default]
    Host,
    /// What was done on every host of the play.
    Play,
    /// Nothing: stop, leave, resumable.
    None,
}

/// What a task does.
#[derive(Clone)]
pub enum Body {
    /// Declares a resource of this kind with these raw parameters.
    Resource(&'static KindSpec, Value),
    /// Tasks that share this task's keys.
    Block(Vec<Task>),
    /// Tasks of another file.
    Include(PathBuf, Vec<Task>),
    /// A role with raw parameters.
    Role(Arc<Role>, Value),
    /// Something that must hold.
    Assert(Assert),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Resource(kind, args) => write!(f, "{} {args:?}", kind.name),
            Body::Block(tasks) => f.debug_tuple("block").field(tasks).finish(),
            Body::Include(path, tasks) => f.debug_tuple("include").field(path).field(tasks).finish(),
            Body::Role(role, with) => f.debug_tuple("role").field(&role.name).field(with).finish(),
            Body::Assert(assert) => assert.fmt(f),
        }
    }
}

/// Something that must hold.
#[derive(Debug, Clone)]
pub struct Assert {
    /// Expressions; all must be true.
    pub that: Vec<Value>,
    /// What to say otherwise; may hold `{{ }}`.
    pub message: Option<Value>,
}

/// What becomes of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The variable. Of a looped task it holds `{results: […]}`.
    pub name: String,
    /// Where that was written.
    pub span: Option<Span>,
    /// Kept on the node.
    pub keep: bool,
    /// Never shown.
    pub secret: bool,
    /// Which item of how many, for a looped task.
    pub item: Option<(usize, usize)>,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its place: the key that says what it does.
    pub span: Option<Span>,
    /// Its name, unrendered.
    pub name: Option<Value>,
    /// What it does.
    pub body: Body,
    /// Expressions; all must be true.
    pub when: Vec<Value>,
    /// The list to go through, unrendered.
    pub looped: Option<Value>,
    /// What becomes of its result.
    pub register: Option<Register>,
    /// Handlers, with their places.
    pub notify: Vec<(String, Option<Span>)>,
    /// Its own tags.
    pub tags: Vec<String>,
    /// Whether as root.
    pub become_: Option<bool>,
    /// How often to try again.
    pub retries: u32,
    /// Seconds between tries.
    pub delay: u64,
    /// Seconds it may take.
    pub timeout: Option<u64>,
    /// Whether it arms the guard; `None`: as its ops say.
    pub guard: Option<bool>,
    /// The only paths it may bring; unrendered.
    pub provides: Option<Value>,
    /// The command that takes a `command` back; unrendered.
    pub undo: Option<Value>,
    /// On the first host only.
    pub run_once: bool,
    /// Its variables.
    pub vars: Arc<IndexMap<String, Value>>,
    /// Where the files it names are looked for, in order.
    pub home: Arc<Home>,
}

/// Where a task's files are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// The directory of the file that the task is written in.
    pub dir: PathBuf,
    /// The role it belongs to: its directory.
    pub role: Option<PathBuf>,
    /// The playbook's directory.
    pub playbook: PathBuf,
    /// The project's: the lowest directory above both inventory and playbook.
    pub project: PathBuf,
}

/// A task list with declared, typed parameters.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its directory's name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// What it is for.
    pub summary: String,
    /// By name, in the order written.
    pub params: IndexMap<String, RoleParam>,
    /// What is to be.
    pub tasks: Vec<Task>,
    /// By name.
    pub handlers: Vec<Task>,
}

/// A parameter of a role.
#[derive(Debug, Clone)]
pub struct RoleParam {
    /// One of [`PARAM_TYPES`](super::keys::PARAM_TYPES).
    pub ty: &'static str,
    /// What holds when it is not given; unrendered.
    pub default: Option<Value>,
    /// Must be given.
    pub required: bool,
    /// What it means.
    pub help: String,
    /// The words that a `choice` takes.
    pub choices: Vec<String>,
    /// Its value must never show.
    pub secret: bool,
    /// Where it was declared.
    pub span: Option<Span>,
}
