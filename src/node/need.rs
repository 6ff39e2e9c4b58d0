//! What ops need to find on a node, and how a need stands in the planned world.

use super::op::{Op, ToolOp, UnitAct};
use super::probe::Node;
use super::world::World;
use std::fmt;

/// Why something is known only after apply: `package nginx`, `command make`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(pub String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an op needs to find on the node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// A directory.
    Dir(String),
    /// Anything at a path.
    Path(String),
    /// An account.
    User(String),
    /// A group.
    Group(String),
    /// A unit that systemd knows.
    Unit(String),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Dir(path) => write!(f, "the directory {path}"),
            Need::Path(path) => write!(f, "the file {path}"),
            Need::User(name) => write!(f, "the user {name}"),
            Need::Group(name) => write!(f, "the group {name}"),
            Need::Unit(name) => write!(f, "the unit {name}"),
        }
    }
}

/// How a need stands in the planned world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there, or an earlier op makes it.
    Met,
    /// Nobody can say before the cause has run.
    Open(Cause),
    /// It is not there and nothing before will bring it.
    Refuted,
}

impl World {
    /// How `need` stands here. What nobody asked about counts as met: the op itself will say.
    pub fn need(&self, need: &Need) -> Standing {
        let (there, path) = match need {
            Need::Dir(path) => (
                match self.path(path) {
                    None | Some(Node::Dir(_)) | Some(Node::Link { .. }) => true,
                    Some(_) => false,
                },
                Some(path.as_str()),
            ),
            Need::Path(path) => (self.path(path) != Some(Node::Absent), Some(path.as_str())),
            Need::User(name) => (self.user(name) != Some(None), None),
            Need::Group(name) => (self.group(name) != Some(None), None),
            Need::Unit(name) => (
                match self.unit(name) {
                    Some(Some(unit)) => unit.load != "not-found",
                    _ => true,
                },
                None,
            ),
        };
        match (there, self.opaque(path)) {
            (true, _) => Standing::Met,
            (false, Some(cause)) => Standing::Open(cause),
            (false, None) => Standing::Refuted,
        }
    }
}

impl Op {
    /// What must be there for it to work.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let parent = |path: &str| match path.rfind('/') {
            Some(0) | None => Need::Dir("/".into()),
            Some(at) => Need::Dir(path[..at].to_owned()),
        };
        match self {
            Op::Put { path, owner, group, .. } | Op::Mkdir { path, owner, group, .. } => {
                needs.push(parent(path));
                own(&mut needs, owner, group);
            }
            Op::Attr { path, owner, group, .. } => {
                needs.push(Need::Path(path.clone()));
                own(&mut needs, owner, group);
            }
            Op::Link { path, .. } => needs.push(parent(path)),
            Op::Unit { name, act } if *act != UnitAct::Mask => needs.push(Need::Unit(name.clone())),
            Op::User(user) if user.present => {
                own(&mut needs, &None, &user.group);
                for group in user.groups.iter().flatten() {
                    needs.push(Need::Group(group.clone()));
                }
            }
            Op::Crontab { user, .. } => needs.push(Need::User(user.clone())),
            Op::Run { command, .. } | Op::Tool(ToolOp { command, .. }) => {
                if let Some(dir) = &command.chdir {
                    needs.push(Need::Dir(dir.clone()));
                }
                if let Some(user) = &command.user {
                    needs.push(Need::User(user.clone()));
                }
            }
            Op::Remove { .. } | Op::Packages { .. } | Op::Unit { .. } | Op::DaemonReload | Op::Group { .. } | Op::User(_)
            | Op::Sysctl { .. } | Op::Hostname { .. } | Op::Reboot { .. } => {}
        }
        needs
    }
}

fn own(needs: &mut Vec<Need>, owner: &Option<String>, group: &Option<String>) {
    if let Some(owner) = owner.as_ref().filter(|o| o.parse::<u32>().is_err()) {
        needs.push(Need::User(owner.clone()));
    }
    if let Some(group) = group.as_ref().filter(|g| g.parse::<u32>().is_err()) {
        needs.push(Need::Group(group.clone()));
    }
}
