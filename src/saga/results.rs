//! What steps register, and what hosts keep and tell each other.

use super::Failure;
use super::host::HostRun;
use crate::fleet::survey::{kept, looped, result};
use crate::lang::Value;
use crate::playbook::{Hosts, Register};
use std::collections::BTreeMap;
use std::sync::Arc;

impl HostRun {
    pub(super) async fn register(&mut self, index: usize, changed: bool, ran: Option<(i32, &str, &str)>) -> Result<(), Failure> {
        let Some(register) = self.step(index).and_then(|step| step.register.clone()) else { return Ok(()) };
        let value = result(&register, changed, ran);
        self.steps_now.outdated();
        self.config.identities.masker().add_value(&value);
        if register.keep {
            let text = value.as_map().and_then(|map| map.get("stdout")).and_then(Value::as_str).unwrap_or_default().to_owned();
            self.on.wire.keep(&register.name, &text).await?;
            self.on.state.kept.insert(register.name.clone(), text.into_bytes());
            self.share(&BTreeMap::from([(self.on.host.clone(), self.kept())]));
        }
        if let Some((_, count)) = register.item {
            self.quiet_items(index, &register.name, count);
        }
        looped(&mut self.items, &mut self.on.known.registered, &register, value);
        Ok(())
    }

    /// Of a loop, the items that have nothing to do have their results already.
    pub(super) fn quiet_items(&mut self, index: usize, name: &str, count: usize) {
        let play = self.on.plan.lines[index].play;
        let quiet: Vec<Register> = self
            .on
            .plays
            .iter()
            .filter(|(at, _)| *at == play)
            .flat_map(|(_, compiled)| &compiled.steps)
            .filter(|step| self.on.plan.lines.iter().any(|line| line.key == step.key && !line.acts()))
            .filter_map(|step| step.register.clone())
            .filter(|register| register.name == name && register.item.is_some_and(|(_, all)| all == count))
            .collect();
        for register in quiet {
            let nothing = result(&register, false, None);
            looped(&mut self.items, &mut self.on.known.registered, &register, nothing);
        }
    }

    /// What the `run_once` steps of `play` registered here, for the other hosts.
    pub fn once(&self, play: usize) -> BTreeMap<String, Value> {
        let steps = self.on.plays.iter().filter(|(at, _)| *at == play).flat_map(|(_, compiled)| &compiled.steps);
        steps
            .filter(|step| step.run_once)
            .filter_map(|step| step.register.as_ref())
            .filter_map(|register| Some((register.name.clone(), self.on.known.registered.get(&register.name)?.clone())))
            .collect()
    }

    /// Takes on results of `run_once` steps of another host.
    pub fn told(&mut self, results: &BTreeMap<String, Value>) {
        if !results.is_empty() {
            self.on.known.registered.extend(results.clone());
            self.steps_now.outdated();
        }
    }

    /// What this host keeps.
    pub fn kept(&self) -> BTreeMap<String, Value> {
        kept(&self.on.state)
    }

    /// Takes on what hosts keep by now.
    pub fn share(&mut self, kept: &BTreeMap<String, BTreeMap<String, Value>>) {
        // Mostly there is none, and a copy of what is known of all for each of them is not made for nothing.
        let news = |(host, kept): (&String, &BTreeMap<String, Value>)| self.on.known.hosts.get(host).map_or(!kept.is_empty(), |known| known.kept != *kept);
        if !kept.iter().any(news) {
            return;
        }
        let mut known = self.on.known.hosts.known();
        for (host, kept) in kept {
            known.entry(host.clone()).or_default().kept.clone_from(kept);
        }
        self.on.known.hosts = Arc::new(Hosts::new(known));
        self.steps_now.outdated();
    }
}
