//! `homelab drift`: for cron. A plan that sends no op, and says only what was changed on the nodes since it was applied.

use super::args::{Care, Diffs, Reach, Selection};
use super::looked::load_and_look;
use super::printer::count;
use super::show;
use super::{Exit, Printer};
use crate::fleet::Surveyed;
use crate::fleet::survey::Purpose;
use crate::plan::Divergence;

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
    let (_, mut looked) = match load_and_look(&args.selection, &args.reach, &args.care, Purpose::Show, printer).await {
        Ok(both) => both,
        Err(problems) => return printer.fail("drift", &problems),
    };
    let mut exit = Exit::of(&looked.problems());
    if looked.hosts.iter().any(astray) {
        exit = exit.and(Exit::Pending);
    }
    if printer.json {
        printer.out(&format!("{}\n", super::plan::document("drift", &looked)));
    } else {
        looked.hosts.iter_mut().for_each(|surveyed| say(surveyed, args, printer));
    }
    printer.problems(&looked.problems());
    looked.cost(printer);
    exit
}

fn say(surveyed: &mut Surveyed, args: &Args, printer: &Printer) {
    if anew(surveyed) {
        printer.note(&format!("{}: nothing of this was ever applied here, or the machine was set up anew", surveyed.host));
        printer.out(&show::host(&surveyed.host, &surveyed.plan, args.diffs.wanted(), printer.verbose));
        return;
    }
    let astray = astray(surveyed);
    let all = surveyed.plan.lines.len();
    surveyed.plan.lines.retain(|line| line.divergence != Some(Divergence::Pending));
    let pending = all - surveyed.plan.lines.len();
    if astray {
        printer.out(&show::host(&surveyed.host, &surveyed.plan, args.diffs.wanted(), printer.verbose));
    }
    if pending > 0 && printer.verbose > 0 {
        printer.note(&format!("{}: {} not applied yet", surveyed.host, count(pending, "change")));
    }
}

/// Whether a node is not what an apply left: changed since, or without a trace of any.
fn astray(surveyed: &Surveyed) -> bool {
    anew(surveyed) || surveyed.plan.lines.iter().any(|line| matches!(line.divergence, Some(Divergence::Drift | Divergence::Conflict)))
}

/// Whether a node that has something to do has never had anything of it: a spot instance that was replaced. One whose
/// runs were all taken back is none.
fn anew(surveyed: &Surveyed) -> bool {
    surveyed.state.receipts.is_empty() && surveyed.state.run_number == 0 && surveyed.acts()
}
