//! A plan as people read it.

use super::printer::{count, paint, plain, style};
use crate::node::Grade;
use crate::plan::{Change, Detail, Divergence, HostPlan, Line, Mark, Outcome};
use std::fmt::Write;

/// The sign and style of a mark: never the colour alone.
pub fn sign(mark: Mark) -> (char, anstyle::Style) {
    match mark {
        Mark::Create => ('+', style::CREATE),
        Mark::Change => ('~', style::CHANGE),
        Mark::Remove => ('-', style::REMOVE),
        Mark::Run => ('!', style::RUN),
    }
}

/// Counts of a plan.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// New.
    pub create: usize,
    /// Different.
    pub change: usize,
    /// Gone.
    pub remove: usize,
    /// Acts.
    pub run: usize,
    /// Known only after apply.
    pub later: usize,
    /// Nothing to do.
    pub as_wished: usize,
    /// Not for this host, or not now.
    pub skipped: usize,
}

impl Counts {
    /// Of one host's plan.
    pub fn of(plan: &HostPlan) -> Counts {
        let mut counts = Counts::default();
        for line in &plan.lines {
            *match &line.outcome {
                Outcome::AsWished | Outcome::Holds => &mut counts.as_wished,
                Outcome::Skipped(_) => &mut counts.skipped,
                Outcome::Later(_) => &mut counts.later,
                Outcome::Change(change) => match change.mark {
                    Mark::Create => &mut counts.create,
                    Mark::Change => &mut counts.change,
                    Mark::Remove => &mut counts.remove,
                    Mark::Run => &mut counts.run,
                },
            } += 1;
        }
        counts
    }

    /// Whether anything is to be done.
    pub fn pending(&self) -> bool {
        self.create + self.change + self.remove + self.run + self.later > 0
    }

    /// `2 to create, 1 to change; 27 as wished`.
    pub fn words(&self) -> String {
        let parts = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.remove, "to remove"),
            (self.run, "to run"),
            (self.later, "known after apply"),
        ];
        let todo: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let todo = if todo.is_empty() { "nothing to do".to_owned() } else { todo.join(", ") };
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{todo}; {} as wished{skipped}", self.as_wished)
    }
}

/// The plan of one host.
pub fn host(name: &str, plan: &HostPlan, diffs: bool, verbose: u8) -> String {
    headed(&[name], &self::plan(plan, diffs, verbose))
}

/// A plan under the names of those that have it.
pub fn headed(hosts: &[&str], plan: &str) -> String {
    format!("{}  {plan}", paint(style::BOLD, hosts.join(", ")))
}

/// A plan without a name: its counts, and a line and more for each thing to do.
pub fn plan(plan: &HostPlan, diffs: bool, verbose: u8) -> String {
    let mut out = format!("{}\n", paint(style::DIM, Counts::of(plan).words()));
    for line in &plan.lines {
        out += &self::line(line, diffs, verbose);
    }
    out
}

/// One line of a plan, with its details.
pub fn line(line: &Line, diffs: bool, verbose: u8) -> String {
    let mut out = String::new();
    let label = match &line.handler {
        Some(_) => format!("handler: {}", line.label),
        None => line.label.clone(),
    };
    let label = plain(&label);
    match &line.outcome {
        Outcome::Change(change) => {
            let (sign, look) = sign(change.mark);
            let _ = writeln!(out, "  {} {}{}{}{}", paint(look, sign), label, resource(line), paint(style::DIM, remarks(change)), astray(line));
            out += &guarded(line);
            for detail in &change.details {
                out += &self::detail(detail, diffs);
            }
        }
        Outcome::Later(cause) => {
            let later = paint(style::DIM, format!("known after apply ({cause})"));
            let _ = writeln!(out, "  {} {}{}  {later}{}", paint(style::RUN, '?'), label, resource(line), astray(line));
            out += &guarded(line);
        }
        Outcome::Skipped(why) if verbose > 0 => {
            let _ = writeln!(out, "    {}", paint(style::DIM, format!("{label}: skipped, {why}")));
        }
        Outcome::AsWished | Outcome::Holds if verbose > 0 => {
            let _ = writeln!(out, "  {} {}", paint(style::DIM, '='), paint(style::DIM, format!("{label}{}", resource(line))));
        }
        Outcome::Skipped(_) | Outcome::AsWished | Outcome::Holds => {}
    }
    out
}

fn resource(line: &Line) -> String {
    match &line.id {
        Some(id) if !line.label.contains(&id.key) => {
            let id = id.to_string();
            // Of a script its first line: all of it would be taken for lines of the plan.
            let shown = id.split_once('\n').map_or_else(|| id.clone(), |(first, _)| format!("{first} …"));
            format!("  {}", paint(style::DIM, shown))
        }
        _ => String::new(),
    }
}

/// Who else has had a hand in it.
fn astray(line: &Line) -> String {
    let what = match line.divergence {
        Some(Divergence::Drift) => "drift: changed on the node since the last apply",
        Some(Divergence::Conflict) => "conflict: changed on the node, and in the configuration",
        Some(Divergence::Pending) | None => return String::new(),
    };
    format!("  {}", paint(style::RUN, what))
}

/// What happens if nobody can log in after it.
fn guarded(line: &Line) -> String {
    match line.guard {
        Some(seconds) => format!("      {}\n", paint(style::DIM, format!("guarded: takes itself back unless a new login succeeds within {seconds} s"))),
        None => String::new(),
    }
}

fn remarks(change: &Change) -> String {
    let mut out = String::new();
    if let Some(cause) = &change.open {
        let _ = write!(out, "  known after apply ({cause})");
    }
    match change.grade {
        Grade::Exact => {}
        Grade::Equivalent => out += "  [undo: equivalent]",
        Grade::Named => out += "  [undo: as named]",
        Grade::None => out += "  [cannot be undone]",
    }
    out
}

fn detail(detail: &Detail, diffs: bool) -> String {
    let mut out = String::new();
    match detail {
        Detail::Words { text } => {
            let _ = writeln!(out, "      {}", plain(text));
        }
        Detail::Attribute { name, before, after, .. } => {
            let _ = writeln!(out, "      {name} {} → {}", plain(before), plain(after));
        }
        Detail::Text { path, added, removed, .. } if !diffs => {
            let _ = writeln!(out, "      {path}: {} added, {removed} removed", count(*added, "line"));
        }
        Detail::Text { lines, .. } => {
            for line in lines {
                let look = match line.chars().next() {
                    Some('+') => style::CREATE,
                    Some('-') => style::REMOVE,
                    Some('@') => style::RUN,
                    _ => anstyle::Style::new(),
                };
                let _ = writeln!(out, "      {}", paint(look, plain(line)));
            }
        }
    }
    out
}
