//! The template engine's errors in our words: where in the template, where the variables came from, what to do.

use super::scope::Scope;
use super::session::Session;
use super::{Engine, Error};
pub(super) use super::place::Text;
use crate::lang::diagnostic::{Diagnostic, Diagnostics};
use crate::lang::source::Span;
use crate::lang::{filters, suggest};
use minijinja::ErrorKind as K;
use std::path::Path;
use std::sync::Arc;

/// How many places where a variable came from one message shows.
const MAX_NOTES: usize = 3;

/// Whether `expression` mentions `key`.
pub(super) fn names(expression: &str, key: &str) -> bool {
    expression.match_indices(key).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = expression[..at].chars().next_back();
        let after = expression[at + key.len()..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

/// A diagnostic for `error`, which rendering `text` ended with. `offset`: where in `text` the expression begins.
pub(super) fn explain(
    session: &Arc<Session>,
    error: &minijinja::Error,
    text: &Text<'_>,
    offset: usize,
    scope: &Scope,
) -> Diagnostics {
    let mut outer = Vec::new();
    let mut inner = error;
    while let Some(next) = std::error::Error::source(inner).and_then(|e| e.downcast_ref::<minijinja::Error>()) {
        outer.push(inner);
        inner = next;
    }
    let (span, expression) = place(inner, text, offset, &session.engine);
    let mut problem = message(session, inner, &expression, scope).maybe_at(span.as_ref());
    if about_values(inner.kind()) {
        let named = paths(&expression);
        let origins = named.iter().filter_map(|path| scope.origin_part(path));
        for (path, origin) in origins.take(MAX_NOTES) {
            problem = problem.note(format!("`{path}` comes from here"), Some(&origin));
        }
    }
    for error in outer.into_iter().rev() {
        if let (Some(span), _) = place(error, text, offset, &session.engine) {
            problem = problem.note("included here", Some(&span));
        }
    }
    problem.into()
}

/// Whether where a variable came from has to do with it.
fn about_values(kind: K) -> bool {
    use K::{InvalidDelimiter, OutOfFuel, SyntaxError, TemplateNotFound, UnknownFilter, UnknownFunction, UnknownTest};
    !matches!(
        kind,
        SyntaxError | UnknownFilter | UnknownTest | UnknownFunction | TemplateNotFound | OutOfFuel | InvalidDelimiter
    )
}

/// An error from within a variable, with the place that read the variable.
pub(super) fn used_here(
    error: Error,
    outer: Option<&minijinja::Error>,
    text: &Text<'_>,
    offset: usize,
    engine: &Engine,
) -> Error {
    let span = outer.and_then(|outer| place(outer, text, offset, engine).0);
    match (error, span) {
        (Error::Wrong(mut problems), Some(span)) => {
            for problem in &mut problems.0 {
                let known = problem.span.as_ref() == Some(&span) || problem.notes.iter().any(|n| n.span.as_ref() == Some(&span));
                if !known && problem.notes.len() <= MAX_NOTES {
                    problem.notes.push(crate::lang::diagnostic::Note { message: "read here".into(), span: Some(span.clone()) });
                }
            }
            Error::Wrong(problems)
        }
        (Error::Late { cause, name, span: None }, span) => Error::Late { cause, name, span },
        (error, _) => error,
    }
}

/// Where an error of the engine is, and the template text there.
fn place(error: &minijinja::Error, text: &Text<'_>, offset: usize, engine: &Engine) -> (Option<Span>, String) {
    let name = error.name();
    let own = name.is_none_or(|name| name == "<expression>" || name == text.name());
    if own {
        let range = match (error.range(), error.line()) {
            (Some(range), _) => offset + range.start..offset + range.end,
            (None, Some(line)) => line_range(text.text, line),
            (None, None) => 0..text.text.len(),
        };
        let expression = text.text.get(range.clone()).unwrap_or_default().to_owned();
        return (text.place(range), expression);
    }
    let Some(source) = name.and_then(|name| engine.inner.files.read(Path::new(name)).ok()) else {
        return (text.span.cloned(), String::new());
    };
    let range = error.range().unwrap_or_else(|| line_range(&source.text, error.line().unwrap_or(1)));
    let span = Span::new(&source, range);
    let expression = span.text().to_owned();
    (Some(span), expression)
}

fn line_range(text: &str, line: usize) -> std::ops::Range<usize> {
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
    start..end
}

fn message(session: &Arc<Session>, error: &minijinja::Error, expression: &str, scope: &Scope) -> Diagnostic {
    let detail = error.detail().unwrap_or_default();
    // `filter foo is unknown`: the one thing of interest.
    let thing = || detail.split(' ').find(|word| !["filter", "test", "function", "unknown", "is", "the"].contains(word)).unwrap_or_default();
    match error.kind() {
        K::UndefinedError => undefined(session, expression, scope),
        K::SyntaxError => {
            Diagnostic::config(format!("the template cannot be read: {detail}")).hint(syntax_hint(detail))
        }
        K::UnknownFilter => unknown("filter", thing(), filters::NAMES, "`homelab docs filters` lists the filters"),
        K::UnknownTest => unknown("test", thing(), filters::TESTS, "`is defined`, `is none` and `is in` are the usual ones"),
        K::UnknownFunction => unknown("function", thing(), filters::FUNCTIONS, "`range` and `dict` are the usual ones"),
        K::TemplateNotFound => Diagnostic::config(format!("there is no template {}", quoted_name(detail)))
            .hint(format!("it is looked for {}", searched(&session.engine))),
        K::OutOfFuel => Diagnostic::config("the template takes too many steps")
            .hint("is there a loop over a very long list, or one within another?"),
        _ if session.secret() => Diagnostic::config("this expression fails on a secret value")
            .hint("the details would show the secret; try the template with a harmless value"),
        kind if detail.is_empty() => Diagnostic::config(format!("this expression fails: {kind}")).hint(OPERATION_HINT),
        _ => Diagnostic::config(detail.to_owned()).hint(OPERATION_HINT),
    }
}

const OPERATION_HINT: &str = "check the values that the expression uses";

fn undefined(session: &Arc<Session>, expression: &str, scope: &Scope) -> Diagnostic {
    let Some(missing) = session.missing_in(expression) else {
        return Diagnostic::config(format!("`{}` is not defined", expression.trim()))
            .hint("define it, or give a fallback: `| default(…)`");
    };
    let present = missing.present.iter().map(String::as_str);
    if missing.base.is_empty() {
        let fallback = "define it in the inventory, the play or the task, or give a fallback: `| default(…)`";
        let hint = suggest::hint(&missing.key, present, fallback);
        return Diagnostic::config(format!("`{}` is not defined", missing.key)).label("not defined").hint(hint);
    }
    let fallback = match missing.present.len() {
        0 => format!("`{}` is empty; give a fallback: `| default(…)`", missing.base),
        1..=8 => format!("it has {}", missing.present.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
        _ => "give a fallback: `| default(…)`".to_owned(),
    };
    let mut problem = Diagnostic::config(format!("`{}` has no `{}`", missing.base, missing.key))
        .label("not there")
        .hint(suggest::hint(&missing.key, present, &fallback));
    if let (Some(origin), true) = (scope.origin_of(&missing.base), !paths(expression).iter().any(|p| p.starts_with(&missing.base))) {
        problem = problem.note(format!("`{}` comes from here", missing.base), Some(&origin));
    }
    problem
}

fn unknown(what: &str, name: &str, known: &[&str], fallback: &str) -> Diagnostic {
    Diagnostic::config(format!("there is no {what} `{name}`")).hint(suggest::hint(name, known.iter().copied(), fallback))
}

fn syntax_hint(detail: &str) -> &'static str {
    if detail.contains("unknown statement") || detail.contains("unexpected tag") || detail.ends_with("expected end of block") {
        "every `{% if %}` wants its `{% endif %}`, every `{% for %}` its `{% endfor %}`"
    } else if detail.contains("unexpected end of input") || detail.contains("end of variable block") {
        "is a `}}`, `%}` or a quote missing?"
    } else {
        "`{{ }}` holds an expression, `{% %}` a statement; `{% raw %}` keeps braces as they are"
    }
}

fn quoted_name(detail: &str) -> String {
    match detail.split(['"', '\'']).nth(1) {
        Some(name) => format!("`{name}`"),
        None => detail.to_owned(),
    }
}

fn searched(engine: &Engine) -> String {
    let mut places = vec!["beside the file that includes it".to_owned()];
    places.extend(engine.inner.search.iter().map(|dir| format!("in {}", dir.display())));
    places.join(", then ")
}

/// The dotted paths that an expression names, texts in quotes left out.
fn paths(expression: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let mut quote = None;
    let mut current = String::new();
    for c in expression.chars().chain([' ']) {
        match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
                continue;
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
        if c.is_alphanumeric() || c == '_' || (c == '.' && !current.is_empty()) {
            current.push(c);
            continue;
        }
        let path = std::mem::take(&mut current).trim_end_matches('.').to_owned();
        if path.starts_with(|c: char| c.is_alphabetic() || c == '_') && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}
