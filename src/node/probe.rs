//! Questions to a node, and their answers.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A question from a closed set. Asking changes nothing on the node (`Run` is the user's word for that).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Probe {
    /// What is at this absolute path; links are not followed. Answered by [`Answer::Path`].
    Path {
        /// Absolute, normalized, without trailing slash.
        path: String,
        /// How much of a regular file is wanted.
        depth: Depth,
    },
    /// Every path at and below this one, with attributes only: [`Answer::Tree`].
    Tree {
        /// Absolute.
        path: String,
    },
    /// Is this package installed, in which version: [`Answer::Package`].
    Package {
        /// Its name for the node's package manager.
        name: String,
        /// Also the version that the node's own lists would install.
        candidate: bool,
    },
    /// What systemd says of this unit: [`Answer::Unit`].
    Unit {
        /// With its suffix: `ssh.service`.
        name: String,
    },
    /// The account: [`Answer::User`].
    User {
        /// Login name.
        name: String,
    },
    /// The group: [`Answer::Group`].
    Group {
        /// Its name.
        name: String,
    },
    /// The user's crontab as a text: [`Answer::Crontab`].
    Crontab {
        /// Whose.
        user: String,
    },
    /// A kernel parameter's running value: [`Answer::Sysctl`].
    Sysctl {
        /// Dotted: `net.ipv4.ip_forward`.
        key: String,
    },
    /// The running host name: [`Answer::Hostname`].
    Hostname,
    /// A command that the user says only reads: [`Answer::Ran`].
    Run(Command),
}

/// How much of a regular file a [`Probe::Path`] wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Depth {
    /// Attributes only.
    Stat,
    /// And the SHA-256 of the content.
    Digest,
    /// And the content itself, unless its digest is `unless` or it is larger than [`TEXT_LIMIT`].
    Text {
        /// Lower-case hex of the digest that needs no text.
        unless: Option<String>,
    },
}

/// The largest file, in bytes, whose content is sent for a diff or an edit.
pub const TEXT_LIMIT: u64 = 1 << 20;

/// A command to run on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; with `shell`, one element: the script.
    pub argv: Vec<String>,
    /// Run by `sh -c` (the script reaches it on a descriptor, never in argv).
    pub shell: bool,
    /// Directory to run in.
    pub chdir: Option<String>,
    /// Added to the environment.
    pub environment: BTreeMap<String, String>,
    /// Its standard input; else empty.
    pub stdin: Option<String>,
    /// Run as this user instead of the program's own identity.
    pub user: Option<String>,
    /// Any part of it is secret: never shown.
    pub secret: bool,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Node {
    /// Nothing.
    Absent,
    /// A regular file.
    File(File),
    /// A directory.
    Dir(Attrs),
    /// A symbolic link; never followed.
    Link {
        /// What it says.
        target: String,
    },
    /// A device, FIFO or socket.
    Other(Attrs),
}

/// Mode and owners.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attrs {
    /// Permission bits, 0..=0o7777.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name, or its number as text where it has none.
    pub owner: String,
    /// Group's name, or its number as text where it has none.
    pub group: String,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct File {
    /// Mode and owners.
    pub attrs: Attrs,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex SHA-256, if asked for.
    pub sha256: Option<String>,
    /// Content, if asked for and sent.
    pub text: Option<Arc<Vec<u8>>>,
    /// Its content (this side or planned) must not be shown.
    #[serde(default)]
    pub secret: bool,
}

/// An account as `/etc/passwd`, `/etc/group` and (as root) `/etc/shadow` have it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    /// Number.
    pub uid: u32,
    /// Primary group's number.
    pub gid: u32,
    /// Primary group's name.
    pub group: String,
    /// The comment field.
    pub comment: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Supplementary groups, sorted.
    pub groups: Vec<String>,
    /// The password field of `/etc/shadow`; `None` where it could not be read. Secret.
    pub password: Option<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupEntry {
    /// Number.
    pub gid: u32,
    /// Members named in `/etc/group`, sorted.
    pub members: Vec<String>,
}

/// What systemd knows of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnitState {
    /// `LoadState`: `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating`, …
    pub active: String,
    /// `UnitFileState`: `enabled`, `disabled`, `static`, `masked`, or empty.
    pub file: String,
    /// `NeedDaemonReload`.
    pub stale: bool,
}

/// What a package manager knows of a package.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PackageState {
    /// Installed version.
    pub installed: Option<String>,
    /// Version that the node's lists offer.
    pub candidate: Option<String>,
    /// Removed, but its configuration files are left (dpkg's `rc`).
    pub residue: bool,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ran {
    /// Exit status; 128 + n for signal n.
    pub rc: i32,
    /// Standard output, at most [`TEXT_LIMIT`] bytes.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// A node's answer to a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To `Path`.
    Path(Node),
    /// To `Tree`: path → node, the root included.
    Tree(BTreeMap<String, Node>),
    /// To `Package`.
    Package(PackageState),
    /// To `Unit`; `None` where there is no systemd.
    Unit(Option<UnitState>),
    /// To `User`.
    User(Option<Account>),
    /// To `Group`.
    Group(Option<GroupEntry>),
    /// To `Crontab`; `None` where the user has none.
    Crontab(Option<String>),
    /// To `Sysctl`; `None` where the kernel has no such parameter.
    Sysctl(Option<String>),
    /// To `Hostname`.
    Hostname(String),
    /// To `Run`.
    Ran(Ran),
    /// The node could not say: why, in its words (untrusted text).
    Failed(String),
}

/// Answers by question.
pub type Answers = BTreeMap<Probe, Answer>;

impl Node {
    /// Mode and owners, where it has them.
    pub fn attrs(&self) -> Option<&Attrs> {
        match self {
            Node::File(file) => Some(&file.attrs),
            Node::Dir(attrs) | Node::Other(attrs) => Some(attrs),
            Node::Absent | Node::Link { .. } => None,
        }
    }

    pub(super) fn set_attrs(&mut self, new: Attrs) {
        match self {
            Node::File(file) => file.attrs = new,
            Node::Dir(attrs) | Node::Other(attrs) => *attrs = new,
            Node::Absent | Node::Link { .. } => {}
        }
    }
}
