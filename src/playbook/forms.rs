//! The forms that values of plays and tasks take: patterns, expressions, batches, results.

use super::keys;
use super::model::{Register, Serial, Tolerance};
use crate::inventory::fields::{Fields, bad_name, first_line, plain_text, truth, whole, wrong_type};
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value};

/// A play's or task's `become`: whether, not how.
pub(super) fn becomes(f: &mut Fields<'_, '_>) -> Option<bool> {
    let value = f.get("become")?;
    if value.as_map().is_some() {
        f.problems.push(
            wrong_type("become", value, "true or false here").hint("whether is said here; how (method, user, password) is said in the inventory, on the host"),
        );
        return None;
    }
    f.bool("become")
}

pub(super) fn texts(f: &mut Fields<'_, '_>, key: &str) -> Vec<String> {
    f.texts(key).unwrap_or_default().into_iter().map(|(text, _)| text).collect()
}

pub(super) fn pattern_text(value: &Value, problems: &mut Diagnostics) -> Option<String> {
    match &value.data {
        Data::Seq(items) if items.iter().all(|item| item.as_str().is_some()) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
        _ => {
            let text = plain_text(value);
            if text.is_none() {
                problems.push(wrong_type("hosts", value, "a pattern like `pis:!pi-3`"));
            }
            text
        }
    }
}

/// Bare expressions: one, or a list of which all must hold.
pub(super) fn expressions(key: &str, value: &Value, problems: &mut Diagnostics) -> Vec<Value> {
    let items = value.as_seq().map_or_else(|| vec![value], |items| items.iter().collect());
    let mut found = Vec::new();
    for item in items {
        match &item.data {
            Data::Str(text) if text.contains("{{") => {
                let bare = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
                problems.push(
                    Diagnostic::config(format!("`{key}` is an expression already and takes no braces"))
                        .maybe_at(item.origin.as_ref())
                        .hint(format!("write `{key}: {bare}`")),
                );
            }
            Data::Str(_) | Data::Bool(_) => found.push(item.clone()),
            _ => problems.push(wrong_type(key, item, "an expression, or a list of them")),
        }
    }
    found
}

pub(super) fn register(value: &Value, problems: &mut Diagnostics) -> Option<Register> {
    let plain = |name: String, span: Option<Span>| Register { name, span, keep: false, secret: false, item: None };
    let register = match value.as_map() {
        None => match value.as_str() {
            Some(name) => plain(name.to_owned(), value.origin.clone()),
            None => {
                problems.push(wrong_type("register", value, "the name of a variable, or a map with `name`, `keep` and `secret`"));
                return None;
            }
        },
        Some(map) => {
            let mut f = Fields::open(value, "`register`", keys::REGISTER, &[], problems)?;
            f.need("name", "name the variable that takes the result")?;
            let name = f.text("name")?;
            let (keep, secret) = (f.bool("keep").unwrap_or(false), f.bool("secret").unwrap_or(false));
            Register { keep, secret, ..plain(name, map.get("name").and_then(|v| v.origin.clone())) }
        }
    };
    if let Some(problem) = bad_name(&register.name, register.span.as_ref()) {
        problems.push(problem);
        return None;
    }
    Some(register)
}

pub(super) fn percent(value: &Value) -> Option<u8> {
    value.as_str()?.trim().strip_suffix('%')?.trim().parse().ok().filter(|p| *p <= 100)
}

pub(super) fn serial(value: &Value, problems: &mut Diagnostics) -> Vec<Serial> {
    let items = value.as_seq().map_or_else(|| vec![value], |items| items.iter().collect());
    let mut found = Vec::new();
    for item in items {
        let size = match (whole(item), percent(item)) {
            (Some(n), _) if n > 0 => usize::try_from(n).ok().map(Serial::Hosts),
            (None, Some(p)) if p > 0 => Some(Serial::Percent(p)),
            _ => None,
        };
        match size {
            Some(size) => found.push(size),
            None => problems.push(
                Diagnostic::config("`serial` takes a number of hosts above 0, a percentage, or a list of them")
                    .maybe_at(first_line(item.origin.clone()).as_ref())
                    .hint("for example `serial: 2`, `serial: 30%` or `serial: [1, 50%]`"),
            ),
        }
    }
    found
}

pub(super) fn tolerance(value: &Value, problems: &mut Diagnostics) -> Option<Tolerance> {
    let found = match (whole(value), percent(value)) {
        (Some(n), _) if n >= 0 && truth(value).is_none() => usize::try_from(n).ok().map(Tolerance::Hosts),
        (None, Some(p)) => Some(Tolerance::Percent(p)),
        _ => None,
    };
    if found.is_none() {
        problems.push(
            Diagnostic::config("`max_failures` takes a number of hosts or a percentage")
                .maybe_at(first_line(value.origin.clone()).as_ref())
                .hint("for example `max_failures: 1` or `max_failures: 30%`"),
        );
    }
    found
}
