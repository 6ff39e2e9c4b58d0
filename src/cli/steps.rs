//! The report of a run, step by step: what came of each, when it began, how long it took, and what its command said.

use super::printer::{Printer, paint, plain, style};
use super::show::sign;
use crate::lang::Masker;
use crate::saga::report::stamp;
use crate::saga::{HostReport, StepEnd, StepReport};

/// Shows every step of every host.
pub fn show(reports: &[HostReport], printer: &Printer) {
    for report in reports.iter().filter(|report| !report.steps.is_empty()) {
        printer.say(&format!("{}  {}", paint(style::BOLD, "Steps"), report.host));
        list(&report.steps, printer);
        if !report.aftermath.is_empty() {
            printer.say("  after the failure:");
            list(&report.aftermath, printer);
        }
    }
}

fn list(steps: &[StepReport], printer: &Printer) {
    let width = steps.iter().map(|step| step.label.chars().count()).max().unwrap_or(0);
    for step in steps {
        let (word, look) = word(step);
        let mark = step.mark.map_or(' ', |mark| sign(mark).0);
        let when = match (step.began, step.seconds) {
            (Some(began), Some(seconds)) => format!("  {}  {seconds:.3} s", stamp(began)),
            _ => String::new(),
        };
        let line = format!("  {}  {mark} {:<width$}{}", paint(look, format!("{word:<16}")), step.label, paint(style::DIM, when));
        printer.say(line.trim_end());
        said(step, printer);
    }
}

/// What its command said. A secret that is spread over lines is masked before the lines are told apart.
fn said(step: &StepReport, printer: &Printer) {
    let Some(said) = &step.data else { return };
    if said.rc != 0 {
        printer.say(&format!("      status {}", said.rc));
    }
    for (name, text) in [("stdout", &said.stdout), ("stderr", &said.stderr)] {
        let masker: &Masker = printer.masker();
        for line in plain(&masker.mask(text)).lines() {
            printer.say(&format!("      {name}: {line}"));
        }
    }
}

fn word(step: &StepReport) -> (&'static str, anstyle::Style) {
    match step.end {
        StepEnd::Done => ("done", style::CREATE),
        StepEnd::AsWished => ("as wished", style::DIM),
        StepEnd::Failed if step.undone == Some(true) => ("failed, undone", style::REMOVE),
        StepEnd::Failed => ("failed", style::REMOVE),
        StepEnd::Unknown => ("unknown", style::REMOVE),
        StepEnd::Undone => ("undone", style::CHANGE),
        StepEnd::Left => ("left", style::REMOVE),
        StepEnd::NotBegun => ("never begun", style::DIM),
    }
}

/// The time `seconds` from now, by this side's clock.
pub fn until(seconds: u64) -> String {
    stamp(std::time::SystemTime::now() + std::time::Duration::from_secs(seconds))
}

/// As JSON.
pub fn json(report: &HostReport) -> serde_json::Value {
    let trial = report.trial.map(|seconds| serde_json::json!({"seconds": seconds, "until": until(seconds)}));
    serde_json::json!({
        "host": report.host, "end": report.end, "simulated": report.simulated, "steps": report.steps, "on_failure": report.aftermath, "trial": trial,
        "residue": report.residue, "problems": super::plan::problems(&report.problems),
    })
}
