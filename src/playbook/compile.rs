//! One play for one host, with what is known: from tasks to steps. Pure, apart from reading files through
//! [`Files`](crate::lang::Files).

use super::args::Trouble;
use super::config::Config;
use super::context::{Context, Gate, Outcome, Reach, with_item};
use super::known::{Known, play_scope};
use super::model::{Body as Raw, Play, Role, Task};
use super::render::Renderer;
use super::step::{Body, Compiled, Step};
use super::{failed, label, params, select};
use crate::lang::{Data, Diagnostics, Scope, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Compiles a play for `host`. What is not known yet makes late steps; what is wrong makes problems.
pub fn compile(config: &Config, play: usize, host: &str, known: &Known) -> Compiled {
    let Some(the_play) = config.plays.get(play) else { return Compiled::default() };
    let mut compiler = Compiler {
        config,
        play: the_play,
        known,
        out: Compiled::default(),
        registered: BTreeMap::new(),
        omitted: BTreeMap::new(),
        started: config.start.as_ref().is_none_or(|(at, _)| *at < play),
        deferred: Vec::new(),
        taken: BTreeSet::new(),
        once_here: the_play.hosts.first().is_none_or(|first| first == host),
    };
    if config.start.as_ref().is_some_and(|(at, _)| *at > play) {
        return compiler.out;
    }
    let scope = play_scope(config, play, host, known);
    let reach = Rc::new(Reach::new(&the_play.handlers, &format!("{play}/handlers"), None));
    let context = Context {
        scope,
        key: play.to_string(),
        role: String::new(),
        tags: the_play.tags.clone(),
        become_: the_play.become_,
        gate: Gate::Open,
        run_once: false,
        reach: reach.clone(),
        item: None,
    };
    for (handler, key) in the_play.handlers.iter().zip(&reach.keys) {
        compiler.deferred.push((handler, key.1.clone(), context.clone()));
    }
    let mut steps = Vec::new();
    compiler.tasks(&the_play.tasks, &context, &mut steps);
    compiler.out.steps = steps;
    compiler.finish(play, &context)
}

pub(super) struct Compiler<'a> {
    pub(super) config: &'a Config,
    pub(super) play: &'a Play,
    pub(super) known: &'a Known,
    pub(super) out: Compiled,
    /// By earlier steps.
    pub(super) registered: BTreeMap<String, Outcome>,
    /// Name → task, for tasks that `--tags` or `--start-at` leave out.
    pub(super) omitted: BTreeMap<String, String>,
    /// The task of `--start-at` has been met.
    pub(super) started: bool,
    /// Handlers, compiled when all results are known by name.
    pub(super) deferred: Vec<(&'a Task, String, Context<'a>)>,
    pub(super) taken: BTreeSet<String>,
    /// Tasks that run once run on this host.
    once_here: bool,
}

impl<'a> Compiler<'a> {
    fn finish(mut self, play: usize, context: &Context<'a>) -> Compiled {
        for (task, key, context) in std::mem::take(&mut self.deferred) {
            let scope = self.results(&context.scope);
            let mut steps = Vec::new();
            self.leaf(task, &Context { scope, gate: Gate::Open, ..context }, key, true, &mut steps);
            self.out.handlers.append(&mut steps);
        }
        self.started = true;
        let mut steps = Vec::new();
        let scope = failed::scope(&context.scope, self.known.failed.as_deref());
        let mut context = Context { key: format!("{play}/on_failure"), scope, ..context.clone() };
        // Whichever tasks are chosen, somebody is to hear that they failed.
        context.tags.push("always".to_owned());
        self.once_here = self.known.failed.as_ref().map_or(self.once_here, |failed| failed.once);
        self.tasks(&self.play.on_failure, &context, &mut steps);
        self.out.on_failure = steps;
        let Compiler { mut out, omitted, .. } = self;
        for problem in &mut out.problems.0 {
            let name = problem.message.strip_prefix('`').and_then(|rest| rest.split_once("` is not defined")).map(|(name, _)| name.to_owned());
            if let Some(task) = name.and_then(|name| omitted.get(&name)) {
                problem.hint = Some(format!("the task `{task}` registers it, and `--tags` or `--start-at` leaves that out"));
            }
        }
        out.problems = super::config::once(out.problems);
        out
    }

    /// `scope` with the results of earlier steps.
    fn results(&self, scope: &Scope) -> Scope {
        let (mut values, mut late) = (BTreeMap::new(), BTreeMap::new());
        for (name, result) in &self.registered {
            match result {
                Outcome::Late(task) => {
                    late.insert(name.clone(), format!("result of {task}"));
                }
                Outcome::Known(value) => {
                    values.insert(name.clone(), value.clone());
                }
                Outcome::Skipped => {
                    let map = [("skipped", true), ("changed", false), ("failed", false)].map(|(k, v)| (k.to_owned(), Value::from(Data::Bool(v))));
                    values.insert(name.clone(), Arc::new(Data::Map(map.into_iter().collect()).into()));
                }
            }
        }
        scope.shared_data(values).late(late)
    }

    pub(super) fn renderer(&mut self, scope: &Scope) -> Renderer<'_> {
        let engine = &self.config.engine;
        Renderer { engine, scope: scope.clone(), reads: &mut self.out.fact_reads, waits: &mut self.out.waits }
    }

    fn tasks(&mut self, tasks: &'a [Task], context: &Context<'a>, steps: &mut Vec<Step>) {
        for (at, task) in tasks.iter().enumerate() {
            let key = format!("{}/{at}", context.key);
            if self.config.start.as_ref().is_some_and(|(_, start)| *start == key) {
                self.started = true;
            }
            let vars = task.vars.iter().filter(|(name, _)| !self.config.sets.contains_key(*name)).map(|(k, v)| (k.clone(), v.clone()));
            let mut inner = context.clone();
            inner.scope = self.results(&context.scope);
            if !task.vars.is_empty() {
                inner.scope = inner.scope.vars(vars);
            }
            inner.tags.extend(task.tags.iter().filter(|tag| !context.tags.contains(tag)).cloned());
            inner.become_ = task.become_.unwrap_or(context.become_);
            inner.run_once |= task.run_once;
            match &task.body {
                Raw::Resource(..) | Raw::Assert(_) => {
                    if !self.started || !select::chosen(&self.config.tags, &inner.tags) {
                        if let Some(register) = &task.register {
                            self.omitted.insert(register.name.clone(), label::raw(task));
                        }
                        continue;
                    }
                    self.leaf(task, &inner, key, false, steps);
                }
                _ => self.composite(task, inner, key, steps),
            }
        }
    }

    /// A block, include or role: decided once (or once per item), then its tasks.
    fn composite(&mut self, task: &'a Task, mut context: Context<'a>, key: String, steps: &mut Vec<Step>) {
        let items = match (&context.gate, &task.looped) {
            (Gate::Open, Some(list)) => match self.items(list, &context.scope) {
                Ok(items) => items.into_iter().map(Some).collect(),
                Err(Trouble::Wrong(more)) => return self.out.problems.0.extend(more.0),
                Err(Trouble::Late { cause, facts }) => {
                    context.gate = Gate::Late { cause, facts };
                    vec![None]
                }
            },
            _ => vec![None],
        };
        let outer = context.clone();
        for (index, item) in items.into_iter().enumerate() {
            let mut context = outer.clone();
            context.key = key.clone();
            if let Some(item) = item {
                context.item = Some(label::item(&item, index));
                context.key = format!("{key}#{index}");
                context.scope = with_item(&context.scope, item, index);
            }
            if matches!(context.gate, Gate::Open) {
                match self.renderer(&context.scope).all_true(&task.when) {
                    Ok(None) => {}
                    Ok(Some(not)) => context.gate = Gate::Skip(label::unless(not)),
                    Err(Trouble::Late { cause, facts }) => context.gate = Gate::Late { cause, facts },
                    Err(Trouble::Wrong(more)) => {
                        self.out.problems.0.extend(more.0);
                        continue;
                    }
                }
            }
            match &task.body {
                Raw::Block(tasks) | Raw::Include(_, tasks) => self.tasks(tasks, &context, steps),
                Raw::Role(role, with) => self.role(role, with, context, steps),
                Raw::Resource(..) | Raw::Assert(_) => {}
            }
        }
    }

    fn role(&mut self, role: &'a Role, with: &Value, mut context: Context<'a>, steps: &mut Vec<Step>) {
        if matches!(context.gate, Gate::Open) {
            let mut problems = Diagnostics::new();
            let scope = params::scope(role, with, &self.renderer(&context.scope), &mut problems);
            context.scope = scope;
            self.out.problems.0.append(&mut problems.0);
        }
        context.role = match &context.item.take() {
            Some(item) => format!("{}{} ({item}): ", context.role, role.name),
            None => format!("{}{}: ", context.role, role.name),
        };
        let prefix = format!("{}/handlers", context.key);
        context.reach = Rc::new(Reach::new(&role.handlers, &prefix, Some(context.reach.clone())));
        if matches!(context.gate, Gate::Open) {
            let keys: Vec<String> = context.reach.keys.iter().map(|(_, key)| key.clone()).collect();
            for (handler, key) in role.handlers.iter().zip(keys) {
                self.deferred.push((handler, key, context.clone()));
            }
        }
        self.tasks(&role.tasks, &context, steps);
    }

    /// A single resource or assertion: one step, or one for each item.
    fn leaf(&mut self, task: &'a Task, context: &Context<'a>, key: String, handler: bool, steps: &mut Vec<Step>) {
        let first = steps.len();
        let whole = |body: Body, compiler: &mut Self| compiler.step(task, context, key.clone(), None, body);
        let once_elsewhere = context.run_once && !self.once_here;
        match &context.gate {
            Gate::Skip(why) => {
                let step = whole(Body::Skipped { why: why.clone() }, self);
                steps.push(step);
            }
            Gate::Late { cause, facts } => {
                let step = whole(Body::Late { cause: cause.clone(), needs_facts: *facts }, self);
                steps.push(step);
            }
            Gate::Open if once_elsewhere => {
                let why = format!("runs once, on {}", self.play.hosts.first().map_or("", String::as_str));
                let step = whole(Body::Skipped { why }, self);
                steps.push(step);
            }
            Gate::Open => self.open_leaf(task, context, &key, handler, steps),
        }
        if let Some(register) = &task.register {
            let new = &mut steps[first..];
            let count = new.len();
            if task.looped.is_some() {
                for (index, step) in new.iter_mut().enumerate() {
                    if let Some(register) = &mut step.register {
                        register.item = Some((index, count));
                    }
                }
            }
            let all_skipped = new.iter().all(|step| matches!(step.body, Body::Skipped { .. }));
            let result = match self.known.registered.get(&register.name) {
                Some(value) => Outcome::Known(Arc::new(value.clone().tainted(register.secret))),
                None if all_skipped && !once_elsewhere => Outcome::Skipped,
                None => Outcome::Late(new.first().map_or_else(|| label::raw(task), |step| step.label.clone())),
            };
            self.registered.insert(register.name.clone(), result);
        }
    }

    fn open_leaf(&mut self, task: &'a Task, context: &Context<'a>, key: &str, handler: bool, steps: &mut Vec<Step>) {
        let Some(list) = &task.looped else {
            let step = self.one(task, context, key.to_owned(), None, handler);
            steps.extend(step);
            return;
        };
        // What does not depend on the item is decided before the list is looked at: it may not exist then.
        let reads_item = task.when.iter().filter_map(Value::as_str).any(|text| text.contains("item"));
        if !reads_item && let Ok(Some(not)) = self.renderer(&context.scope).all_true(&task.when) {
            let step = self.step(task, context, key.to_owned(), None, Body::Skipped { why: label::unless(not) });
            steps.push(step);
            return;
        }
        match self.items(list, &context.scope) {
            Ok(items) if items.is_empty() => {
                let step = self.step(task, context, key.to_owned(), None, Body::Skipped { why: "nothing to loop over".into() });
                steps.push(step);
            }
            Ok(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    let shown = label::item(&item, index);
                    let context = Context { scope: with_item(&context.scope, item, index), ..context.clone() };
                    let step = self.one(task, &context, format!("{key}#{index}"), Some(shown), handler);
                    steps.extend(step);
                }
            }
            Err(Trouble::Late { cause, facts }) => {
                let step = self.step(task, context, key.to_owned(), None, Body::Late { cause, needs_facts: facts });
                steps.push(step);
            }
            Err(Trouble::Wrong(more)) => self.out.problems.0.extend(more.0),
        }
    }

    /// One step; `None` where something is wrong.
    fn one(&mut self, task: &'a Task, context: &Context<'a>, key: String, item: Option<String>, handler: bool) -> Option<Step> {
        let body = match self.renderer(&context.scope).all_true(&task.when) {
            Ok(Some(not)) => Ok(Body::Skipped { why: label::unless(not) }),
            Err(trouble) => Err(trouble),
            Ok(None) => match &task.body {
                Raw::Resource(..) => return self.resource(task, context, key, item, handler),
                Raw::Assert(assert) => label::assert(assert, task.span.as_ref(), &mut self.renderer(&context.scope)),
                _ => return None,
            },
        };
        match body {
            Ok(body) => Some(self.step(task, context, key, item, body)),
            Err(Trouble::Late { cause, facts }) => Some(self.step(task, context, key, item, Body::Late { cause, needs_facts: facts })),
            Err(Trouble::Wrong(more)) => {
                self.out.problems.0.extend(more.0);
                None
            }
        }
    }
}
