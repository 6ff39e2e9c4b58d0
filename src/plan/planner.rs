//! Folds a host's steps over its world: what each would change, seen through what the earlier ones will have changed.

use super::detail::{Detail, describe};
use super::{Change, Line, Mark, Outcome};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Cause, Grade, Op, Probe, Standing, World};
use crate::playbook::{Body, Step};
use crate::resource::{Block, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// A host's plan.
#[derive(Debug, Default)]
pub struct HostPlan {
    /// In the order of performing.
    pub lines: Vec<Line>,
    /// Why it cannot be performed as it stands.
    pub problems: Diagnostics,
    /// What its steps must know besides what they look at first, given what is planned before each: see [`Resource::look_more`].
    pub asks: BTreeSet<Probe>,
}

/// The steps of one play for one host.
pub struct PlaySteps<'a> {
    /// Which play, from 0.
    pub play: usize,
    /// Its name: pending handlers are kept by play and handler name.
    pub name: &'a str,
    /// Seconds that its guard waits; 0: it has none.
    pub guard: u64,
    /// Its tasks.
    pub steps: &'a [Step],
    /// Its handlers, in the order written.
    pub handlers: &'a [Step],
}

/// The name by which a pending handler is kept on the node: its key, with the play's name in place of its number.
pub fn handler_id(play: &str, key: &str) -> String {
    format!("{play}/{}", key.split_once('/').map_or(key, |(_, rest)| rest))
}

/// Plans `plays` against `world`, which takes on their effects. `pending` are the handlers that an earlier run left
/// pending on the node.
pub fn plan_host(plays: &[PlaySteps<'_>], world: &mut World, pending: &BTreeSet<String>) -> HostPlan {
    let mut plan = HostPlan::default();
    for play in plays {
        // Handler → whether it is certain to be notified.
        let mut notified: BTreeMap<String, Result<(), Cause>> = BTreeMap::new();
        // What makes a guarded change take effect is guarded too.
        let mut guarded: BTreeSet<String> = BTreeSet::new();
        for step in play.steps {
            plan.asks.extend(asks(step, world));
            let line = plan_step((play.play, play.guard), step, None, world, &mut plan.problems);
            let news = match &line.outcome {
                Outcome::Change(Change { open: None, .. }) => Some(Ok(())),
                Outcome::Change(Change { open: Some(cause), .. }) | Outcome::Later(cause) => Some(Err(cause.clone())),
                _ => None,
            };
            if let Some(news) = news {
                for handler in &line.notify {
                    if line.guard.is_some() {
                        guarded.insert(handler.clone());
                    }
                    let entry = notified.entry(handler.clone()).or_insert_with(|| news.clone());
                    if news.is_ok() {
                        *entry = Ok(());
                    }
                }
            }
            plan.lines.push(line);
        }
        for handler in play.handlers {
            let id = handler_id(play.name, &handler.key);
            let news = match (notified.get(&handler.key), pending.contains(&id)) {
                (Some(Ok(())), _) | (_, true) => Ok(()),
                (Some(Err(cause)), false) => Err(cause.clone()),
                (None, false) => continue,
            };
            plan.asks.extend(asks(handler, world));
            let mut line = plan_step((play.play, play.guard), handler, Some(id), world, &mut plan.problems);
            if let (Outcome::Change(change), Err(cause)) = (&mut line.outcome, news) {
                change.open.get_or_insert(cause);
            }
            if line.acts() && play.guard > 0 && handler.guard != Some(false) && guarded.contains(&handler.key) {
                line.guard = Some(play.guard);
            }
            plan.lines.push(line);
        }
    }
    plan
}

fn asks(step: &Step, world: &World) -> Vec<Probe> {
    match &step.body {
        Body::Resource(resource) => resource.look_more(world),
        _ => Vec::new(),
    }
}

/// Plans one step of a play and lets its ops take effect in `world`. `play`: which, and how long its guard waits.
pub fn plan_step(play: (usize, u64), step: &Step, handler: Option<String>, world: &mut World, problems: &mut Diagnostics) -> Line {
    let (play, guard) = play;
    let mut line = Line {
        play,
        key: step.key.clone(),
        label: step.label.clone(),
        span: step.span.clone(),
        id: None,
        handler,
        outcome: Outcome::AsWished,
        notify: step.notify.clone(),
        guard: None,
        divergence: None,
    };
    match &step.body {
        Body::Late { cause, .. } => {
            world.obscure(Cause(cause.clone()));
            line.outcome = Outcome::Later(Cause(cause.clone()));
        }
        Body::Skipped { why } => line.outcome = Outcome::Skipped(why.clone()),
        Body::Assert { failed: None } => line.outcome = Outcome::Holds,
        Body::Assert { failed: Some(problem) } => problems.push((**problem).clone()),
        Body::Resource(resource) => {
            line.id = Some(resource.id());
            world.narrow(step.provides.clone());
            match plan_resource(resource.as_ref(), step.become_, line.handler.is_some(), world) {
                Ok(None) => {}
                Ok(Some(change)) => {
                    let guarded = step.guard.unwrap_or_else(|| change.ops.iter().any(|op| op.cuts_line(world)));
                    line.guard = Some(guard).filter(|seconds| guarded && *seconds > 0);
                    line.outcome = Outcome::Change(change);
                }
                Err(Block::Later(cause)) => {
                    world.obscure(cause.clone());
                    line.guard = Some(guard).filter(|seconds| step.guard == Some(true) && *seconds > 0);
                    line.outcome = Outcome::Later(cause);
                }
                Err(Block::Unmet(need)) => problems.push(
                    Diagnostic::config(format!("`{}` needs {need}, which is not there", step.label))
                        .maybe_at(step.span.as_ref())
                        .label("no earlier task brings it")
                        .hint("add a task before this one that makes it, or say with `provides:` which earlier task does"),
                ),
                Err(Block::Refused(problem)) => {
                    let problem = *problem;
                    problems.push(match problem.span {
                        Some(_) => problem,
                        None => problem.maybe_at(step.span.as_ref()),
                    });
                }
            }
            world.narrow(None);
        }
    }
    line
}

fn plan_resource(resource: &dyn Resource, become_: bool, handler: bool, world: &mut World) -> Result<Option<Change>, Block> {
    let mut ops = resource.plan(world)?;
    for op in &mut ops {
        if let Op::Run { creates, brings, again, .. } = op {
            brings.extend_from_slice(world.provided());
            // What runs only to make something would have nothing to do the second time.
            *again = handler && creates.is_empty();
        }
    }
    if !become_ {
        drop_identity(&mut ops, world);
    }
    if ops.is_empty() {
        return Ok(None);
    }
    let mut change = Change {
        mark: mark(&ops, world),
        grade: ops.iter().map(Op::grade).max().unwrap_or(Grade::Exact),
        details: Vec::new(),
        open: None,
        ops,
    };
    // The effects of a change that cannot be are not to be believed: take them back on an unmet need.
    // One op alone has no effect before its needs are judged, and a copy for each of a thousand changes would be quadratic.
    let before = (change.ops.len() > 1).then(|| world.clone());
    let several = change.ops.iter().filter(|op| matches!(op, Op::Put { .. })).count() > 1;
    for op in &change.ops {
        for need in op.needs() {
            match world.need(&need) {
                Standing::Met => {}
                Standing::Open(cause) => {
                    change.open.get_or_insert(cause);
                }
                Standing::Refuted => {
                    if let Some(before) = before {
                        *world = before;
                    }
                    return Err(Block::Unmet(need));
                }
            }
        }
        if let Op::Put { path, .. } = op
            && several
        {
            change.details.push(Detail::Words { text: format!("{path}:") });
        }
        change.details.extend(describe(op, world));
        world.effect(op);
    }
    Ok(Some(change))
}

/// A task without privilege, in a program that has it: commands run as the login, and what is new belongs to it.
fn drop_identity(ops: &mut [Op], world: &World) {
    let login = &world.facts.user.name;
    if login.is_empty() || login == "root" {
        return;
    }
    for op in ops {
        let fresh = |path: &str| matches!(world.path(path), None | Some(Node::Absent));
        match op {
            Op::Put { path, owner, .. } | Op::Mkdir { path, owner, .. } if owner.is_none() && fresh(path) => *owner = Some(login.clone()),
            Op::Run { command, undo, .. } | Op::Tool(ToolOp { command, undo, .. }) => {
                for command in [Some(command), undo.as_mut()].into_iter().flatten() {
                    command.user.get_or_insert_with(|| login.clone());
                }
            }
            _ => {}
        }
    }
}

/// What kind of change `ops` are together, judged by the first that says it.
fn mark(ops: &[Op], world: &World) -> Mark {
    let there = |path: &str| !matches!(world.path(path), None | Some(Node::Absent));
    let of = |op: &Op| match op {
        Op::Put { path, .. } | Op::Mkdir { path, .. } | Op::Link { path, .. } if !there(path) => Mark::Create,
        Op::Put { .. } | Op::Mkdir { .. } | Op::Link { .. } | Op::Attr { .. } => Mark::Change,
        Op::Remove { .. } => Mark::Remove,
        Op::Packages { install, remove, .. } => {
            let fresh = |name: &String| {
                world.package(name.split('=').next().unwrap_or(name)).is_none_or(|state| state.installed.is_none())
            };
            match (install.is_empty(), remove.is_empty()) {
                (true, false) => Mark::Remove,
                _ if install.iter().any(fresh) => Mark::Create,
                _ => Mark::Change,
            }
        }
        Op::Group { present: false, .. } => Mark::Remove,
        Op::Group { name, .. } if world.group(name).flatten().is_none() => Mark::Create,
        Op::User(user) if !user.present => Mark::Remove,
        Op::User(user) if world.user(&user.name).flatten().is_none() => Mark::Create,
        Op::Crontab { text: None, .. } => Mark::Remove,
        Op::Group { .. } | Op::User(_) | Op::Crontab { .. } | Op::Sysctl { .. } | Op::Hostname { .. } => Mark::Change,
        Op::Unit { act, .. } => match act {
            crate::node::op::UnitAct::Restart | crate::node::op::UnitAct::Reload => Mark::Run,
            _ => Mark::Change,
        },
        Op::Tool(tool) => match tool.turn {
            Turn::Create => Mark::Create,
            Turn::Change => Mark::Change,
            Turn::Remove => Mark::Remove,
            Turn::Run => Mark::Run,
        },
        Op::DaemonReload | Op::Run { .. } | Op::Reboot { .. } => Mark::Run,
    };
    ops.first().map_or(Mark::Change, of)
}
