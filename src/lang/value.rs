//! Values that remember where they came from and whether they are secret.

use super::source::Span;
use indexmap::IndexMap;

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
#[derive(Debug, Clone)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Where it was written; a computed value has none. For a scalar this is the source token, quotes included,
    /// so that `mode: 0644` can be read as it was written.
    pub origin: Option<Span>,
    /// Tainted: it must never be shown. A list or map is asked with [`Value::is_secret`].
    pub secret: bool,
}

/// Equal when the data are; origins do not count.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Value { data, origin: None, secret: false }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Data::Str(text.to_owned()).into()
    }
}

impl Value {
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
