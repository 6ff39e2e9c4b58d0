//! Two owners of one slice of one host: found before anything is planned.

use super::step::{Body, Compiled, Step};
use crate::lang::{Diagnostic, Diagnostics};
use crate::resource::Claim;
use std::collections::BTreeMap;

/// Reports slices that two steps of `host` claim, in any of its plays. Handlers act when notified and own nothing that
/// a task may not own as well; they are not looked at.
pub fn check(host: &str, plays: &[&Compiled]) -> Diagnostics {
    let mut owners: BTreeMap<Claim, &Step> = BTreeMap::new();
    let mut slices: BTreeMap<String, &Step> = BTreeMap::new();
    let mut problems = Diagnostics::new();
    for step in plays.iter().flat_map(|play| &play.steps) {
        let Body::Resource(resource) = &step.body else { continue };
        for claim in resource.claims() {
            // A whole content conflicts with every part of it.
            let other = match &claim {
                Claim::Content(path) => slices.get(path).copied(),
                Claim::Slice(path, _) => owners.get(&Claim::Content(path.clone())).copied(),
                Claim::Attrs(_) | Claim::Other(_) => None,
            };
            let first = other.or_else(|| owners.get(&claim).copied());
            if let Some(first) = first {
                problems.push(conflict(host, &claim, first, step));
                break;
            }
            if let Claim::Slice(path, _) = &claim {
                slices.entry(path.clone()).or_insert(step);
            }
            owners.insert(claim, step);
        }
    }
    problems
}

fn conflict(host: &str, claim: &Claim, first: &Step, second: &Step) -> Diagnostic {
    let what = match (claim, first.secret || second.secret) {
        (Claim::Content(path), _) => format!("the content of {path}"),
        (Claim::Slice(path, slice), false) => format!("`{slice}` in {path}"),
        (Claim::Slice(path, _), true) => format!("a part of {path}"),
        (Claim::Attrs(path), _) => format!("the mode and owner of {path}"),
        (Claim::Other(name), false) => format!("`{}`", name.replacen(':', " ", 1)),
        (Claim::Other(_), true) => "one thing".to_owned(),
    };
    Diagnostic::config(format!("two tasks manage {what} on {host}"))
        .maybe_at(second.span.as_ref())
        .label(format!("`{}` does", second.label))
        .note(format!("and so does `{}`", first.label), first.span.as_ref())
        .hint("keep one of them, or choose between them with `when:`")
}
