//! Which hosts a configuration is about.

use super::Config;
use crate::inventory::{Inventory, Jump, pattern};
use crate::lang::{Diagnostic, Diagnostics, Kind, Source, Span};
use std::collections::HashSet;
use std::sync::Arc;

/// The hosts that `--limit text` chooses, whether a play is for them or not.
pub fn limited(inventory: &Inventory, text: &str) -> Result<Vec<String>, Diagnostics> {
    let source = Arc::new(Source { name: "--limit".into(), text: text.to_owned() });
    let hosts = pattern::select(inventory, text, Some(&Span::new(&source, 0..text.len()))).map_err(|mut wrong| {
        wrong.0.iter_mut().for_each(|problem| problem.kind = Kind::Usage);
        wrong
    })?;
    if hosts.is_empty() {
        return Err(Diagnostic::new(Kind::Usage, format!("`--limit {text}` leaves no host")).hint("loosen the pattern").into());
    }
    Ok(hosts)
}

impl Config {
    /// Every host that a play is for, in the order of the inventory; without plays, those that `--limit` leaves of it.
    pub fn hosts(&self) -> Vec<String> {
        if let Some(hosts) = &self.alone {
            return hosts.clone();
        }
        let chosen: HashSet<&String> = self.plays.iter().flat_map(|play| &play.hosts).collect();
        self.inventory.hosts.keys().filter(|host| chosen.contains(host)).cloned().collect()
    }

    /// Every host that is logged in to: those that a play is for, and those that they are reached through. Each comes
    /// after its jump hosts.
    pub fn hosts_and_jumps(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        for host in self.hosts() {
            hosts.extend(self.jumps_of(&host).into_iter().rev().chain([host]));
        }
        let mut seen = std::collections::BTreeSet::new();
        hosts.retain(|host| seen.insert(host.clone()));
        hosts
    }

    /// `hosts`, each after those of its jump hosts that are among them.
    pub fn jumps_first(&self, mut hosts: Vec<String>) -> Vec<String> {
        hosts.sort_by_cached_key(|host| self.jumps_of(host).len());
        hosts
    }

    /// The hosts of the inventory that `host` is reached through, the nearest to it first.
    fn jumps_of(&self, host: &str) -> Vec<String> {
        let mut jumps: Vec<String> = Vec::new();
        let mut at = self.inventory.hosts.get(host);
        while let Some(Jump::Host(next)) = at.and_then(|host| host.connection.jump.as_ref()).filter(|_| jumps.len() < self.inventory.hosts.len()) {
            jumps.push(next.clone());
            at = self.inventory.hosts.get(next);
        }
        jumps
    }

    /// The plays of `host`, by number.
    pub fn plays_of(&self, host: &str) -> Vec<usize> {
        (0..self.plays.len()).filter(|play| self.plays[*play].hosts.iter().any(|name| name == host)).collect()
    }

    /// Whether `host` may be off.
    pub fn optional(&self, host: &str) -> bool {
        self.inventory.hosts.get(host).is_some_and(|host| host.connection.optional)
    }
}
