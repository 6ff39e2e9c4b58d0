//! What holds for the tasks of one list while they are compiled: scope, gate, handlers in reach.

use super::model::Task;
use crate::lang::{Data, Diagnostic, Diagnostics, Scope, Value};
use crate::resource::KindSpec;
use std::rc::Rc;

/// Whether tasks run at all, as blocks and roles around them say.
#[derive(Debug, Clone)]
pub(super) enum Gate {
    Open,
    Skip(String),
    Late { cause: String, facts: bool },
}

/// Handlers that a task may notify, nearest first.
pub(super) struct Reach<'a> {
    /// Name and key.
    pub(super) keys: Vec<(&'a str, String)>,
    pub(super) outer: Option<Rc<Reach<'a>>>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(handlers: &'a [Task], prefix: &str, outer: Option<Rc<Reach<'a>>>) -> Self {
        let name = |task: &'a Task| task.name.as_ref().and_then(Value::as_str).unwrap_or_default();
        Reach { keys: handlers.iter().map(|task| (name(task), format!("{prefix}/{}", name(task)))).collect(), outer }
    }

    pub(super) fn key(&self, name: &str) -> Option<String> {
        match self.keys.iter().find(|(known, _)| *known == name) {
            Some((_, key)) => Some(key.clone()),
            None => self.outer.as_ref()?.key(name),
        }
    }

    pub(super) fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.keys.iter().map(|(name, _)| *name).collect();
        names.extend(self.outer.as_ref().map(|outer| outer.names()).unwrap_or_default());
        names
    }
}

/// What holds for the tasks of one list.
#[derive(Clone)]
pub(super) struct Context<'a> {
    pub(super) scope: Scope,
    pub(super) key: String,
    pub(super) role: String,
    pub(super) tags: Vec<String>,
    pub(super) become_: bool,
    pub(super) gate: Gate,
    pub(super) run_once: bool,
    pub(super) reach: Rc<Reach<'a>>,
    /// The loop item that a role or include runs for, as labels show it.
    pub(super) item: Option<String>,
}

/// How a registered name stands.
pub(super) enum Outcome {
    Late(String),
    Skipped,
    Known(Value),
}

pub(super) fn with_item(scope: &Scope, item: Value, index: usize) -> Scope {
    let index = Value::from(Data::Int(i64::try_from(index).unwrap_or(i64::MAX)));
    scope.data([("item".to_owned(), item), ("item_index".to_owned(), index)])
}

/// The parameters with the task's `undo:` among them.
pub(super) fn with_undo(task: &Task, kind: &KindSpec, raw: &Value) -> Value {
    let Some(undo) = &task.undo else { return raw.clone() };
    let mut map = match &raw.data {
        Data::Map(map) => map.clone(),
        _ => [(kind.bare.to_owned(), raw.clone())].into_iter().collect(),
    };
    map.entry("undo".to_owned()).or_insert_with(|| undo.clone());
    Value { data: Data::Map(map), ..raw.clone() }
}

pub(super) fn paths(value: &Value, problems: &mut Diagnostics) -> Vec<String> {
    let items = value.as_seq().map_or_else(|| vec![value], |items| items.iter().collect());
    let mut paths = Vec::new();
    for item in items {
        match item.as_str().filter(|text| text.starts_with('/')) {
            Some(path) => paths.push(path.to_owned()),
            None => problems.push(
                Diagnostic::config("`provides` lists absolute paths on the node")
                    .maybe_at(item.origin.as_ref().or(value.origin.as_ref()))
                    .hint("for example `provides: [/etc/nginx]`; `provides: []` brings nothing"),
            ),
        }
    }
    paths
}
