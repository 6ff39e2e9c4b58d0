//! Performing steps on one host: act, verify, and the further tries of a step that may fail.

use super::host::{Act, HostRun};
use super::{Failure, StepEnd};
use crate::fleet::event::What;
use crate::fleet::wire::Done;
use crate::lang::Diagnostics;
use crate::node::probe::Ran;
use crate::node::program::Named;
use crate::node::{Op, Probe};
use crate::plan::planner::{handler_id, plan_step};
use crate::plan::Outcome;
use crate::playbook::{Body, Step};
use crate::resource::Block;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

impl HostRun {
    /// Acts and verifies; a step with `retries` gets its further tries here.
    pub(super) async fn perform(&mut self, acts: Vec<Act>) -> Result<(), Failure> {
        let Some(last) = acts.last() else { return Ok(()) };
        let (mut tries, delay, _) = self.patience(last.line);
        let index = last.line;
        let mut end = self.attempt(&acts).await;
        while let (Err(Failure::Step(_)), true) = (&end, tries > 0 && !self.practised()) {
            tries -= 1;
            self.pause(delay).await?;
            self.at_boundary()?;
            let again = self.replan(index).await?;
            end = match again {
                Some(act) => self.attempt(&[act]).await,
                None => Ok(()),
            };
        }
        end
    }

    pub(super) async fn replan(&mut self, index: usize) -> Result<Option<Act>, Failure> {
        self.look(index).await?;
        let mut world = self.on.world.clone();
        let mut problems = Diagnostics::new();
        let line = &self.on.plan.lines[index];
        let (play, handler) = (line.play, line.handler.clone());
        let Some(step) = self.step(index) else { return Ok(None) };
        match plan_step((play, self.config.plays[play].guard), step, handler, &mut world, &mut problems).outcome {
            _ if !problems.is_empty() => Err(Failure::Step(problems)),
            Outcome::Change(change) => {
                let act = Act { line: index, first: self.number(&change), change };
                self.stage(std::slice::from_ref(&act)).await?;
                Ok(Some(act))
            }
            _ => Ok(None),
        }
    }

    /// Looks at what the step of a line must know, and then at what follows from the answers.
    pub(super) async fn look(&mut self, index: usize) -> Result<(), Failure> {
        let mut asked: BTreeSet<Probe> = BTreeSet::new();
        loop {
            let Some(Step { body: Body::Resource(resource), .. }) = self.step(index) else { return Ok(()) };
            let mut wanted = if asked.is_empty() { resource.look() } else { resource.look_more(&self.on.world) };
            wanted.retain(|probe| !asked.contains(probe));
            if wanted.is_empty() {
                return Ok(());
            }
            let answers = self.on.wire.look(&wanted, None).await?.answers;
            self.on.world.learn(answers);
            asked.extend(wanted);
        }
    }

    pub(super) async fn attempt(&mut self, acts: &[Act]) -> Result<(), Failure> {
        self.guard(acts).await?;
        let mut marks: Vec<String> = Vec::new();
        let mut probes: BTreeSet<Probe> = BTreeSet::new();
        for act in acts {
            let line = &self.on.plan.lines[act.line];
            self.events.tell(&self.on.host, What::Step(line.label.clone()));
            let play_name = &self.config.plays[line.play].name;
            marks.extend(line.notify.iter().map(|handler| handler_id(play_name, handler)));
            probes.extend(self.probes(act.line));
            let at = self.report(act.line, Some(act.change.mark), StepEnd::NotBegun);
            self.op_steps.extend(act.ops().map(|(number, _)| (number, at)));
        }
        let ops: Vec<(u32, &Op)> = acts.iter().flat_map(Act::ops).collect();
        marks.sort();
        marks.dedup();
        let timeout = acts.iter().filter_map(|act| self.patience(act.line).2).max();
        let probes: Vec<Probe> = probes.into_iter().collect();
        if let [act] = acts
            && matches!(act.change.ops[..], [Op::Reboot { .. }])
        {
            return self.reboot(act, &marks).await;
        }
        let masker = self.config.identities.masker();
        let label = |act: &&Act| masker.mask(&self.on.plan.lines[act.line].label).into_owned();
        let labels: Vec<(u32, String)> = acts.iter().filter(|act| !act.change.ops.is_empty()).map(|act| (act.first, label(&act))).collect();
        let steps: Vec<Named<'_>> = labels.iter().map(|(first, label)| Named { first: *first, label }).collect();
        let since = SystemTime::now();
        let acted = self.on.wire.act(&marks, &ops, &steps, &probes, timeout).await;
        acts.iter().for_each(|act| self.begun_at(act.line, since));
        if acted.is_err() {
            acts.iter().for_each(|act| self.set(act.line, StepEnd::Unknown));
        }
        let (done, answers) = match acted {
            Err(trouble) if self.guard.is_some() => return self.mend(acts, trouble).await,
            acted => acted?,
        };
        self.on.world.learn(answers);
        self.judge(acts, &done).await
    }

    /// What the step of a line looks at.
    pub(super) fn probes(&self, index: usize) -> Vec<Probe> {
        let Some(Step { body: Body::Resource(resource), .. }) = self.step(index) else { return Vec::new() };
        let mut probes = resource.look();
        probes.extend(resource.look_more(&self.on.world));
        probes
    }

    /// What came of `acts`, whose ops ended as `done` says: verified, noted, and what follows from it.
    pub(super) async fn judge(&mut self, acts: &[Act], done: &BTreeMap<u32, Done>) -> Result<(), Failure> {
        // One that fails does not hide that those after it in the batch have been done.
        for act in acts {
            if act.ops().all(|(number, _)| matches!(done.get(&number), Some(Done::Ok(_)))) {
                self.set(act.line, StepEnd::Done);
            }
        }
        for act in acts {
            let label = self.on.plan.lines[act.line].label.clone();
            let mut ran = None;
            for (number, op) in act.ops() {
                match done.get(&number) {
                    Some(Done::Ok(output)) => ran = output.clone().or(ran),
                    Some(Done::Failed(why, ran)) => {
                        self.set(act.line, StepEnd::Failed);
                        self.said(act.line, ran.as_ref());
                        self.events.tell(&self.on.host, What::Failed(label.clone()));
                        let secret = self.step(act.line).is_none_or(|step| step.secret) || matches!(op, Op::Tool(tool) if tool.command.secret);
                        let failure = match ran {
                            Some(ran) => self.failed_saying(&label, why, if secret { None } else { Some(ran) }),
                            None => self.failed(&label, why),
                        };
                        let said = ran.as_ref().map_or("", |ran| ran.stderr.as_str());
                        return Err(if denied(why) || denied(said) { self.for_want_of_privilege(act.line, failure) } else { failure });
                    }
                    None => {
                        self.set(act.line, StepEnd::Failed);
                        return Err(self.failed(&label, "the node did not say what came of it"));
                    }
                }
            }
            self.said(act.line, ran.as_ref());
            self.verify(act.line, &label)?;
            self.rehearse(act.line, &label)?;
            self.events.tell(&self.on.host, What::Done(label, act.change.mark));
            let line = &self.on.plan.lines[act.line];
            let (notify, handler) = (line.notify.clone(), line.handler.clone());
            self.notified.extend(notify);
            if let Some(id) = handler {
                self.on.wire.handled(&id).await?;
            }
            self.register(act.line, true, ran.as_ref().map(|r| (r.rc, r.stdout.as_str(), r.stderr.as_str()))).await?;
            self.held.insert(self.on.plan.lines[act.line].key.clone());
        }
        Ok(())
    }

    /// A command failed; the end of what it said belongs to that, unless it is secret.
    fn failed_saying(&self, label: &str, why: &str, ran: Option<&Ran>) -> Failure {
        /// How many lines are told. Mostly the last ones say why.
        const LINES: usize = 10;
        let mut problem = self.problem(label, why);
        let Some(ran) = ran else { return Failure::Step(problem.hint("what it said is secret, and not shown").into()) };
        let text = if ran.stderr.trim().is_empty() { &ran.stdout } else { &ran.stderr };
        let text = self.config.identities.masker().mask(text).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let Some(last) = lines.last() else { return Failure::Step(problem.hint("it said nothing; `-vv` shows every step").into()) };
        problem.message = format!("{}: {}", problem.message, last.trim_start());
        problem = problem.hint("`-v` shows all that it said");
        if lines.len() > 1 {
            let what = if lines.len() > LINES { "the end of what it said" } else { "it said" };
            problem = problem.note(format!("{what}:\n{}", lines[lines.len().saturating_sub(LINES)..].join("\n")), None);
        }
        Failure::Step(problem.into())
    }

    /// Where the step runs as a login that is not root, that is what its failure is hinted at.
    fn for_want_of_privilege(&self, index: usize, failure: Failure) -> Failure {
        let login = self.on.world.facts.user.name.as_str();
        let as_login = self.step(index).is_some_and(|step| !step.become_) && !matches!(login, "" | "root");
        match failure {
            Failure::Step(problems) if as_login => {
                let hint = format!("`{login}` may not do this: set `become: true` on the task or on its play");
                Failure::Step(Diagnostics(problems.0.into_iter().map(|problem| problem.hint(hint.clone())).collect()))
            }
            failure => failure,
        }
    }

    pub(super) fn verify(&mut self, index: usize, label: &str) -> Result<(), Failure> {
        let Some(Step { body: Body::Resource(resource), .. }) = self.step(index) else { return Ok(()) };
        let problem = match resource.settled(&self.on.world) {
            Ok(ops) if ops.is_empty() => return Ok(()),
            Ok(ops) => {
                let mut world = self.on.world.clone();
                let promised = ops.iter().flat_map(|op| match op {
                    Op::Run { creates, .. } => creates.as_slice(),
                    _ => &[],
                });
                let mut left: Vec<String> = promised.map(|path| format!("{path} is not there")).collect();
                for op in ops.iter().filter(|op| !matches!(op, Op::Run { .. })) {
                    for detail in crate::plan::detail::describe(op, &world) {
                        left.push(detail.words());
                    }
                    world.effect(op);
                }
                format!("it ran, but the node is still not as wished: {}", left.join("; "))
            }
            Err(Block::Later(cause)) => format!("it ran, but it is still not known whether it holds ({cause})"),
            Err(Block::Unmet(need)) => format!("it ran, but {need} is not there"),
            Err(Block::Refused(problem)) => format!("it ran, but: {}", problem.message),
        };
        self.set(index, StepEnd::Failed);
        self.events.tell(&self.on.host, What::Failed(label.to_owned()));
        Err(self.failed(label, &problem))
    }
}

/// Whether a tool has said that it may not.
fn denied(said: &str) -> bool {
    ["Permission denied", "permission denied", "Operation not permitted", "are you root?"].iter().any(|words| said.contains(words))
}
