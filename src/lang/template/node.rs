//! Our maps and lists as the template engine sees them: each read is noted, each secret leaf taints.

use super::scope::{Binding, Scope};
use super::session::{Session, Trail};
use super::Error;
use crate::lang::value::{Data, Value};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Mini, ValueKind};
use std::fmt;
use std::sync::Arc;

/// All names of a scope.
pub(super) struct Root {
    pub(super) session: Arc<Session>,
    pub(super) scope: Scope,
    pub(super) trail: Trail,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scope")
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Mini) -> Option<Mini> {
        self.session.lookup(key.as_str()?, &self.scope, &self.trail)
    }
}

/// A map or list within a variable.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) session: Arc<Session>,
    pub(super) binding: Binding,
    /// From the variable to here.
    pub(super) steps: Vec<usize>,
    /// Dotted.
    pub(super) path: String,
    /// A container above says that all in it is secret.
    pub(super) secret: bool,
    pub(super) trail: Trail,
}

impl Node {
    /// The value itself.
    pub(super) fn value(&self) -> &Value {
        static NOTHING: Value = Value { data: Data::Null, origin: None, secret: false, keys: None };
        self.steps.iter().fold(&*self.binding.value, |value, &step| {
            let next = match &value.data {
                Data::Seq(items) => items.get(step),
                Data::Map(map) => map.get_index(step).map(|(_, value)| value),
                _ => None,
            };
            next.unwrap_or(&NOTHING)
        })
    }

    /// The value at `step`, called `segment`.
    pub(super) fn child(&self, step: usize, segment: &str) -> Option<Mini> {
        let path = format!("{}.{segment}", self.path);
        if let Some(cause) = self.binding.late.get(&path) {
            self.session.read(&path, true);
            return Some(self.session.fail(Error::late(cause.clone(), &path)));
        }
        let value = match &self.value().data {
            Data::Seq(items) => items.get(step)?,
            Data::Map(map) => map.get_index(step)?.1,
            _ => return None,
        };
        let mut steps = self.steps.clone();
        steps.push(step);
        Some(self.session.present(value, &self.binding, &steps, &path, self.secret, &self.trail))
    }

    /// A key that the map has not may still be late.
    fn absent(&self, key: &str) -> Option<Mini> {
        let path = format!("{}.{key}", self.path);
        self.session.read(&path, true);
        let below = format!("{path}.");
        let late = &self.binding.late;
        let cause = late.get(&path).or_else(|| {
            late.range(below.clone()..).next().filter(|(late, _)| late.starts_with(&below)).map(|(_, cause)| cause)
        });
        if let Some(cause) = cause {
            return Some(self.session.fail(Error::late(cause.clone(), &path)));
        }
        let present = self.value().as_map().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        self.session.missing(&self.path, key, present);
        None
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Arc::new(self.clone()).render(f)
    }
}

impl Object for Node {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.value().as_seq().is_some() { ObjectRepr::Seq } else { ObjectRepr::Map }
    }

    fn get_value(self: &Arc<Self>, key: &Mini) -> Option<Mini> {
        let before = self.session.failed();
        let value = self.element(key)?;
        // minijinja 3.1 panics when it compares two invalid values, as sorting does: only the first failure answers one,
        // which ends the rendering where it is touched. The error is kept, and is the outcome in any case.
        Some(if before && value.kind() == ValueKind::Invalid { Mini::from_object(Unreadable) } else { value })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.session.read(&self.path, true);
        match &self.value().data {
            Data::Seq(items) => Enumerator::Seq(items.len()),
            Data::Map(map) => Enumerator::Values(map.keys().map(|key| Mini::from(key.as_str())).collect()),
            _ => Enumerator::NonEnumerable,
        }
    }
}

/// Stands for an element that cannot be read.
#[derive(Debug)]
struct Unreadable;

impl Object for Unreadable {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Node {
    fn element(&self, key: &Mini) -> Option<Mini> {
        match &self.value().data {
            Data::Seq(_) => {
                let step = key.as_usize()?;
                self.child(step, &step.to_string())
            }
            Data::Map(map) => {
                // Keys are texts; `ports[80]` means the key that was written as 80.
                let text = key.as_str().map(str::to_owned).or_else(|| key.is_integer().then(|| key.to_string()))?;
                match map.get_index_of(&text) {
                    Some(step) => self.child(step, &text),
                    None => self.absent(&text),
                }
            }
            _ => None,
        }
    }
}
