//! `homelab apply`: plans, asks, performs, verifies. One step that fails takes back what was done.

use super::args::{Care, Diffs, Lock, Narrow, Reach};
use super::load::{Loaded, load_from};
use super::looked::{Looked, look};
use super::plan::{document, on_failure, show_all};
use super::printer::{count, paint, plain, style};
use super::progress::Progress;
use super::prompt::{Terminal, confirm};
use super::{Exit, Printer, practice, saved, steps};
use crate::fleet::Surveyed;
use crate::fleet::event::Events;
use crate::fleet::survey::Purpose;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::Grade;
use crate::node::journal::Journal;
use crate::plan::Outcome;
use crate::plan::saved::SavedPlan;
use crate::saga::{End, HostReport, Orders, Simulate, StepEnd, perform};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The inventory, or a plan that `plan --out` saved.
    #[arg(value_name = "INVENTORY|PLANFILE")]
    pub what: PathBuf,
    /// Playbooks to use instead of those that the inventory names.
    #[arg(short, long = "playbook", value_name = "FILE")]
    pub playbooks: Vec<PathBuf>,
    /// What narrows and changes it.
    #[command(flatten)]
    pub narrow: Narrow,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Only plan.
    #[arg(long)]
    pub dry_run: bool,
    /// The nodes take all of it back after this time, unless `homelab keep` comes first: `90s`, `10m`.
    ///
    /// The time begins anew with everything that is done, and for the last time when the run ends. A node that reboots on
    /// its own takes it back at once.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub trial: Option<u64>,
    /// Begin at the first task with this name.
    #[arg(long, value_name = "TASK")]
    pub start_at: Option<String>,
    /// Who holds a node.
    #[command(flatten)]
    pub lock: Lock,
    /// For practice: let a step fail (any, or the one of this task) after it has been done, and take everything back.
    #[arg(long, value_name = "TASK", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub simulate_fail: Option<String>,
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

/// Whole seconds.
fn duration(text: &str) -> Result<u64, String> {
    match crate::lang::duration::parse_duration(&crate::lang::Value::from(text)) {
        Ok(duration) if duration.as_secs() > 0 => Ok(duration.as_secs()),
        Ok(_) => Err("a second at least".into()),
        Err(problem) => Err(problem.message),
    }
}

/// Applies.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    run_as("apply", args, printer).await
}

/// Applies as `apply`, or as `resume`: to hosts whose run was interrupted, and as a part of that run.
pub(super) async fn run_as(command: &str, args: &Args, printer: &Printer) -> Exit {
    match apply(command, args, printer).await {
        Ok(exit) => exit,
        Err(problems) => printer.fail(command, &problems),
    }
}

async fn apply(command: &str, args: &Args, printer: &Printer) -> Result<Exit, Diagnostics> {
    let resuming = command == "resume";
    let saved = match SavedPlan::is_one(&args.what) {
        true => Some(SavedPlan::read(&args.what)?),
        false => None,
    };
    practice::fits(args, saved.is_some())?;
    let mut reach = args.reach.clone();
    let mut identity = args.narrow.identity.clone();
    if let Some(saved) = &saved {
        saved::alone(args)?;
        // What is named on the command line is named from here.
        reach.known_hosts.iter_mut().chain(&mut identity).for_each(|path| *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone()));
        // Names in a plan are those of the place where it was made.
        std::env::set_current_dir(&saved.directory).map_err(|error| {
            Diagnostic::config(format!("cannot go to {}, where this plan was made: {error}", saved.directory.display())).hint("make the plan again here")
        })?;
    }
    let selection = saved::selection(args, saved.as_ref(), identity);
    let loaded = load_from(&selection, args.start_at.as_deref(), saved.as_ref(), printer)?;
    let simulate = practice::simulate(args, &loaded)?;
    let purpose = if args.dry_run { Purpose::Save } else if resuming { Purpose::Resume } else { Purpose::Apply };
    let mut looked = look(&loaded, &reach, &args.care, purpose, printer).await?;
    let adopt = if resuming { super::resume::interrupted(&mut looked, printer).await? } else { BTreeMap::new() };
    if let Some(saved) = &saved {
        saved::still_holds(saved, &looked, printer.masker())?;
    }
    let mut exit = show_all(&looked, args.diffs.wanted(), printer);
    on_failure(&loaded, printer);
    let planned = looked.problems();
    printer.problems(&planned);
    for surveyed in looked.hosts.iter().filter(|_| !resuming) {
        if let (Some(run), None) = (&surveyed.state.interrupted, &surveyed.state.locked_by) {
            printer.note(&format!("{}: run {run} was interrupted here; this apply goes on from what it left, as a run of its own (`homelab resume` goes on in that run, `homelab rollback` takes it back)", surveyed.host));
        }
    }
    if planned.0.iter().any(|problem| problem.kind == Kind::Config) {
        // A configuration that does not hold on one host is mended first, not applied to the others.
        printer.note("nothing was changed");
        tell(command, &looked, printer);
        return Ok(exit);
    }
    if !args.dry_run && super::keep::refuses(&looked, printer) {
        tell(command, &looked, printer);
        return Ok(exit.and(Exit::Error));
    }
    if args.dry_run || adopt.is_empty() && !looked.hosts.iter().any(Surveyed::acts) {
        tell(command, &looked, printer);
        let cost = looked.spent();
        if simulate.is_some() {
            printer.note("there is nothing to do, and so nothing that could be made to fail");
        } else if !args.dry_run && looked.hosts.iter().any(Surveyed::has_work) {
            exit = exit.and(note(&loaded, looked, args, printer).await);
        }
        if printer.verbose > 0 {
            printer.note(&super::looked::cost_line(&cost));
        }
        return Ok(exit);
    }
    if !agreed(args, &looked, &adopt, printer)? {
        printer.note("nothing was changed");
        tell(command, &looked, printer);
        return Ok(exit.and(Exit::Error));
    }
    let document = document(command, &looked);
    let cost = looked.spent();
    let (reports, ended) = go(&loaded, looked, args, saved.is_some(), Special { adopt, simulate }, printer).await;
    exit = exit.and(ended);
    if printer.json {
        let runs: Vec<_> = reports.iter().map(steps::json).collect();
        let mut whole = document;
        whole["runs"] = json!(runs);
        printer.out(&format!("{whole}\n"));
    }
    if printer.verbose > 0 {
        printer.note(&super::looked::cost_line(&cost));
    }
    Ok(exit)
}

/// The document of an apply that performs nothing.
fn tell(command: &str, looked: &Looked, printer: &Printer) {
    if printer.json {
        printer.out(&format!("{}\n", document(command, looked)));
    }
}

fn agreed(args: &Args, looked: &Looked, adopt: &BTreeMap<String, Journal>, printer: &Printer) -> Result<bool, Diagnostics> {
    if args.yes {
        return Ok(true);
    }
    if !Terminal::present() {
        return Err(Diagnostic::new(Kind::Usage, "there are changes to make, and no terminal to ask at").hint("`--yes` applies without asking; `--dry-run` only plans").into());
    }
    for surveyed in &looked.hosts {
        for line in &surveyed.plan.lines {
            if matches!(&line.outcome, Outcome::Change(change) if change.grade == Grade::None)
                && !confirm(printer, &format!("{}: `{}` cannot be undone. Do it all the same?", surveyed.host, line.label))
            {
                return Ok(false);
            }
        }
    }
    let hosts = looked.hosts.iter().filter(|host| host.acts() || adopt.contains_key(&host.host)).count();
    Ok(confirm(printer, &practice::question(args, &count(hosts, "host"))))
}

/// Notes on the nodes what is as wished and was not known to be ours: a change of it is drift from now on.
async fn note(loaded: &Loaded, looked: Looked, args: &Args, printer: &Printer) -> Exit {
    let orders = orders(loaded, args, false, Events::default(), Arc::default());
    let reports = perform(&orders, looked.hosts).await;
    for report in &reports {
        printer.problems(&report.problems);
    }
    reports.iter().fold(Exit::Ok, |exit, report| exit.and(exit_of(report.end)))
}

fn orders(loaded: &Loaded, args: &Args, saved: bool, events: Events, stop: Arc<AtomicBool>) -> Orders {
    Orders {
        config: loaded.config.clone(),
        cache: loaded.cache.clone(),
        events,
        stop,
        forks: args.reach.forks.into(),
        run: run_name(),
        owner: owner(),
        trial: args.trial,
        adopt: BTreeMap::new(),
        break_lock: args.lock.break_lock,
        all_or_none: saved,
        simulate: None,
    }
}

/// What makes a run another than a plain apply.
struct Special {
    adopt: BTreeMap<String, Journal>,
    simulate: Option<Simulate>,
}

async fn go(loaded: &Loaded, looked: Looked, args: &Args, saved: bool, special: Special, printer: &Printer) -> (Vec<HostReport>, Exit) {
    let left_out = left_out(&looked);
    let stop = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(on_interrupt(stop.clone(), printer.clone()));
    let (events, progress) = Progress::start(printer, true);
    let Special { adopt, simulate } = special;
    let orders = Orders { adopt, simulate, ..orders(loaded, args, saved, events, stop) };
    let mut reports = perform(&orders, looked.hosts).await;
    drop(orders);
    watch.abort();
    progress.finish().await;
    let mut exit = Exit::Ok;
    for report in &reports {
        printer.problems(&report.problems);
    }
    // Said above already, and not to be missed here.
    reports.extend(looked.failed.iter().map(|(host, problems)| {
        let end = if Exit::of(problems) == Exit::Unreachable { End::Unreachable } else { End::Refused };
        HostReport::without_steps(host, end, problems.clone())
    }));
    let place = |host: &String| looked.order.iter().position(|name| name == host);
    reports.sort_by_key(|report| place(&report.host));
    if !printer.json {
        if printer.verbose > 0 {
            steps::show(&reports, printer);
        }
        printer.say(&paint(style::BOLD, "Summary"));
        let mut all: Vec<(&String, String, &[String])> = reports.iter().map(|report| (&report.host, summary(report), &*report.residue)).collect();
        all.extend(left_out.iter().map(|(host, why)| (host, why.clone(), [].as_slice())));
        all.sort_by_key(|(host, ..)| place(host));
        let width = all.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (host, line, residue) in all {
            printer.say(&format!("  {host:<width$}  {line}"));
            for line in residue {
                printer.say(&format!("  {:<width$}    {}", "", plain(line)));
            }
        }
    }
    for report in &reports {
        exit = exit.and(exit_of(report.end));
    }
    if reports.iter().any(|report| report.trial.is_some()) {
        printer.note(&format!("`homelab keep {}` keeps it, after a new login; otherwise the nodes take it back", args.what.display()));
    }
    (reports, exit)
}

/// The hosts that may be off and are: a run goes without them.
fn left_out(looked: &Looked) -> Vec<(String, String)> {
    looked.asleep.iter().map(|(host, _)| (host.clone(), paint(style::DIM, super::plan::ASLEEP))).collect()
}

/// The first Ctrl-C stops at the next boundary; the second one ends the program.
async fn on_interrupt(stop: Arc<AtomicBool>, printer: Printer) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    let mut asked = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => asked += 1,
            _ = terminate.recv() => asked += 1,
        }
        if asked > 1 {
            printer.note("Left at once. The nodes stop at their next step and release their locks; `homelab resume` finishes the work, `homelab rollback` takes it back.");
            // The nodes notice the dropped line themselves; nothing here needs an orderly end.
            #[allow(clippy::exit, reason = "the user asked twice")]
            std::process::exit(130);
        }
        stop.store(true, Ordering::SeqCst);
        printer.note("Stopping at the next step boundary; once more Ctrl-C leaves at once.");
    }
}

fn exit_of(end: End) -> Exit {
    match end {
        End::AsWished | End::Done | End::Spared => Exit::Ok,
        End::Failed | End::Refused | End::Stopped => Exit::Error,
        End::TakenBack => Exit::TakenBack,
        End::Stuck | End::Lost => Exit::Stuck,
        End::Unreachable => Exit::Unreachable,
    }
}

fn summary(report: &HostReport) -> String {
    let done = report.count(StepEnd::Done);
    match report.end {
        End::AsWished => paint(style::DIM, "nothing to do"),
        End::Done => {
            let trial = report.trial.map(|seconds| format!("; on trial until {}", super::steps::until(seconds))).unwrap_or_default();
            paint(style::CREATE, format!("done: {done} changed{trial}"))
        }
        End::Failed => {
            let unknown = report.count(StepEnd::Unknown);
            let unknown = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
            paint(style::REMOVE, format!("failed: {done} done and left, {} failed{unknown}, {} not begun", report.count(StepEnd::Failed), report.count(StepEnd::NotBegun)))
        }
        End::TakenBack => {
            let stays = |step: &&crate::saga::StepReport| step.end == StepEnd::Failed && step.undone == Some(false);
            let left = report.count(StepEnd::Left) + report.steps.iter().filter(stays).count();
            let rest = if left > 0 { format!(", {left} could not be") } else { String::new() };
            let how = if report.simulated { "made to fail for practice, and taken back" } else { "failed and taken back" };
            paint(style::REMOVE, format!("{how}: {} undone{rest}", report.count(StepEnd::Undone)))
        }
        End::Stuck => paint(style::REMOVE, "stuck: taking back failed; a person is needed, and then `homelab rollback`"),
        End::Lost => paint(style::REMOVE, "lost: not reached any more, and what the node has done by itself was not seen"),
        End::Unreachable => paint(style::REMOVE, "not reached"),
        End::Spared => paint(style::DIM, "nothing done: what was to fail has nothing to do here"),
        End::Refused => paint(style::REMOVE, "refused, nothing done"),
        End::Stopped => paint(style::CHANGE, format!("stopped: {done} done; `homelab resume` goes on, `homelab rollback` takes it back")),
    }
}

/// Names a run: sortable, and unlike any other.
fn run_name() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
    format!("{:010}-{fraction:04x}{:04x}", since.as_secs(), std::process::id() & 0xffff)
}

pub(super) fn owner() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| crate::transport::Defaults::of_user().user);
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    format!("{user}@{host}")
}
