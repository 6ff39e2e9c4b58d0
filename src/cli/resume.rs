//! `homelab resume`: goes on with an apply that was interrupted, as a part of that run: what fails now takes back all of it.

use super::args::{Care, Diffs, Lock, Reach, Selection};
use super::looked::Looked;
use super::{Exit, Printer, apply};
use crate::fleet::wire::Trouble;
use crate::history::Past;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::journal::{Journal, State};
use std::collections::BTreeMap;

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to go on with. What is configured now is what will be, also where it was changed since.
    #[command(flatten)]
    pub selection: Selection,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Who holds a node.
    #[command(flatten)]
    pub lock: Lock,
    /// How closely to look.
    #[command(flatten)]
    pub care: Care,
    /// Diffs.
    #[command(flatten)]
    pub diffs: Diffs,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Resumes.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let Args { selection, yes, lock, care, diffs, reach } = args;
    let args = apply::Args {
        what: selection.inventory.clone(),
        playbooks: selection.playbooks.clone(),
        narrow: selection.narrow.clone(),
        yes: *yes,
        dry_run: false,
        start_at: None,
        lock: lock.clone(),
        simulate_fail: None,
        trial: None,
        care: care.clone(),
        diffs: diffs.clone(),
        reach: reach.clone(),
    };
    apply::run_as("resume", &args, printer).await
}

/// The runs that were interrupted on the hosts that were looked at. Hosts without one are looked at no more.
pub(super) async fn interrupted(looked: &mut Looked, printer: &Printer) -> Result<BTreeMap<String, Journal>, Diagnostics> {
    let mut found = BTreeMap::new();
    let mut without = Vec::new();
    for surveyed in &mut looked.hosts {
        let host = surveyed.host.clone();
        let Some(open) = surveyed.state.interrupted.clone() else {
            without.push((host, None));
            continue;
        };
        let past = match surveyed.wire.history().await.map_err(Trouble::into_problem) {
            Ok((journals, state)) => Past::new(journals, state),
            Err(problem) => {
                without.push((host, Some(problem)));
                continue;
            }
        };
        if let Some(journal) = past.resumable() {
            printer.note(&format!("{host}: going on in run {open}, which was interrupted"));
            found.insert(host, journal.clone());
            continue;
        }
        let stuck = past.runs.iter().any(|run| run.run == open && run.state == State::Stuck);
        let problem = stuck.then(|| {
            Diagnostic::new(Kind::Failed, format!("{host}: run {open} cannot be resumed: taking it back has begun and is stuck"))
                .hint(format!("`homelab rollback INVENTORY {open}` takes back what is left of it"))
        });
        without.push((host, problem));
    }
    for (host, problem) in without {
        looked.hosts.retain(|surveyed| surveyed.host != host);
        match problem {
            Some(problem) => looked.failed.push((host, problem.into())),
            None => printer.say(&format!("{host}: nothing to resume")),
        }
    }
    Ok(found)
}
