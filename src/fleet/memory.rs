//! Planning without contacting anyone: against a blank system, or against a node as it was last seen from here.
//!
//! What is kept of a node on this side tells no secret: no text of any file, no output, no password, and nothing at all of
//! resources that are secret. It can be lost, and is never what an apply goes by.

use super::cache::Cache;
use super::survey::{compile_all, plan_all, probes};
use super::surveyed::Surveyed;
use super::target::cache_name;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::probe::{Answer, Depth, Node, PackageState, UnitState};
use crate::node::{Answers, Cause, Facts, Probe, World};
use crate::plan::HostPlan;
use crate::plan::divergence::{self, Receipt};
use crate::playbook::{Body, Compiled, Config, HostKnown, Hosts, Known, Step};
use crate::resource::{Claim, Resource};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is planned against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// A freshly installed system.
    Blank,
    /// The node as it was when it was last looked at from here.
    LastSeen,
}

/// A node as it was seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Seconds since 1970, by this side's clock.
    pub at: u64,
    /// What was answered.
    answers: Vec<(Probe, Answer)>,
    /// Resources that were as wished: id → digest of the wish.
    held: BTreeMap<String, String>,
}

impl Seen {
    /// What is kept of `answers` to what `steps` look at; `receipts` are those of the resources that are as wished.
    pub fn of<'a>(steps: impl Iterator<Item = &'a Step>, answers: &Answers, receipts: &BTreeMap<String, Receipt>) -> Self {
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut seen = Seen { at, ..Seen::default() };
        let mut asked: BTreeSet<Probe> = BTreeSet::new();
        for step in steps {
            let Body::Resource(resource) = &step.body else { continue };
            if resource.secret() {
                continue;
            }
            asked.extend(resource.look());
            let id = resource.id().to_string();
            if let Some((desired, _)) = receipts.get(&id) {
                seen.held.insert(id, desired.clone());
            }
        }
        seen.answers = asked.into_iter().filter_map(|probe| kept(probe.clone(), answers.get(&probe)?)).collect();
        seen
    }

    fn answer(&self, probe: &Probe) -> Option<Answer> {
        let Probe::Path { path, depth } = probe else {
            return self.answers.iter().find(|(asked, _)| asked == probe).map(|(_, answer)| answer.clone());
        };
        // The digest answers whatever was asked about the content, but not what stands in it.
        let enough = |node: &Node| match (node, depth) {
            (Node::File(file), Depth::Text { unless: None }) => file.size == 0,
            (Node::File(file), Depth::Digest | Depth::Text { .. }) => file.sha256.is_some(),
            _ => true,
        };
        self.answers.iter().find_map(|(asked, answer)| match (asked, answer) {
            (Probe::Path { path: of, .. }, Answer::Path(node)) if of == path && enough(node) => Some(answer.clone()),
            _ => None,
        })
    }
}

/// Keeps here what was seen of `on`, whose lines in `held` are as wished. A look at a part of the tasks leaves the last whole one.
pub fn keep(config: &Config, cache: &Cache, on: &Surveyed, held: &BTreeSet<String>) {
    if config.tags.is_empty() && config.start.is_none() {
        cache.put_seen(&cache_name(&config.inventory, &on.host), &on.seen(held));
    }
}

/// What is kept of an answer.
fn kept(probe: Probe, answer: &Answer) -> Option<(Probe, Answer)> {
    let answer = match answer {
        Answer::Path(Node::File(file)) if file.secret => return None,
        Answer::Path(Node::File(file)) => {
            let mut file = file.clone();
            file.text = None;
            Answer::Path(Node::File(file))
        }
        Answer::User(Some(account)) if account.password.is_some() => return None,
        Answer::Crontab(Some(_)) | Answer::Ran(_) | Answer::Failed(_) => return None,
        other => other.clone(),
    };
    Some((probe, answer))
}

/// What every system has, however blank.
const DIRECTORIES: &[&str] = &[
    "/", "/boot", "/dev", "/etc", "/etc/apt", "/etc/apt/apt.conf.d", "/etc/apt/keyrings", "/etc/apt/sources.list.d", "/etc/cron.d", "/etc/default",
    "/etc/logrotate.d", "/etc/modprobe.d", "/etc/modules-load.d", "/etc/profile.d", "/etc/security", "/etc/skel", "/etc/ssh", "/etc/ssl",
    "/etc/ssl/certs", "/etc/sudoers.d", "/etc/sysctl.d", "/etc/systemd", "/etc/systemd/network", "/etc/systemd/system", "/etc/udev", "/etc/udev/rules.d",
    "/home", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin",
    "/usr/local/etc", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/usr/local/src", "/usr/sbin", "/usr/share", "/usr/share/keyrings", "/usr/src",
    "/var", "/var/cache", "/var/lib", "/var/log", "/var/mail", "/var/opt", "/var/spool", "/var/spool/cron", "/var/tmp",
];

/// What a freshly installed system answers.
fn blank(probe: &Probe, facts: &Facts) -> Option<Answer> {
    let absent = |path: &str| if DIRECTORIES.contains(&path) { Node::Dir(root()) } else { Node::Absent };
    Some(match probe {
        Probe::Path { path, .. } => Answer::Path(absent(path)),
        Probe::Tree { path } => Answer::Tree([(path.clone(), absent(path))].into()),
        Probe::Package { .. } => Answer::Package(PackageState::default()),
        Probe::Unit { .. } if facts.init == "systemd" || facts.init.is_empty() => Answer::Unit(Some(UnitState { load: "not-found".into(), active: "inactive".into(), ..UnitState::default() })),
        Probe::Unit { .. } => Answer::Unit(None),
        Probe::Group { name } if name == "root" => return None,
        Probe::User { name } if name == "root" => return None,
        Probe::User { .. } => Answer::User(None),
        Probe::Group { .. } => Answer::Group(None),
        Probe::Crontab { .. } => Answer::Crontab(None),
        // What a kernel has, and what a command says, only the machine knows.
        Probe::Sysctl { .. } | Probe::Hostname | Probe::Run(_) => return None,
    })
}

fn root() -> crate::node::probe::Attrs {
    crate::node::probe::Attrs { mode: 0o755, uid: 0, gid: 0, owner: "root".into(), group: "root".into() }
}

/// A plan made without contacting anyone.
pub struct Remembered {
    /// Its host.
    pub host: String,
    /// The plan.
    pub plan: HostPlan,
    /// When the node was seen, in seconds since 1970.
    pub at: Option<u64>,
}

/// Plans `hosts` from what is known here. Who cannot be planned has problems.
pub fn plan(config: &Arc<Config>, cache: &Cache, hosts: &[String], against: Against) -> Vec<(String, Result<Remembered, Diagnostics>)> {
    let facts = |host: &String| cache.facts(&cache_name(&config.inventory, host));
    let others: BTreeMap<String, HostKnown> = hosts.iter().map(|host| (host.clone(), HostKnown { facts: facts(host), ..HostKnown::default() })).collect();
    let others = Arc::new(Hosts::new(others));
    hosts
        .iter()
        .map(|host| {
            let known = Known { facts: facts(host), hosts: others.clone(), ..Known::default() };
            (host.clone(), one(config, cache, host, &known, against))
        })
        .collect()
}

fn one(config: &Config, cache: &Cache, host: &str, known: &Known, against: Against) -> Result<Remembered, Diagnostics> {
    let facts = known.facts.clone().unwrap_or_default();
    let seen = match against {
        Against::Blank => None,
        Against::LastSeen => Some(cache.seen(&cache_name(&config.inventory, host)).ok_or_else(|| {
            Diagnostic::new(Kind::Failed, format!("{host}: it has not been seen from here yet")).hint("`homelab plan INVENTORY` looks at it; `--against blank` needs no look")
        })?),
    };
    let mut plays = compile_all(config, host, known)?;
    let answer = |probe: &Probe| match &seen {
        Some(seen) => seen.answer(probe),
        None => blank(probe, &facts),
    };
    let found = |asked: BTreeSet<Probe>| asked.into_iter().filter_map(|probe| Some((probe.clone(), answer(&probe)?)));
    let mut answers: Answers = found(probes(&plays)).collect();
    let first = plan_all(config, &plays, &mut World::new(facts.clone(), answers.clone()), &BTreeSet::new());
    let more: Answers = found(first.asks).collect();
    answers.extend(more);
    for step in plays.iter_mut().flat_map(|(_, compiled)| steps(compiled)) {
        let Body::Resource(resource) = &step.body else { continue };
        if seen.as_ref().is_some_and(|seen| seen.holds(resource.as_ref())) {
            step.body = Body::Assert { failed: None };
        } else if resource.look().iter().any(|probe| !answers.contains_key(probe) && !beside(resource.as_ref(), probe)) {
            step.body = Body::Late { cause: unknown_words(against).into(), needs_facts: false };
        }
    }
    let mut world = World::new(facts, answers);
    if against == Against::Blank {
        world.obscure(Cause(unknown_words(against).into()));
    }
    let plan = plan_all(config, &plays, &mut world, &BTreeSet::new());
    Ok(Remembered { host: host.to_owned(), plan, at: seen.map(|seen| seen.at) })
}

impl Seen {
    /// Whether `resource` was as wished, by the same wish.
    fn holds(&self, resource: &dyn Resource) -> bool {
        self.held.get(&resource.id().to_string()).is_some_and(|desired| *desired == divergence::receipt(resource, &Answers::new()).0)
    }
}

fn steps(compiled: &mut Compiled) -> impl Iterator<Item = &mut Step> {
    compiled.steps.iter_mut().chain(&mut compiled.handlers)
}

/// Whether `probe` is about an account that only owns what `resource` is about.
fn beside(resource: &dyn Resource, probe: &Probe) -> bool {
    let (Probe::User { name } | Probe::Group { name }) = probe else { return false };
    name == "root" || !resource.claims().iter().any(|claim| matches!(claim, Claim::Other(_)))
}

fn unknown_words(against: Against) -> &'static str {
    match against {
        Against::Blank => "what the installed system brings",
        Against::LastSeen => "what is not kept of the node here",
    }
}
