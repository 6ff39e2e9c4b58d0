//! `package`: packages of the node's own package manager.

use super::shared::attrs::wrong;
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Data, Diagnostic, Diagnostics};
use crate::node::probe::PackageState;
use crate::node::{Op, Probe, World};

/// The declaration of `package`.
pub static PACKAGE: KindSpec = KindSpec {
    name: "package",
    summary: "Installs, upgrades and removes packages",
    description: "\
Uses the package manager that the node has: apt, dnf or apk. All packages of the task that differ are one transaction.

`state: latest` compares with the version that the **node's own package lists** offer: `plan` refreshes nothing. With `update_cache: true`
the lists are refreshed at apply, and only when something is to be installed or upgraded; so a node with nothing to do stays untouched,
and there is no `cache_valid_time`. To upgrade from fresh lists, refresh them on the node first (its `apt-daily.timer` does).

A version is given as `name=version`; a `*` at its end matches what follows. Another process's lock is waited for
(`lock_timeout`); when it does not go away, the error names the process that holds it.

What a package brings cannot be known beforehand: later tasks that need something not there yet (a directory, a unit, a user) are
planned as *known after apply (package NAME)*. Taking back is *equivalent*: the same versions, and the configuration files as they were. What is
upgraded or removed is secured on the node before that: the package file from apt's own archive, else one made again from what is
installed. Where apt is not the package manager, an upgrade cannot be undone, and what was removed is had again from where it is offered: if it is not any more, taking back gets stuck.",
    params: &[
        Param::required("name", Ty::Strs, "One package or a list: `name`, `name=version` or `name:architecture`.").aliases(&["pkg", "package"]),
        Param::new("state", Ty::Choice(&["present", "absent", "latest"]), "`present` leaves an installed version as it is; `latest` upgrades it.").default("present"),
        Param::new("update_cache", Ty::Bool, "Refresh the package lists before installing or upgrading.").aliases(&["update-cache"]).default("false"),
        Param::new("purge", Ty::Bool, "With `state: absent`: also remove configuration files, those left by an earlier removal included.").default("false"),
        Param::new("lock_timeout", Ty::Duration, "How long to wait while another process holds the package manager's lock; never longer than the task's `timeout`.").default("120s"),
    ],
    bare: "name",
    example: "\
- name: Tools for the router
  package:
    name: [iptables-persistent, tcpdump]
    update_cache: true
",
    build,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Present,
    Absent,
    Latest,
}

#[derive(Debug)]
struct Wanted {
    name: String,
    version: Option<String>,
}

impl Wanted {
    fn text(&self) -> String {
        match &self.version {
            Some(version) => format!("{}={version}", self.name),
            None => self.name.clone(),
        }
    }

    fn is(&self, installed: &str) -> bool {
        match self.version.as_deref().map(|v| v.strip_suffix('*').ok_or(v)) {
            None => true,
            Some(Ok(prefix)) => installed.starts_with(prefix),
            Some(Err(exact)) => installed == exact,
        }
    }
}

#[derive(Debug)]
struct Package {
    wanted: Vec<Wanted>,
    state: State,
    refresh: bool,
    purge: bool,
    lock_timeout: u32,
    secret: bool,
}

/// A place for each item of `name`: its own where the list was written out.
fn items(args: &Args) -> Vec<(String, Diagnostic)> {
    let Some(value) = args.values.get("name") else { return Vec::new() };
    value.as_seq().unwrap_or_default().iter().filter_map(|item| match &item.data {
        Data::Str(text) => Some((text.clone(), Diagnostic::config("").maybe_at(item.origin.as_ref().or(args.place("name"))))),
        _ => None,
    }).collect()
}

fn parse(text: &str) -> Result<Wanted, (&'static str, &'static str)> {
    let (name, version) = match text.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    if name.contains('/') {
        return Err(("a file or a release", "packages are named as the node's lists name them; pin a release in /etc/apt/preferences.d instead"));
    }
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':' | '~'));
    if !good {
        return Err(("not a package name", "letters, digits, `+`, `-`, `.`, `_`; then perhaps `:architecture` or `=version`"));
    }
    if name.ends_with('-') {
        // apt-get takes a trailing dash as "remove it".
        return Err(("apt would remove it", "a name cannot end in a dash; use `state: absent` to remove a package"));
    }
    match version {
        Some(v) if v.is_empty() || v.starts_with('-') || !v.trim_end_matches('*').chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':' | '~' | '^')) => {
            Err(("not a version", "letters, digits, `.`, `+`, `-`, `~`, `:`; a `*` may end it"))
        }
        _ => Ok(Wanted { name: name.to_owned(), version: version.map(str::to_owned) }),
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let state = match args.str("state") {
        Some("absent") => State::Absent,
        Some("latest") => State::Latest,
        _ => State::Present,
    };
    let mut wanted: Vec<Wanted> = Vec::new();
    for (text, place) in items(args) {
        let shown = names::shown(args, "name", &text);
        let mut wrong = |message: String, label: &str, hint: &str| {
            let mut problem = place.clone().label(label).hint(hint);
            problem.message = message;
            problems.push(problem);
        };
        match parse(&text) {
            Err((label, hint)) => wrong(format!("{shown} is not a package that can be named"), label, hint),
            Ok(new) if new.version.is_some() && state != State::Present => {
                let word = if state == State::Absent { "absent" } else { "latest" };
                wrong(format!("{shown} names a version, which has no meaning with `state: {word}`"), "a version", "leave the version out, or use `state: present`");
            }
            Ok(new) => match wanted.iter().find(|have| have.name == new.name) {
                Some(have) if have.version != new.version => {
                    wrong(format!("package `{}` is named twice with different versions", new.name), "again here", "keep one of the two");
                }
                Some(_) => {}
                None => wanted.push(new),
            },
        }
    }
    if problems.is_empty() && wanted.is_empty() {
        problems.push(wrong(args, "name", "no package is named", "an empty list", "name at least one package, or give the task a `when:`"));
    }
    let purge = args.bool("purge", false);
    if purge && state != State::Absent {
        problems.push(wrong(args, "purge", "`purge` has no meaning without `state: absent`", "not used", "set `state: absent`, or remove `purge`"));
    }
    let lock_timeout = args.int("lock_timeout").map_or(120, |s| u32::try_from(s).unwrap_or(u32::MAX));
    let refresh = args.bool("update_cache", false);
    problems.into_result(Box::new(Package { wanted, state, refresh, purge, lock_timeout, secret: args.is_secret("name") }))
}

impl Package {
    fn probe(&self, wanted: &Wanted) -> Probe {
        Probe::Package { name: wanted.name.clone(), candidate: self.state == State::Latest }
    }

    fn differs(&self, wanted: &Wanted, now: &PackageState) -> bool {
        match (self.state, &now.installed) {
            (State::Absent, None) => self.purge && now.residue,
            (State::Absent, Some(_)) | (_, None) => true,
            (State::Present, Some(version)) => !wanted.is(version),
            // Without a candidate the node's lists know nothing newer.
            (State::Latest, Some(version)) => now.candidate.as_ref().is_some_and(|candidate| candidate != version),
        }
    }
}

impl Resource for Package {
    fn id(&self) -> Id {
        let mut names: Vec<&str> = self.wanted.iter().map(|w| w.name.as_str()).collect();
        names.sort_unstable();
        Id { kind: "package".into(), key: names.join(","), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        self.wanted.iter().map(|w| Claim::Other(format!("package:{}", w.name))).collect()
    }

    fn look(&self) -> Vec<Probe> {
        self.wanted.iter().map(|w| self.probe(w)).collect()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        if world.facts.package_manager == "none" {
            return Err(Block::refused(
                "this node has no package manager that homelab knows",
                "skip the task there: `when: facts.package_manager != \"none\"`",
            ));
        }
        let (mut install, mut remove, mut lost) = (Vec::new(), Vec::new(), false);
        for wanted in &self.wanted {
            names::answered(world, &self.probe(wanted), &format!("whether {} is installed", wanted.name), "see that the package manager works on the node")?;
            let now = world.package(&wanted.name).unwrap_or_default();
            if self.differs(wanted, &now) {
                // Only of apt's packages can a file be made again; others' lists seldom have the old version.
                lost |= self.state != State::Absent && now.installed.is_some() && world.facts.package_manager != "apt";
                if self.state == State::Absent { &mut remove } else { &mut install }.push(wanted.text());
            }
        }
        if install.is_empty() && remove.is_empty() {
            return Ok(Vec::new());
        }
        let refresh = self.refresh && !install.is_empty();
        Ok(vec![Op::Packages { install, remove, purge: self.purge, refresh, lock_timeout: self.lock_timeout, lost }])
    }

    fn within(&mut self, seconds: u64) {
        self.lock_timeout = self.lock_timeout.min(u32::try_from(seconds).unwrap_or(u32::MAX));
    }

    fn secret(&self) -> bool {
        self.secret
    }
}
