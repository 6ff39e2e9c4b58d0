//! Parameters of resources and roles: declared once, checked once, read by the constructors.

use crate::lang::{Span, Value};
use crate::node::Content;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ty {
    /// A text. Numbers and truth values are taken as they were written.
    Str,
    /// A truth value: `true`/`false`, `yes`/`no`, `on`/`off`.
    Bool,
    /// A whole number.
    Int,
    /// File permissions, octal (`0644` and `"0644"`; `644` is an error with a hint) or symbolic (`u=rw,go=r`).
    Mode,
    /// An absolute path on the node.
    Path,
    /// A list of texts; one text alone is taken as a list of one.
    Strs,
    /// A map of texts.
    StrMap,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A file or directory on the controller, relative to the file that names it: loaded as content.
    LocalFile,
    /// A template on the controller, relative likewise or in `templates/`: rendered as content.
    Template,
    /// Seconds (`30`) or with a unit (`90s`, `5m`, `1h`).
    Duration,
    /// Anything.
    Any,
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its key.
    pub name: &'static str,
    /// Other keys it is known by (Ansible's aliases).
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub ty: Ty,
    /// Must be given.
    pub required: bool,
    /// What holds when it is not given, as the reference prints it; empty: nothing.
    pub default: &'static str,
    /// What it means, in Markdown.
    pub help: &'static str,
    /// Its value is a secret by nature (a password).
    pub secret: bool,
}

impl Param {
    /// An optional parameter.
    pub const fn new(name: &'static str, ty: Ty, help: &'static str) -> Self {
        Param { name, aliases: &[], ty, required: false, default: "", help, secret: false }
    }

    /// A parameter that must be given.
    pub const fn required(name: &'static str, ty: Ty, help: &'static str) -> Self {
        Param { required: true, ..Param::new(name, ty, help) }
    }

    /// With what holds when it is not given (documentation; the constructor applies it).
    pub const fn default(self, default: &'static str) -> Self {
        Param { default, ..self }
    }

    /// With other keys.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Param { aliases, ..self }
    }

    /// Secret by nature.
    pub const fn secret(self) -> Self {
        Param { secret: true, ..self }
    }
}

/// Rendered, type-checked arguments of one task. Keys are the declared names (aliases resolved); a value that is here
/// has the declared type, in this normal form: `Str`, `Path`, `Choice` → text; `Bool`, `Int` → theirs; `Mode` → number
/// or symbolic text; `Strs` → list of texts; `StrMap` → map of texts; `Duration` → whole seconds;
/// `LocalFile`, `Template` → text (the path as written), with what was loaded in `contents`.
#[derive(Debug, Clone, Default)]
pub struct Args {
    /// By declared name.
    pub values: IndexMap<String, Value>,
    /// Loaded files and rendered templates, by parameter name.
    pub contents: BTreeMap<String, Loaded>,
    /// The task's place, for errors.
    pub span: Option<Span>,
    /// This task is a handler, run because it was notified.
    pub handler: bool,
}

/// What a `LocalFile` or `Template` parameter named.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded {
    /// A file or a rendered text.
    File(Content),
    /// A directory: relative path → content (`None`: a directory), in order, parents first.
    Dir(Vec<(String, Option<Content>)>),
}

impl Args {
    /// The text of `name`.
    pub fn str(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// The text of `name`, owned.
    pub fn string(&self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    /// The truth value of `name`, or `default`.
    pub fn bool(&self, name: &str, default: bool) -> bool {
        match self.values.get(name).map(|v| &v.data) {
            Some(crate::lang::Data::Bool(yes)) => *yes,
            _ => default,
        }
    }

    /// The number of `name`.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name).map(|v| &v.data) {
            Some(crate::lang::Data::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// The texts of `name`; empty where not given.
    pub fn strs(&self, name: &str) -> Vec<String> {
        let items = self.values.get(name).and_then(Value::as_seq).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The map of `name`; empty where not given.
    pub fn map(&self, name: &str) -> BTreeMap<String, String> {
        let Some(map) = self.values.get(name).and_then(Value::as_map) else { return BTreeMap::new() };
        map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether the value of `name` is secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Value::is_secret)
    }

    /// The place of `name`'s value, or the task's.
    pub fn place(&self, name: &str) -> Option<&Span> {
        self.values.get(name).and_then(|v| v.origin.as_ref()).or(self.span.as_ref())
    }
}
