//! Who is configured: hosts, groups, how they are reached, and the variables of each, with their origin.
//! Reads files through [`Files`](crate::lang::Files) only and never touches a network.

pub mod connection;
pub mod fields;
pub mod keys;
pub mod known_line;
mod load;
pub mod pattern;
pub mod range;
pub mod reading;
pub mod vars;

pub use connection::{Become, Connection, Jump, Method, Sandbox};
pub use load::{load, read_vars_files, resolve};
pub use reading::Reading;
pub use vars::{Definition, Layer, Level};

use crate::lang::{Span, Value};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Everything that an inventory file says.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Where it was read.
    pub path: PathBuf,
    /// What is applied when no playbook is named.
    pub playbooks: Vec<(PathBuf, Option<Span>)>,
    /// Variables of every host.
    pub vars: Arc<IndexMap<String, Value>>,
    /// Connection defaults of every host, as written.
    pub fields: IndexMap<String, Value>,
    /// By name, in the order written.
    pub groups: IndexMap<String, Group>,
    /// By name, in the order first mentioned.
    pub hosts: IndexMap<String, Host>,
}

/// A group of hosts.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Where its name was written.
    pub span: Option<Span>,
    /// Hosts named by itself, ranges expanded.
    pub hosts: Vec<String>,
    /// Groups that belong to it, with the place of each name.
    pub children: Vec<(String, Option<Span>)>,
    /// Its variables.
    pub vars: Arc<IndexMap<String, Value>>,
    /// Its connection defaults, as written.
    pub fields: IndexMap<String, Value>,
    /// Groups above it, by the longest way up; the deeper wins.
    pub depth: usize,
}

/// A machine.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where it was first named.
    pub span: Option<Span>,
    /// Its own variables.
    pub vars: Arc<IndexMap<String, Value>>,
    /// Its own connection fields, as written.
    pub fields: IndexMap<String, Value>,
    /// All groups it belongs to, the shallow first.
    pub groups: Vec<String>,
    /// How it is reached, defaults of the top and its groups included.
    pub connection: Connection,
}

impl Inventory {
    /// The hosts of a group and of the groups below it, in the order of the inventory.
    pub fn members(&self, group: &str) -> Option<Vec<String>> {
        self.groups.get(group)?;
        let (mut seen, mut todo, mut found) = (BTreeSet::new(), vec![group], BTreeSet::new());
        while let Some(name) = todo.pop() {
            let Some(group) = self.groups.get(name).filter(|_| seen.insert(name)) else { continue };
            found.extend(group.hosts.iter().map(String::as_str));
            todo.extend(group.children.iter().map(|(child, _)| child.as_str()));
        }
        Some(self.hosts.keys().filter(|name| found.contains(name.as_str())).cloned().collect())
    }

    /// The address that a host is reached at.
    pub fn address<'a>(&'a self, host: &'a str) -> &'a str {
        self.hosts.get(host).and_then(|h| h.connection.address.as_deref()).unwrap_or(host)
    }
}

/// `path` seen from the directory `dir`, with `.` and `..` taken out as far as the text allows, so that messages show
/// what a person would type.
pub fn join(dir: &Path, path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => {
                    out.pop();
                }
                Some(Component::RootDir) => {}
                _ => out.push(".."),
            },
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

#[cfg(test)]
mod tests;
