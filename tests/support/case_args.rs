//! Arguments of a case: what the playbook layer would hand to a resource.

use homelab::lang::{Data, Value as Arg};
use homelab::node::op::Body;
use homelab::node::{Content, world};
use homelab::resource::{Args, KindSpec, Loaded, Ty};
use serde_json::{Map, Value};

/// The arguments in `params`, `files` and `secrets` of `task`; `Err` says what does not fit.
pub fn args(spec: &KindSpec, task: &Map<String, Value>) -> Result<Args, Vec<String>> {
    let mut args = Args { handler: task.get("handler") == Some(&Value::Bool(true)), ..Args::default() };
    let params = match task.get("params") {
        Some(Value::Object(params)) => params.clone(),
        Some(text) if !spec.bare.is_empty() => Map::from_iter([(spec.bare.to_owned(), text.clone())]),
        _ => Map::new(),
    };
    let secrets: Vec<&str> = task.get("secrets").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut problems = Vec::new();
    for (key, value) in params {
        let Some(param) = spec.params.iter().find(|param| param.name == key || param.aliases.contains(&key.as_str())) else {
            problems.push(format!("unknown parameter `{key}`"));
            continue;
        };
        let Some(data) = normal(param.ty, &value) else {
            problems.push(format!("`{key}` does not take {value}"));
            continue;
        };
        let secret = param.secret || secrets.contains(&param.name);
        let loaded = task.get("files").and_then(|files| files.get(param.name));
        if let (Ty::LocalFile | Ty::Template, Some(loaded)) = (param.ty, loaded) {
            args.contents.insert(param.name.to_owned(), load(loaded, secret));
        }
        args.values.insert(param.name.to_owned(), Arg { data, origin: None, secret });
    }
    for param in spec.params.iter().filter(|param| param.required && !args.has(param.name)) {
        problems.push(format!("`{}` is missing", param.name));
    }
    if problems.is_empty() { Ok(args) } else { Err(problems) }
}

fn normal(ty: Ty, value: &Value) -> Option<Data> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    };
    Some(match ty {
        Ty::Str | Ty::LocalFile | Ty::Template => Data::Str(text(value)?),
        Ty::Path => Data::Str(value.as_str().filter(|path| path.starts_with('/'))?.to_owned()),
        Ty::Choice(words) => Data::Str(value.as_str().filter(|word| words.contains(word))?.to_owned()),
        Ty::Bool => Data::Bool(value.as_bool()?),
        Ty::Int | Ty::Duration => Data::Int(value.as_i64()?),
        Ty::Mode => match value.as_str()? {
            octal if octal.starts_with('0') => Data::Int(i64::from_str_radix(octal, 8).ok()?),
            symbolic => Data::Str(symbolic.to_owned()),
        },
        Ty::Strs => match value {
            Value::Array(items) => Data::Seq(items.iter().map(|item| Some(Data::Str(text(item)?).into())).collect::<Option<_>>()?),
            one => Data::Seq(vec![Data::Str(text(one)?).into()]),
        },
        Ty::StrMap => Data::Map(value.as_object()?.iter().map(|(k, v)| Some((k.clone(), Data::Str(text(v)?).into()))).collect::<Option<_>>()?),
        Ty::Any => any(value).data,
    })
}

fn any(value: &Value) -> Arg {
    match value {
        Value::Null => Data::Null,
        Value::Bool(yes) => Data::Bool(*yes),
        Value::Number(number) => number.as_i64().map_or_else(|| Data::Float(number.as_f64().unwrap_or_default()), Data::Int),
        Value::String(text) => Data::Str(text.clone()),
        Value::Array(items) => Data::Seq(items.iter().map(any).collect()),
        Value::Object(map) => Data::Map(map.iter().map(|(key, value)| (key.clone(), any(value))).collect()),
    }
    .into()
}

/// A text is a file, `{local: TEXT}` a file that is streamed, `{dir: {PATH: …}}` a directory (null: one inside it).
fn load(value: &Value, secret: bool) -> Loaded {
    if let Some(entries) = value.get("dir").and_then(Value::as_object) {
        let entry = |(path, value): (&String, &Value)| (path.clone(), (!value.is_null()).then(|| content(value, secret)));
        return Loaded::Dir(entries.iter().map(entry).collect());
    }
    Loaded::File(content(value, secret))
}

fn content(value: &Value, secret: bool) -> Content {
    match value.get("local").and_then(Value::as_str) {
        Some(text) => Content { body: Body::Local("/controller/file".into()), size: text.len() as u64, sha256: world::sha256(text.as_bytes()), secret },
        None => Content::inline(value.as_str().unwrap_or_default(), secret),
    }
}
