//! Looking at the hosts of a configuration, the way plan, apply and drift do.

use super::args::{Care, Reach, Selection};
use super::load::{Loaded, load};
use super::printer::count;
use super::progress::Progress;
use super::prompt::Terminal;
use super::{Exit, Printer};
use crate::fleet::event::Events;
use crate::fleet::Surveyed;
use crate::fleet::survey::{self, Purpose, Survey};
use crate::fleet::target::Targets;
use crate::lang::{Diagnostic, Diagnostics, Kind, Masker};
use crate::node::Facts;
use crate::plan::HostPlan;
use crate::plan::saved::SavedHost;
use crate::playbook::Body;
use crate::transport::{Cost, KnownHosts, Pool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Hosts that were looked at, and those that were not.
pub struct Looked {
    /// All of them, in the order of the inventory, which every list of them keeps.
    pub order: Vec<String>,
    /// Looked at.
    pub hosts: Vec<Surveyed>,
    /// Not looked at, and why.
    pub failed: Vec<(String, Diagnostics)>,
    /// Not reached, and optional.
    pub asleep: Vec<(String, Diagnostics)>,
    cost: Cost,
}

impl Looked {
    /// Everything that is wrong: hosts that were not looked at, and plans that cannot be. What is wrong on some of the hosts only names them.
    pub fn problems(&self) -> Diagnostics {
        let mut all: Vec<(&Diagnostic, Vec<&str>)> = Vec::new();
        for (host, problem) in self.hosts.iter().flat_map(|host| host.plan.problems.0.iter().map(|problem| (host.host.as_str(), problem))) {
            match all.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, hosts)) if hosts.contains(&host) => {}
                Some((_, hosts)) => hosts.push(host),
                None => all.push((problem, vec![host])),
            }
        }
        let planned = all.into_iter().map(|(problem, hosts)| match hosts.len() < self.order.len() && !problem.message.starts_with(hosts[0]) {
            true => Diagnostic { message: format!("{}: {}", some(&hosts), problem.message), ..problem.clone() },
            false => problem.clone(),
        });
        let mut told = Diagnostics::new();
        for problem in self.failed.iter().flat_map(|(_, problems)| &problems.0).cloned().chain(planned) {
            if !told.0.contains(&problem) {
                told.push(problem);
            }
        }
        told
    }

    /// The plans by host, in the order of the inventory.
    pub fn plans(&self) -> Vec<(&str, &HostPlan)> {
        self.hosts.iter().map(|surveyed| (surveyed.host.as_str(), &surveyed.plan)).collect()
    }

    /// The part of a saved plan that says what was seen and planned.
    pub fn saved(&self, masker: &Masker) -> BTreeMap<String, SavedHost> {
        self.hosts
            .iter()
            .map(|surveyed| {
                let probes = |key: &str| {
                    surveyed.plays.iter().flat_map(|(_, c)| c.steps.iter().chain(&c.handlers)).find(|step| step.key == key).and_then(
                        |step| match &step.body {
                            Body::Resource(resource) => Some(resource.look()),
                            _ => None,
                        },
                    )
                };
                (surveyed.host.clone(), SavedHost::of(&surveyed.plan, probes, surveyed.world.seen(), masker))
            })
            .collect()
    }

    /// With `-v`: what it cost.
    pub fn cost(&self, printer: &Printer) {
        if printer.verbose > 0 {
            printer.note(&cost_line(&self.cost));
        }
    }

    /// The counters.
    pub fn spent(&self) -> Cost {
        self.cost.clone()
    }
}

/// The line that says what it cost.
pub fn cost_line(cost: &Cost) -> String {
    let spent = cost.spent();
    format!(
        "cost: {}, {}, {} ({} after login), {} sent, {} received",
        count(spent.connections as usize, "connection"),
        count(spent.channels as usize, "exec channel"),
        count(spent.round_trips as usize, "round trip"),
        spent.exchanges,
        crate::plan::detail::bytes(spent.bytes_up),
        crate::plan::detail::bytes(spent.bytes_down),
    )
}

/// The means to reach the hosts of `loaded`.
pub fn means(loaded: &Loaded, reach: &Reach, printer: &Printer) -> Result<(Arc<Pool>, Targets, Cost), Diagnostics> {
    let cost = Cost::new();
    let known_hosts = match &reach.known_hosts {
        Some(path) => KnownHosts::at(path.clone()),
        None => KnownHosts::of_user(),
    };
    let terminal = Arc::new(Terminal::new());
    let password = match reach.ask_become_pass {
        true => Some(terminal.password("sudo password for all nodes: ").map_err(|why| {
            Diagnostics::from(Diagnostic::new(Kind::Usage, format!("cannot ask for the sudo password: {why}")).hint("give `become.password` as a secret in the inventory"))
        })?),
        false => None,
    };
    if let Some(password) = &password {
        printer.masker().add(password);
    }
    for host in loaded.config.inventory.hosts.values() {
        let told = [
            host.connection.become_.as_ref().and_then(|become_| become_.password.as_ref()),
            host.connection.sandbox.as_ref().and_then(|sandbox| sandbox.sudo_password.as_ref()),
        ];
        told.into_iter().flatten().for_each(|value| printer.masker().add_value(value));
    }
    let targets = Targets::new(&loaded.config.inventory, password)?;
    Ok((Arc::new(Pool::new(terminal, known_hosts, cost.clone())), targets, cost))
}

/// Without `care`, of the hosts only their facts.
async fn gather(loaded: &Loaded, reach: &Reach, care: Option<&Care>, purpose: Purpose, events: Events, printer: &Printer) -> Result<(Vec<(String, Result<Surveyed, Diagnostics>)>, Cost), Diagnostics> {
    let (pool, targets, cost) = means(loaded, reach, printer)?;
    let hosts = loaded.config.hosts();
    let all = Survey {
        config: loaded.config.clone(),
        pool,
        targets: Arc::new(targets),
        cache: loaded.cache.clone(),
        events,
        forks: reach.forks.into(),
        facts_only: care.is_none(),
        paranoid: care.is_some_and(|care| care.paranoid),
        purpose,
    };
    Ok((survey::survey(Arc::new(all), &hosts).await, cost))
}

/// Loads what `selection` names and looks at its hosts.
pub async fn load_and_look(selection: &Selection, reach: &Reach, care: &Care, purpose: Purpose, printer: &Printer) -> Result<(Loaded, Looked), Diagnostics> {
    let loaded = load(selection, None, printer)?;
    let looked = look(&loaded, reach, care, purpose, printer).await?;
    Ok((loaded, looked))
}

/// Looks at all hosts of `loaded` and plans them.
pub async fn look(loaded: &Loaded, reach: &Reach, care: &Care, purpose: Purpose, printer: &Printer) -> Result<Looked, Diagnostics> {
    let (events, progress) = Progress::start(printer, false);
    let gathered = gather(loaded, reach, Some(care), purpose, events, printer).await;
    let (found, cost) = gathered?;
    progress.finish().await;
    let order = found.iter().map(|(host, _)| host.clone()).collect();
    let mut looked = Looked { order, hosts: Vec::new(), failed: Vec::new(), asleep: Vec::new(), cost };
    for (host, end) in found {
        match end {
            Ok(surveyed) => looked.hosts.push(surveyed),
            Err(problems) if may_be_off(loaded, &host, &problems) => looked.asleep.push((host, problems)),
            Err(problems) => looked.failed.push((host, problems)),
        }
    }
    Ok(looked)
}

/// The facts of many hosts.
pub struct FactsFound {
    /// By host, in the order of the inventory; none of those that were not reached, and are optional.
    pub facts: Vec<(String, Option<Facts>)>,
    /// Why others have none.
    pub problems: Diagnostics,
}

/// The facts of all hosts of `loaded`.
pub async fn look_for_facts(loaded: &Loaded, reach: &Reach, printer: &Printer) -> Result<FactsFound, Diagnostics> {
    let (events, progress) = Progress::start(printer, false);
    let (found, _) = gather(loaded, reach, None, Purpose::Show, events, printer).await?;
    progress.finish().await;
    let mut all = FactsFound { facts: Vec::new(), problems: Diagnostics::new() };
    for (host, end) in found {
        match end {
            Ok(surveyed) => all.facts.push((host, Some(surveyed.world.facts.clone()))),
            Err(why) if may_be_off(loaded, &host, &why) => all.facts.push((host, None)),
            Err(why) => all.problems.0.extend(why.0),
        }
    }
    Ok(all)
}

/// Whether `problems` say no more than that `host`, which is optional, was not reached.
pub fn may_be_off(loaded: &Loaded, host: &str, problems: &Diagnostics) -> bool {
    Exit::of(problems) == Exit::Unreachable && loaded.config.optional(host)
}

/// The names of some hosts, in short.
fn some(hosts: &[&str]) -> String {
    match hosts {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", hosts.len() - 3),
        few => few.join(", "),
    }
}
