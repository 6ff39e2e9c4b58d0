//! What steps are called, and why some are skipped; never with a secret in it.

use super::args::{Render, Trouble};
use super::model::{Assert, Body as Raw, Task};
use super::render::Renderer;
use super::step::Body;
use crate::lang::{Data, Diagnostic, Span, Value, template};

/// How long a label's item or a reason may be.
const LONGEST: usize = 60;

/// `ROLE: name (item)`.
pub fn of(task: &Task, role: &str, item: Option<&str>, body: &Body, renderer: &mut Renderer<'_>) -> String {
    let named = task.name.as_ref().map(|name| match renderer.value(name) {
        Ok(value) if !value.is_secret() => value.as_str().map_or_else(|| plain(name), str::to_owned),
        _ => plain(name),
    });
    let name = named.unwrap_or_else(|| match body {
        Body::Resource(resource) if !resource.secret() && !names_secret(task, renderer) => short(&resource.id().to_string()),
        _ => raw(task),
    });
    let item = item.map(|item| format!(" ({item})")).unwrap_or_default();
    format!("{role}{name}{item}")
}

/// Whether a parameter that the id may show is secret.
fn names_secret(task: &Task, renderer: &mut Renderer<'_>) -> bool {
    match &task.body {
        Raw::Resource(_, args) => renderer.value(args).is_ok_and(|value| value.is_secret()),
        _ => false,
    }
}

fn plain(name: &Value) -> String {
    if name.secret { "‹masked›".into() } else { name.as_str().unwrap_or_default().to_owned() }
}

/// What a task is called before anything is rendered.
pub fn raw(task: &Task) -> String {
    if let Some(name) = &task.name {
        return plain(name);
    }
    match &task.body {
        Raw::Resource(kind, args) => {
            let first = kind.params.iter().find(|p| p.required).map_or(kind.bare, |p| p.name);
            let text = args.get(first).and_then(Value::as_str).or(args.as_str());
            match text.filter(|_| !args.is_secret()) {
                Some(text) => format!("{} {}", kind.name, short(text)),
                None => kind.name.to_owned(),
            }
        }
        Raw::Block(_) => "block".into(),
        Raw::Include(path, _) => format!("include {}", path.display()),
        Raw::Role(role, _) => format!("role {}", role.name),
        Raw::Assert(_) => "assert".into(),
    }
}

/// A loop's item: its text, its name or key, else its number.
pub fn item(item: &Value, index: usize) -> String {
    let named = ["name", "key", "id", "path", "dest"].iter().find_map(|key| item.get(key));
    let shown = named.unwrap_or(item);
    let number = format!("#{}", index + 1);
    if shown.is_secret() {
        return number;
    }
    match &shown.data {
        Data::Str(text) => short(text),
        Data::Int(n) => n.to_string(),
        Data::Bool(b) => b.to_string(),
        _ => number,
    }
}

/// The first line, and not too much of it.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut cut: String = line.chars().take(LONGEST).collect();
    if cut.len() < text.trim_end().len() {
        cut.push('…');
    }
    cut
}

/// Why a step is skipped: the expression that is not true.
pub fn unless(expression: &Value) -> String {
    match expression.as_str() {
        Some(text) => format!("not ({})", short(text)),
        None => "`when` is false".into(),
    }
}

/// An assertion's outcome.
pub fn assert(assert: &Assert, span: Option<&Span>, renderer: &mut Renderer<'_>) -> Result<Body, Trouble> {
    let Some(not) = renderer.all_true(&assert.that)? else { return Ok(Body::Assert { failed: None }) };
    let mut failed = Diagnostic::config("an assertion does not hold").maybe_at(not.origin.as_ref().or(span)).label("this is not true");
    let mut message = None;
    if let Some(text) = &assert.message {
        let rendered = renderer.value(text)?;
        message = (!rendered.is_secret()).then(|| rendered.as_str().map(str::to_owned)).flatten();
    }
    failed.message = message.unwrap_or(failed.message);
    for path in not.as_str().map(template::names_read_by_expression).unwrap_or_default() {
        if let Some(origin) = renderer.scope.origin_of(&path) {
            failed = failed.note(format!("`{path}` comes from here"), Some(&origin));
        }
    }
    Ok(Body::Assert { failed: Some(Box::new(failed.hint("the playbook asks for this before it goes on"))) })
}
