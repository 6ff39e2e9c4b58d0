//! From one task to its step: parameters rendered and checked, the resource built, handlers found.

use super::args::{self, Render, Trouble};
use super::compile::Compiler;
use super::context::{Context, paths, with_undo};
use super::label;
use super::local::Local;
use super::model::{Body as Raw, Task};
use super::step::{Body, Step};
use crate::inventory::fields::hint_names;
use crate::lang::{Data, Diagnostic, Diagnostics, Scope, Span, Value};

impl<'a> Compiler<'a> {
    /// What a loop goes through; a map's pairs have `key` and `value`.
    pub(super) fn items(&mut self, list: &Value, scope: &Scope) -> Result<Vec<Value>, Trouble> {
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

    /// A resource's step; `None` where something is wrong.
    pub(super) fn resource(&mut self, task: &'a Task, context: &Context<'a>, key: String, item: Option<String>, handler: bool) -> Option<Step> {
        let Raw::Resource(kind, raw) = &task.body else { return None };
        let config = self.config;
        let local = Local { files: &config.files, cache: &config.cache, identities: &config.identities };
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

    pub(super) fn step(&mut self, task: &'a Task, context: &Context<'a>, key: String, item: Option<String>, mut body: Body) -> Step {
        if let (Body::Resource(resource), Some(seconds)) = (&mut body, task.timeout) {
            resource.within(seconds);
        }
        let notify = self.notify(task, context);
        if let (Body::Resource(resource), Some(register)) = (&body, &task.register)
            && register.keep
            && resource.reads()
        {
            self.out.problems.push(
                Diagnostic::config("what only reads is asked at every look; there is nothing to keep")
                    .maybe_at(register.span.as_ref().or(task.span.as_ref()))
                    .label("`keep` of a `read_only` command")
                    .hint("leave `keep` out, or let a command that acts make the value"),
            );
        }
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
