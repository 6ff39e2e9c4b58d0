//! A run over many hosts: play by play, in the play's batches, all hosts of a batch at once; and who is taken back
//! when one of them fails.

use super::aftermath::after_failure;
use super::host::HostRun;
use super::practice::Simulate;
use super::report::StepEnd;
use super::{End, Failure, HostReport};
use crate::fleet::event::{Events, What};
use crate::fleet::Surveyed;
use crate::fleet::cache::Cache;
use crate::fleet::memory;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::node::journal::Journal;
use crate::playbook::model::Body;
use crate::playbook::{Config, Play, Rollback, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

/// How to perform.
#[derive(Clone)]
pub struct Orders {
    /// What is performed.
    pub config: Arc<Config>,
    /// Where what was seen is kept.
    pub cache: Cache,
    /// Who is told.
    pub events: Events,
    /// Set: stop at the next boundary.
    pub stop: Arc<AtomicBool>,
    /// Hosts at a time.
    pub forks: usize,
    /// Names this run on every node.
    pub run: String,
    /// Who runs it, for the lock: `anna@desk`.
    pub owner: String,
    /// Hosts that go on in a run that was interrupted there, and its journal.
    pub adopt: BTreeMap<String, Journal>,
    /// Take nodes over from whoever holds them.
    pub break_lock: bool,
    /// Seconds that everything is on trial after the run, until it is kept or taken back.
    pub trial: Option<u64>,
    /// One host that is not what the plan was made from stops all of them (a saved plan).
    pub all_or_none: bool,
    /// A step is to fail, for practice: then all is taken back, whatever the plays say.
    pub simulate: Option<Simulate>,
}

/// A host on its way through the run.
pub(super) struct Member {
    pub(super) run: HostRun,
    pub(super) failure: Option<Failure>,
    pub(super) end: Option<End>,
    residue: Vec<String>,
    /// What went wrong in `on_failure`.
    pub(super) afterwards: Diagnostics,
}

/// Performs the plans of `hosts`. The reports come in the order of `hosts`.
pub async fn perform(orders: &Orders, hosts: Vec<Surveyed>) -> Vec<HostReport> {
    let mut order = Vec::new();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for surveyed in hosts {
        order.push(surveyed.host.clone());
        let adopted = orders.adopt.get(&surveyed.host);
        let mut end = (adopted.is_none() && !surveyed.has_work()).then_some(End::AsWished);
        let mut run = HostRun::new(surveyed, orders.config.clone(), orders.events.clone(), orders.stop.clone(), orders.run.clone());
        run.trial = orders.trial;
        run.on.wire.break_lock = orders.break_lock;
        if let Some(journal) = adopted {
            run.adopt(journal);
        }
        if let Some(simulate) = orders.simulate.as_ref().filter(|_| end.is_none()) {
            end = (!run.practise(simulate)).then(|| if run.on.acts() { End::Spared } else { End::AsWished });
        }
        members.insert(run.on.host.clone(), Member { run, failure: None, end, residue: Vec::new(), afterwards: Diagnostics::new() });
    }
    let everyone: Vec<String> = order.clone();
    at_once(orders, &mut members, &everyone, |mut member, orders| async move {
        if let Err(failure) = member.run.begin(&orders.owner).await {
            member.run.abandon().await;
            // What is as wished can be noted another time.
            let noted = member.run.acts() || !matches!(failure, Failure::Locked { .. });
            member.end = Some(if noted { refused(&failure) } else { End::AsWished });
            member.failure = noted.then_some(failure);
        }
        member
    })
    .await;
    if orders.all_or_none && members.values().any(|member| member.failure.is_some()) {
        hold_back(&mut members).await;
    }
    for play in 0..orders.config.plays.len() {
        perform_play(orders, &mut members, play).await;
        // A later play may read what hosts keep by now.
        let kept = members.iter().map(|(host, member)| (host.clone(), member.run.kept())).collect();
        members.values_mut().for_each(|member| member.run.share(&kept));
    }
    if orders.simulate.is_some() {
        leave_nothing(&mut members).await;
    }
    at_once(orders, &mut members, &everyone, |mut member, orders| async move {
        match member.run.finish().await {
            Ok(()) => {
                memory::keep(&orders.config, &orders.cache, &member.run.on, &member.run.held);
                member.end = Some(if member.run.acts() { End::Done } else { End::AsWished });
            }
            Err(failure) => member.fail(failure),
        }
        member
    })
    .await;
    order
        .iter()
        .map(|host| {
            let Some(member) = members.remove(host) else { return ended_early(host) };
            let end = member.end.unwrap_or(End::Failed);
            let mut problems = member.failure.as_ref().map(|failure| failure.problems(host)).unwrap_or_default();
            problems.0.extend(member.afterwards.0);
            orders.events.tell(host, What::Finished(String::new()));
            member.run.report_of(end, problems, member.residue)
        })
        .collect()
}

/// A host whose part of the run broke off inside this program: it must not be missing from what is reported.
fn ended_early(host: &str) -> HostReport {
    let problem = Diagnostic::new(Kind::Failed, format!("{host}: performing it ended early, through a defect of homelab")).hint("plan again to see how far it came");
    HostReport::without_steps(host, End::Failed, problem.into())
}

impl Member {
    fn fail(&mut self, failure: Failure) {
        self.end = Some(match (self.run.verdict.take(), &failure) {
            (Some((end, mut residue)), _) => {
                self.residue.append(&mut residue);
                end
            }
            (None, Failure::Stopped) => End::Stopped,
            _ => End::Failed,
        });
        self.failure = Some(failure);
    }
}

fn refused(failure: &Failure) -> End {
    match failure {
        Failure::Lost(problem) if problem.kind == Kind::Unreachable => End::Unreachable,
        Failure::Stopped => End::Stopped,
        _ => End::Refused,
    }
}

/// A saved plan holds for all hosts or for none.
async fn hold_back(members: &mut BTreeMap<String, Member>) {
    for member in members.values_mut().filter(|member| member.end.is_none()) {
        member.run.abandon().await;
        member.end = Some(End::Refused);
        member.failure = Some(Failure::Stale(
            Diagnostic::new(Kind::Failed, format!("{}: nothing done, because the saved plan no longer holds elsewhere", member.run.on.host))
                .hint("plan again")
                .into(),
        ));
    }
}

/// Runs `act` for those of `hosts` that are still under way, at most `forks` at a time.
async fn at_once<F, A>(orders: &Orders, members: &mut BTreeMap<String, Member>, hosts: &[String], act: A)
where
    A: Fn(Member, Orders) -> F + Clone + Send + 'static,
    F: Future<Output = Member> + Send,
{
    let gate = Arc::new(Semaphore::new(orders.forks.max(1)));
    let mut running = tokio::task::JoinSet::new();
    for host in hosts {
        if members.get(host).is_none_or(|member| member.end.is_some()) {
            continue;
        }
        let Some(member) = members.remove(host) else { continue };
        let (gate, act, orders) = (gate.clone(), act.clone(), orders.clone());
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            act(member, orders).await
        });
    }
    while let Some(joined) = running.join_next().await {
        if let Ok(member) = joined {
            members.insert(member.run.on.host.clone(), member);
        }
    }
}

async fn perform_play(orders: &Orders, members: &mut BTreeMap<String, Member>, index: usize) {
    let play = &orders.config.plays[index];
    let tolerated = play.max_failures.of(play.hosts.len());
    let mut failures = 0;
    let mut reached: Vec<String> = Vec::new();
    for batch in batches(play) {
        if orders.stop.load(Ordering::SeqCst) || failures > tolerated {
            break;
        }
        let going: Vec<String> = batch.iter().filter(|host| members.get(*host).is_some_and(|member| member.end.is_none())).cloned().collect();
        reached.extend(batch);
        at_once(orders, members, &going, move |mut member, _| async move {
            if let Err(failure) = member.run.guarded_play(index).await {
                member.fail(failure);
            }
            member
        })
        .await;
        if let Some(first) = play.hosts.first().and_then(|host| members.get(host)) {
            let results = first.run.once(index);
            members.values_mut().for_each(|member| member.run.told(&results));
        }
        // Whoever got lost under way has failed the play too, but cannot be asked to take anything back.
        let failed: Vec<String> = going.into_iter().filter(|host| members.get(host).is_none_or(Member::failed)).collect();
        failures += failed.len();
        let rollback = if orders.simulate.is_some() && play.rollback == Rollback::None { Rollback::Host } else { play.rollback };
        let back = match rollback {
            Rollback::None => Vec::new(),
            Rollback::Host => failed.iter().filter(|host| members.get(*host).is_some_and(Member::step_failed)).cloned().collect(),
            Rollback::Play if failed.is_empty() => Vec::new(),
            Rollback::Play => reached.clone(),
        };
        take_back(members, &back, &failed).await;
        let told: Vec<String> = play.hosts.iter().filter(|host| failed.contains(host) || back.contains(host)).cloned().collect();
        after_failure(orders, members, index, &told, &failed).await;
        if play.rollback == Rollback::Play && !failed.is_empty() {
            break;
        }
    }
    let stopped = orders.stop.load(Ordering::SeqCst);
    for (host, member) in members.iter_mut().filter(|(_, member)| member.end.is_none()) {
        let done = reached.contains(host);
        if stopped {
            if member.run.acts_from(index + usize::from(done)) {
                member.fail(Failure::Stopped);
            }
        } else if play.hosts.contains(host) && !done {
            member.fail(Failure::Step(
                Diagnostic::new(Kind::Failed, format!("{host}: not begun: the play `{}` stopped when others failed before it", play.name))
                    .hint("`max_failures` and `rollback` of the play say when it stops")
                    .into(),
            ));
        }
    }
    // Whoever stays as it is must not keep its lock.
    for member in members.values_mut().filter(|member| member.failure.is_some()) {
        member.run.abandon().await;
        if let Some((end, mut residue)) = member.run.verdict.take() {
            member.end = Some(end);
            member.residue.append(&mut residue);
        }
    }
}

/// Whoever came to the end of a practice without the failure that was asked for is taken back all the same.
async fn leave_nothing(members: &mut BTreeMap<String, Member>) {
    let late: Vec<String> = members.iter().filter(|(_, member)| member.end.is_none()).map(|(host, _)| host.clone()).collect();
    for host in &late {
        if let Some(member) = members.get_mut(host) {
            let failure = member.run.rehearsed_nothing();
            member.fail(failure);
        }
    }
    take_back(members, &late, &late).await;
    for host in &late {
        if let Some(member) = members.get_mut(host) {
            member.run.abandon().await;
        }
    }
}

fn registers_once(task: &Task) -> bool {
    let inner: &[Task] = match &task.body {
        Body::Block(tasks) | Body::Include(_, tasks) => tasks,
        Body::Role(role, _) => &role.tasks,
        Body::Resource(..) | Body::Assert(_) => &[],
    };
    (task.run_once && (task.register.is_some() || !inner.is_empty())) || inner.iter().any(registers_once)
}

/// The play's hosts in the batches that `serial` asks for; its last size repeats.
fn batches(play: &Play) -> Vec<Vec<String>> {
    let (mut batches, mut left) = (Vec::new(), play.hosts.as_slice());
    // The others need what a task that runs once has registered.
    if play.tasks.iter().any(registers_once)
        && let Some((first, others)) = left.split_first()
    {
        batches.push(vec![first.clone()]);
        left = others;
    }
    let mut sizes = play.serial.iter().map(|serial| serial.of(play.hosts.len()));
    let mut size = left.len();
    while !left.is_empty() {
        size = sizes.next().unwrap_or(size).clamp(1, left.len());
        let (batch, rest) = left.split_at(size);
        batches.push(batch.to_vec());
        left = rest;
    }
    batches
}

impl Member {
    /// Failed in the middle, and not by the user's wish.
    fn failed(&self) -> bool {
        matches!(self.end, Some(End::Failed | End::TakenBack | End::Stuck | End::Lost)) && self.failure.is_some()
    }

    /// Failed by a step, not by the line or by the user's wish.
    fn step_failed(&self) -> bool {
        matches!(self.failure, Some(Failure::Step(_)))
            && self.end == Some(End::Failed)
            && self.run.steps.iter().any(|step| step.end != StepEnd::NotBegun)
    }
}

async fn take_back(members: &mut BTreeMap<String, Member>, hosts: &[String], failed: &[String]) {
    let mut running = tokio::task::JoinSet::new();
    for host in hosts {
        let Some(mut member) = members.remove(host) else { continue };
        let beyond_reach = matches!(member.failure, Some(Failure::Lost(_)));
        if beyond_reach || matches!(member.end, Some(End::AsWished | End::Spared | End::Refused | End::Unreachable | End::TakenBack | End::Stuck | End::Lost)) {
            members.insert(host.clone(), member);
            continue;
        }
        let guilty = failed.join(", ");
        running.spawn(async move {
            let mut residue = Vec::new();
            member.end = Some(member.run.take_back(&mut residue).await);
            member.residue.append(&mut residue);
            if member.failure.is_none() {
                let mut why = Diagnostics::new();
                why.push(
                    Diagnostic::new(Kind::Failed, format!("{}: taken back because {guilty} failed", member.run.on.host))
                        .hint("the play says `rollback: play`"),
                );
                member.failure = Some(Failure::Step(why));
            }
            member
        });
    }
    while let Some(joined) = running.join_next().await {
        if let Ok(member) = joined {
            members.insert(member.run.on.host.clone(), member);
        }
    }
}
