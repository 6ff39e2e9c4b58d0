//! The model of a node's state: what was seen, and over it what earlier ops will have made of it.

use super::op::{Body, Content, Op, UnitAct, UserOp};
use super::probe::{Account, Answer, Answers, Attrs, Command, Depth, File, GroupEntry, Node, PackageState, Probe, Ran, UnitState};
use super::Facts;
use std::collections::BTreeMap;
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

/// What earlier ops may have brought without saying.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Provider {
    cause: Cause,
    /// `None`: anything. Else these paths and what is below them.
    only: Option<Vec<String>>,
}

/// A node's state: seen, and planned over it. Probes that were not asked read as unknown.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// What the node is.
    pub facts: Facts,
    seen: Answers,
    paths: BTreeMap<String, Node>,
    units: BTreeMap<String, UnitState>,
    packages: BTreeMap<String, PackageState>,
    users: BTreeMap<String, Option<Account>>,
    groups: BTreeMap<String, Option<GroupEntry>>,
    crontabs: BTreeMap<String, Option<String>>,
    sysctls: BTreeMap<String, String>,
    hostname: Option<String>,
    providers: Vec<Provider>,
    /// What the last planned op changes.
    changed: Option<Cause>,
    /// Narrowed by a task's `provides:` while its ops take effect.
    provides: Option<Vec<String>>,
}

impl World {
    /// A world in which `answers` were seen and nothing is planned.
    pub fn new(facts: Facts, answers: Answers) -> Self {
        World { facts, seen: answers, ..World::default() }
    }

    /// Sets what opaque ops of the current task may bring (`provides:`), until set again.
    pub fn narrow(&mut self, provides: Option<Vec<String>>) {
        self.provides = provides;
    }

    /// Adds what a second look answered.
    pub fn learn(&mut self, answers: Answers) {
        self.seen.extend(answers);
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

    /// A directory that the plan makes where none was.
    fn made(&self, path: &str) -> bool {
        matches!(self.paths.get(path), Some(Node::Dir(_))) && matches!(self.seen_path(path), Some(Node::Absent))
    }

    fn seen_path(&self, path: &str) -> Option<Node> {
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
            self.seen.values().find_map(|answer| match answer {
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

    /// How a read-only command ended.
    pub fn ran(&self, command: &Command) -> Option<&Ran> {
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

    fn attrs(&self, mode: u32, owner: &Option<String>, group: &Option<String>, before: Option<&Attrs>) -> Attrs {
        let mut attrs = before.cloned().unwrap_or_else(|| {
            let me = &self.facts.user;
            // Numbers are not needed to compare by name; they are those of the login until the node says better.
            Attrs { mode, uid: me.uid, gid: me.uid, owner: me.name.clone(), group: me.name.clone() }
        });
        attrs.mode = mode;
        if let Some(owner) = owner {
            attrs.owner = owner.clone();
            attrs.uid = self.uid(owner).unwrap_or(attrs.uid);
        }
        if let Some(group) = group {
            attrs.group = group.clone();
            attrs.gid = self.gid(group).unwrap_or(attrs.gid);
        }
        attrs
    }

    /// The number behind a user's name or number.
    pub fn uid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| (name == "root").then_some(0)).or_else(|| self.user(name).flatten().map(|user| user.uid))
    }

    /// The number behind a group's name or number.
    pub fn gid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| (name == "root").then_some(0)).or_else(|| self.group(name).flatten().map(|group| group.gid))
    }

    /// Lets `op` take effect in the planned world.
    pub fn effect(&mut self, op: &Op) {
        self.changed = Some(Cause(match op {
            Op::Put { path, .. } | Op::Mkdir { path, .. } | Op::Attr { path, .. } | Op::Link { path, .. } | Op::Remove { path } => path.clone(),
            _ => "an earlier task".to_owned(),
        }));
        match op {
            Op::Put { path, content, mode, owner, group, .. } => {
                let before = self.path(path);
                let attrs = self.attrs(*mode, owner, group, before.as_ref().and_then(Node::attrs));
                self.paths.insert(path.clone(), Node::File(content.as_file(attrs)));
                self.unit_file(path, true);
            }
            Op::Mkdir { path, mode, owner, group } => {
                let attrs = self.attrs(*mode, owner, group, None);
                self.paths.insert(path.clone(), Node::Dir(attrs));
            }
            Op::Attr { path, mode, owner, group } => {
                if let Some(mut node) = self.path(path) {
                    if let Some(before) = node.attrs().cloned() {
                        let attrs = self.attrs(mode.unwrap_or(before.mode), owner, group, Some(&before));
                        node.set_attrs(attrs);
                    }
                    self.paths.insert(path.clone(), node);
                }
            }
            Op::Link { path, target } => {
                self.paths.insert(path.clone(), Node::Link { target: target.clone() });
                self.unit_file(path, true);
            }
            Op::Remove { path } => {
                let below = format!("{path}/");
                self.paths.retain(|p, _| !p.starts_with(&below));
                self.paths.insert(path.clone(), Node::Absent);
                self.unit_file(path, false);
            }
            Op::Packages { install, remove, purge, .. } => {
                for wanted in install {
                    let (name, version) = match wanted.split_once('=') {
                        Some((name, version)) => (name, Some(version.to_owned())),
                        None => (wanted.as_str(), None),
                    };
                    let mut state = self.package(name).unwrap_or_default();
                    state.installed = version.or_else(|| state.candidate.clone()).or(state.installed).or(Some(String::new()));
                    state.residue = false;
                    self.packages.insert(name.to_owned(), state);
                }
                for name in remove {
                    let mut state = self.package(name).unwrap_or_default();
                    state.residue = !purge && (state.residue || state.installed.is_some());
                    state.installed = None;
                    self.packages.insert(name.clone(), state);
                }
                if !install.is_empty() {
                    self.providers.push(Provider { cause: Cause(format!("package {}", install.join(", "))), only: self.provides.clone() });
                }
            }
            Op::Unit { name, act } => {
                let mut unit = self.unit(name).flatten().unwrap_or_default();
                match act {
                    UnitAct::Enable => unit.file = "enabled".into(),
                    UnitAct::Disable => unit.file = "disabled".into(),
                    UnitAct::Mask => {
                        unit.load = "masked".into();
                        unit.file = "masked".into();
                    }
                    UnitAct::Unmask => {
                        unit.load = "loaded".into();
                        unit.file = "disabled".into();
                    }
                    UnitAct::Start | UnitAct::Restart => unit.active = "active".into(),
                    UnitAct::Stop => unit.active = "inactive".into(),
                    UnitAct::Reload => {}
                }
                if unit.load == "not-found" {
                    unit.load = "loaded".into();
                }
                self.units.insert(name.clone(), unit);
            }
            Op::DaemonReload => {
                let stale = self.seen.iter().filter_map(|(probe, answer)| match (probe, answer) {
                    (Probe::Unit { name }, Answer::Unit(Some(unit))) if unit.stale => Some((name.clone(), unit.clone())),
                    _ => None,
                });
                for (name, unit) in stale.collect::<Vec<_>>() {
                    self.units.entry(name).or_insert(unit);
                }
                for unit in self.units.values_mut() {
                    unit.stale = false;
                }
            }
            Op::Group { name, present, gid, .. } => {
                let entry = present.then(|| {
                    let mut entry = self.group(name).flatten().unwrap_or_default();
                    entry.gid = gid.unwrap_or(entry.gid);
                    entry
                });
                self.groups.insert(name.clone(), entry);
            }
            Op::User(user) => self.user_effect(user),
            Op::Crontab { user, text } => {
                self.crontabs.insert(user.clone(), text.clone());
            }
            Op::Sysctl { key, value } => {
                self.sysctls.insert(key.clone(), value.clone());
            }
            Op::Hostname { name } => self.hostname = Some(name.clone()),
            Op::Run { command, creates, .. } => {
                let shown = if command.secret { "command".to_owned() } else { format!("command {}", command.argv.join(" ")) };
                let mut only = self.provides.clone();
                if !creates.is_empty() {
                    for path in creates {
                        self.paths.insert(path.clone(), Node::Other(Attrs::default()));
                    }
                    only.get_or_insert_default().extend(creates.iter().cloned());
                }
                self.providers.push(Provider { cause: Cause(shown.lines().next().unwrap_or("command").to_owned()), only });
            }
        }
    }

    fn user_effect(&mut self, op: &UserOp) {
        if !op.present {
            if let Some(home) = self.user(&op.name).flatten().map(|user| user.home).filter(|_| op.remove_home) {
                self.effect(&Op::Remove { path: home });
            }
            self.users.insert(op.name.clone(), None);
            return;
        }
        let mut user = self.user(&op.name).flatten().unwrap_or_else(|| Account {
            home: format!("/home/{}", op.name),
            group: op.name.clone(),
            shell: "/bin/sh".into(),
            password: Some("!".into()),
            ..Account::default()
        });
        let fresh = self.user(&op.name).flatten().is_none();
        user.uid = op.uid.unwrap_or(user.uid);
        if let Some(group) = &op.group {
            user.group = group.clone();
            user.gid = self.gid(group).unwrap_or(user.gid);
        }
        if let Some(groups) = &op.groups {
            user.groups = groups.clone();
            user.groups.sort();
        }
        for (field, value) in [(&mut user.comment, &op.comment), (&mut user.home, &op.home), (&mut user.shell, &op.shell)] {
            if let Some(value) = value {
                *field = value.clone();
            }
        }
        if op.password.is_some() {
            user.password = op.password.clone();
        }
        if fresh {
            if op.create_home {
                let attrs = Attrs { mode: 0o755, uid: user.uid, gid: user.gid, owner: op.name.clone(), group: user.group.clone() };
                if !matches!(self.path(&user.home), Some(Node::Dir(_))) {
                    self.paths.insert(user.home.clone(), Node::Dir(attrs));
                }
            }
            if op.group.is_none() && self.group(&op.name).flatten().is_none() {
                self.groups.insert(op.name.clone(), Some(GroupEntry::default()));
            }
        }
        self.users.insert(op.name.clone(), Some(user));
    }

    /// A unit file put or removed makes or unmakes the unit, and a template's its instances; a drop-in makes it stale.
    fn unit_file(&mut self, path: &str, there: bool) {
        let dirs = ["/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"];
        let Some(name) = dirs.iter().find_map(|dir| path.strip_prefix(dir)) else { return };
        if let Some((unit, _)) = name.split_once(".d/") {
            if let Some(Some(mut unit_state)) = self.unit(unit).filter(|_| !unit.contains('/')) {
                unit_state.stale = true;
                self.units.insert(unit.to_owned(), unit_state);
            }
            return;
        }
        if name.contains('/') {
            return;
        }
        let instances = name.split_once("@.").map(|(stem, kind)| (format!("{stem}@"), format!(".{kind}"))).map_or_else(Vec::new, |(stem, kind)| {
            let asked = self.seen.keys().filter_map(|probe| match probe {
                Probe::Unit { name } if name.starts_with(&stem) && name.ends_with(&kind) => Some(name.clone()),
                _ => None,
            });
            asked.collect()
        });
        for name in instances.iter().map(String::as_str).chain([name]) {
            self.one_unit(name, there);
        }
    }

    fn one_unit(&mut self, name: &str, there: bool) {
        let known = self.unit(name);
        if known == Some(None) {
            return;
        }
        let mut unit = known.flatten().unwrap_or_else(|| UnitState { active: "inactive".into(), ..UnitState::default() });
        if there {
            if unit.load != "loaded" {
                unit.load = "loaded".into();
                unit.file = "disabled".into();
            }
            unit.stale = true;
        } else {
            unit.load = "not-found".into();
            unit.file = String::new();
        }
        self.units.insert(name.to_owned(), unit);
    }
}

impl Node {
    /// Mode and owners, where it has them.
    pub fn attrs(&self) -> Option<&Attrs> {
        match self {
            Node::File(file) => Some(&file.attrs),
            Node::Dir(attrs) | Node::Other(attrs) => Some(attrs),
            Node::Absent | Node::Link { .. } => None,
        }
    }

    fn set_attrs(&mut self, new: Attrs) {
        match self {
            Node::File(file) => file.attrs = new,
            Node::Dir(attrs) | Node::Other(attrs) => *attrs = new,
            Node::Absent | Node::Link { .. } => {}
        }
    }
}

impl Content {
    /// A content in memory.
    pub fn inline(bytes: impl Into<Vec<u8>>, secret: bool) -> Self {
        let bytes = bytes.into();
        Content { size: bytes.len() as u64, sha256: sha256(&bytes), body: Body::Inline(bytes.into()), secret }
    }

    fn as_file(&self, attrs: Attrs) -> File {
        let text = match &self.body {
            Body::Inline(bytes) => Some(bytes.clone()),
            Body::Local(_) => None,
        };
        File { attrs, size: self.size, sha256: Some(self.sha256.clone()), text, secret: self.secret }
    }
}

/// Lower-case hex SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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
            Op::Run { command, .. } => {
                if let Some(dir) = &command.chdir {
                    needs.push(Need::Dir(dir.clone()));
                }
                if let Some(user) = &command.user {
                    needs.push(Need::User(user.clone()));
                }
            }
            Op::Remove { .. } | Op::Packages { .. } | Op::Unit { .. } | Op::DaemonReload | Op::Group { .. } | Op::User(_)
            | Op::Sysctl { .. } | Op::Hostname { .. } => {}
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
