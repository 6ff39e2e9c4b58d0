//! Which facts are read: of a host by its own tasks, and by those of others.

use super::survey::{Survey, is_late};
use super::surveyed::{Surveyed, all_steps};
use super::target::cache_name;
use crate::lang::Diagnostics;
use crate::node::{Costly, Facts};
use crate::playbook::Compiled;
use std::collections::{BTreeMap, BTreeSet};

/// The hosts of which others read what they have not been asked for. Each look from now on asks them.
pub(super) fn read_elsewhere(survey: &Survey, done: &BTreeMap<String, Result<Surveyed, Diagnostics>>) -> Vec<(String, Option<Surveyed>)> {
    let seen = || done.values().filter_map(|end| end.as_ref().ok());
    let reads: BTreeSet<&str> = seen().flat_map(|surveyed| fact_reads(&surveyed.plays)).filter_map(|read| read.strip_prefix("hosts")).collect();
    if reads.is_empty() {
        return Vec::new();
    }
    let mut short = Vec::new();
    for surveyed in seen() {
        // The whole of a host, or of all of them, has its facts in it.
        let own = reads.iter().filter_map(|read| match read.trim_start_matches('.') {
            "" => Some(Costly::ALL),
            read => match read.strip_prefix(surveyed.host.as_str())? {
                "" | ".facts" => Some(Costly::ALL),
                rest => rest.strip_prefix(".facts.").map(Costly::behind),
            },
        });
        let wanted = own.fold(Costly::default(), Costly::and);
        if !surveyed.asked.covers(wanted) {
            survey.cache.put_wanted(&cache_name(&survey.config.inventory, &surveyed.host), wanted);
            short.push((surveyed.host.clone(), None));
        }
    }
    short
}

pub(super) fn fact_reads(plays: &[(usize, Compiled)]) -> impl Iterator<Item = &str> {
    plays.iter().flat_map(|(_, compiled)| compiled.fact_reads.iter().map(String::as_str))
}

pub(super) fn reads_others(surveyed: &Surveyed) -> bool {
    fact_reads(&surveyed.plays).any(|read| read.starts_with("hosts")) || surveyed.plays.iter().any(|(_, compiled)| !compiled.waits.is_empty())
}

/// The costly facts that are read; all of them where a step waits, since what it reads shows only when its time has come.
pub(super) fn costly(plays: &[(usize, Compiled)], reads: &BTreeSet<&str>) -> Costly {
    if all_steps(plays).any(is_late) {
        return Costly::ALL;
    }
    let own = reads.iter().filter_map(|read| read.strip_prefix("facts"));
    own.map(|read| Costly::behind(read.trim_start_matches('.'))).fold(Costly::default(), Costly::and)
}

/// Whether two facts agree in all that was read; `facts` read as a whole must agree as a whole.
pub(super) fn same_facts(guess: &Facts, seen: &Facts, reads: &BTreeSet<&str>) -> bool {
    let (Ok(guess), Ok(seen)) = (serde_json::to_value(guess), serde_json::to_value(seen)) else { return false };
    let at = |facts: &serde_json::Value, path: &str| {
        path.split('.').filter(|part| !part.is_empty()).try_fold(facts.clone(), |value, part| value.get(part).cloned())
    };
    reads.iter().filter(|path| path.starts_with("facts")).all(|path| {
        let path = path.strip_prefix("facts").unwrap_or(path).trim_start_matches('.');
        at(&guess, path) == at(&seen, path)
    })
}
