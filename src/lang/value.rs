//! Values that remember where they came from and whether they are secret.

use super::source::Span;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// A list.
    Seq(Vec<Value>),
    /// A map, in the order written.
    Map(IndexMap<String, Value>),
}

/// A value with its origin.
#[derive(Clone)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it was written; a computed value has none. For a scalar this is the source token, quotes included,
    /// so that `mode: 0644` can be read as it was written.
    pub origin: Option<Span>,
    /// Tainted: it must never be shown. A list or map is asked with [`Value::is_secret`].
    pub secret: bool,
    /// Where the keys of a map were written; asked with [`Value::key_origin`].
    pub keys: Option<Arc<BTreeMap<String, Span>>>,
}

/// Equal when the data are; origins do not count.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

/// A secret's data do not show.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.secret { f.write_str("‹masked›") } else { self.data.fmt(f) }
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Value { data, origin: None, secret: false, keys: None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Data::Str(text.to_owned()).into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Data::Str(text).into()
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Data::Bool(truth).into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Data::Int(number).into()
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Data::Seq(items).into()
    }
}

impl From<IndexMap<String, Value>> for Value {
    fn from(map: IndexMap<String, Value>) -> Self {
        Data::Map(map).into()
    }
}

impl Value {
    /// Nothing.
    pub fn null() -> Self {
        Data::Null.into()
    }

    /// The same, written at `span`.
    pub fn at(mut self, span: &Span) -> Self {
        self.origin = Some(span.clone());
        self
    }

    /// The same, tainted where `secret`; never untainted.
    pub fn tainted(mut self, secret: bool) -> Self {
        self.secret |= secret;
        self
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&IndexMap<String, Value>> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_seq(&self) -> Option<&[Value]> {
        match &self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.data {
            Data::Int(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// What stands at `key`, if it is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Where the map's key was written: the place of an "unknown key".
    pub fn key_origin(&self, key: &str) -> Option<&Span> {
        self.keys.as_ref()?.get(key)
    }

    /// A scalar as it was written, without quotes if it had none: `1.10` is not 1.1, `0644` is not 644.
    pub fn written(&self) -> Option<&str> {
        match self.data {
            Data::Seq(_) | Data::Map(_) => None,
            _ => self.origin.as_ref().map(Span::text),
        }
    }

    /// Whether it or anything in it is secret.
    pub fn is_secret(&self) -> bool {
        self.secret
            || match &self.data {
                Data::Seq(items) => items.iter().any(Value::is_secret),
                Data::Map(map) => map.values().any(Value::is_secret),
                _ => false,
            }
    }

    /// What messages call its type: `a text`, `a list`, …
    pub fn type_name(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a truth value",
            Data::Int(_) => "a number",
            Data::Float(_) => "a decimal number",
            Data::Str(_) => "a text",
            Data::Seq(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.data {
            Data::Null => serializer.serialize_unit(),
            Data::Bool(truth) => serializer.serialize_bool(*truth),
            Data::Int(number) => serializer.serialize_i64(*number),
            Data::Float(number) => serializer.serialize_f64(*number),
            Data::Str(text) => serializer.serialize_str(text),
            Data::Seq(items) => serializer.collect_seq(items),
            Data::Map(map) => serializer.collect_map(map),
        }
    }
}
