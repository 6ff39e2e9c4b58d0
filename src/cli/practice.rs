//! `apply --simulate-fail`: what it means on the command line.

use super::apply::Args;
use super::load::Loaded;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::playbook::select;
use crate::saga::Simulate;

/// The step that is to fail, if one is.
pub fn simulate(args: &Args, loaded: &Loaded) -> Result<Option<Simulate>, Diagnostics> {
    match args.simulate_fail.as_deref() {
        None => Ok(None),
        Some("") => Ok(Some(Simulate::Anywhere)),
        Some(task) => Ok(Some(Simulate::At(select::named(&loaded.config.plays, task)?))),
    }
}

/// Where it has no meaning.
pub fn fits(args: &Args, saved: bool) -> Result<(), Diagnostics> {
    let refused = |why: &str, hint: &str| Err(Diagnostic::new(Kind::Usage, why).hint(hint).into());
    match (&args.simulate_fail, saved, args.dry_run) {
        (Some(_), true, _) => refused(
            "`--simulate-fail` has no meaning with a saved plan, which is performed as it was made",
            "practise with the inventory: `homelab apply INVENTORY --simulate-fail`",
        ),
        (Some(_), _, true) => refused("`--simulate-fail` lets a step fail, and `--dry-run` performs none", "leave one of them out"),
        _ => Ok(()),
    }
}

/// What is asked before it begins.
pub fn question(args: &Args, hosts: &str) -> String {
    match args.simulate_fail.as_deref() {
        None => format!("Apply this to {hosts}?"),
        Some("") => format!("Apply this to {hosts}, let a step fail, and take everything back?"),
        Some(task) => format!("Apply this to {hosts}, let `{task}` fail, and take everything back?"),
    }
}
