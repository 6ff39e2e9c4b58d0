//! `homelab rollback`: takes a run back. Says before what it will undo and what stands against it, and asks.

use super::apply::owner;
use super::args::{Lock, Reach, Selection};
use super::history::{Went, go, grade};
use super::load::{Loaded, load_past};
use super::printer::{count, paint, plain, style};
use super::progress::Progress;
use super::prompt::{Terminal, confirm};
use super::{Exit, Printer};
use crate::fleet::wire::since;
use crate::history::Came;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::Grade;
use crate::saga::back::Plan;
use crate::saga::{Back, BackEnd, BackOrders, BackReport, Found};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where.
    #[command(flatten)]
    pub selection: Selection,
    /// Which run, by its name in `homelab history` or the beginning of it. Default: the last one of each host.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Take it back over what later runs and others have made of it.
    ///
    /// What they changed of the same things is lost. What is in directories that go is put aside on the node.
    #[arg(long)]
    pub force: bool,
    /// Who holds a node.
    #[command(flatten)]
    pub lock: Lock,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Takes back.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    match rollback(args, printer).await {
        Ok(exit) => exit,
        Err(problems) => printer.fail("rollback", &problems),
    }
}

async fn rollback(args: &Args, printer: &Printer) -> Result<Exit, Diagnostics> {
    let loaded = load_past(&args.selection, printer)?;
    // Without plays it is a guess which hosts are meant, and a guess is for somebody to look at.
    if loaded.config.alone.is_some() && args.yes && args.run.is_none() && args.selection.narrow.limit.is_none() {
        let unsure = Diagnostic::new(Kind::Usage, "without playbooks `--yes` would take back the last run of every host of the inventory");
        return Err(unsure.hint("name the run, as `homelab history INVENTORY` does, or the hosts with `--limit`").into());
    }
    let Went { hosts, asleep, mut problems } = go(&loaded, &args.reach, printer).await?;
    let mut found = Vec::new();
    let examined = hosts.into_iter().map(|visited| tokio::spawn(examine(visited, args.run.clone(), args.lock.break_lock)));
    for back in examined.collect::<Vec<_>>() {
        match back.await {
            Ok(Ok(back)) => found.push(back),
            Ok(Err(why)) => problems.0.extend(why.0),
            Err(error) => problems.push(Diagnostic::new(Kind::Failed, format!("looking at the past of a host ended early: {error}")).hint("run it again")),
        }
    }
    if let Some(several) = args.run.as_ref().and_then(|name| several(name, &found)) {
        problems.push(several);
        return Err(problems);
    }
    let mut out = Map::new();
    let mut ready = Vec::new();
    for back in found {
        show(&back, args.force, printer);
        out.insert(back.host.clone(), before(&back));
        match refused(&back, args) {
            Some(refusal) => problems.0.extend(refusal.0),
            None if matches!(back.found, Found::Run(_)) => ready.push(back),
            None => {}
        }
    }
    if let Some(run) = args.run.as_ref().filter(|_| !out.is_empty() && out.values().all(|host| host["missing"] == true)) {
        problems.push(Diagnostic::new(Kind::Usage, format!("no host has a run {run}")).hint("`homelab history INVENTORY` lists them; the last ten are kept"));
    }
    asleep.iter().for_each(|host| printer.say(&super::plan::asleep(host)));
    printer.problems(&problems);
    let mut exit = Exit::of(&problems);
    let mut reports = Vec::new();
    if !ready.is_empty() {
        if agreed(args, &ready, printer)? {
            reports = perform(&loaded, args, ready, printer).await;
        } else {
            printer.note("nothing was taken back");
            exit = exit.and(Exit::Error);
        }
    }
    for report in &reports {
        printer.problems(&report.problems);
        exit = exit.and(exit_of(report.end));
        if let Some(host) = out.get_mut(&report.host) {
            host["end"] = json!(report.end);
            host["residue"] = json!(report.residue);
            host["problems"] = json!(super::plan::problems(&report.problems));
        }
    }
    if printer.json {
        printer.out(&format!("{}\n", json!({"version": 1, "command": "rollback", "hosts": out, "asleep": asleep, "problems": super::plan::problems(&problems)})));
    } else {
        summary(&reports, printer);
    }
    Ok(exit)
}

async fn examine(visited: crate::fleet::Visited, run: Option<String>, break_lock: bool) -> Result<Back, Diagnostics> {
    Back::examine(visited, run.as_deref(), break_lock).await
}

/// A beginning of several names says not which is meant, also where no host has more than one of them.
fn several(name: &str, found: &[Back]) -> Option<Diagnostic> {
    let mut runs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for back in found {
        back.past.called(name).into_iter().for_each(|run| runs.entry(run).or_default().push(&back.host));
    }
    if runs.len() < 2 || runs.contains_key(name) {
        return None;
    }
    let problem = Diagnostic::new(Kind::Usage, format!("several runs begin with {name}; nothing was taken back"));
    let known = |run: &str| found.iter().flat_map(|back| &back.past.runs).find(|journal| journal.run == run);
    let told = runs.iter().map(|(run, hosts)| {
        let began = known(run).map(|journal| format!(" of {}, {}", since(journal.since), plain(&journal.owner))).unwrap_or_default();
        format!("{}{began}: {}", plain(run), hosts.join(", "))
    });
    Some(told.fold(problem, |problem, line| problem.note(line, None)).hint("write more of the name; `homelab history INVENTORY -v` tells what each of them did"))
}

/// Why nothing is done on a host where something is to be taken back.
fn refused(back: &Back, args: &Args) -> Option<Diagnostics> {
    let Found::Run(plan) = &back.found else { return None };
    if let Some(held) = back.held() {
        return Some(held.problems(&back.host));
    }
    if plan.conflicts.is_empty() || args.force {
        return None;
    }
    let standing = count(plan.conflicts.len(), "conflict");
    let problem = Diagnostic::new(Kind::Failed, format!("{}: run {} is not taken back: {standing}, named above", back.host, plan.run.run));
    let hint = match back.past.after(&plan.run).next() {
        None => "see what became of it; `--force` takes it back all the same",
        Some(_) => "take later runs back first, or see what became of it; `--force` takes it back all the same",
    };
    Some(problem.hint(hint).into())
}

fn agreed(args: &Args, ready: &[Back], printer: &Printer) -> Result<bool, Diagnostics> {
    if args.yes {
        return Ok(true);
    }
    if !Terminal::present() {
        return Err(Diagnostic::new(Kind::Usage, "there is something to take back, and no terminal to ask at").hint("`--yes` takes it back without asking").into());
    }
    for back in ready {
        let Found::Run(plan) = &back.found else { continue };
        for step in plan.steps.iter().filter(|step| step.cuts && !stays(step)) {
            if !confirm(printer, &format!("{}: taking `{}` back may keep everybody out, and no guard watches. Do it all the same?", back.host, plain(&step.label))) {
                return Ok(false);
            }
        }
    }
    Ok(confirm(printer, &format!("Take this back on {}?", count(ready.len(), "host"))))
}

async fn perform(loaded: &Loaded, args: &Args, ready: Vec<Back>, printer: &Printer) -> Vec<BackReport> {
    let (events, progress) = Progress::start(printer, true);
    let gate = Arc::new(Semaphore::new(usize::from(args.reach.forks)));
    let mut running = tokio::task::JoinSet::new();
    let orders = BackOrders { owner: owner(), force: args.force, break_lock: args.lock.break_lock, events };
    for back in ready {
        let (orders, gate) = (orders.clone(), gate.clone());
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            back.perform(&orders).await
        });
    }
    // Progress ends when nobody can tell it anything any more.
    drop(orders);
    let mut reports: Vec<BackReport> = Vec::new();
    while let Some(joined) = running.join_next().await {
        reports.extend(joined.ok().flatten());
    }
    progress.finish().await;
    let order = loaded.config.hosts();
    reports.sort_by_key(|report| order.iter().position(|host| *host == report.host));
    reports
}

/// What will be undone, backwards, and what stands against it.
fn show(back: &Back, force: bool, printer: &Printer) {
    let host = paint(style::BOLD, &back.host);
    match &back.found {
        Found::Missing => printer.say(&format!("{host}  has no such run")),
        Found::Nothing { run: None, .. } => printer.say(&format!("{host}  nothing to take back: it keeps no run")),
        Found::Nothing { run: Some(run), next } => {
            let next = next.as_ref().map(|next| format!("; the one before that could be: `homelab rollback INVENTORY {next}`")).unwrap_or_default();
            printer.say(&format!("{host}  nothing to take back: run {run} was taken back already{next}"));
        }
        Found::Run(plan) => {
            let Plan { run, steps, conflicts } = plan.as_ref();
            printer.say(&format!("{host}  run {} of {}, {}: {} to take back", plain(&run.run), since(run.since), plain(&run.owner), count(steps.iter().filter(|step| !stays(step)).count(), "step")));
            for step in steps {
                let label = plain(&step.label).replace('\n', " ");
                match stays(step) {
                    true => printer.say(&format!("  {} {label}: nothing can undo it, it stays", paint(style::CHANGE, "!"))),
                    false => printer.say(&format!("  {} {label}{}", paint(style::REMOVE, "-"), grade(step.grade))),
                }
                if step.cuts && !stays(step) {
                    printer.say(&format!("      {}", paint(style::CHANGE, "not guarded: taking it back may keep everybody out")));
                }
            }
            run.kept.iter().for_each(|name| printer.say(&format!("  {} kept value {}", paint(style::REMOVE, "-"), plain(name))));
            let sign = if force { "forced" } else { "conflict" };
            conflicts.iter().for_each(|conflict| printer.say(&format!("  {} {}", paint(style::REMOVE, format!("{sign}:")), plain(&conflict.to_string()))));
        }
    }
}

fn stays(step: &crate::history::Told) -> bool {
    step.grade == Grade::None || step.came == Came::Left
}

fn before(back: &Back) -> Value {
    match &back.found {
        Found::Missing => json!({"missing": true}),
        Found::Nothing { run, next } => json!({"run": run, "end": "nothing", "next": next}),
        Found::Run(plan) => json!({"run": plan.run.run, "steps": plan.steps, "conflicts": plan.conflicts, "kept": plan.run.kept}),
    }
}

fn summary(reports: &[BackReport], printer: &Printer) {
    if reports.is_empty() {
        return;
    }
    printer.say(&paint(style::BOLD, "Summary"));
    let width = reports.iter().map(|report| report.host.chars().count()).max().unwrap_or(0);
    for report in reports {
        let line = match report.end {
            BackEnd::TakenBack => {
                let left = if report.left > 0 { format!(", {} left", report.left) } else { String::new() };
                paint(style::CREATE, format!("taken back: {} undone{left}", report.undone))
            }
            BackEnd::LockedOut => paint(style::REMOVE, format!("taken back: {} undone, and nobody can log in any more; a person is needed", report.undone)),
            BackEnd::Stuck => paint(style::REMOVE, "stuck: not everything could be taken back; a person is needed, and then `homelab rollback` again"),
            BackEnd::Refused => paint(style::REMOVE, "refused, nothing done"),
            BackEnd::Unreachable => paint(style::REMOVE, "not reached"),
        };
        printer.say(&format!("  {:<width$}  {line}", report.host));
        for line in &report.residue {
            printer.say(&format!("  {:<width$}    {}", "", plain(line)));
        }
    }
}

fn exit_of(end: BackEnd) -> Exit {
    match end {
        BackEnd::TakenBack => Exit::Ok,
        BackEnd::Stuck | BackEnd::LockedOut => Exit::Stuck,
        BackEnd::Refused => Exit::Error,
        BackEnd::Unreachable => Exit::Unreachable,
    }
}
