//! `homelab plan`: what apply would change. Sends no op.

use super::args::{Diffs, Reach, Selection};
use super::load::Loaded;
use super::looked::{Looked, load_and_look};
use super::printer::{paint, style};
use super::show::{self, Counts};
use super::{Exit, Printer};
use crate::lang::{Diagnostic, Diagnostics};
use crate::plan::saved::SavedPlan;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to plan.
    #[command(flatten)]
    pub selection: Selection,
    /// Save the plan; `homelab apply FILE` performs exactly it.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Diffs.
    #[command(flatten)]
    pub diffs: Diffs,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Plans.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let (loaded, looked) = match load_and_look(&args.selection, &args.reach, printer).await {
        Ok(both) => both,
        Err(problems) => return printer.fail("plan", &problems),
    };
    let mut exit = show_all(&looked, args.diffs.wanted(), printer);
    printer.problems(&looked.problems());
    if let Some(path) = &args.out {
        match save(&loaded, &looked, path, args) {
            Ok(()) => printer.note(&format!("saved; `homelab apply {}` performs exactly this plan", path.display())),
            Err(problem) => {
                printer.problems(&problem.into());
                exit = exit.and(Exit::Error);
            }
        }
    }
    if printer.json {
        printer.out(&format!("{}\n", document("plan", &looked)));
    }
    looked.cost(printer);
    if args.detailed_exitcode && looked.hosts.iter().any(|host| Counts::of(&host.plan).pending()) {
        exit = exit.and(Exit::Pending);
    }
    exit
}

/// Shows the plans and says what they mean for the exit code (pending changes aside).
pub fn show_all(looked: &Looked, diffs: bool, printer: &Printer) -> Exit {
    for surveyed in &looked.hosts {
        if !printer.json {
            printer.out(&show::host(&surveyed.host, &surveyed.plan, diffs, printer.verbose));
        }
    }
    for (host, _) in &looked.asleep {
        printer.say(&asleep(host));
    }
    Exit::of(&looked.problems())
}

/// The line of a host that was not reached and need not be.
pub fn asleep(host: &str) -> String {
    format!("{}  {}", paint(style::BOLD, host), paint(style::DIM, "not reached, and optional"))
}

fn save(loaded: &Loaded, looked: &Looked, path: &std::path::Path, args: &Args) -> Result<(), Diagnostic> {
    if !looked.problems().is_empty() {
        return Err(Diagnostic::config("the plan is not saved, because it is not whole").hint("mend what is said above, or narrow it with --limit"));
    }
    let mut plan = SavedPlan::new(args.selection.inventory.clone(), args.selection.playbooks.clone(), loaded.files.bundle());
    plan.limit.clone_from(&args.selection.narrow.limit);
    plan.tags.clone_from(&args.selection.narrow.tags);
    plan.sets.clone_from(&args.selection.narrow.sets);
    plan.hosts = looked.saved(loaded.config.identities.masker());
    plan.write(path).map_err(|error| Diagnostic::config(format!("cannot write {}: {error}", path.display())).hint("is the directory yours to write in?"))
}

/// The JSON document of a plan.
pub fn document(command: &str, looked: &Looked) -> Value {
    let hosts: Vec<Value> = looked
        .hosts
        .iter()
        .map(|surveyed| {
            let lines: Vec<Value> = surveyed.plan.lines.iter().map(line).collect();
            json!({"host": surveyed.host, "counts": Counts::of(&surveyed.plan), "lines": lines})
        })
        .collect();
    let asleep: Vec<&String> = looked.asleep.iter().map(|(host, _)| host).collect();
    json!({"version": 1, "command": command, "hosts": hosts, "asleep": asleep, "problems": problems(&looked.problems())})
}

/// Problems as JSON.
pub fn problems(problems: &Diagnostics) -> Vec<Value> {
    problems
        .0
        .iter()
        .map(|problem| {
            json!({
                "message": problem.message,
                "place": problem.span.as_ref().map(ToString::to_string),
                "notes": problem.notes.iter().map(|note| &note.message).collect::<Vec<_>>(),
                "hint": problem.hint,
            })
        })
        .collect()
}

fn line(line: &crate::plan::Line) -> Value {
    use crate::plan::Outcome;
    let mut out = json!({"key": line.key, "task": line.label, "id": line.id.as_ref().map(ToString::to_string), "handler": line.handler.is_some(), "divergence": line.divergence});
    let more = match &line.outcome {
        Outcome::AsWished | Outcome::Holds => json!({"outcome": "as_wished"}),
        Outcome::Skipped(why) => json!({"outcome": "skipped", "why": why}),
        Outcome::Later(cause) => json!({"outcome": "later", "why": cause.0}),
        Outcome::Change(change) => json!({
            "outcome": change.mark, "grade": change.grade, "details": change.details,
            "known_after_apply": change.open.as_ref().map(|cause| &cause.0),
        }),
    };
    if let (Some(out), Value::Object(more)) = (out.as_object_mut(), more) {
        out.extend(more);
    }
    out
}
