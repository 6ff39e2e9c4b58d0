//! A role's parameters: what was given against what was declared.

use super::args::{Render, Trouble, has_template, mode};
use super::model::{Role, RoleParam};
use super::render::Renderer;
use crate::inventory::fields::{hint_names, key_span, plain_text, seconds, truth, whole, wrong_type};
use crate::lang::{Data, Diagnostic, Diagnostics, Scope, Span, Value};

/// What can be said without rendering: names, and the types of what is written plainly.
pub fn check_names(role: &Role, with: &Value, span: Option<&Span>, problems: &mut Diagnostics) {
    let map = match &with.data {
        Data::Map(map) => Some(map),
        Data::Null => None,
        _ => {
            problems.push(wrong_type("with", with, "a map of parameters"));
            return;
        }
    };
    for (name, value) in map.into_iter().flatten() {
        let place = with.key_origin(name).cloned().or_else(|| key_span(name, value));
        match role.params.get(name) {
            None => problems.push(
                Diagnostic::config(format!("the role `{}` has no parameter `{name}`", role.name))
                    .maybe_at(place.as_ref())
                    .label("unknown")
                    .hint(hint_names(name, "its parameters", role.params.keys().map(String::as_str).collect::<Vec<_>>())),
            ),
            Some(param) if !has_template(value) && value.data != Data::Null => {
                if let Err(problem) = typed(role, name, param, value) {
                    problems.push(problem);
                }
            }
            Some(_) => {}
        }
    }
    for (name, param) in &role.params {
        let given = map.and_then(|map| map.get(name)).is_some_and(|value| value.data != Data::Null);
        if param.required && !given {
            let help = if param.help.is_empty() { String::new() } else { format!(": {}", param.help) };
            problems.push(
                Diagnostic::config(format!("the role `{}` needs the parameter `{name}`", role.name))
                    .maybe_at(span)
                    .note("it is declared here", param.span.as_ref())
                    .hint(format!("give it in `with:`{help}")),
            );
        }
    }
}

/// The scope of the role's tasks: its parameters over `caller`, in which what was given is rendered. What is late
/// stays so, and is told where it is read.
pub fn scope(role: &Role, with: &Value, caller: &Renderer<'_>, problems: &mut Diagnostics) -> Scope {
    let (mut reads, mut waits) = Default::default();
    let mut given = Vec::new();
    let map = with.as_map();
    for (name, param) in &role.params {
        let Some(value) = map.and_then(|map| map.get(name)).filter(|value| value.data != Data::Null) else { continue };
        let mut renderer = Renderer { engine: caller.engine, scope: caller.scope.clone(), reads: &mut reads, waits: &mut waits };
        given.push((name.clone(), settle(role, name, param, value, &mut renderer, problems)));
    }
    let mut scope = caller.scope.params(given.clone(), &caller.scope);
    for (name, param) in &role.params {
        if given.iter().any(|(n, _)| n == name) {
            continue;
        }
        // A parameter without a value is nothing, so that the role can ask for it.
        let default = param.default.clone().unwrap_or(Value::null());
        let value = match default.data {
            Data::Null => default,
            _ => {
                let mut renderer = Renderer { engine: caller.engine, scope: scope.clone(), reads: &mut reads, waits: &mut waits };
                settle(role, name, param, &default, &mut renderer, problems)
            }
        };
        let home = scope.clone();
        scope = scope.params([(name.clone(), value)], &home);
    }
    scope
}

/// The value to bind: converted where it is plain; a template stays one, its present value being checked.
fn settle(role: &Role, name: &str, param: &RoleParam, value: &Value, renderer: &mut Renderer<'_>, problems: &mut Diagnostics) -> Value {
    let mut bound = value.clone();
    match renderer.value(value) {
        Ok(rendered) if rendered.data == Data::Null => {}
        Ok(rendered) => match typed(role, name, param, &rendered) {
            Ok(converted) if !has_template(value) => bound.data = converted,
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        },
        Err(Trouble::Late { .. }) => {}
        Err(Trouble::Wrong(more)) => problems.0.extend(more.0),
    }
    bound.tainted(param.secret)
}

/// `value` as the parameter's type has it.
fn typed(role: &Role, name: &str, param: &RoleParam, value: &Value) -> Result<Data, Diagnostic> {
    let wrong = |takes: &str| {
        let mut problem = wrong_type(name, value, takes);
        problem.message = format!("the parameter `{name}` of the role `{}` takes {takes}, not {}", role.name, value.type_name());
        problem.note("it is declared here", param.span.as_ref())
    };
    match param.ty {
        "text" => plain_text(value).map(Data::Str).ok_or_else(|| wrong("a text")),
        "bool" => truth(value).map(Data::Bool).ok_or_else(|| wrong("true or false")),
        "int" => whole(value).map(Data::Int).ok_or_else(|| wrong("a whole number")),
        "list" => value.as_seq().map(|_| value.data.clone()).ok_or_else(|| wrong("a list")),
        "map" => value.as_map().map(|_| value.data.clone()).ok_or_else(|| wrong("a map")),
        "path" => value.as_str().filter(|text| text.starts_with('/')).map(|_| value.data.clone()).ok_or_else(|| wrong("an absolute path")),
        "duration" => seconds(value).map(|_| value.data.clone()).ok_or_else(|| wrong("seconds, or a time with a unit, like `5m`")),
        // The resource that it goes to reads the token again.
        "mode" => mode(name, value).map(|_| value.data.clone()),
        "choice" => match plain_text(value) {
            Some(text) if param.choices.contains(&text) => Ok(Data::Str(text)),
            Some(text) => Err(Diagnostic::config(format!("the parameter `{name}` of the role `{}` cannot be `{text}`", role.name))
                .maybe_at(value.origin.as_ref())
                .label(format!("one of: {}", param.choices.join(", ")))
                .hint(hint_names(&text, "choices", param.choices.iter().map(String::as_str).collect::<Vec<_>>()))),
            None => Err(wrong("a word")),
        },
        _ => Ok(value.data.clone()),
    }
}
