//! The model of a node's state: what was seen, and over it what earlier ops will have made of it.

use super::probe::{Account, Answer, Answers, Command, Depth, GroupEntry, Node, PackageState, Probe, Ran, UnitState};
use super::{Cause, Facts};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What earlier ops may have brought without saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) cause: Cause,
    /// `None`: anything. Else these paths and what is below them.
    pub(super) only: Option<Vec<String>>,
}

/// A node's state: seen, and planned over it. Probes that were not asked read as unknown.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// What the node is.
    pub facts: Facts,
    /// Shared: planning clones worlds to be able to step back.
    pub(super) seen: Arc<Answers>,
    pub(super) paths: BTreeMap<String, Node>,
    pub(super) units: BTreeMap<String, UnitState>,
    pub(super) packages: BTreeMap<String, PackageState>,
    pub(super) users: BTreeMap<String, Option<Account>>,
    pub(super) groups: BTreeMap<String, Option<GroupEntry>>,
    pub(super) crontabs: BTreeMap<String, Option<String>>,
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) hostname: Option<String>,
    /// What tools will answer.
    pub(super) rans: BTreeMap<Command, Ran>,
    /// Groups that will have another number, with the old one.
    pub(super) renumbered: Vec<(String, u32)>,
    pub(super) providers: Vec<Provider>,
    /// What the last planned op changes.
    pub(super) changed: Option<Cause>,
    /// Narrowed by a task's `provides:` while its ops take effect.
    pub(super) provides: Option<Vec<String>>,
}

impl World {
    /// A world in which `answers` were seen and nothing is planned.
    pub fn new(facts: Facts, answers: Answers) -> Self {
        World { facts, seen: Arc::new(answers), ..World::default() }
    }

    /// Sets what opaque ops of the current task may bring (`provides:`), until set again.
    pub fn narrow(&mut self, provides: Option<Vec<String>>) {
        self.provides = provides;
    }

    /// What the step that is planned says it provides.
    pub fn provided(&self) -> &[String] {
        self.provides.as_deref().unwrap_or_default()
    }

    /// From here on, anything may be there because of `cause`: a step whose own effects are not known yet.
    pub fn obscure(&mut self, cause: Cause) {
        self.providers.push(Provider { cause, only: self.provides.clone() });
    }

    /// Takes on further answers.
    pub fn learn(&mut self, answers: Answers) {
        Arc::make_mut(&mut self.seen).extend(answers);
    }

    /// What was seen, without the plan.
    pub fn seen(&self) -> &Answers {
        &self.seen
    }

    /// What is (or will be) at `path`. `None`: nobody asked.
    pub fn path(&self, path: &str) -> Option<Node> {
        if let Some(node) = self.paths.get(path) {
            return Some(node.clone());
        }
        // Below something that will be gone or was made empty, there is nothing.
        let mut up = path;
        while let Some(at) = up.rfind('/') {
            up = &up[..at];
            match self.paths.get(if up.is_empty() { "/" } else { up }) {
                Some(Node::Absent | Node::Dir(_)) if self.made(up) => return Some(Node::Absent),
                Some(Node::Absent) => return Some(Node::Absent),
                _ => {}
            }
            if up.is_empty() {
                break;
            }
        }
        self.seen_path(path)
    }

    /// Whether the plan makes something of `path`.
    pub fn plans(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// A directory that the plan makes where none was.
    fn made(&self, path: &str) -> bool {
        matches!(self.paths.get(path), Some(Node::Dir(_))) && matches!(self.seen_path(path), Some(Node::Absent))
    }

    fn seen_path(&self, path: &str) -> Option<Node> {
        let mut node = self.seen_as_was(path)?;
        if let Node::File(super::probe::File { attrs, .. }) | Node::Dir(attrs) | Node::Other(attrs) = &mut node
            && self.renumbered.iter().any(|(group, gid)| *group == attrs.group && *gid == attrs.gid)
        {
            attrs.group = attrs.gid.to_string();
        }
        Some(node)
    }

    fn seen_as_was(&self, path: &str) -> Option<Node> {
        let mut best: Option<Node> = None;
        for depth in [Depth::Stat, Depth::Digest] {
            if let Some(Answer::Path(node)) = self.seen.get(&Probe::Path { path: path.to_owned(), depth }) {
                best = Some(node.clone());
            }
        }
        let from = Probe::Path { path: path.to_owned(), depth: Depth::Text { unless: None } };
        for (probe, answer) in self.seen.range(from..) {
            match (probe, answer) {
                (Probe::Path { path: p, .. }, Answer::Path(node)) if p == path => {
                    let better = match (&best, node) {
                        (Some(Node::File(have)), Node::File(new)) => new.text.is_some() || have.sha256.is_none(),
                        _ => true,
                    };
                    if better {
                        best = Some(node.clone());
                    }
                }
                (Probe::Path { path: p, .. }, _) if p == path => {}
                _ => break,
            }
        }
        best.or_else(|| {
            let trees = Probe::Tree { path: String::new() }..Probe::Package { name: String::new(), candidate: false };
            self.seen.range(trees).find_map(|(_, answer)| match answer {
                Answer::Tree(tree) => tree.get(path).cloned(),
                _ => None,
            })
        })
    }

    /// Every path at and below `path`, if that tree was asked for.
    pub fn tree(&self, path: &str) -> Option<BTreeMap<String, Node>> {
        match self.seen.get(&Probe::Tree { path: path.to_owned() }) {
            Some(Answer::Tree(tree)) => {
                let mut tree = tree.clone();
                let below = format!("{}/", path.trim_end_matches('/'));
                for (p, node) in &self.paths {
                    if p == path || p.starts_with(&below) {
                        tree.insert(p.clone(), node.clone());
                    }
                }
                tree.retain(|_, node| *node != Node::Absent);
                Some(tree)
            }
            _ => None,
        }
    }

    /// The package's state.
    pub fn package(&self, name: &str) -> Option<PackageState> {
        self.packages.get(name).cloned().or_else(|| {
            [true, false].into_iter().find_map(|candidate| {
                match self.seen.get(&Probe::Package { name: name.to_owned(), candidate }) {
                    Some(Answer::Package(state)) => Some(state.clone()),
                    _ => None,
                }
            })
        })
    }

    /// The unit's state: `None` was not asked, `Some(None)` there is no systemd.
    pub fn unit(&self, name: &str) -> Option<Option<UnitState>> {
        match self.seen.get(&Probe::Unit { name: name.to_owned() }) {
            Some(Answer::Unit(None)) => Some(None),
            Some(Answer::Unit(state)) => Some(self.units.get(name).cloned().or_else(|| state.clone())),
            _ => self.units.get(name).cloned().map(Some),
        }
    }

    /// The account: `None` was not asked, `Some(None)` is not there.
    pub fn user(&self, name: &str) -> Option<Option<Account>> {
        self.users.get(name).cloned().or_else(|| match self.seen.get(&Probe::User { name: name.to_owned() }) {
            Some(Answer::User(user)) => Some(user.clone()),
            _ => None,
        })
    }

    /// The group: `None` was not asked, `Some(None)` is not there.
    pub fn group(&self, name: &str) -> Option<Option<GroupEntry>> {
        self.groups.get(name).cloned().or_else(|| match self.seen.get(&Probe::Group { name: name.to_owned() }) {
            Some(Answer::Group(group)) => Some(group.clone()),
            _ => None,
        })
    }

    /// The user's crontab: `None` was not asked, `Some(None)` has none.
    pub fn crontab(&self, user: &str) -> Option<Option<String>> {
        self.crontabs.get(user).cloned().or_else(|| match self.seen.get(&Probe::Crontab { user: user.to_owned() }) {
            Some(Answer::Crontab(text)) => Some(text.clone()),
            _ => None,
        })
    }

    /// The kernel parameter: `None` was not asked, `Some(None)` does not exist.
    pub fn sysctl(&self, key: &str) -> Option<Option<String>> {
        if let Some(value) = self.sysctls.get(key) {
            return Some(Some(value.clone()));
        }
        match self.seen.get(&Probe::Sysctl { key: key.to_owned() }) {
            Some(Answer::Sysctl(value)) => Some(value.clone()),
            _ => None,
        }
    }

    /// The running host name.
    pub fn hostname(&self) -> Option<String> {
        self.hostname.clone().or_else(|| match self.seen.get(&Probe::Hostname) {
            Some(Answer::Hostname(name)) => Some(name.clone()),
            _ => None,
        })
    }

    /// How a read-only command ended, or will end.
    pub fn ran(&self, command: &Command) -> Option<&Ran> {
        if let Some(ran) = self.rans.get(command) {
            return Some(ran);
        }
        match self.seen.get(&Probe::Run(command.clone())) {
            Some(Answer::Ran(ran)) => Some(ran),
            _ => None,
        }
    }

    /// Why the answer to `probe` is missing, in the node's words, if it said so.
    pub fn failure(&self, probe: &Probe) -> Option<&str> {
        match self.seen.get(probe) {
            Some(Answer::Failed(why)) => Some(why),
            _ => None,
        }
    }

    /// Who may have brought something at `path` (or, with `None`, something that is not a path) before this point.
    pub fn opaque(&self, path: Option<&str>) -> Option<Cause> {
        self.providers.iter().rev().find_map(|provider| {
            let may = match (&provider.only, path) {
                (None, _) => true,
                (Some(only), Some(path)) => only.iter().any(|p| path == p || path.starts_with(&format!("{}/", p.trim_end_matches('/')))),
                (Some(_), None) => false,
            };
            may.then(|| provider.cause.clone())
        })
    }

    /// The last change planned before this point. What a command says may depend on it.
    pub fn changed(&self) -> Option<Cause> {
        self.changed.clone()
    }

    /// The number behind a user's name or number.
    pub fn uid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| (name == "root").then_some(0)).or_else(|| self.user(name).flatten().map(|user| user.uid))
    }

    /// The number behind a group's name or number.
    pub fn gid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| (name == "root").then_some(0)).or_else(|| self.group(name).flatten().map(|group| group.gid))
    }
}
