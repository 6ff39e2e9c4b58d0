//! After a failure, when the last undo is done: the tasks of the play's `on_failure`, to tell someone.
//!
//! They belong to no run: no journal has them and nothing takes them back. One that fails is reported and changes nothing else.

use super::host::HostRun;
use super::run::{Member, Orders};
use super::{End, Failure};
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::{Answers, Cause, Probe, World};
use crate::plan::{Line, Outcome};
use crate::playbook::{Body, Failed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Runs them on `hosts`: those that failed, and those that were taken back with them.
pub(super) async fn after_failure(orders: &Orders, members: &mut BTreeMap<String, Member>, play: usize, hosts: &[String], failed: &[String]) {
    if orders.config.plays[play].on_failure.is_empty() {
        return;
    }
    let told: BTreeMap<String, Failed> = failed.iter().filter_map(|host| Some((host.clone(), what_failed(orders, host, members.get(host)?)))).collect();
    let Some(first) = failed.iter().find_map(|host| told.get(host)) else { return };
    // Where nothing was begun, nothing failed either.
    let there = |member: &Member| member.run.begun && !matches!(member.failure, Some(Failure::Lost(_)));
    let reachable: Vec<&String> = hosts.iter().filter(|host| members.get(*host).is_some_and(there)).collect();
    let mut running = tokio::task::JoinSet::new();
    for (at, host) in reachable.into_iter().enumerate() {
        let Some(mut member) = members.remove(host) else { continue };
        let mut failed = told.get(host).unwrap_or(first).clone();
        failed.taken_back = member.end == Some(End::TakenBack);
        failed.once = at == 0;
        running.spawn(async move {
            let problems = member.run.after_failure(play, failed).await;
            member.afterwards.0.extend(problems.0);
            member
        });
    }
    while let Some(joined) = running.join_next().await {
        if let Ok(member) = joined {
            members.insert(member.run.on.host.clone(), member);
        }
    }
}

/// What is said of a host's failure. It may leave the house: no secret is in it.
fn what_failed(orders: &Orders, host: &str, member: &Member) -> Failed {
    let step = member.run.failed_step();
    let problems = member.failure.as_ref().map(|failure| failure.problems(host)).unwrap_or_default();
    let said = problems.0.first().map(|problem| problem.message.clone()).unwrap_or_default();
    let said = said.strip_prefix(&format!("{host}: ")).unwrap_or(&said);
    let message = match &step {
        Some((label, true)) => format!("`{label}` failed; what it said is not told, for the task has a secret"),
        _ => orders.config.identities.masker().mask(said).into_owned(),
    };
    Failed { task: step.map(|(label, _)| label).unwrap_or_default(), message, host: host.to_owned(), ..Failed::default() }
}

impl HostRun {
    /// The step that failed, and whether what it says must not show.
    fn failed_step(&self) -> Option<(String, bool)> {
        let step = self.steps.iter().find(|step| step.end == super::StepEnd::Failed)?;
        let secret = self.on.plays.iter().flat_map(|(_, compiled)| compiled.all()).find(|known| known.key == step.key).is_none_or(|known| known.secret);
        Some((step.label.clone(), secret))
    }

    /// Runs the tasks of `on_failure` of `play`. One that fails does not keep the next from being tried.
    async fn after_failure(&mut self, play: usize, failed: Failed) -> Diagnostics {
        let mut problems = Diagnostics::new();
        self.on.known.failed = Some(Arc::new(failed));
        self.steps_now.outdated();
        if let Err(failure) = self.compile() {
            return self.unsaid(&failure);
        }
        let lines = self.aftermath_lines(play);
        if lines.is_empty() {
            return problems;
        }
        match self.on.wire.aside(true).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                let why = self.failed("on_failure", &why);
                return self.unsaid(&why);
            }
            Err(trouble) => return self.unsaid(&trouble.into()),
        }
        let first = self.steps.len();
        match self.look_again(play).await {
            Err(failure) => problems.0.extend(self.unsaid(&failure).0),
            Ok(()) => {
                for line in lines {
                    self.on.plan.lines.push(line);
                    let Err(failure) = self.fresh(self.on.plan.lines.len() - 1).await else { continue };
                    problems.0.extend(self.unsaid(&failure).0);
                    if !matches!(failure, Failure::Step(_)) {
                        break;
                    }
                }
            }
        }
        let _ = self.on.wire.aside(false).await;
        self.aftermath = self.steps.split_off(first);
        problems
    }

    /// What was seen was seen before it was taken back.
    async fn look_again(&mut self, play: usize) -> Result<(), Failure> {
        let mut wanted: BTreeSet<Probe> = BTreeSet::new();
        for (_, compiled) in self.on.plays.iter().filter(|(at, _)| *at == play) {
            for step in &compiled.on_failure {
                if let Body::Resource(resource) = &step.body {
                    wanted.extend(resource.look());
                }
            }
        }
        self.on.world = World::new(self.on.world.facts.clone(), Answers::new());
        let wanted: Vec<Probe> = wanted.into_iter().collect();
        let answers = self.on.wire.look(&wanted, None).await?.answers;
        self.on.world.learn(answers);
        Ok(())
    }

    fn aftermath_lines(&self, play: usize) -> Vec<Line> {
        let steps = self.on.plays.iter().filter(|(at, _)| *at == play).flat_map(|(_, compiled)| &compiled.on_failure);
        steps
            .filter(|step| !matches!(step.body, Body::Skipped { .. }))
            .map(|step| Line {
                play,
                key: step.key.clone(),
                label: step.label.clone(),
                span: step.span.clone(),
                id: None,
                handler: None,
                outcome: Outcome::Later(Cause("a failure".into())),
                notify: Vec::new(),
                divergence: None,
                guard: None,
            })
            .collect()
    }

    /// Why a task of `on_failure` came to nothing.
    fn unsaid(&self, failure: &Failure) -> Diagnostics {
        let mut problems = Diagnostics::new();
        for problem in failure.problems(&self.on.host).0 {
            let Diagnostic { message, .. } = &problem;
            let said = message.strip_prefix(&format!("{}: ", self.on.host)).unwrap_or(message);
            problems.push(Diagnostic {
                message: format!("{}: in `on_failure`: {said}", self.on.host),
                kind: Kind::Failed,
                hint: Some("it changes nothing about what failed before, nor about what was taken back".into()),
                ..problem
            });
        }
        problems
    }
}
