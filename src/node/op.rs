//! The acts: what can be done to a node, from a closed set. Each has an effect on the [`World`](super::World) and a grade
//! that says how exactly it can be undone; the runtime derives the undo from the before-image.

use super::probe::{Account, Attrs, Command, File, Node, Ran};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// What a regular file is to contain.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The bytes, or where they are.
    pub body: Body,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex SHA-256.
    pub sha256: String,
    /// Must never be shown.
    pub secret: bool,
    /// A plan does not spell it out: a program of homelab's own; or, where it is secret too, a text of which no line may be shown, changed or not.
    #[serde(default)]
    pub own: bool,
}

/// What it is, wherever it is kept: two controllers that would put the same bytes agree.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} {})", self.size, self.sha256)
    }
}

/// Where a content's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// In memory: rendered texts and small files.
    Inline(Arc<Vec<u8>>),
    /// A file on the controller, streamed when it is sent.
    Local(PathBuf),
}

/// How exactly an op can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Byte for byte what it was.
    Exact,
    /// The same versions and states; residue is listed.
    Equivalent,
    /// By the undo command that the user named.
    Named,
    /// Not at all.
    None,
}

/// What to do with a systemd unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitAct {
    /// Start at boot.
    Enable,
    /// Do not start at boot.
    Disable,
    /// Make it impossible to start.
    Mask,
    /// Take that back.
    Unmask,
    /// Start now.
    Start,
    /// Stop now.
    Stop,
    /// Stop and start.
    Restart,
    /// Read its configuration again.
    Reload,
}

/// The smallest act on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Put a regular file, atomically, with its attributes; replaces a file or link, not a directory.
    Put {
        /// Absolute.
        path: String,
        /// What it is to contain.
        content: Content,
        /// Permission bits.
        mode: u32,
        /// Owner's name or number; else the program's identity (or, for a replaced file, the present owner).
        owner: Option<String>,
        /// Group likewise.
        group: Option<String>,
        /// A command that judges the staged file before it goes live; `%s` stands for its path.
        validate: Option<String>,
    },
    /// Make a directory; its parent exists.
    Mkdir {
        /// Absolute.
        path: String,
        /// Permission bits.
        mode: u32,
        /// Owner.
        owner: Option<String>,
        /// Group.
        group: Option<String>,
    },
    /// Set attributes of what is there; never follows a link.
    Attr {
        /// Absolute.
        path: String,
        /// Permission bits.
        mode: Option<u32>,
        /// Owner.
        owner: Option<String>,
        /// Group.
        group: Option<String>,
    },
    /// Make a symbolic link, replacing a file or link atomically.
    Link {
        /// Where the link is.
        path: String,
        /// What it says.
        target: String,
    },
    /// Remove a file, a link, or a directory with all that is in it.
    Remove {
        /// Absolute; never `/`.
        path: String,
    },
    /// Install and remove packages in one transaction of the package manager.
    Packages {
        /// `name` or `name=version`, to install or upgrade.
        install: Vec<String>,
        /// To remove.
        remove: Vec<String>,
        /// Remove configuration files too.
        purge: bool,
        /// Refresh the lists first.
        refresh: bool,
        /// Seconds to wait for another process's lock.
        lock_timeout: u32,
        /// Replaces an installed version whose package file this manager cannot secure.
        #[serde(default)]
        lost: bool,
    },
    /// Act on a systemd unit.
    Unit {
        /// With its suffix.
        name: String,
        /// What to do.
        act: UnitAct,
    },
    /// Let systemd read its unit files again.
    DaemonReload,
    /// Create or change a group (`present`) or remove it.
    Group {
        /// Its name.
        name: String,
        /// To be there or not.
        present: bool,
        /// Number wished for.
        gid: Option<u32>,
        /// Take a system number.
        system: bool,
    },
    /// Create or change an account, or remove it.
    User(UserOp),
    /// Replace a user's whole crontab; `None` removes it.
    Crontab {
        /// Whose.
        user: String,
        /// Its text.
        text: Option<String>,
    },
    /// Set a running kernel parameter.
    Sysctl {
        /// Dotted.
        key: String,
        /// Value as `/proc/sys` takes it.
        value: String,
    },
    /// Set the running host name.
    Hostname {
        /// The new name.
        name: String,
    },
    /// Reboot, and come back.
    Reboot {
        /// Seconds within which it must be back.
        timeout: u64,
        /// Seconds that one try to log in may take; else as the host says.
        connect: Option<u64>,
        /// What is said to those who are logged in.
        message: String,
    },
    /// Have a tool of the node's make something so: docker's, mount's, git's.
    Tool(ToolOp),
    /// Run a command of the user's.
    Run {
        /// What.
        command: Command,
        /// What takes it back, in the user's words.
        undo: Option<Command>,
        /// Exit statuses that are success; empty means 0.
        ok: Vec<i32>,
        /// Paths it says it creates: `creates:`.
        creates: Vec<String>,
        /// Paths that it may bring, each with all below it: `provides:`.
        #[serde(default)]
        brings: Vec<String>,
        /// A handler's, without an `undo`: it makes something take up the state that is there, so it is taken back by
        /// running it once more when all else has been.
        #[serde(default)]
        again: bool,
    },
}

/// What a tool of the node's is told, and what it will answer afterwards: so what it changes can be foreseen, unlike what a user's
/// command does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolOp {
    /// What it does, for people, a line each: `make the network web`.
    pub says: Vec<String>,
    /// What differs, as a diff of each thing: its name, and lines with their marker. No secret is in them.
    #[serde(default)]
    pub differs: Vec<(String, Vec<String>)>,
    /// Whether something comes, changes or goes.
    pub turn: Turn,
    /// What is told.
    pub command: Command,
    /// What takes it back, also where it was done in part or not at all.
    pub undo: Option<Command>,
    /// It makes something take up the files that are there, so it is taken back when all else has been: by `undo`, or else by
    /// running it once more.
    pub again: bool,
    /// Questions, with what will be answered.
    pub answers: Vec<(Command, Ran)>,
    /// What will be at paths.
    #[serde(default)]
    pub makes: Vec<(String, Node)>,
    /// Paths that it brings, each with all below it.
    pub brings: Vec<String>,
    /// It may be that nobody can log in any more after it.
    pub cuts_line: bool,
    /// It only asks, and waits for the answer: nothing is another after it.
    #[serde(default)]
    pub asks: bool,
}

/// Which way something turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// It comes to be.
    Create,
    /// It is there, and will be different.
    #[default]
    Change,
    /// It goes.
    Remove,
    /// Something happens, and is the same after it.
    Run,
}

/// What to make of an account. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserOp {
    /// Login name.
    pub name: String,
    /// To be there or not.
    pub present: bool,
    /// The account exists now (change it rather than create it).
    pub exists: bool,
    /// Number.
    pub uid: Option<u32>,
    /// Primary group.
    pub group: Option<String>,
    /// The full list of supplementary groups it is to have.
    pub groups: Option<Vec<String>>,
    /// Comment field.
    pub comment: Option<String>,
    /// Home directory.
    pub home: Option<String>,
    /// Login shell.
    pub shell: Option<String>,
    /// Password field for `/etc/shadow` (a hash, or `!`). Secret; reaches the node's tools on stdin only.
    pub password: Option<String>,
    /// A system account.
    pub system: bool,
    /// Make the home directory (when created).
    pub create_home: bool,
    /// Remove the home directory (when removed).
    pub remove_home: bool,
}

impl UserOp {
    /// What it sets, in the order of [`Account::fields`]: name, option of useradd and usermod, value. The password goes its own way.
    pub fn fields(&self) -> [(&'static str, &'static str, Option<String>); 6] {
        [
            ("uid", "-u", self.uid.map(|uid| uid.to_string())),
            ("group", "-g", self.group.clone()),
            ("groups", "-G", self.groups.as_ref().map(|groups| groups.join(","))),
            ("comment", "-c", self.comment.clone()),
            ("home", "-d", self.home.clone()),
            ("shell", "-s", self.shell.clone()),
        ]
    }
}

impl Account {
    /// What it has, in the order of [`UserOp::fields`].
    pub fn fields(self) -> [String; 6] {
        [self.uid.to_string(), self.group, self.groups.join(","), self.comment, self.home, self.shell]
    }
}

impl Op {
    /// How exactly the runtime can undo it.
    pub fn grade(&self) -> Grade {
        match self {
            Op::Put { .. } | Op::Mkdir { .. } | Op::Attr { .. } | Op::Link { .. } | Op::Remove { .. } => Grade::Exact,
            Op::Crontab { .. } | Op::Sysctl { .. } | Op::Hostname { .. } => Grade::Exact,
            Op::Unit { act: UnitAct::Reload | UnitAct::Restart, .. } | Op::Reboot { .. } => Grade::Equivalent,
            Op::Unit { .. } | Op::DaemonReload => Grade::Exact,
            Op::Packages { lost: true, .. } => Grade::None,
            Op::Packages { .. } | Op::Group { .. } | Op::User(_) => Grade::Equivalent,
            Op::Tool(tool) if tool.asks => Grade::Exact,
            Op::Tool(tool) if tool.undo.is_some() || tool.again => Grade::Equivalent,
            Op::Tool(_) => Grade::None,
            Op::Run { undo: Some(_), .. } => Grade::Named,
            Op::Run { again: true, .. } => Grade::Equivalent,
            Op::Run { .. } => Grade::None,
        }
    }

    /// Whether consecutive ones of this sort share one capture, one sync and one verification.
    pub fn is_file_op(&self) -> bool {
        matches!(self, Op::Put { .. } | Op::Mkdir { .. } | Op::Attr { .. } | Op::Link { .. } | Op::Remove { .. })
    }
}

impl Content {
    /// A content in memory.
    pub fn inline(bytes: impl Into<Vec<u8>>, secret: bool) -> Self {
        let bytes = bytes.into();
        Content { size: bytes.len() as u64, sha256: sha256(&bytes), body: Body::Inline(bytes.into()), secret, own: false }
    }

    /// A program of homelab's own.
    pub fn own(text: impl Into<Vec<u8>>) -> Self {
        Content { own: true, ..Content::inline(text, false) }
    }

    pub(super) fn as_file(&self, attrs: Attrs) -> File {
        let text = match &self.body {
            Body::Inline(bytes) => Some(bytes.clone()),
            Body::Local(_) => None,
        };
        File { attrs, size: self.size, sha256: Some(self.sha256.clone()), text, secret: self.secret }
    }
}

/// Lower-case hex SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&<sha2::Sha256 as sha2::Digest>::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
