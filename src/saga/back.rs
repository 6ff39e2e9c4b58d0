//! Taking a run of the past back on one host: what would be undone and what stands against it, and then doing so.

use super::Failure;
use super::guard::{PAUSE, TRY};
use super::host::{LOCK_PAUSE, LOCK_TRIES};
use crate::fleet::event::{Events, What};
use crate::fleet::wire::{Begun, Trouble, Wire};
use crate::fleet::Visited;
use crate::history::{Came, Changed, Choice, Conflict, Past, Told, conflicts, steps_back};
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::journal::Journal;
use serde::Serialize;

/// How often a new login is tried.
const LOGINS: u32 = 5;

/// What was found on a host.
pub struct Back {
    /// Its name.
    pub host: String,
    /// Its runs.
    pub past: Past,
    /// What is to be taken back, or why nothing is.
    pub found: Found,
    wire: Wire,
}

/// What is to be taken back, or why nothing is.
#[derive(Debug, Clone)]
pub enum Found {
    /// This run.
    Run(Box<Plan>),
    /// Nothing is left of it, or there never was any; and an older one of which something is left.
    Nothing {
        /// The run that was taken back already.
        run: Option<String>,
        /// The older one.
        next: Option<String>,
    },
    /// The node keeps no run of the name that was asked for.
    Missing,
}

/// A run that can be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// It.
    pub run: Journal,
    /// Its steps that will be undone, in the order in which they will, and those that stay.
    pub steps: Vec<Told>,
    /// What stands against it.
    pub conflicts: Vec<Conflict>,
}

/// How taking back ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackEnd {
    /// Everything was taken back and verified.
    TakenBack,
    /// Something could not be taken back.
    Stuck,
    /// All was taken back, and nobody can log in any more.
    LockedOut,
    /// Nothing was done, for what stands against it or for who holds the node.
    Refused,
    /// The line was lost before anything was done.
    Unreachable,
}

/// What came of it on a host.
#[derive(Debug)]
pub struct BackReport {
    /// Which.
    pub host: String,
    /// How it ended.
    pub end: BackEnd,
    /// Steps that were undone, and steps that stay.
    pub undone: usize,
    /// Steps that stay, for nothing can undo them.
    pub left: usize,
    /// What could not be brought back, in words.
    pub residue: Vec<String>,
    /// What went wrong.
    pub problems: Diagnostics,
}

/// How to take back.
#[derive(Debug, Clone)]
pub struct BackOrders {
    /// Who does it, for the lock.
    pub owner: String,
    /// Over what stands against it.
    pub force: bool,
    /// Take the node over from whoever holds it.
    pub break_lock: bool,
    /// Who is told.
    pub events: Events,
}

impl Back {
    /// Looks for the run called `name` (none: the last one) on a host that was visited.
    pub async fn examine(visited: Visited, name: Option<&str>, break_lock: bool) -> Result<Back, Diagnostics> {
        let Visited { host, mut wire, journals, state } = visited;
        wire.break_lock = break_lock;
        let mut past = Past::new(journals, state);
        // A run whose controller is gone ends at its next boundary.
        for _ in 0..LOCK_TRIES {
            if past.state.locked_by.is_none() || break_lock {
                break;
            }
            tokio::time::sleep(LOCK_PAUSE).await;
            let (journals, state) = wire.history().await.map_err(Trouble::into_problem)?;
            past = Past::new(journals, state);
        }
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let found = match past.choose(name) {
            Choice::Back(run) => Found::Run(Box::new(plan(&mut wire, run, &past).await?)),
            Choice::Nothing { run, next } => Found::Nothing { run: owned(run), next: owned(next) },
            Choice::Missing => Found::Missing,
            Choice::Unread(run) => {
                return Err(Diagnostic::new(Kind::Failed, format!("{host}: run {run} was written by another version of homelab and cannot be read here"))
                    .hint("take it back with that version")
                    .into());
            }
        };
        Ok(Back { host, past, found, wire })
    }

    /// Who holds the node and will not be asked to let go.
    pub fn held(&self) -> Option<Failure> {
        let owner = self.past.state.locked_by.as_ref().filter(|_| !self.wire.break_lock)?;
        Some(Failure::Locked { who: owner.who.clone(), since: crate::fleet::wire::since(owner.since) })
    }

    /// Takes it back, if it still is what was found.
    pub async fn perform(mut self, orders: &BackOrders) -> Option<BackReport> {
        let Found::Run(plan) = &self.found else { return None };
        let plan = plan.clone();
        let mut report = BackReport { host: self.host.clone(), end: BackEnd::Refused, undone: 0, left: 0, residue: Vec::new(), problems: Diagnostics::new() };
        let opened = self.open(&plan, orders).await;
        if let Some(still) = self.wire.still.take() {
            orders.events.tell(&self.host, What::Note(still.clone()));
            report.residue.push(still);
        }
        match opened {
            Ok(()) => self.unwind(&plan, orders, &mut report).await,
            Err(failure) => {
                if matches!(&failure, Failure::Lost(problem) if problem.kind == Kind::Unreachable) {
                    report.end = BackEnd::Unreachable;
                }
                report.problems = failure.problems(&self.host);
                let _ = self.wire.abandon().await;
            }
        }
        self.wire.close().await;
        orders.events.tell(&self.host, What::Finished(String::new()));
        Some(report)
    }

    /// Takes the lock, and looks whether all still is as it was shown.
    async fn open(&mut self, plan: &Plan, orders: &BackOrders) -> Result<(), Failure> {
        let mut tries = LOCK_TRIES;
        while let Begun::Locked { who, since } = self.wire.reopen(&plan.run.run, &orders.owner).await? {
            if tries == 0 {
                return Err(Failure::Locked { who, since });
            }
            tries -= 1;
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let (journals, state) = self.wire.history().await?;
        let past = Past::new(journals, state);
        let names = |past: &Past| past.runs.iter().map(|run| run.run.clone()).collect::<Vec<_>>();
        let now = match past.choose(Some(&plan.run.run)) {
            Choice::Back(run) if names(&past) == names(&self.past) => Some(self::plan(&mut self.wire, run, &past).await?),
            _ => None,
        };
        // That it was opened again just now is no change.
        if now.is_some_and(|now| (&now.steps, &now.conflicts, &now.run.ops) == (&plan.steps, &plan.conflicts, &plan.run.ops)) {
            return Ok(());
        }
        let moved = Diagnostic::new(Kind::Failed, format!("{}: the node has moved on since it was looked at; nothing was taken back", self.host));
        Err(Failure::Stale(moved.hint("run it again to see what is there now").into()))
    }

    async fn unwind(&mut self, plan: &Plan, orders: &BackOrders, report: &mut BackReport) {
        orders.events.tell(&self.host, What::Unwinding);
        let unwound = match self.wire.take_back(&plan.run.run, orders.force).await {
            Ok(unwound) => unwound,
            Err(trouble) => {
                report.end = BackEnd::Stuck;
                report.residue.push(format!("taking back was cut off; `homelab rollback INVENTORY {}` takes back what is left", plan.run.run));
                report.problems.push(trouble.into_problem());
                return;
            }
        };
        let label = |op: &u32| plan.run.step_of(*op).and_then(|at| plan.run.steps.get(at)).map_or_else(|| format!("op {op}"), |step| format!("`{}`", step.label));
        for (op, end) in &unwound.ops {
            match end {
                Ok(true) => {}
                Ok(false) => report.residue.push(format!("{} cannot be undone and stays", label(op))),
                Err(why) => report.residue.push(format!("{} could not be undone: {}", label(op), why.trim())),
            }
        }
        report.residue.extend(unwound.notes.iter().map(|note| note.trim().to_owned()));
        // Only what was verified is called taken back.
        let whole = unwound.whole && unwound.ops.values().all(Result::is_ok);
        report.end = if whole { BackEnd::TakenBack } else { BackEnd::Stuck };
        if plan.steps.iter().any(|step| step.cuts)
            && let Some(problem) = self.shut_out().await
        {
            report.problems.push(problem);
            report.end = if whole { BackEnd::LockedOut } else { BackEnd::Stuck };
        }
        report.left = plan.steps.iter().filter(|step| step.came == Came::Left || step.grade == crate::node::Grade::None).count();
        report.undone = plan.steps.len().saturating_sub(report.left);
    }
}

impl Back {
    /// Why a new login does not succeed, if it does not: the open line proves nothing.
    async fn shut_out(&mut self) -> Option<Diagnostic> {
        let mut last = None;
        for _ in 0..LOGINS {
            let why = match self.wire.again(Some(TRY)).await {
                Ok(mut wire) => match wire.boot().await {
                    Ok(_) => {
                        wire.close().await;
                        return None;
                    }
                    Err(trouble) => trouble.into_problem(),
                },
                Err(problem) => problem,
            };
            last = Some(why);
            tokio::time::sleep(PAUSE).await;
        }
        let problem = Diagnostic::new(Kind::Unreachable, format!("{}: nobody can log in any more after what was taken back", self.host));
        let problem = last.into_iter().fold(problem, |problem, last| problem.note(format!("the last try: {}", last.message), None));
        Some(problem.hint("it is as it was before the run: log in as was done then (another port, user or key), or look at the machine itself"))
    }
}

async fn plan(wire: &mut Wire, run: &Journal, past: &Past) -> Result<Plan, Trouble> {
    let (after, now, foreign) = wire.since(&run.run).await?;
    let conflicts = conflicts(run, past, &Changed { after, now, foreign });
    let steps = steps_back(run, wire.login()).into_iter().rev().filter(|step| step.came != Came::Undone).collect();
    Ok(Plan { run: run.clone(), steps, conflicts })
}

impl From<Trouble> for Diagnostics {
    fn from(trouble: Trouble) -> Self {
        trouble.into_problem().into()
    }
}
