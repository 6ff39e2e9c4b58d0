//! One host's side of a run: begin, stage, preflight; then step by step act and verify; and the way back.

use super::Failure;
use super::guard::Guard;
use super::practice::Practice;
use super::report::{StepEnd, StepReport};
use super::steps::StepsNow;
use super::verified::Before;
use super::End;
use crate::fleet::event::{Events, What};
use crate::fleet::survey::{Items, said};
use crate::fleet::wire::Begun;
use crate::fleet::Surveyed;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::{Answers, Cause, Op, Probe};
use crate::plan::planner::{handler_id, plan_step};
use crate::plan::{Change, Line, Outcome, digest, divergence};
use crate::playbook::{Body, Config, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A host in a run.
pub struct HostRun {
    /// Its look, its plan and the line to it.
    pub on: Surveyed,
    /// What has been reported of its steps.
    pub steps: Vec<StepReport>,
    pub(super) config: Arc<Config>,
    pub(super) events: Events,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) run: String,
    pub(super) begun: bool,
    /// It goes on in a run that was interrupted.
    pub(super) adopted: bool,
    /// Who runs it, for the lock.
    pub(super) owner: String,
    /// The guard, while it is armed.
    pub(super) guard: Option<Guard>,
    /// Seconds on trial that this run asks for.
    pub trial: Option<u64>,
    /// How this host ends, where the node or the guard's time has decided that; and what is to be said of it.
    pub verdict: Option<(End, Vec<String>)>,
    /// What is to be said at the end.
    pub(super) notes: Vec<String>,
    pub(super) next_op: u32,
    /// Op number → index into `steps`.
    pub(super) op_steps: BTreeMap<u32, usize>,
    /// Line → number of its first op, whose contents are staged.
    pub(super) staged: BTreeMap<usize, u32>,
    /// Keys of handlers.
    pub(super) notified: BTreeSet<String>,
    /// Keys of the lines that are as wished by now.
    pub(super) held: BTreeSet<String>,
    pub(super) items: Items,
    pub(super) steps_now: StepsNow,
    /// What is to be made to fail, for practice.
    pub(super) practice: Option<Practice>,
    /// What was there before the first act.
    pub(super) before: Before,
    /// What came of the tasks of `on_failure`.
    pub(super) aftermath: Vec<StepReport>,
}

/// How often a node that another run holds is asked again.
pub(super) const LOCK_TRIES: u32 = 10;
/// And after how long.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// A step on its way: what it is, and the change it makes.
pub(super) struct Act {
    pub(super) line: usize,
    pub(super) change: Change,
    /// Number of its first op.
    pub(super) first: u32,
}

impl Act {
    pub(super) fn ops(&self) -> impl Iterator<Item = (u32, &Op)> {
        (self.first..).zip(&self.change.ops)
    }
}

impl HostRun {
    /// A host about to perform its plan in the run called `run`.
    pub fn new(on: Surveyed, config: Arc<Config>, events: Events, stop: Arc<AtomicBool>, run: String) -> Self {
        let held = divergence::held(&on.plan);
        let mut host = HostRun {
            on,
            config,
            events,
            stop,
            run,
            begun: false,
            adopted: false,
            owner: String::new(),
            guard: None,
            trial: None,
            verdict: None,
            notes: Vec::new(),
            next_op: 1,
            steps: Vec::new(),
            op_steps: BTreeMap::new(),
            staged: BTreeMap::new(),
            notified: BTreeSet::new(),
            held,
            items: Items::new(),
            steps_now: StepsNow::default(),
            practice: None,
            before: Before::default(),
            aftermath: Vec::new(),
        };
        host.index();
        host
    }

    /// Takes the node's lock, stages the contents of the plan, and checks that the node is what the plan rests on.
    pub async fn begin(&mut self, owner: &str) -> Result<(), Failure> {
        self.owner = owner.to_owned();
        let mut acts = Vec::new();
        for index in 0..self.on.plan.lines.len() {
            if let Outcome::Change(change) = &self.on.plan.lines[index].outcome
                && change.open.is_none()
            {
                let change = change.clone();
                let first = self.number(&change);
                self.staged.insert(index, first);
                acts.push(Act { line: index, change, first });
            }
        }
        let ops: Vec<(u32, &Op)> = acts.iter().flat_map(Act::ops).collect();
        let lines = self.rests_on();
        let probes: BTreeSet<Probe> = lines.iter().flat_map(|(_, probes)| probes.clone()).collect();
        let probes: Vec<Probe> = probes.into_iter().collect();
        let mut begun = self.on.wire.begin(&self.run, owner, &ops, &probes, self.sending()).await?;
        // A run whose controller is gone ends at its next boundary: a moment of patience spares a refusal.
        for _ in 0..LOCK_TRIES {
            if !matches!(begun, Ok(Begun::Locked { .. })) || self.at_boundary().is_err() {
                break;
            }
            tokio::time::sleep(LOCK_PAUSE).await;
            begun = self.on.wire.begin(&self.run, owner, &ops, &probes, self.sending()).await?;
        }
        match begun {
            Ok(Begun::Locked { who, since }) => Err(Failure::Locked { who, since }),
            Ok(Begun::Guarded(armed)) => Err(self.watched(&armed)),
            Err(why) => {
                self.begun = true;
                Err(self.failed("sending contents", &why))
            }
            Ok(Begun::Yes(now)) => {
                self.begun = true;
                if let Some(still) = self.on.wire.still.take() {
                    self.events.tell(&self.on.host, What::Note(still.clone()));
                    self.note(still);
                }
                self.preflight(&lines, &now)?;
                self.note_before(&now);
                match self.trial {
                    Some(seconds) if self.on.acts() => self.arm(seconds, true).await,
                    _ => Ok(()),
                }
            }
        }
    }

    /// What each line that acts looks at, but for those that only wait.
    pub(super) fn rests_on(&self) -> Vec<(String, Vec<Probe>)> {
        let steps: BTreeMap<&str, &Step> = self
            .on
            .plays
            .iter()
            .flat_map(|(_, compiled)| compiled.steps.iter().chain(&compiled.handlers))
            .map(|step| (step.key.as_str(), step))
            .collect();
        let acting = self.on.plan.lines.iter().filter(|line| line.acts() && !line.waits());
        acting
            .filter_map(|line| match &steps.get(line.key.as_str())?.body {
                Body::Resource(resource) => {
                    let name = line.id.as_ref().map_or_else(|| line.label.clone(), |id| format!("{id} (`{}`)", line.label));
                    Some((name, resource.look()))
                }
                _ => None,
            })
            .collect()
    }

    /// Compares what is there now with what the plan was made from.
    pub(super) fn preflight(&self, lines: &[(String, Vec<Probe>)], now: &Answers) -> Result<(), Failure> {
        let mut problems = Diagnostics::new();
        for (name, probes) in lines {
            if digest::of_probes(probes, now) != digest::of_probes(probes, self.on.world.seen()) {
                problems.push(
                    Diagnostic::new(Kind::Failed, format!("{}: stale: {name} has changed on the node since the plan was made", self.on.host))
                        .hint("nothing was changed; plan again to see what is there now"),
                );
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::Stale(problems)) }
    }

    /// Who hears how much of the contents has been sent.
    pub(super) fn sending(&self) -> impl Fn(u64, u64) + use<> {
        let (events, host) = (self.events.clone(), self.on.host.clone());
        move |done, all| events.tell(&host, What::Sending(done, all))
    }

    /// Gives the ops of `change` their numbers.
    pub(super) fn number(&mut self, change: &Change) -> u32 {
        let first = self.next_op;
        self.next_op += u32::try_from(change.ops.len()).unwrap_or(u32::MAX);
        first
    }

    /// Sends the contents that `acts` put, so that acts are renames.
    pub(super) async fn stage(&mut self, acts: &[Act]) -> Result<(), Failure> {
        let ops: Vec<(u32, &Op)> = acts.iter().flat_map(Act::ops).collect();
        if !ops.iter().any(|(_, op)| matches!(op, Op::Put { .. })) {
            return Ok(());
        }
        let told = self.sending();
        match self.on.wire.stage(&ops, told).await? {
            Ok(()) => Ok(()),
            Err(why) => Err(self.failed("sending contents", &why)),
        }
    }

    pub(super) fn failed(&self, label: &str, why: &str) -> Failure {
        Failure::Step(self.problem(label, why).hint("`-vv` shows every step").into())
    }

    /// That a step failed, without a hint yet.
    pub(super) fn problem(&self, label: &str, why: &str) -> Diagnostic {
        Diagnostic::new(Kind::Failed, format!("{}: `{label}` failed: {}", self.on.host, why.trim()))
    }

    /// Performs the steps of `play`, then its notified handlers.
    pub async fn play(&mut self, play: usize) -> Result<(), Failure> {
        let mut batch: Vec<Act> = Vec::new();
        for index in 0..self.on.plan.lines.len() {
            let line = &self.on.plan.lines[index];
            if line.play != play {
                continue;
            }
            if line.handler.is_some() {
                self.flush(&mut batch).await?;
                if self.wanted(index) {
                    self.fresh(index).await?;
                }
                continue;
            }
            match line.outcome.clone() {
                Outcome::Change(change) if change.open.is_none() => {
                    // It is no act like others: see `reboot`.
                    if change.ops.iter().any(|op| matches!(op, Op::Reboot { .. })) {
                        self.flush(&mut batch).await?;
                    }
                    let file_ops = change.ops.iter().all(Op::is_file_op) && self.patience(index).0 == 0;
                    let first = self.staged.get(&index).copied().unwrap_or_default();
                    batch.push(Act { line: index, change, first });
                    if !file_ops || batch.len() >= 128 || self.practises(index) {
                        self.flush(&mut batch).await?;
                    }
                }
                Outcome::Change(_) | Outcome::Later(_) => {
                    self.flush(&mut batch).await?;
                    self.fresh(index).await?;
                }
                Outcome::AsWished | Outcome::Skipped(_) | Outcome::Holds => {}
            }
        }
        self.flush(&mut batch).await?;
        // A step that was later than the plan may have notified a handler that the plan did not foresee.
        self.surprises(play).await
    }

    pub(super) fn wanted(&self, index: usize) -> bool {
        let line = &self.on.plan.lines[index];
        let Some(id) = &line.handler else { return false };
        self.on.state.pending.contains(id) || self.notified.contains(&line.key)
    }

    pub(super) async fn surprises(&mut self, play: usize) -> Result<(), Failure> {
        let name = self.config.plays[play].name.clone();
        let planned: BTreeSet<String> = self.on.plan.lines.iter().filter_map(|line| line.handler.clone()).collect();
        let found = self.on.plays.iter().find(|(at, _)| *at == play);
        let missing: Vec<(String, String)> = found
            .into_iter()
            .flat_map(|(_, compiled)| &compiled.handlers)
            .filter(|handler| self.notified.contains(&handler.key) && !planned.contains(&handler_id(&name, &handler.key)))
            .map(|handler| (handler.key.clone(), handler.label.clone()))
            .collect();
        for (key, label) in missing {
            self.on.plan.lines.push(Line {
                play,
                handler: Some(handler_id(&name, &key)),
                key,
                label,
                span: None,
                id: None,
                outcome: Outcome::Later(Cause("notified".into())),
                notify: Vec::new(),
                guard: None,
                divergence: None,
            });
            self.fresh(self.on.plan.lines.len() - 1).await?;
        }
        Ok(())
    }

    /// Retries, delay and timeout of a line's step.
    pub(super) fn patience(&self, index: usize) -> (u32, Duration, Option<Duration>) {
        self.step(index).map_or((0, Duration::ZERO, None), |step| {
            (step.retries, Duration::from_secs(step.delay), step.timeout.map(Duration::from_secs))
        })
    }

    /// Plans a line again from what is now there, and performs it.
    pub(super) async fn fresh(&mut self, index: usize) -> Result<(), Failure> {
        self.at_boundary()?;
        self.begin_if_needed()?;
        self.compile()?;
        let keys: Vec<String> = match self.step(index) {
            Some(_) => vec![self.on.plan.lines[index].key.clone()],
            // A loop over a late value was one line and is now several steps.
            None => self.items(index),
        };
        let label = self.on.plan.lines[index].label.clone();
        for key in keys {
            self.on.plan.lines[index].key = key.clone();
            self.look(index).await?;
            let mut world = self.on.world.clone();
            let mut problems = Diagnostics::new();
            let handler = self.on.plan.lines[index].handler.clone();
            let play = self.on.plan.lines[index].play;
            let Some(step) = self.step(index) else { continue };
            let line = plan_step((play, self.config.plays[play].guard), step, handler.clone(), &mut world, &mut problems);
            if !problems.is_empty() {
                return Err(Failure::Step(problems));
            }
            // What has been said of it holds: a handler is guarded for what has notified it.
            if line.guard.is_some() {
                self.on.plan.lines[index].guard = line.guard;
            }
            match line.outcome {
                Outcome::Change(change) => {
                    let act = Act { line: index, first: self.number(&change), change };
                    self.stage(std::slice::from_ref(&act)).await?;
                    self.perform(vec![act]).await?;
                }
                Outcome::Later(cause) => {
                    return Err(self.failed(&label, &format!("it is still not known what it needs ({cause})")));
                }
                Outcome::AsWished | Outcome::Skipped(_) | Outcome::Holds => {
                    self.report(index, None, StepEnd::AsWished);
                    self.begun_at(index, std::time::SystemTime::now());
                    self.held.insert(key);
                    if let Some(id) = &handler {
                        self.on.wire.handled(id).await?;
                    }
                    let ran = match self.step(index) {
                        Some(Step { body: Body::Resource(resource), .. }) => said(resource.as_ref(), &self.on.world).cloned(),
                        _ => None,
                    };
                    self.said(index, ran.as_ref());
                    self.register(index, false, ran.as_ref().map(|ran| (ran.rc, ran.stdout.as_str(), ran.stderr.as_str()))).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn begin_if_needed(&self) -> Result<(), Failure> {
        if self.begun { Ok(()) } else { Err(self.failed("begin", "the run was not begun on this node")) }
    }

    pub(super) fn at_boundary(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::SeqCst) { Err(Failure::Stopped) } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self, batch: &mut Vec<Act>) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        self.at_boundary()?;
        self.perform(std::mem::take(batch)).await
    }
}
