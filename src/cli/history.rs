//! `homelab history`: the runs that the nodes have had, the newest first. Changes nothing.

use super::args::{Reach, Selection};
use super::load::{Loaded, load_past};
use super::looked::{may_be_off, means};
use super::printer::{count, paint, plain, style};
use super::progress::Progress;
use super::{Exit, Printer};
use crate::fleet::wire::since;
use crate::fleet::{Visit, Visited, visit};
use crate::history::{Came, Past, Standing, steps};
use crate::lang::Diagnostics;
use crate::node::Grade;
use crate::node::journal::Journal;
use serde_json::{Value, json};
use std::sync::Arc;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose. With `-v`, the steps of each run.
    #[command(flatten)]
    pub selection: Selection,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Tells.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let found = match load_past(&args.selection, printer) {
        Ok(loaded) => go(&loaded, &args.reach, printer).await,
        Err(problems) => Err(problems),
    };
    let Went { hosts, asleep, problems } = match found {
        Ok(found) => found,
        Err(problems) => return printer.fail("history", &problems),
    };
    let pasts: Vec<(String, Past)> = hosts.into_iter().map(|visited| (visited.host, Past::new(visited.journals, visited.state))).collect();
    if printer.json {
        let hosts: Vec<Value> = pasts.iter().map(|(host, past)| json!({"host": host, "runs": newest_first(past).map(|run| of_run(past, run)).collect::<Vec<_>>(), "unread": past.unread})).collect();
        printer.out(&format!("{}\n", json!({"version": 1, "command": "history", "hosts": hosts, "asleep": asleep, "problems": super::plan::problems(&problems)})));
    } else {
        pasts.iter().for_each(|(host, past)| show(host, past, printer));
        asleep.iter().for_each(|host| printer.say(&super::plan::asleep(host)));
    }
    printer.problems(&problems);
    Exit::of(&problems)
}

/// Hosts that were visited.
pub(super) struct Went {
    /// Visited, in the order of the inventory.
    pub hosts: Vec<Visited>,
    /// Not reached, and optional.
    pub asleep: Vec<String>,
    /// Why others were not.
    pub problems: Diagnostics,
}

/// Goes to all hosts of `loaded`.
pub(super) async fn go(loaded: &Loaded, reach: &Reach, printer: &Printer) -> Result<Went, Diagnostics> {
    let (pool, targets, _) = means(loaded, reach, printer)?;
    let (events, progress) = Progress::start(printer, false);
    let means = Visit { config: loaded.config.clone(), pool, targets: Arc::new(targets), cache: loaded.cache.clone(), events, forks: reach.forks.into() };
    let found = visit(&means, &loaded.config.hosts()).await;
    drop(means);
    progress.finish().await;
    let mut went = Went { hosts: Vec::new(), asleep: Vec::new(), problems: Diagnostics::new() };
    for (host, end) in found {
        match end {
            Ok(visited) => went.hosts.push(visited),
            Err(why) if may_be_off(loaded, &host, &why) => went.asleep.push(host),
            Err(why) => went.problems.0.extend(why.0),
        }
    }
    Ok(went)
}

fn newest_first(past: &Past) -> impl Iterator<Item = &Journal> {
    past.runs.iter().rev()
}

fn of_run(past: &Past, run: &Journal) -> Value {
    let duration = run.ended.and_then(|ended| ended.checked_sub(run.since));
    let reopened = run.reopened.as_ref().map(|(since, who)| json!({"since": since, "owner": who}));
    json!({"run": run.run, "since": run.since, "owner": run.owner, "state": past.standing(run), "seconds": duration, "reopened": reopened, "steps": steps(run)})
}

fn show(host: &str, past: &Past, printer: &Printer) {
    printer.say(&paint(style::BOLD, host));
    if past.runs.is_empty() && past.unread.is_empty() {
        printer.say(&paint(style::DIM, "  no runs"));
    }
    for run in past.unread.iter().rev() {
        printer.say(&format!("  {}  written by another version of homelab, and not readable here", plain(run)));
    }
    for run in newest_first(past) {
        let steps = steps(run);
        let mut line = format!("  {}  {}  {}  {}, {}", plain(&run.run), since(run.since), plain(&run.owner), standing(past.standing(run)), count(steps.len(), "step"));
        if let Some(seconds) = run.ended.and_then(|ended| ended.checked_sub(run.since)) {
            line.push_str(&format!(", {seconds} s"));
        }
        if let Some((at, who)) = &run.reopened {
            line.push_str(&format!("; opened again {} by {}", since(*at), plain(who)));
        }
        printer.say(&line);
        if printer.verbose > 0 {
            for step in &steps {
                printer.say(&format!("      {:<9}  {}{}", came(step.came), plain(&step.label).replace('\n', " "), grade(step.grade)));
            }
            run.kept.iter().for_each(|name| printer.say(&format!("      kept       {}", plain(name))));
        }
    }
}

fn standing(standing: Standing) -> String {
    match standing {
        Standing::Open => paint(style::RUN, "under way"),
        Standing::Interrupted => paint(style::CHANGE, "interrupted"),
        Standing::Done => paint(style::CREATE, "done"),
        Standing::TakenBack => paint(style::DIM, "taken back"),
        Standing::OnTrial => paint(style::CHANGE, "on trial"),
        Standing::Stuck => paint(style::REMOVE, "stuck"),
    }
}

fn came(came: Came) -> &'static str {
    match came {
        Came::Done => "done",
        Came::Undone => "undone",
        Came::Left => "left",
        Came::Failed => "failed",
        Came::Half => "half done?",
    }
}

/// How exactly a step can be undone, where that is less than exactly.
pub(super) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Exact => "",
        Grade::Equivalent => " (undo: equivalent)",
        Grade::Named => " (undo: as named)",
        Grade::None => " (cannot be undone)",
    }
}
