//! All shell that homelab ships is clean in shellcheck's eyes. What resources become on a node is judged in `cases.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/shellcheck.rs"]
mod shellcheck;

use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `dir` whose names end with `end`, sorted.
fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Its path from the root, as the name of one file.
fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().replace('/', "·")
}

#[test]
fn the_runtime_is_clean() {
    // As one, for the parts share their variables; the loop that reads them has set `n`.
    let parts: String = files(&root().join("src/node/runtime"), ".sh").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let start = homelab::node::runtime::bootstrap();
    let start = start.split('\'').nth(1).expect("the loop stands in single quotes").to_owned();
    shellcheck::clean(&[("runtime".into(), format!("n=given\n{parts}"))], "");
    shellcheck::clean(&[("loop".into(), start)], "");
}

#[test]
fn the_scripts_of_resources_are_clean() {
    let scripts: Vec<_> = files(&root().join("src/resource/scripts"), ".sh").iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect();
    // Functions of a library give their answers in variables.
    shellcheck::clean(&scripts, "SC2034");
}

/// The scripts of all commands in a playbook or a role, with the line of variables that each is given.
fn scripts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scripts(item, found)),
        Value::Object(map) => {
            if let Some(Value::Object(command)) = map.get("command") {
                let named = command.get("environment").and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
                let given: String = named.map(|name| format!("export {name}=given\n")).collect();
                let is_shell = command.get("shell") == Some(&Value::Bool(true));
                let keys: &[&str] = if is_shell { &["cmd", "unless", "undo"] } else { &["unless", "undo"] };
                found.extend(keys.iter().filter_map(|key| command.get(*key)?.as_str()).map(|text| format!("{given}{text}\n")));
            }
            map.values().for_each(|item| scripts(item, found));
        }
        _ => {}
    }
}

/// `text` with a word in place of each expression of a template.
fn rendered(text: &str) -> String {
    let mut parts = text.split("{{");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "word" + part.split_once("}}").expect("an expression ends").1)
}

#[test]
fn the_commands_of_playbooks_and_roles_are_clean() {
    let mut all = Vec::new();
    for path in files(&root().join("playbooks"), ".yaml") {
        let value: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        scripts(&value, &mut found);
        all.extend(found.iter().enumerate().map(|(i, text)| (format!("{}:{i}", name(&path)), rendered(text))));
    }
    shellcheck::clean(&all, "");
}

#[test]
fn the_templates_of_scripts_are_clean() {
    let all: Vec<_> = files(&root().join("templates"), ".sh.j2").iter().map(|path| (name(path), rendered(&std::fs::read_to_string(path).unwrap()))).collect();
    shellcheck::clean(&all, "");
}
