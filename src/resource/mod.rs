//! The resources: typed desired state. One file each, pure: data in, probes and ops out. No I/O. What only one kind needs is in a folder of its name, what
//! several need is in `shared/`, scripts for tools of the node are in `scripts/`.
//!
//! A resource is one file with a [`KindSpec`], one row in [`KINDS`], and its cases in `tests/cases/<kind>/`.
//! Its reference page, its schema and its checks come from the `KindSpec`.

pub mod alternatives;
pub mod apt_repository;
pub mod authorized_key;
pub mod blockinfile;
pub mod boot_config;
pub mod command;
pub mod copy;
pub mod cron;
pub mod docker_compose;
pub mod docker_engine;
pub mod docker_image;
pub mod docker_login;
pub mod docker_network;
pub mod docs;
pub mod file;
pub mod get_url;
pub mod git;
pub mod group;
pub mod hostname;
pub mod ini_file;
pub mod iptables;
pub mod known_hosts;
pub mod kubernetes;
pub mod lineinfile;
pub mod locale_gen;
pub mod modprobe;
pub mod mount;
pub mod package;
pub mod params;
pub mod reboot;
pub mod replace;
pub mod service;
mod shared;
pub mod swap;
pub mod sysctl;
pub mod systemd_unit;
pub mod template;
pub mod timezone;
pub mod unarchive;
pub mod uri;
pub mod user;
pub mod wait_for;

pub use params::{Args, Loaded, Param, Ty};

use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Cause, Need, Op, Probe, World};
use std::fmt;

/// What a resource manages: kind, natural key and slice. Receipts, stale checks and ownership go by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Id {
    /// The kind's name: `lineinfile`.
    pub kind: String,
    /// The natural key: `/etc/hosts`.
    pub key: String,
    /// The part of it that is owned: the regular expression of a line, the marker of a block. Empty: all of it.
    pub slice: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.key)?;
        if self.slice.is_empty() { Ok(()) } else { write!(f, "#{}", self.slice) }
    }
}

/// What part of the node a resource claims as its own. Two different resources of one host must not claim the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The whole content of a path.
    Content(String),
    /// A part of a path's content, named by its slice; conflicts with `Content` of the path and the same slice.
    Slice(String, String),
    /// The mode and owners of a path.
    Attrs(String),
    /// Anything else, by a name of its own: `user:pi`, `package:nginx`.
    Other(String),
}

/// Why a resource cannot be planned now.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// It depends on what an earlier, opaque step will bring: known after apply.
    Later(Cause),
    /// It needs something that is not there and that nothing will bring.
    Unmet(Need),
    /// It cannot be done on this node, or not from this state.
    Refused(Box<Diagnostic>),
}

impl Block {
    /// Refuses with a message and a hint; the caller places it at the task.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Block::Refused(Box::new(Diagnostic::config(message).hint(hint)))
    }
}

/// The typed desired state that a task declares.
pub trait Resource: Send + Sync + fmt::Debug {
    /// What it manages.
    fn id(&self) -> Id;

    /// What it owns.
    fn claims(&self) -> Vec<Claim>;

    /// What it must know of the node, its ops' needs included (parent directory, owner, group).
    fn look(&self) -> Vec<Probe>;

    /// What else it must know, now that `world` has the answers to [`look`](Self::look) and what is planned before it (a home
    /// directory that is not where homes usually are). Asked in a second round, only when not empty.
    fn look_more(&self, _world: &World) -> Vec<Probe> {
        Vec::new()
    }

    /// The ops that make it so; empty means as wished. The same function plans, verifies and detects drift.
    fn plan(&self, world: &World) -> Result<Vec<Op>, Block>;

    /// What is still to do after its own ops have run; differs from [`plan`](Self::plan) only for what is an act by
    /// nature (a restart, a command).
    fn settled(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.plan(world)
    }

    /// It only reads: its probe's answer is its result, and it is had when planning.
    fn reads(&self) -> bool {
        false
    }

    /// Its commands are to run as `login`, in a program that runs as root.
    fn run_as(&mut self, _login: &str) {}

    /// Its task may take this many seconds: what it waits for by itself must not take longer.
    fn within(&mut self, _seconds: u64) {}

    /// The part of `text` that it owns, where it shares the text with others: what receipts compare.
    fn slice(&self, _text: &str) -> Option<String> {
        None
    }

    /// Its content or parameters are secret: its diff is never shown.
    fn secret(&self) -> bool {
        false
    }
}

/// A kind of resource: its declaration, and how one is made.
pub struct KindSpec {
    /// The key in a task.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// A few paragraphs of Markdown: what to know before using it.
    pub description: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// The parameter that a bare text stands for (`package: nginx`, `command: make`); empty: none.
    pub bare: &'static str,
    /// A task, as YAML; checked by a test.
    pub example: &'static str,
    /// Makes one from type-checked arguments; says what does not fit together.
    pub build: fn(&Args) -> Result<Box<dyn Resource>, Diagnostics>,
}

/// Every kind there is, by name.
pub static KINDS: &[&KindSpec] = &[
    &alternatives::ALTERNATIVES,
    &apt_repository::APT_REPOSITORY,
    &authorized_key::AUTHORIZED_KEY,
    &blockinfile::BLOCKINFILE,
    &boot_config::BOOT_CONFIG,
    &command::COMMAND,
    &copy::COPY,
    &cron::CRON,
    &docker_compose::DOCKER_COMPOSE,
    &docker_engine::DOCKER_ENGINE,
    &docker_image::DOCKER_IMAGE,
    &docker_login::DOCKER_LOGIN,
    &docker_network::DOCKER_NETWORK,
    &file::FILE,
    &get_url::GET_URL,
    &git::GIT,
    &group::GROUP,
    &hostname::HOSTNAME,
    &ini_file::INI_FILE,
    &iptables::IPTABLES,
    &known_hosts::KNOWN_HOSTS,
    &kubernetes::KUBERNETES,
    &lineinfile::LINEINFILE,
    &locale_gen::LOCALE_GEN,
    &modprobe::MODPROBE,
    &mount::MOUNT,
    &package::PACKAGE,
    &reboot::REBOOT,
    &replace::REPLACE,
    &service::SERVICE,
    &swap::SWAP,
    &sysctl::SYSCTL,
    &systemd_unit::SYSTEMD_UNIT,
    &template::TEMPLATE,
    &timezone::TIMEZONE,
    &unarchive::UNARCHIVE,
    &uri::URI,
    &user::USER,
    &wait_for::WAIT_FOR,
];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static KindSpec> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
