//! The effects of ops on the planned world.

use super::Cause;
use super::op::{Op, UnitAct, UserOp};
use super::probe::{Account, Answer, Attrs, GroupEntry, Node, Probe, UnitState};
use super::world::{Provider, World};

impl World {
    fn attrs(&self, mode: u32, owner: &Option<String>, group: &Option<String>, before: Option<&Attrs>) -> Attrs {
        let mut attrs = before.cloned().unwrap_or_else(|| {
            let me = &self.facts.identity;
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

    /// Lets `op` take effect in the planned world.
    pub fn effect(&mut self, op: &Op) {
        // What only asks leaves things as they are.
        if !matches!(op, Op::Tool(tool) if tool.asks) {
            self.changed = Some(Cause(match op {
                Op::Put { path, .. } | Op::Mkdir { path, .. } | Op::Attr { path, .. } | Op::Link { path, .. } | Op::Remove { path } => path.clone(),
                _ => "an earlier task".to_owned(),
            }));
        }
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
                // What belongs to the old number no longer belongs to the name.
                if let (Some(before), Some(gid)) = (self.group(name).flatten(), gid)
                    && before.gid != *gid
                {
                    self.renumbered.push((name.clone(), before.gid));
                }
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
            // What starts at boot and what it then does, nobody can foresee; which files there are, it is not meant to change.
            Op::Reboot { .. } => self.providers.push(Provider { cause: Cause("reboot".into()), only: Some(vec!["/run".into(), "/tmp".into()]) }),
            Op::Tool(tool) => {
                self.rans.extend(tool.answers.iter().cloned());
                self.paths.extend(tool.makes.iter().cloned());
                if !tool.brings.is_empty() {
                    let cause = Cause(tool.says.first().cloned().unwrap_or_default());
                    self.providers.push(Provider { cause, only: Some(tool.brings.clone()) });
                }
            }
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
