//! Keeping what a run on trial did: a new login at each host disarms its guard.

use super::open::open;
use super::target::{Targets, Way};
use super::visit::{likely, second};
use super::wire::{Trouble, Wire};
use super::cache::Cache;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::program::{Armed, NodeState, Verdict};
use crate::playbook::Config;
use crate::transport::Pool;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What was found at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// This run was on trial and stays.
    Kept(String),
    /// Nothing is on trial.
    Nothing,
    /// A run is guarded, not on trial: its controller is gone, and it goes back.
    Guarded(Armed),
    /// The node was quicker: it takes this run back, or has done so.
    TooLate(String),
}

/// What keeping needs.
pub struct Keeping {
    /// The configuration.
    pub config: Arc<Config>,
    /// Connections.
    pub pool: Arc<Pool>,
    /// Hosts to connection targets.
    pub targets: Arc<Targets>,
    /// Facts last seen, from which it follows as whom a run was made.
    pub cache: Cache,
    /// Hosts at a time.
    pub forks: usize,
}

/// Keeps what is on trial at `hosts`. The order of the answer is theirs.
pub async fn keep(keeping: Arc<Keeping>, hosts: &[String]) -> Vec<(String, Result<Kept, Diagnostics>)> {
    let gate = Arc::new(Semaphore::new(keeping.forks.max(1)));
    let mut running = tokio::task::JoinSet::new();
    for host in hosts {
        let (keeping, gate, host) = (keeping.clone(), gate.clone(), host.clone());
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            let end = one(&keeping, &host).await;
            (host, end)
        });
    }
    let mut done: BTreeMap<String, Result<Kept, Diagnostics>> = running.join_all().await.into_iter().collect();
    let early = |host: &str| Err(Diagnostic::new(Kind::Failed, format!("{host}: asking it ended early")).hint("run it again").into());
    hosts.iter().map(|host| (host.clone(), done.remove(host).unwrap_or_else(|| early(host)))).collect()
}

async fn one(keeping: &Keeping, host: &str) -> Result<Kept, Diagnostics> {
    let way = keeping.targets.of(host)?;
    let first = likely(&keeping.config, &keeping.cache, host);
    let (mut wire, mut state) = at(keeping, way, first.unwrap_or_else(|likely| likely)).await?;
    if state.guard.is_none()
        && let Some(other) = second(first, way)
        && let Ok((mut other, guarded)) = at(keeping, way, other).await
    {
        if guarded.guard.is_some() {
            std::mem::swap(&mut wire, &mut other);
            state = guarded;
        }
        other.close().await;
    }
    let kept = match state.guard {
        None => Kept::Nothing,
        Some(armed) if !armed.trial => Kept::Guarded(armed),
        Some(armed) => match wire.disarm(&armed.run).await.map_err(Trouble::into_problem)? {
            Verdict::Disarmed => Kept::Kept(armed.run),
            Verdict::Unguarded | Verdict::Armed => Kept::Nothing,
            Verdict::Firing | Verdict::Fired(_) => Kept::TooLate(armed.run),
        },
    };
    wire.close().await;
    Ok(kept)
}

async fn at(keeping: &Keeping, way: &Way, privileged: bool) -> Result<(Wire, NodeState), Diagnostics> {
    let mut wire = open(&keeping.pool, way, privileged).await?;
    let state = wire.look(&[], None).await.map_err(Trouble::into_problem)?.state;
    Ok((wire, state))
}
