//! Ops in the notation of the cases: a line where a line says it all, else a map.

use homelab::node::op::Body;
use homelab::node::{Content, Op};
use serde_json::{Map, Value, json};

/// `text` with the scripts of `src/resource/scripts/` in it by their names: `<mount.sh>`.
pub fn named(text: &str) -> String {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/src/resource/scripts");
    std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().path()).fold(text.to_owned(), |text, path| {
        text.replace(&std::fs::read_to_string(&path).unwrap(), &format!("<{}>", path.file_name().unwrap().to_string_lossy()))
    })
}

/// `op` as a case writes it.
pub fn show(op: &Op) -> Value {
    match op {
        Op::Put { path, content, mode, owner, group, validate } => {
            let mut map = Map::from_iter([("put".to_owned(), json!(format!("{path} {mode:04o}{}", owners(owner, group))))]);
            map.extend(body(content));
            map.extend(validate.iter().map(|command| ("validate".to_owned(), json!(command))));
            Value::Object(map)
        }
        Op::Mkdir { path, mode, owner, group } => json!(format!("mkdir {path} {mode:04o}{}", owners(owner, group))),
        Op::Attr { path, mode, owner, group } => {
            let mut line = format!("attr {path}");
            line.extend(mode.map(|mode| format!(" mode={mode:04o}")));
            line.extend(owner.as_ref().map(|owner| format!(" owner={owner}")));
            line.extend(group.as_ref().map(|group| format!(" group={group}")));
            json!(line)
        }
        Op::Link { path, target } => json!(format!("link {path} -> {target}")),
        Op::Remove { path } => json!(format!("remove {path}")),
        Op::Unit { name, act } => json!(format!("{} {name}", serde_json::to_value(act).unwrap().as_str().unwrap())),
        Op::DaemonReload => json!("daemon-reload"),
        Op::Sysctl { key, value } => json!(format!("sysctl {key}={value}")),
        Op::Hostname { name } => json!(format!("hostname {name}")),
        Op::Reboot { timeout, connect, message } => {
            let connect = connect.map_or_else(String::new, |seconds| format!(" connect={seconds}"));
            json!(format!("reboot {timeout}{connect} {message:?}"))
        }
        Op::Crontab { user, text } => json!({ "crontab": user, "text": text }),
        Op::Run { command, undo, ok, creates, .. } => {
            let Value::Object(mut map) = bare(serde_json::to_value(command).unwrap()) else { return Value::Null };
            map.insert("run".to_owned(), map.get("argv").cloned().unwrap_or_default());
            map.remove("argv");
            map.extend([("undo", bare(json!(undo))), ("ok", json!(ok)), ("creates", json!(creates))].map(|(k, v)| (k.to_owned(), v)));
            bare(Value::Object(map))
        }
        Op::Tool(tool) => {
            let mut map = Map::from_iter([("tool".to_owned(), json!(tool.says.join("; ")))]);
            map.insert("run".to_owned(), json!(words(&tool.command.argv)));
            map.insert("chdir".to_owned(), json!(tool.command.chdir));
            map.insert("stdin".to_owned(), json!(tool.command.stdin.as_ref().filter(|_| !tool.command.secret)));
            map.insert("undo".to_owned(), json!(tool.undo.as_ref().map(|undo| words(&undo.argv))));
            map.insert("again".to_owned(), json!(tool.again));
            map.insert("brings".to_owned(), json!(tool.brings));
            map.insert("cuts_line".to_owned(), json!(tool.cuts_line));
            bare(Value::Object(map))
        }
        other @ (Op::Packages { .. } | Op::Group { .. } | Op::User(_)) => bare(serde_json::to_value(other).unwrap()),
    }
}

fn words(argv: &[String]) -> Vec<String> {
    argv.iter().map(|word| named(word)).collect()
}

fn owners(owner: &Option<String>, group: &Option<String>) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    if owner.is_none() && group.is_none() { String::new() } else { format!(" {}:{}", name(owner), name(group)) }
}

fn body(content: &Content) -> Map<String, Value> {
    let mut map = Map::new();
    match &content.body {
        Body::Inline(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => map.insert("text".into(), json!(text)),
            Err(_) => map.insert("bytes".into(), json!(bytes.len())),
        },
        Body::Local(path) => map.insert("local".into(), json!(path.file_name().map(|name| name.to_string_lossy()))),
    };
    if content.secret {
        map.insert("secret".into(), json!(true));
    }
    map
}

/// Without what is null, false, zero or empty.
fn bare(value: Value) -> Value {
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    };
    match value {
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, bare(value))).filter(|(_, value)| !nothing(value)).collect(),
        other => other,
    }
}
