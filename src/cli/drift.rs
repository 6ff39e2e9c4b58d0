//! `homelab drift`: for cron. A plan that sends no op, quiet when all is well.

use super::args::{Diffs, Reach, Selection};
use super::load::load;
use super::looked::look;
use super::show::{self, Counts};
use super::{Exit, Printer};
use crate::plan::{HostPlan, Outcome};

/// Arguments of `drift`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to compare with.
    #[command(flatten)]
    pub selection: Selection,
    /// Diffs.
    #[command(flatten)]
    pub diffs: Diffs,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Compares.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let loaded = match load(&args.selection, None, printer) {
        Ok(loaded) => loaded,
        Err(problems) => return printer.fail("drift", &problems),
    };
    let mut looked = match look(&loaded, &args.reach, false, printer).await {
        Ok(looked) => looked,
        Err(problems) => return printer.fail("drift", &problems),
    };
    let mut exit = Exit::of(&looked.problems());
    for surveyed in &mut looked.hosts {
        surveyed.plan = differing(std::mem::take(&mut surveyed.plan));
        if Counts::of(&surveyed.plan).pending() {
            exit = exit.and(Exit::Pending);
            if !printer.json {
                printer.out(&show::host(&surveyed.host, &surveyed.plan, args.diffs.wanted(), printer.verbose));
            }
        }
    }
    printer.problems(&looked.problems());
    if printer.json {
        printer.out(&format!("{}\n", super::plan::document("drift", &looked)));
    }
    looked.cost(printer);
    exit
}

/// Without what is an act by nature: a command that would run anyway is not a difference of the node.
fn differing(mut plan: HostPlan) -> HostPlan {
    plan.lines.retain(|line| match &line.outcome {
        Outcome::Change(change) => change.mark != crate::plan::Mark::Run || line.handler.is_some(),
        _ => true,
    });
    plan
}
