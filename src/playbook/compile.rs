//! One play for one host, with what is known: from tasks to steps. Pure, apart from reading files through
//! [`Files`](crate::lang::Files).

use super::args::{self, Render, Trouble};
use super::config::Config;
use super::context::{Context, Gate, Outcome, Reach, paths, with_item, with_undo};
use super::known::{Known, play_scope};
use super::local::Local;
use super::model::{Body as Raw, Play, Role, Task};
use super::render::Renderer;
use super::step::{Body, Compiled, Step};
use super::{label, params, select};
use crate::inventory::fields::hint_names;
use crate::lang::{Data, Diagnostic, Diagnostics, Scope, Span, Value};
use crate::resource::KindSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Compiles a play for `host`. What is not known yet makes late steps; what is wrong makes problems.
pub fn compile(config: &Config, play: usize, host: &str, known: &Known) -> Compiled {
    let Some(the_play) = config.plays.get(play) else { return Compiled::default() };
    let mut compiler = Compiler {
        config,
        play: the_play,
        host,
        known,
        out: Compiled::default(),
        registered: BTreeMap::new(),
        omitted: BTreeMap::new(),
        started: config.start.as_ref().is_none_or(|(at, _)| *at < play),
        deferred: Vec::new(),
        taken: BTreeSet::new(),
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

struct Compiler<'a> {
    config: &'a Config,
    play: &'a Play,
    host: &'a str,
    known: &'a Known,
    out: Compiled,
    /// By earlier steps.
    registered: BTreeMap<String, Outcome>,
    /// Name → task, for tasks that `--tags` or `--start-at` leave out.
    omitted: BTreeMap<String, String>,
    /// The task of `--start-at` has been met.
    started: bool,
    /// Handlers, compiled when all results are known by name.
    deferred: Vec<(&'a Task, String, Context<'a>)>,
    taken: BTreeSet<String>,
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
        let context = Context { key: format!("{play}/on_failure"), ..context.clone() };
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
        let (mut values, mut late) = (Vec::new(), BTreeMap::new());
        for (name, result) in &self.registered {
            match result {
                Outcome::Late(task) => {
                    late.insert(name.clone(), format!("result of {task}"));
                }
                Outcome::Known(value) => values.push((name.clone(), value.clone())),
                Outcome::Skipped => {
                    let map = [("skipped", true), ("changed", false), ("failed", false)].map(|(k, v)| (k.to_owned(), Value::from(Data::Bool(v))));
                    values.push((name.clone(), Data::Map(map.into_iter().collect()).into()));
                }
            }
        }
        scope.data(values).late(late)
    }

    fn renderer(&mut self, scope: &Scope) -> Renderer<'_> {
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

    /// What a loop goes through; a map's pairs have `key` and `value`.
    fn items(&mut self, list: &Value, scope: &Scope) -> Result<Vec<Value>, Trouble> {
        let mut renderer = self.renderer(scope);
        let bare = list.as_str().is_some_and(|text| !text.contains("{{"));
        let value = if bare { renderer.expression(list)? } else { renderer.value(list)? };
        match value.data {
            Data::Seq(items) => Ok(items.into_iter().map(|item| item.tainted(value.secret)).collect()),
            Data::Map(map) => Ok(map
                .into_iter()
                .map(|(k, v)| {
                    let pair = [("key".to_owned(), Value::from(k.as_str())), ("value".to_owned(), v.tainted(value.secret))];
                    Data::Map(pair.into_iter().collect()).into()
                })
                .collect()),
            Data::Null => Ok(Vec::new()),
            _ => Err(Diagnostic::config(format!("`loop` goes through a list or a map, not {}", value.type_name()))
                .maybe_at(list.origin.as_ref())
                .label(format!("this is {}", value.type_name()))
                .hint("give a list, an expression that is one, or leave `loop` out")
                .into()),
        }
    }

    /// A single resource or assertion: one step, or one for each item.
    fn leaf(&mut self, task: &'a Task, context: &Context<'a>, key: String, handler: bool, steps: &mut Vec<Step>) {
        let first = steps.len();
        let whole = |body: Body, compiler: &mut Self| compiler.step(task, context, key.clone(), None, body);
        let once_elsewhere = context.run_once && self.play.hosts.first().is_some_and(|h| h != self.host);
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
                Some(value) => Outcome::Known(value.clone().tainted(register.secret)),
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
                Raw::Resource(kind, raw) => return self.resource(task, kind, raw, context, key, item, handler),
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

    #[allow(clippy::too_many_arguments)]
    fn resource(&mut self, task: &'a Task, kind: &'static KindSpec, raw: &Value, context: &Context<'a>, key: String, item: Option<String>, handler: bool) -> Option<Step> {
        let config = self.config;
        let local = Local { files: &config.files, cache: &config.cache };
        let raw = with_undo(task, kind, raw);
        let checked = args::check(kind, &raw, task.span.as_ref(), &task.home, &local, &mut self.renderer(&context.scope));
        let provides = task.provides.as_ref().map(|value| self.renderer(&context.scope).value(value)).transpose();
        let mut problems = Diagnostics::new();
        let (mut late, mut built) = (None, None);
        match checked {
            Ok(mut args) => {
                args.handler = handler;
                let secret = args.values.values().any(Value::is_secret);
                built = problems.take((kind.build)(&args)).map(|resource| (resource, secret));
            }
            Err(Trouble::Wrong(more)) => problems.0.extend(more.0),
            Err(Trouble::Late { cause, facts }) => late = Some((cause, facts)),
        }
        let provides = match provides {
            Ok(value) => value.map(|value| paths(&value, &mut problems)),
            Err(Trouble::Wrong(more)) => {
                problems.0.extend(more.0);
                None
            }
            Err(Trouble::Late { cause, facts }) => {
                late = late.or(Some((cause, facts)));
                None
            }
        };
        if !problems.is_empty() {
            self.out.problems.0.append(&mut problems.0);
            return None;
        }
        let (body, secret) = match (late, built) {
            (Some((cause, needs_facts)), _) => (Body::Late { cause, needs_facts }, false),
            (None, Some((resource, secret))) => {
                let secret = secret || resource.secret();
                (Body::Resource(resource), secret)
            }
            (None, None) => return None,
        };
        let mut step = self.step(task, context, key, item, body);
        step.secret |= secret;
        step.provides = provides;
        Some(step)
    }

    fn step(&mut self, task: &'a Task, context: &Context<'a>, key: String, item: Option<String>, body: Body) -> Step {
        let notify = self.notify(task, context);
        let item = item.or_else(|| context.item.clone());
        let label = label::of(task, &context.role, item.as_deref(), &body, &mut self.renderer(&context.scope));
        let key = if self.taken.insert(key.clone()) { key } else { format!("{key}'") };
        Step {
            key,
            label,
            span: task.span.clone(),
            become_: context.become_,
            tags: context.tags.clone(),
            notify,
            register: task.register.clone(),
            retries: task.retries,
            delay: task.delay,
            timeout: task.timeout,
            provides: None,
            guard: task.guard,
            run_once: context.run_once,
            secret: task.register.as_ref().is_some_and(|r| r.secret),
            body,
        }
    }

    fn notify(&mut self, task: &Task, context: &Context<'a>) -> Vec<String> {
        let mut keys = Vec::new();
        for (name, span) in &task.notify {
            let value = Value { origin: span.clone(), ..Value::from(name.as_str()) };
            let name = match self.renderer(&context.scope).value(&value) {
                Ok(value) => value.as_str().unwrap_or(name).to_owned(),
                Err(Trouble::Late { .. }) => name.clone(),
                Err(Trouble::Wrong(more)) => {
                    self.out.problems.0.extend(more.0);
                    continue;
                }
            };
            match context.reach.key(&name) {
                Some(key) if !keys.contains(&key) => keys.push(key),
                Some(_) => {}
                None => self.unknown_handler(&name, span.as_ref(), &context.reach.names()),
            }
        }
        keys
    }

    fn unknown_handler(&mut self, name: &str, span: Option<&Span>, names: &[&str]) {
        self.out.problems.push(
            Diagnostic::config(format!("no handler is called `{name}`"))
                .maybe_at(span)
                .hint(hint_names(name, "handlers", names.iter().copied())),
        );
    }
}
