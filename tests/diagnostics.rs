//! Diagnostics as data: each directory of `tests/diagnostics/` is a kind of bad input (`case.yaml`) beside the exact
//! message it gets (`expected.txt`). `DIAGNOSTICS=overwrite` writes what is got.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use homelab::lang::{Diagnostics, Files, Source, yaml};
use homelab::playbook::{HostKnown, Hosts, Known, Options, compile, load, once, order, ownership};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Input that most cases have in common; a case's own files win.
const INVENTORY: &str = "playbooks: [site.yaml]\ngroups:\n  pis: {hosts: [\"pi-[1:3]\"]}\nhosts:\n  router: {}\n";
const PLAYBOOK: &str = "- hosts: all\n  tasks: []\n";

fn texts(case: &Json, key: &str) -> Vec<String> {
    let items = case.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn text(case: &Json, key: &str) -> Option<String> {
    case.get(key).and_then(Json::as_str).map(str::to_owned)
}

/// Writes the case's files and says what homelab says.
fn run(case: &Json) -> String {
    let files = case.get("files").and_then(Json::as_object).cloned().unwrap_or_default();
    let mut all: BTreeMap<String, Json> = files.into_iter().collect();
    let bare = case.get("bare").is_some();
    if !bare {
        all.entry("home.yaml".into()).or_insert_with(|| INVENTORY.into());
        all.entry("site.yaml".into()).or_insert_with(|| PLAYBOOK.into());
    }
    if let Some(tasks) = text(case, "tasks") {
        let indented: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
        all.insert("site.yaml".into(), format!("- hosts: pis\n  tasks:\n{indented}").into());
    }
    for (path, content) in &all {
        if let Some(dir) = Path::new(path).parent() {
            std::fs::create_dir_all(dir).unwrap();
        }
        match content {
            Json::String(text) => std::fs::write(path, text).unwrap(),
            // A list of bytes: what is no UTF-8.
            Json::Array(bytes) => std::fs::write(path, bytes.iter().map(|b| b.as_u64().unwrap() as u8).collect::<Vec<_>>()).unwrap(),
            _ => std::fs::create_dir_all(path).unwrap(),
        }
    }
    let sets = case.get("set").and_then(Json::as_object).cloned().unwrap_or_default();
    let sets = sets.into_iter().map(|(name, value)| {
        let source = Arc::new(Source { name: format!("--set {name}"), text: value.as_str().unwrap().to_owned() });
        (name, yaml::parse(&source).unwrap())
    });
    let options = Options { limit: text(case, "limit"), tags: texts(case, "tags"), start_at: text(case, "start_at"), sets: sets.collect(), ..Options::default() };
    let playbooks: Vec<PathBuf> = texts(case, "playbooks").into_iter().map(PathBuf::from).collect();
    let inventory = text(case, "inventory").unwrap_or("home.yaml".into());
    let config = match load(Arc::new(Files::on_disk()), Path::new(&inventory), &playbooks, &options) {
        Ok(config) => config,
        Err(problems) => return problems.render(false),
    };
    let mut problems = Diagnostics::new();
    let mut hosts = Vec::new();
    for host in config.inventory.hosts.keys() {
        let facts = homelab::node::Facts::default();
        let known = HostKnown { facts: Some(facts.clone()), kept: BTreeMap::new() };
        let others = Arc::new(Hosts::new(BTreeMap::from([(host.clone(), known)])));
        let known = Known { facts: Some(facts), hosts: others, ..Known::default() };
        let plays = config.plays.iter().enumerate().filter(|(_, play)| play.hosts.contains(host));
        let compiled: Vec<_> = plays.map(|(at, _)| compile(&config, at, host, &known)).collect();
        problems.0.extend(compiled.iter().flat_map(|one| one.problems.0.clone()));
        hosts.push((host.as_str(), compiled));
    }
    for (at, play) in config.plays.iter().enumerate() {
        let mut waits = order::Waits::new();
        for host in &play.hosts {
            waits.insert(host.clone(), compile(&config, at, host, &Known::default()).waits);
        }
        problems.0.extend(order::rounds(&play.hosts, &waits).err().map(|problem| *problem));
    }
    let hosts: Vec<_> = hosts.iter().map(|(host, compiled)| (*host, compiled.iter().collect())).collect();
    problems.0.extend(ownership::check(&hosts).0);
    once(problems).render(false)
}

#[test]
fn each_kind_of_bad_input_gets_its_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("case.yaml").exists()).collect();
    cases.sort();
    let overwrite = std::env::var("DIAGNOSTICS").is_ok_and(|value| value == "overwrite");
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let source = Arc::new(Source { name: name.clone(), text: std::fs::read_to_string(case.join("case.yaml")).unwrap() });
        let input = serde_json::to_value(yaml::parse(&source).unwrap_or_else(|e| panic!("{}", e.render(false)))).unwrap();
        // Messages show paths as a person would type them, so each case has its own directory to be in.
        let dir = tempfile::tempdir().unwrap();
        std::env::set_current_dir(dir.path()).unwrap();
        let got = format!("{}\n", run(&input));
        let expected = case.join("expected.txt");
        if overwrite {
            std::fs::write(&expected, &got).unwrap();
        }
        let wish = std::fs::read_to_string(&expected).unwrap_or_default();
        if got != wish {
            wrong.push(format!("--- {name}: expected\n{wish}--- {name}: got\n{got}"));
        }
        let placed = input.get("unplaced").is_some() || got.contains("-->");
        if !placed || !got.contains("hint:") {
            wrong.push(format!("--- {name}: a message needs a place and a hint (`unplaced: true` where there is none):\n{got}"));
        }
    }
    std::env::set_current_dir(&root).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 40, "only {} cases", cases.len());
}
