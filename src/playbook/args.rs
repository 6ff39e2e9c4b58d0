//! A task's raw parameters against the declaration of its resource: all problems at once, values in normal form.

use super::local::Local;
use super::model::Home;
use crate::inventory::fields::{hint_names, key_span, plain_text, seconds, truth, whole, wrong_type};
use crate::lang::mode::{Mode, parse_mode};
use crate::lang::suggest::did_you_mean;
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value};
use crate::node::Content;
use crate::resource::{Args, KindSpec, Loaded, Param, Ty};
use indexmap::IndexMap;
use std::path::Path;

/// Why something could not be rendered.
#[derive(Debug)]
pub enum Trouble {
    /// It is known only later.
    Late {
        /// What it waits for.
        cause: String,
        /// It reads facts that were not gathered yet.
        facts: bool,
    },
    /// It is wrong.
    Wrong(Diagnostics),
}

impl From<Diagnostic> for Trouble {
    fn from(problem: Diagnostic) -> Self {
        Trouble::Wrong(problem.into())
    }
}

/// What renders.
pub trait Render {
    /// The value with all its templates rendered.
    fn value(&mut self, value: &Value) -> Result<Value, Trouble>;
    /// A whole file as a template: its text and whether it is secret.
    fn file(&mut self, path: &Path, from: Option<&Span>) -> Result<(String, bool), Trouble>;
}

/// The parameters by declared name, each with the key it was written under.
type Named<'v> = IndexMap<&'static str, (&'static Param, &'v str, &'v Value)>;

/// Sorts raw parameters by declared name; reports unknown, doubled and missing ones.
pub fn sort<'v>(kind: &'static KindSpec, raw: &'v Value, span: Option<&Span>, problems: &mut Diagnostics) -> Named<'v> {
    let mut named = Named::new();
    let mut meant: Vec<String> = Vec::new();
    let find = |key: &str| kind.params.iter().find(|p| p.name == key || p.aliases.contains(&key));
    match &raw.data {
        Data::Map(map) => {
            for (key, value) in map {
                let place = raw.key_origin(key).cloned().or_else(|| key_span(key, value));
                let Some(param) = find(key) else {
                    let names = kind.params.iter().flat_map(|p| [p.name].into_iter().chain(p.aliases.iter().copied()));
                    let task_key = super::keys::TASK.iter().any(|k| k.name == key);
                    meant.extend(did_you_mean(key, names.clone()));
                    let hint = match task_key && did_you_mean(key, names.clone()).is_none() {
                        true => format!("`{key}` belongs to the task: indent it like `{}:`", kind.name),
                        false => hint_names(key, "parameters", names.collect::<Vec<_>>()),
                    };
                    problems.push(
                        Diagnostic::config(format!("`{}` has no parameter `{key}`", kind.name)).maybe_at(place.as_ref()).label("unknown").hint(hint),
                    );
                    continue;
                };
                if value.data == Data::Null {
                    continue;
                }
                if let Some((_, first, _)) = named.insert(param.name, (param, key, value)) {
                    problems.push(
                        Diagnostic::config(format!("`{first}` and `{key}` of `{}` mean the same", kind.name)).maybe_at(place.as_ref()).hint(format!("keep `{}`", param.name)),
                    );
                }
            }
        }
        Data::Null => {}
        _ => match find(kind.bare) {
            Some(param) => {
                named.insert(param.name, (param, param.name, raw));
            }
            None => {
                problems.push(wrong_type(kind.name, raw, "a map of parameters").hint(example_hint(kind)));
                return named;
            }
        },
    }
    let missing = |p: &&Param| p.required && !named.contains_key(p.name) && !meant.iter().any(|m| m == p.name || p.aliases.contains(&m.as_str()));
    for param in kind.params.iter().filter(missing) {
        problems.push(
            Diagnostic::config(format!("`{}` lacks the parameter `{}`", kind.name, param.name))
                .maybe_at(span)
                .hint(format!("add `{}:`. {}", param.name, param.help.lines().next().unwrap_or_default())),
        );
    }
    named
}

fn example_hint(kind: &KindSpec) -> String {
    let first = kind.params.iter().find(|p| p.required).or(kind.params.first()).map_or("…", |p| p.name);
    format!("write `{}: {{{first}: …}}`; `homelab docs {}` shows them all", kind.name, kind.name)
}

/// What can be said of raw parameters before anything is rendered, on no host in particular.
pub fn check_form(kind: &'static KindSpec, raw: &Value, span: Option<&Span>, problems: &mut Diagnostics) {
    for (param, key, value) in sort(kind, raw, span, problems).values() {
        if !has_template(value) && !matches!(param.ty, Ty::LocalFile | Ty::Template) {
            normal(param, key, value, problems);
        }
    }
}

/// Whether a text in it is a template.
pub fn has_template(value: &Value) -> bool {
    match &value.data {
        Data::Str(text) => text.contains("{{") || text.contains("{%"),
        Data::Seq(items) => items.iter().any(has_template),
        Data::Map(map) => map.values().any(has_template),
        _ => false,
    }
}

/// Raw parameters, rendered and in the normal form that [`Args`] documents.
pub fn check(kind: &'static KindSpec, raw: &Value, span: Option<&Span>, home: &Home, local: &Local<'_>, render: &mut dyn Render) -> Result<Args, Trouble> {
    let mut problems = Diagnostics::new();
    let mut late: Option<Trouble> = None;
    let mut args = Args { span: span.cloned(), ..Args::default() };
    for (name, (param, key, value)) in sort(kind, raw, span, &mut problems) {
        let mut tell = |trouble: Trouble, problems: &mut Diagnostics| match trouble {
            Trouble::Wrong(more) => problems.0.extend(more.0),
            waiting => late = Some(late.take().unwrap_or(waiting)),
        };
        let rendered = match render.value(value) {
            Ok(rendered) => rendered,
            Err(trouble) => {
                tell(trouble, &mut problems);
                continue;
            }
        };
        if rendered.data == Data::Null {
            if param.required {
                problems.push(Diagnostic::config(format!("`{key}` of `{}` is empty", kind.name)).maybe_at(value.origin.as_ref()).hint("it must have a value"));
            }
            continue;
        }
        // Computed values point at where they were asked for.
        let rendered = Value { origin: rendered.origin.clone().or_else(|| value.origin.clone()), ..rendered };
        let Some(normal) = normal(param, key, &rendered, &mut problems) else { continue };
        match (param.ty, normal.as_str()) {
            (Ty::LocalFile, Some(path)) => match local.load(path, home, normal.origin.as_ref()) {
                Ok(loaded) => {
                    args.contents.insert(name.to_owned(), loaded);
                }
                Err(more) => problems.0.extend(more.0),
            },
            (Ty::Template, Some(path)) => match local.template(path, home, normal.origin.as_ref()) {
                Err(more) => problems.0.extend(more.0),
                Ok(path) => match render.file(&path, normal.origin.as_ref()) {
                    Ok((text, secret)) => {
                        args.contents.insert(name.to_owned(), Loaded::File(Content::inline(text, secret)));
                    }
                    Err(trouble) => tell(trouble, &mut problems),
                },
            },
            _ => {}
        }
        args.values.insert(name.to_owned(), normal);
    }
    match (problems.is_empty(), late) {
        (false, _) => Err(Trouble::Wrong(problems)),
        (true, Some(late)) => Err(late),
        (true, None) => Ok(args),
    }
}

/// `value` in the normal form of `param`'s type.
fn normal(param: &Param, key: &str, value: &Value, problems: &mut Diagnostics) -> Option<Value> {
    let wrong = |takes: &str| {
        let mut problem = wrong_type(key, value, takes);
        if let (Some(text), false) = (value.as_str(), value.secret) {
            problem.message = format!("`{key}` takes {takes}, not `{}`", text.lines().next().unwrap_or_default());
        }
        problem
    };
    let data = match param.ty {
        Ty::Any => Ok(value.data.clone()),
        Ty::Str | Ty::LocalFile | Ty::Template => plain_text(value).map(Data::Str).ok_or_else(|| wrong("a text")),
        Ty::Bool => truth(value).map(Data::Bool).ok_or_else(|| wrong("true or false")),
        Ty::Int => whole(value).map(Data::Int).ok_or_else(|| wrong("a whole number")),
        Ty::Duration => seconds(value)
            .and_then(|s| i64::try_from(s).ok())
            .map(Data::Int)
            .ok_or_else(|| wrong("seconds, like `30`, or a time with a unit, like `5m`")),
        Ty::Mode => mode(value),
        Ty::Path => path(key, value),
        Ty::Choice(words) => match value.as_str().map(str::to_owned).or_else(|| plain_text(value)) {
            Some(text) if words.contains(&text.as_str()) => Ok(Data::Str(text)),
            Some(_) if value.secret => Err(wrong("one of its words")),
            Some(text) => Err(Diagnostic::config(format!("`{key}` cannot be `{text}`"))
                .maybe_at(value.origin.as_ref())
                .label(format!("one of: {}", words.join(", ")))
                .hint(hint_names(&text, "choices", words.iter().copied()))),
            None => Err(wrong("a word")),
        },
        Ty::Strs => strs(key, value),
        Ty::StrMap => str_map(key, value),
    };
    match data {
        Ok(data) => Some(Value { data, origin: value.origin.clone(), secret: value.secret || param.secret, keys: value.keys.clone() }),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn strs(key: &str, value: &Value) -> Result<Data, Diagnostic> {
    let items = value.as_seq().map_or_else(|| vec![value], |items| items.iter().collect());
    let texts = items.into_iter().map(|item| match plain_text(item) {
        Some(text) => Ok(Value { data: Data::Str(text), ..item.clone() }),
        None => Err(wrong_type(key, item, "a list of texts").label(format!("{} in the list", item.type_name()))),
    });
    Ok(Data::Seq(texts.collect::<Result<_, _>>()?))
}

fn str_map(key: &str, value: &Value) -> Result<Data, Diagnostic> {
    let map = value.as_map().ok_or_else(|| wrong_type(key, value, "a map of texts"))?;
    let mut out = IndexMap::new();
    for (name, item) in map {
        let text = plain_text(item).ok_or_else(|| wrong_type(&format!("{key}.{name}"), item, "a text"))?;
        out.insert(name.clone(), Value { data: Data::Str(text), ..item.clone() });
    }
    Ok(Data::Map(out))
}

fn path(key: &str, value: &Value) -> Result<Data, Diagnostic> {
    let text = value.as_str().ok_or_else(|| wrong_type(key, value, "an absolute path"))?;
    let bad = |message: String, hint: &str| Err(Diagnostic::config(message).maybe_at(value.origin.as_ref()).hint(hint));
    if text.contains(['\0', '\n', '\r']) {
        return bad(format!("`{key}` has a control character in it"), "a path is one line");
    }
    if !text.starts_with('/') {
        let hint = match text.starts_with('~') {
            true => "write the home directory out, or take it from `facts.user.home`",
            false => "begin it with `/`: a node has no current directory",
        };
        let shown = if value.secret { "a secret text" } else { text };
        return bad(format!("`{key}` takes an absolute path on the node, not `{shown}`"), hint);
    }
    Ok(Data::Str(text.to_owned()))
}

/// File permissions in their normal form: octal ones as a number, symbolic ones as a text.
pub fn mode(value: &Value) -> Result<Data, Diagnostic> {
    match parse_mode(value)? {
        Mode::Octal(bits) => Ok(Data::Int(i64::from(bits))),
        Mode::Symbolic(text) => Ok(Data::Str(text)),
    }
}
