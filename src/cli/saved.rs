//! A saved plan, performed as it was made or not at all.

use super::apply::Args;
use super::args::{Narrow, Selection};
use super::looked::Looked;
use crate::lang::{Diagnostic, Diagnostics, Kind, Masker};
use crate::plan::saved::{SavedHost, SavedPlan};
use std::path::PathBuf;

/// A saved plan is performed as it is: nothing narrows or changes it.
pub(super) fn alone(args: &Args) -> Result<(), Diagnostics> {
    let narrow = &args.narrow;
    let given = [
        ("--playbook", !args.playbooks.is_empty()),
        ("--limit", narrow.limit.is_some()),
        ("--tags", !narrow.tags.is_empty()),
        ("--set", !narrow.sets.is_empty()),
        ("--start-at", args.start_at.is_some()),
    ];
    let mut problems = Diagnostics::new();
    for (option, _) in given.iter().filter(|(_, given)| *given) {
        problems.push(
            Diagnostic::new(Kind::Usage, format!("`{option}` has no meaning with a saved plan, which is performed as it was made"))
                .hint(format!("leave it out, or make another plan: `homelab plan INVENTORY {option} … --out FILE`")),
        );
    }
    problems.into_result(())
}

pub(super) fn selection(args: &Args, saved: Option<&SavedPlan>, identity: Vec<PathBuf>) -> Selection {
    match saved {
        None => Selection { inventory: args.what.clone(), playbooks: args.playbooks.clone(), narrow: args.narrow.clone() },
        Some(saved) => Selection {
            inventory: saved.inventory.clone(),
            playbooks: saved.playbooks.clone(),
            narrow: Narrow {
                limit: saved.limit.clone(),
                tags: saved.tags.clone(),
                sets: saved.sets.clone(),
                identity,
            },
        },
    }
}

/// A saved plan is performed as it was made, or not at all.
pub(super) fn still_holds(saved: &SavedPlan, looked: &Looked, masker: &Masker) -> Result<(), Diagnostics> {
    let mut problems = looked.problems();
    let now = looked.saved(masker);
    for (host, plan) in &saved.hosts {
        match now.get(host) {
            Some(now) => problems.0.extend(plan.stale(host, now).0),
            None if plan.lines.is_empty() => {}
            None if problems.is_empty() => problems.push(
                Diagnostic::new(Kind::Unreachable, format!("{host}: not reached, and the plan has work for it")).hint("make the plan again without it"),
            ),
            None => {}
        }
    }
    for (host, now) in &now {
        if !saved.hosts.contains_key(host) {
            problems.0.extend(SavedHost::default().stale(host, now).0);
        }
    }
    problems.into_result(())
}
