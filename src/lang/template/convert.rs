//! Between our values and the template engine's.

use super::node::Node;
use super::session::Session;
use crate::lang::value::{Data, Value};
use indexmap::IndexMap;
use minijinja::value::{Value as Mini, ValueKind};
use minijinja::{Error, ErrorKind};
use std::sync::Arc;

/// How deep an expression's result may nest.
const MAX_DEPTH: usize = 100;

/// A scalar; containers are [`Node`]s instead.
pub(super) fn scalar(value: &Value) -> Mini {
    match &value.data {
        Data::Bool(truth) => Mini::from(*truth),
        Data::Int(number) => Mini::from(*number),
        Data::Float(number) => Mini::from(*number),
        Data::Str(text) => Mini::from(text.as_str()),
        Data::Null | Data::Seq(_) | Data::Map(_) => Mini::from(()),
    }
}

/// A value of ours as a plain one of the engine's, for what filters read from texts.
pub(crate) fn to_mini(value: &Value) -> Mini {
    match &value.data {
        Data::Seq(items) => Mini::from(items.iter().map(to_mini).collect::<Vec<_>>()),
        Data::Map(map) => Mini::from_pairs(map.iter().map(|(key, value)| (key.as_str(), to_mini(value)))),
        _ => scalar(value),
    }
}

/// The result of an expression. Parts that are variables keep their origin and their own taint; the rest is
/// tainted whole if the session is (by the caller).
pub(super) fn realize(session: &Arc<Session>, mini: &Mini) -> Result<Value, Error> {
    realize_at(session, mini, 0)
}

fn realize_at(session: &Arc<Session>, mini: &Mini, depth: usize) -> Result<Value, Error> {
    let mut special = |mini: &Mini, depth: usize| match mini.downcast_object_ref::<Node>() {
        Some(node) => node_value(session, node, depth).map(Some),
        None => Ok(None),
    };
    walk(mini, &mut special, depth)
}

/// What a filter was given, every leaf touched.
pub(crate) fn from_mini(mini: &Mini) -> Result<Value, Error> {
    walk(mini, &mut |_, _| Ok(None), 0)
}

type Special<'a> = dyn FnMut(&Mini, usize) -> Result<Option<Value>, Error> + 'a;

fn walk(mini: &Mini, special: &mut Special<'_>, depth: usize) -> Result<Value, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("the value is nested more than {MAX_DEPTH} deep")));
    }
    if let Some(value) = special(mini, depth)? {
        return Ok(value);
    }
    let data = match mini.kind() {
        ValueKind::None => Data::Null,
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Data::Bool(mini.is_true()),
        ValueKind::Number => match mini.as_i64() {
            Some(number) if mini.is_integer() => Data::Int(number),
            _ => f64::try_from(mini.clone()).map_or_else(|_| Data::Str(mini.to_string()), Data::Float),
        },
        ValueKind::String => Data::Str(mini.as_str().unwrap_or_default().to_owned()),
        ValueKind::Bytes => Data::Str(String::from_utf8_lossy(mini.as_bytes().unwrap_or_default()).into_owned()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = mini.try_iter()?.map(|item| walk(&item, special, depth + 1));
            Data::Seq(items.collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut map = IndexMap::new();
            for key in mini.try_iter()? {
                let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                map.insert(text, walk(&mini.get_item(&key)?, special, depth + 1)?);
            }
            Data::Map(map)
        }
        kind => return Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} is not a value"))),
    };
    Ok(Value::from(data))
}

/// A variable's map or list with its texts rendered; each leaf has its own taint, the session's stays as it was.
fn node_value(session: &Arc<Session>, node: &Node, depth: usize) -> Result<Value, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("the value is nested more than {MAX_DEPTH} deep")));
    }
    session.read(&node.path, true);
    let value = node.value();
    let part = |step: usize, segment: &str| -> Result<Value, Error> {
        let before = session.swap_secret(false);
        let result = match node.child(step, segment) {
            Some(mini) => realize_at(session, &mini, depth + 1),
            None => Ok(Value::null()),
        };
        let secret = session.swap_secret(before);
        let mut part = result?.tainted(secret);
        let written = match &value.data {
            Data::Seq(items) => items.get(step),
            Data::Map(map) => map.get_index(step).map(|(_, value)| value),
            _ => None,
        };
        // A rendered text keeps the place of its template.
        if let Some(origin) = written.and_then(|value| value.origin.clone()) {
            part.origin = Some(origin);
        }
        Ok(part)
    };
    let data = match &value.data {
        Data::Seq(items) => {
            Data::Seq((0..items.len()).map(|step| part(step, &step.to_string())).collect::<Result<_, _>>()?)
        }
        Data::Map(map) => {
            let entries = map.keys().enumerate().map(|(step, key)| Ok((key.clone(), part(step, key)?)));
            Data::Map(entries.collect::<Result<_, Error>>()?)
        }
        other => other.clone(),
    };
    Ok(Value { data, origin: value.origin.clone(), secret: value.secret || node.secret, keys: value.keys.clone() })
}
