//! `homelab facts`: what the nodes are.

use super::args::{Reach, Selection};
use super::load::load;
use super::looked::{FactsFound, look_for_facts};
use super::printer::{paint, style};
use super::{Exit, Printer};
use serde_json::{Map, Value, json};

/// Arguments of `facts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose.
    #[command(flatten)]
    pub selection: Selection,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Shows them.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    let loaded = match load(&args.selection, None, printer) {
        Ok(loaded) => loaded,
        Err(problems) => return printer.fail("facts", &problems),
    };
    let FactsFound { facts, problems } = match look_for_facts(&loaded, &args.reach, printer).await {
        Ok(found) => found,
        Err(problems) => return printer.fail("facts", &problems),
    };
    if printer.json {
        let hosts: Map<String, Value> = facts.iter().filter_map(|(host, facts)| Some((host.clone(), json!(facts.as_ref()?)))).collect();
        let asleep: Vec<&String> = facts.iter().filter(|(_, facts)| facts.is_none()).map(|(host, _)| host).collect();
        printer.out(&format!("{}\n", json!({"version": 1, "command": "facts", "hosts": hosts, "asleep": asleep, "problems": super::plan::problems(&problems)})));
    } else {
        for (host, facts) in &facts {
            let Some(facts) = facts else {
                printer.say(&super::plan::asleep(host));
                continue;
            };
            printer.say(&paint(style::BOLD, host));
            let mut lines = Vec::new();
            flatten("", &json!(facts), &mut lines);
            for (name, value) in lines {
                printer.say(&format!("  {name:<26} {}", super::printer::plain(&value)));
            }
        }
    }
    printer.problems(&problems);
    Exit::of(&problems)
}

fn flatten(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let name = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&name(key), value, out)),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            out.push((prefix.to_owned(), items.join(", ")));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| flatten(&name(&i.to_string()), value, out)),
        other => out.push((prefix.to_owned(), plain(other))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
