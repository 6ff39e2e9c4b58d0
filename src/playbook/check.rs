//! What can be checked of plays before anything is known of a host: the syntax of templates and expressions, whether
//! every notified handler is there, and whether a pending one can be told from others.

use super::model::{Body, Play, Task};
use crate::inventory::Inventory;
use crate::inventory::fields::hint_names;
use crate::lang::{Data, Diagnostic, Diagnostics, Engine, Value};

/// Reports every template and expression that cannot be read, and every parameter that no resource has.
pub fn syntax(engine: &Engine, inventory: &Inventory, plays: &[Play], problems: &mut Diagnostics) {
    let vars = [&inventory.vars].into_iter().chain(inventory.groups.values().map(|g| &g.vars)).chain(inventory.hosts.values().map(|h| &h.vars));
    for value in vars.flat_map(|vars| vars.values()) {
        texts(engine, value, problems);
    }
    for play in plays {
        play.vars.values().for_each(|value| texts(engine, value, problems));
        for tasks in [&play.tasks, &play.handlers, &play.on_failure] {
            walk(engine, tasks, problems);
        }
    }
}

fn walk(engine: &Engine, tasks: &[Task], problems: &mut Diagnostics) {
    for task in tasks {
        let own = [&task.name, &task.provides, &task.undo].into_iter().flatten().chain(task.vars.values());
        own.for_each(|value| texts(engine, value, problems));
        task.when.iter().for_each(|value| expression(engine, value, problems));
        match &task.looped {
            Some(value) if value.as_str().is_some_and(|text| !text.contains("{{")) => expression(engine, value, problems),
            Some(value) => texts(engine, value, problems),
            None => {}
        }
        match &task.body {
            Body::Resource(kind, raw) => {
                super::args::check_form(kind, raw, task.span.as_ref(), problems);
                texts(engine, raw, problems);
            }
            Body::Block(tasks) | Body::Include(_, tasks) => walk(engine, tasks, problems),
            Body::Role(role, with) => {
                super::params::check_names(role, with, task.span.as_ref(), problems);
                texts(engine, with, problems);
                role.params.values().filter_map(|p| p.default.as_ref()).for_each(|value| texts(engine, value, problems));
                walk(engine, &role.tasks, problems);
                walk(engine, &role.handlers, problems);
            }
            Body::Assert(assert) => {
                assert.that.iter().for_each(|value| expression(engine, value, problems));
                assert.message.iter().for_each(|value| texts(engine, value, problems));
            }
        }
    }
}

fn expression(engine: &Engine, value: &Value, problems: &mut Diagnostics) {
    let Some(text) = value.as_str() else { return };
    let Err(mut wrong) = engine.check_expression(text, value.origin.as_ref()) else { return };
    for problem in &mut wrong.0 {
        let detail = problem.message.strip_prefix("the template cannot be read: ").map(str::to_owned);
        let Some(detail) = detail else { continue };
        problem.message = format!("the expression cannot be read: {detail}");
        problem.hint = Some(if text.contains(" = ") {
            "`==` compares; a single `=` means nothing here".to_owned()
        } else {
            "an expression is like `facts.os.family == \"debian\" and not small`".to_owned()
        });
    }
    problems.0.append(&mut wrong.0);
}

fn texts(engine: &Engine, value: &Value, problems: &mut Diagnostics) {
    match &value.data {
        Data::Str(text) => {
            problems.take(engine.check_syntax(text, value.origin.as_ref()));
        }
        Data::Seq(items) => items.iter().for_each(|item| texts(engine, item, problems)),
        Data::Map(map) => map.values().for_each(|item| texts(engine, item, problems)),
        _ => {}
    }
}

/// Reports every `notify` that no handler in reach answers.
pub fn notifications(plays: &[Play], problems: &mut Diagnostics) {
    for play in plays {
        let names = handler_names(&play.handlers);
        for tasks in [&play.tasks, &play.handlers, &play.on_failure] {
            notified(tasks, &names, problems);
        }
        unheard(&play.on_failure, problems);
    }
}

/// Reports every `notify` of a task that runs after a failure: handlers belong to what was taken back.
fn unheard(tasks: &[Task], problems: &mut Diagnostics) {
    for task in tasks {
        if let Some((name, span)) = task.notify.first() {
            problems.push(
                Diagnostic::config(format!("a task of `on_failure` cannot notify `{name}`: handlers do not run after a failure"))
                    .maybe_at(span.as_ref())
                    .hint("do here what the handler does, as a task of its own"),
            );
        }
        match &task.body {
            Body::Block(tasks) | Body::Include(_, tasks) => unheard(tasks, problems),
            Body::Role(role, _) => unheard(&role.tasks, problems),
            Body::Resource(..) | Body::Assert(_) => {}
        }
    }
}

/// Reports two handlers that a host could not tell apart: pending ones are remembered by the names of play and handler.
pub fn handlers(plays: &[Play], problems: &mut Diagnostics) {
    for (at, play) in plays.iter().enumerate() {
        let mine = handler_places(play);
        for first in plays[..at].iter().filter(|first| first.name == play.name && first.hosts.iter().any(|host| play.hosts.contains(host))) {
            if let Some((name, _)) = handler_places(first).into_iter().find(|place| mine.contains(place)) {
                problems.push(
                    Diagnostic::config(format!("two plays are called `{}`, and both have a handler `{name}`", play.name))
                        .maybe_at(play.span.as_ref())
                        .note("the first one", first.span.as_ref())
                        .hint("give each its own `name:`; a host remembers by it which handler is still to run"),
                );
            }
        }
    }
}

/// The handlers of a play and of its roles: name, and the positions of the tasks around it.
fn handler_places(play: &Play) -> Vec<(&str, Vec<usize>)> {
    fn below<'a>(tasks: &'a [Task], around: &[usize], out: &mut Vec<(&'a str, Vec<usize>)>) {
        for (at, task) in tasks.iter().enumerate() {
            let here = [around, &[at]].concat();
            match &task.body {
                Body::Block(tasks) | Body::Include(_, tasks) => below(tasks, &here, out),
                Body::Role(role, _) => {
                    out.extend(handler_names(&role.handlers).into_iter().map(|name| (name, here.clone())));
                    below(&role.tasks, &here, out);
                }
                Body::Resource(..) | Body::Assert(_) => {}
            }
        }
    }
    let mut out: Vec<_> = handler_names(&play.handlers).into_iter().map(|name| (name, Vec::new())).collect();
    below(&play.tasks, &[], &mut out);
    out
}

fn handler_names(handlers: &[Task]) -> Vec<&str> {
    handlers.iter().filter_map(|handler| handler.name.as_ref()?.as_str()).collect()
}

fn notified(tasks: &[Task], names: &[&str], problems: &mut Diagnostics) {
    for task in tasks {
        for (name, span) in task.notify.iter().filter(|(name, _)| !name.contains("{{") && !names.contains(&name.as_str())) {
            problems.push(
                Diagnostic::config(format!("no handler is called `{name}`"))
                    .maybe_at(span.as_ref())
                    .hint(hint_names(name, "handlers", names.iter().copied())),
            );
        }
        match &task.body {
            Body::Block(tasks) | Body::Include(_, tasks) => notified(tasks, names, problems),
            Body::Role(role, _) => {
                let inner: Vec<&str> = handler_names(&role.handlers).into_iter().chain(names.iter().copied()).collect();
                notified(&role.tasks, &inner, problems);
                notified(&role.handlers, &inner, problems);
            }
            Body::Resource(..) | Body::Assert(_) => {}
        }
    }
}
