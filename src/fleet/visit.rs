//! Going to hosts to hear of their runs: logged in with the identity whose runs they are, and nothing looked at.

use super::cache::Cache;
use super::event::{Events, What};
use super::open::open;
use super::survey::{compile_all, wants_privilege};
use super::target::{Targets, Way, cache_name};
use super::wire::{Trouble, Wire};
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::journal::Journal;
use crate::node::program::NodeState;
use crate::playbook::{Config, Known};
use crate::transport::Pool;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What visiting needs.
#[derive(Clone)]
pub struct Visit {
    /// The configuration.
    pub config: Arc<Config>,
    /// Connections.
    pub pool: Arc<Pool>,
    /// Hosts to connection targets.
    pub targets: Arc<Targets>,
    /// Facts last seen.
    pub cache: Cache,
    /// Who is told.
    pub events: Events,
    /// Hosts at a time.
    pub forks: usize,
}

/// A host that was visited.
pub struct Visited {
    /// Its name.
    pub host: String,
    /// The open program on it.
    pub wire: Wire,
    /// Its runs by name, oldest first; none of a journal that cannot be read.
    pub journals: Vec<(String, Option<Journal>)>,
    /// What else the node keeps.
    pub state: NodeState,
}

/// Visits `hosts`. The order of the answer is theirs; who was not reached has problems.
pub async fn visit(visit: &Visit, hosts: &[String]) -> Vec<(String, Result<Visited, Diagnostics>)> {
    let gate = Arc::new(Semaphore::new(visit.forks.max(1)));
    let mut running = tokio::task::JoinSet::new();
    for host in hosts {
        let (visit, gate, host) = (visit.clone(), gate.clone(), host.clone());
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            let end = one(&visit, &host).await;
            visit.events.tell(&host, What::Finished(String::new()));
            (host, end)
        });
    }
    let mut done: BTreeMap<String, _> = running.join_all().await.into_iter().collect();
    let early = |host: &String| Err(Diagnostic::new(Kind::Failed, format!("{host}: visiting it ended early")).hint("run it again").into());
    hosts.iter().map(|host| (host.clone(), done.remove(host).unwrap_or_else(|| early(host)))).collect()
}

async fn one(visit: &Visit, host: &str) -> Result<Visited, Diagnostics> {
    let way = visit.targets.of(host)?;
    visit.events.tell(host, What::Connecting);
    let first = likely(&visit.config, &visit.cache, host);
    let mut visited = at(visit, host, way, first.unwrap_or_else(|likely| likely)).await?;
    // Who may not become another has no runs as that one.
    if visited.journals.is_empty()
        && let Some(other) = second(first, way)
        && let Ok(mut other) = at(visit, host, way, other).await
    {
        if !other.journals.is_empty() {
            std::mem::swap(&mut visited, &mut other);
        }
        other.wire.close().await;
    }
    Ok(visited)
}

async fn at(visit: &Visit, host: &str, way: &Way, privileged: bool) -> Result<Visited, Diagnostics> {
    let mut wire = open(&visit.pool, way, privileged).await?;
    visit.events.tell(host, What::Looking);
    let (journals, state) = wire.history().await.map_err(Trouble::into_problem)?;
    Ok(Visited { host: host.to_owned(), wire, journals, state })
}

/// Whether the runs of `host` are those of the identity that its `become` gives. Its tasks say; where they cannot be
/// compiled, which must keep nobody from taking something back, its plays and its inventory tell what is likely (`Err`).
pub(super) fn likely(config: &Config, cache: &Cache, host: &str) -> Result<bool, bool> {
    let how = config.inventory.hosts.get(host).and_then(|host| host.connection.become_.as_ref());
    let likely = how.is_some() || config.plays_of(host).iter().any(|play| config.plays[*play].become_);
    let known = Known { facts: cache.facts(&cache_name(&config.inventory, host)), ..Known::default() };
    match compile_all(config, host, &known) {
        Ok(plays) if config.alone.is_none() => Ok(wants_privilege(&plays)),
        _ => Err(likely),
    }
}

/// As whom the runs of a host can be looked for besides, where what is likely has none.
pub(super) fn second(first: Result<bool, bool>, way: &Way) -> Option<bool> {
    let other = !first.err()?;
    way.target_for(true).privilege.is_some().then_some(other)
}
