//! `homelab plan`: what apply would change. Sends no op.

use super::args::{Care, Diffs, Reach, Selection};
use super::load::{Loaded, load};
use super::looked::{Looked, load_and_look};
use super::printer::{paint, style};
use super::show::{self, Counts};
use super::{Exit, Printer};
use crate::fleet::memory;
use crate::fleet::survey::Purpose;
use crate::lang::{Diagnostic, Diagnostics};
use crate::plan::HostPlan;
use crate::plan::saved::SavedPlan;
use crate::playbook::label;
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
    /// Contact nobody: plan against a blank system, or against the nodes as they were last seen from here.
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with_all = ["out", "paranoid"])]
    pub against: Option<Against>,
    /// Exit with 2 when there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
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

/// What a plan that contacts nobody is made against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Against {
    /// A freshly installed system.
    Blank,
    /// Each node as it was when it was last looked at from here.
    LastSeen,
}

/// Plans.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    if let Some(against) = args.against {
        return from_memory(args, against, printer);
    }
    let purpose = if args.out.is_some() { Purpose::Save } else { Purpose::Show };
    let (loaded, looked) = match load_and_look(&args.selection, &args.reach, &args.care, purpose, printer).await {
        Ok(both) => both,
        Err(problems) => return printer.fail("plan", &problems),
    };
    let mut exit = show_all(&looked, args.diffs.wanted(), printer);
    on_failure(&loaded, printer);
    printer.problems(&looked.problems());
    for surveyed in &looked.hosts {
        if let Some(armed) = &surveyed.state.guard {
            let told = crate::saga::failure::watched(&surveyed.host, armed);
            printer.note(&format!("{}: {}", told.message, told.hint.unwrap_or_default()));
        }
    }
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

/// Plans without contacting anyone.
fn from_memory(args: &Args, against: Against, printer: &Printer) -> Exit {
    let loaded = match load(&args.selection, None, printer) {
        Ok(loaded) => loaded,
        Err(problems) => return printer.fail("plan", &problems),
    };
    let against = match against {
        Against::Blank => memory::Against::Blank,
        Against::LastSeen => memory::Against::LastSeen,
    };
    let (mut plans, mut problems) = (Vec::new(), Diagnostics::new());
    for (host, end) in memory::plan(&loaded.config, &loaded.cache, &loaded.config.hosts(), against) {
        match end {
            Ok(remembered) => {
                let at = remembered.at.map(|at| format!("as it was seen on {}", crate::fleet::wire::since(at)));
                printer.note(&format!("{host}: {}", at.unwrap_or_else(|| "as if it were freshly installed".into())));
                problems.0.extend(remembered.plan.problems.0.iter().cloned());
                plans.push((host, remembered.plan));
            }
            Err(why) => problems.0.extend(why.0),
        }
    }
    let plans: Vec<(&str, &HostPlan)> = plans.iter().map(|(host, plan)| (host.as_str(), plan)).collect();
    show_alike(plans.iter().map(|(host, plan)| (*host, show::plan(plan, args.diffs.wanted(), printer.verbose))), printer);
    on_failure(&loaded, printer);
    printer.problems(&problems);
    if printer.json {
        printer.out(&format!("{}\n", json_of("plan", &plans, &[], &problems)));
    }
    let pending = args.detailed_exitcode && plans.iter().any(|(_, plan)| Counts::of(plan).pending());
    Exit::of(&problems).and(if pending { Exit::Pending } else { Exit::Ok })
}

/// Shows the plans and says what they mean for the exit code (pending changes aside).
pub fn show_all(looked: &Looked, diffs: bool, printer: &Printer) -> Exit {
    let plans = looked.plans();
    let text = |name: &String| match plans.iter().find(|(host, _)| host == name) {
        Some((_, plan)) => Some(show::plan(plan, diffs, printer.verbose)),
        None => looked.asleep.iter().any(|(host, _)| host == name).then(|| format!("{}\n", paint(style::DIM, ASLEEP))),
    };
    show_alike(looked.order.iter().filter_map(|name| Some((name.as_str(), text(name)?))), printer);
    Exit::of(&looked.problems())
}

/// One note for each play that has somebody to tell when it fails.
pub fn on_failure(loaded: &Loaded, printer: &Printer) {
    for play in loaded.config.plays.iter().filter(|play| !play.on_failure.is_empty() && !play.hosts.is_empty()) {
        let tasks: Vec<String> = play.on_failure.iter().map(|task| format!("`{}`", label::raw(task))).collect();
        printer.note(&format!("if a step of `{}` fails, then at last: {}", play.name, tasks.join(", ")));
    }
}

/// Texts of hosts, those that read alike once: of ten machines that are to be the same, the one that differs is to be seen.
fn show_alike<'a>(texts: impl Iterator<Item = (&'a str, String)>, printer: &Printer) {
    if printer.json {
        return;
    }
    let mut shown: Vec<(Vec<&str>, String)> = Vec::new();
    for (host, text) in texts {
        match shown.iter_mut().find(|(_, known)| *known == text) {
            Some((hosts, _)) => hosts.push(host),
            None => shown.push((vec![host], text)),
        }
    }
    for (hosts, text) in shown {
        printer.out(&show::headed(&hosts, &text));
    }
}

/// What is said of a host that was not reached and need not be.
pub const ASLEEP: &str = "not reached, and optional";

/// The line of such a host.
pub fn asleep(host: &str) -> String {
    format!("{}  {}", paint(style::BOLD, host), paint(style::DIM, ASLEEP))
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
    let asleep: Vec<&str> = looked.asleep.iter().map(|(host, _)| host.as_str()).collect();
    let mut document = json_of(command, &looked.plans(), &asleep, &looked.problems());
    let guards: serde_json::Map<String, Value> = looked.hosts.iter().filter_map(|surveyed| Some((surveyed.host.clone(), json!(surveyed.state.guard.as_ref()?)))).collect();
    document["guards"] = Value::Object(guards);
    document
}

fn json_of(command: &str, plans: &[(&str, &HostPlan)], asleep: &[&str], found: &Diagnostics) -> Value {
    let hosts: Vec<Value> = plans
        .iter()
        .map(|(host, plan)| {
            let lines: Vec<Value> = plan.lines.iter().map(line).collect();
            json!({"host": host, "counts": Counts::of(plan), "lines": lines})
        })
        .collect();
    json!({"version": 1, "command": command, "hosts": hosts, "asleep": asleep, "problems": problems(found)})
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
    let mut out = json!({"key": line.key, "task": line.label, "id": line.id.as_ref().map(ToString::to_string), "handler": line.handler.is_some(), "guard": line.guard, "divergence": line.divergence});
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
