//! Two owners of one slice of one host: found before anything is planned.

use super::step::{Body, Compiled, Step};
use crate::lang::{Diagnostic, Diagnostics};
use crate::resource::Claim;
use std::collections::BTreeMap;

/// How many hosts a message names.
const NAMED: usize = 3;

/// Two steps that claim the same.
struct Conflict<'a> {
    claim: Claim,
    first: &'a Step,
    second: &'a Step,
    hosts: Vec<&'a str>,
}

/// Reports slices that two steps of one host claim, in any of its plays; hosts with the same conflict share a message.
/// Handlers act when notified and own nothing that a task may not own as well; they are not looked at.
pub fn check(hosts: &[(&str, Vec<&Compiled>)]) -> Diagnostics {
    let mut conflicts: Vec<Conflict<'_>> = Vec::new();
    for (host, plays) in hosts {
        for (claim, first, second) in of_host(plays) {
            let same = |known: &&mut Conflict<'_>| known.claim == claim && known.first.key == first.key && known.second.key == second.key;
            match conflicts.iter_mut().find(same) {
                Some(known) => known.hosts.push(host),
                None => conflicts.push(Conflict { claim, first, second, hosts: vec![host] }),
            }
        }
    }
    Diagnostics(conflicts.iter().map(tell).collect())
}

fn of_host<'a>(plays: &[&'a Compiled]) -> Vec<(Claim, &'a Step, &'a Step)> {
    let mut owners: BTreeMap<Claim, &Step> = BTreeMap::new();
    let mut slices: BTreeMap<String, &Step> = BTreeMap::new();
    let mut found = Vec::new();
    for step in plays.iter().flat_map(|play| &play.steps) {
        let Body::Resource(resource) = &step.body else { continue };
        for claim in resource.claims() {
            // A whole content conflicts with every part of it.
            let other = match &claim {
                Claim::Content(path) => slices.get(path).copied(),
                Claim::Slice(path, _) => owners.get(&Claim::Content(path.clone())).copied(),
                Claim::Attrs(_) | Claim::Other(_) => None,
            };
            if let Some(first) = other.or_else(|| owners.get(&claim).copied()).filter(|first| !std::ptr::eq(*first, step)) {
                found.push((claim, first, step));
                break;
            }
            if let Claim::Slice(path, _) = &claim {
                slices.entry(path.clone()).or_insert(step);
            }
            owners.insert(claim, step);
        }
    }
    found
}

fn tell(conflict: &Conflict<'_>) -> Diagnostic {
    let Conflict { claim, first, second, hosts } = conflict;
    let what = match (claim, first.secret || second.secret) {
        (Claim::Content(path), _) => format!("the content of {path}"),
        (Claim::Slice(path, slice), false) => format!("`{slice}` in {path}"),
        (Claim::Slice(path, _), true) => format!("a part of {path}"),
        (Claim::Attrs(path), _) => format!("the mode and owner of {path}"),
        (Claim::Other(name), false) => format!("`{}`", name.replacen(':', " ", 1)),
        (Claim::Other(_), true) => "one thing".to_owned(),
    };
    let more = hosts.len().saturating_sub(NAMED);
    let named = hosts.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    let looped = first.span == second.span;
    let problem = Diagnostic::config(format!("two tasks manage {what} on {named}")).maybe_at(second.span.as_ref());
    if looped {
        return problem
            .label(format!("both `{}` and `{}`", first.label, second.label))
            .hint("let the item be part of what the task manages, or loop over fewer items");
    }
    problem
        .label(format!("`{}` does", second.label))
        .note(format!("and so does `{}`", first.label), first.span.as_ref())
        .hint("keep one of them, or choose between them with `when:`")
}
