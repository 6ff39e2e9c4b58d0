//! `homelab keep`: ends a trial. A new login at each node is the proof that one can still log in.

use super::args::{Reach, Selection};
use super::load::load_past;
use super::looked::{Looked, may_be_off, means};
use super::printer::{paint, style};
use super::{Exit, Printer};
use crate::fleet::keep::{Keeping, Kept, keep};
use crate::lang::Diagnostics;
use crate::saga::failure::watched;
use serde_json::json;
use std::sync::Arc;

/// Arguments of `keep`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose.
    #[command(flatten)]
    pub selection: Selection,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Whether a node is on trial, or watched by a guard: then nothing may be applied, and it is said.
pub(super) fn refuses(looked: &Looked, printer: &Printer) -> bool {
    let mut problems = Diagnostics::new();
    for surveyed in &looked.hosts {
        // One whose time is over may have to be started, which beginning a run does.
        if let Some(armed) = surveyed.state.guard.as_ref().filter(|armed| armed.left > 0) {
            problems.push(watched(&surveyed.host, armed));
        }
    }
    if problems.is_empty() {
        return false;
    }
    printer.problems(&problems);
    printer.note("nothing was changed");
    true
}

/// Keeps.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    match all(args, printer).await {
        Ok(exit) => exit,
        Err(problems) => printer.fail("keep", &problems),
    }
}

async fn all(args: &Args, printer: &Printer) -> Result<Exit, Diagnostics> {
    let loaded = load_past(&args.selection, printer)?;
    let (pool, targets, _) = means(&loaded, &args.reach, printer)?;
    let hosts = loaded.config.hosts();
    let keeping = Keeping { config: loaded.config.clone(), pool, targets: Arc::new(targets), cache: loaded.cache.clone(), forks: args.reach.forks.into() };
    let found = keep(Arc::new(keeping), &hosts).await;
    let width = found.iter().map(|(host, _)| host.chars().count()).max().unwrap_or(0);
    let (mut exit, mut problems, mut document) = (Exit::Ok, Diagnostics::new(), Vec::new());
    for (host, end) in found {
        let (word, line, run) = match end {
            Ok(Kept::Kept(run)) => ("kept", paint(style::CREATE, format!("kept: run {run}")), Some(run)),
            Ok(Kept::Nothing) => ("nothing", paint(style::DIM, "nothing is on trial"), None),
            Ok(Kept::Guarded(armed)) => {
                exit = exit.and(Exit::Error);
                let line = format!("not on trial: run {} is guarded, and the node takes it back in {} s", armed.run, armed.left);
                ("guarded", paint(style::CHANGE, line), Some(armed.run))
            }
            Ok(Kept::TooLate(run)) => {
                exit = exit.and(Exit::Error);
                ("too_late", paint(style::REMOVE, format!("too late: the node takes run {run} back, or has done so")), Some(run))
            }
            Err(why) if may_be_off(&loaded, &host, &why) => ("asleep", paint(style::DIM, "not reached, and optional"), None),
            Err(why) => {
                exit = exit.and(Exit::of(&why));
                problems.0.extend(why.0);
                ("failed", paint(style::REMOVE, "not reached"), None)
            }
        };
        if printer.json {
            document.push(json!({"host": host, "end": word, "run": run}));
        } else {
            printer.say(&format!("  {host:<width$}  {line}"));
        }
    }
    printer.problems(&problems);
    if printer.json {
        printer.out(&format!("{}\n", json!({"version": 1, "command": "keep", "hosts": document, "problems": super::plan::problems(&problems)})));
    }
    Ok(exit)
}
