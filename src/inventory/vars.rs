//! Variables by level, and where each value came from.

use super::Inventory;
use super::fields::{first_line, key_span};
use crate::lang::{Diagnostic, Diagnostics, Span, Value};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A level of precedence, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// The inventory's `vars`.
    Inventory,
    /// A group's; the deeper group wins.
    Group(String),
    /// The host's own.
    Host,
    /// The play's.
    Play(String),
    /// The task's, or a block's around it.
    Task(String),
    /// `--set` on the command line.
    Set,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Inventory => f.write_str("inventory"),
            Level::Group(name) => write!(f, "group {name}"),
            Level::Host => f.write_str("host"),
            Level::Play(name) => write!(f, "play {name}"),
            Level::Task(name) => write!(f, "task {name}"),
            Level::Set => f.write_str("--set"),
        }
    }
}

/// The variables of one level.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Which.
    pub level: Level,
    /// By name; shared, for many hosts have the same.
    pub vars: Arc<IndexMap<String, Value>>,
}

/// One place where a variable is given a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// At which level.
    pub level: Level,
    /// As written, unrendered.
    pub value: Value,
    /// Where.
    pub span: Option<Span>,
    /// This is the value that holds.
    pub wins: bool,
}

/// Every definition of `name` in `layers`, weakest first; the last one wins.
pub fn explain(layers: &[Layer], name: &str) -> Vec<Definition> {
    let mut found: Vec<Definition> = layers
        .iter()
        .filter_map(|layer| {
            let value = layer.vars.get(name)?;
            Some(Definition { level: layer.level.clone(), value: value.clone(), span: key_span(name, value), wins: false })
        })
        .collect();
    if let Some(last) = found.last_mut() {
        last.wins = true;
    }
    found
}

impl Inventory {
    /// The levels of `host` that the inventory knows, weakest first.
    pub fn layers(&self, host: &str) -> Vec<Layer> {
        let mut layers = vec![Layer { level: Level::Inventory, vars: self.vars.clone() }];
        if let Some(host) = self.hosts.get(host) {
            for group in host.groups.iter().filter_map(|name| self.groups.get(name)) {
                layers.push(Layer { level: Level::Group(group.name.clone()), vars: group.vars.clone() });
            }
            layers.push(Layer { level: Level::Host, vars: host.vars.clone() });
        }
        layers
    }

    /// Every definition of a host's variable in the inventory, weakest first, the winner marked.
    pub fn explain(&self, host: &str, name: &str) -> Vec<Definition> {
        explain(&self.layers(host), name)
    }

    /// Groups of the same depth that give a host different values, with nothing deeper that decides.
    pub(super) fn disagreements(&self, problems: &mut Diagnostics) {
        let mut told = BTreeSet::new();
        for host in self.hosts.values() {
            let groups: Vec<_> = host.groups.iter().filter_map(|name| self.groups.get(name)).collect();
            for (at, one) in groups.iter().enumerate() {
                for other in groups[at + 1..].iter().take_while(|other| other.depth == one.depth) {
                    let deeper = &groups[at + 1..];
                    let vars = one.vars.iter().map(|(k, v)| (k, v, other.vars.get(k), host.vars.contains_key(k) || deeper.iter().any(|g| g.depth > one.depth && g.vars.contains_key(k)), "variable"));
                    let fields = one.fields.iter().map(|(k, v)| (k, v, other.fields.get(k), host.fields.contains_key(k) || deeper.iter().any(|g| g.depth > one.depth && g.fields.contains_key(k)), "setting"));
                    for (name, mine, theirs, decided, what) in vars.chain(fields) {
                        let Some(theirs) = theirs.filter(|theirs| *theirs != mine) else { continue };
                        if decided || !told.insert((one.name.clone(), other.name.clone(), name.clone(), what)) {
                            continue;
                        }
                        problems.push(
                            Diagnostic::config(format!("the groups `{}` and `{}` disagree on the {what} `{name}` of the host `{}`", one.name, other.name, host.name))
                                .maybe_at(first_line(key_span(name, mine)).as_ref())
                                .label(format!("`{}` says this", one.name))
                                .note(format!("`{}` says otherwise", other.name), first_line(key_span(name, theirs)).as_ref())
                                .hint("both groups are at the same depth, so neither wins: set it on the host, or make one group a child of the other"),
                        );
                    }
                }
            }
        }
    }
}
