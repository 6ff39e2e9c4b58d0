//! `homelab drift`: for cron. A plan that sends no op, and says only what was changed on the nodes since it was applied.

use super::args::{Care, Diffs, Reach, Selection};
use super::looked::load_and_look;
use super::printer::count;
use super::show;
use super::{Exit, Printer};
use crate::plan::{Divergence, HostPlan, Line};

/// Arguments of `drift`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to compare with.
    #[command(flatten)]
    pub selection: Selection,
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

/// Compares.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let (_, mut looked) = match load_and_look(&args.selection, &args.reach, &args.care, printer).await {
        Ok(both) => both,
        Err(problems) => return printer.fail("drift", &problems),
    };
    let mut exit = Exit::of(&looked.problems());
    if looked.hosts.iter().any(|surveyed| surveyed.plan.lines.iter().any(drifted)) {
        exit = exit.and(Exit::Pending);
    }
    if printer.json {
        printer.out(&format!("{}\n", super::plan::document("drift", &looked)));
    } else {
        for surveyed in &mut looked.hosts {
            let (plan, pending) = without_work(std::mem::take(&mut surveyed.plan));
            if plan.lines.iter().any(drifted) {
                printer.out(&show::host(&surveyed.host, &plan, args.diffs.wanted(), printer.verbose));
            }
            if pending > 0 && printer.verbose > 0 {
                printer.note(&format!("{}: {} not applied yet", surveyed.host, count(pending, "change")));
            }
            surveyed.plan = plan;
        }
    }
    printer.problems(&looked.problems());
    looked.cost(printer);
    exit
}

fn drifted(line: &Line) -> bool {
    matches!(line.divergence, Some(Divergence::Drift | Divergence::Conflict))
}

/// The plan without what is only waiting for an apply, and how much that is.
fn without_work(mut plan: HostPlan) -> (HostPlan, usize) {
    let all = plan.lines.len();
    plan.lines.retain(|line| line.divergence != Some(Divergence::Pending));
    let pending = all - plan.lines.len();
    (plan, pending)
}
