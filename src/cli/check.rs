//! `homelab check`: everything that can be known without asking anyone.

use super::args::Selection;
use super::load::{Loaded, load};
use super::printer::{count, paint, style};
use super::{Exit, Printer};
use crate::lang::{Diagnostic, Diagnostics, Kind, Value};
use crate::plan::detail::MASKED;
use crate::playbook::{Known, compile, once, ownership};
use serde_json::json;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to check.
    #[command(flatten)]
    pub selection: Selection,
    /// Say where a variable's value comes from, instead.
    #[arg(long, num_args = 2, value_names = ["HOST", "VAR"])]
    pub explain: Option<Vec<String>>,
}

/// Checks.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let loaded = match load(&args.selection, None, printer) {
        Ok(loaded) => loaded,
        Err(problems) => return printer.fail("check", &problems),
    };
    if let Some([host, name]) = args.explain.as_deref() {
        return explain(&loaded, host, name, printer);
    }
    let problems = check(&loaded);
    printer.problems(&problems);
    let config = &loaded.config;
    let (hosts, plays) = (config.hosts().len(), config.plays.len());
    if printer.json {
        let document = json!({"version": 1, "command": "check", "hosts": hosts, "plays": plays, "problems": super::plan::problems(&problems)});
        printer.out(&format!("{document}\n"));
    } else if problems.is_empty() {
        printer.say(&format!("{} {}, {}", paint(style::CREATE, "ok"), count(hosts, "host"), count(plays, "play")));
    }
    Exit::of(&problems)
}

/// All problems that show without asking a node.
pub fn check(loaded: &Loaded) -> Diagnostics {
    let config = &loaded.config;
    let mut problems = Diagnostics::new();
    let nobody = Known::default();
    for host in config.hosts() {
        let known = Known { facts: loaded.cached_facts(&host), ..nobody.clone() };
        let compiled: Vec<_> = config.plays_of(&host).into_iter().map(|play| compile(config, play, &host, &known)).collect();
        for one in &compiled {
            problems.0.extend(one.problems.0.iter().cloned());
        }
        problems.0.extend(ownership::check(&[(&host, compiled.iter().collect())]).0);
    }
    // The same task fails alike on every host: said once.
    once(problems)
}

fn explain(loaded: &Loaded, host: &str, name: &str, printer: &Printer) -> Exit {
    if !loaded.config.inventory.hosts.contains_key(host) {
        let hint = crate::lang::suggest::hint(host, loaded.config.inventory.hosts.keys().map(String::as_str), "`homelab check` reads it from the inventory");
        return printer.fail("explain", &Diagnostic::new(Kind::Usage, format!("there is no host `{host}`")).hint(hint).into());
    }
    let origins = loaded.config.explain(host, name);
    if origins.is_empty() {
        return printer.fail("explain", &Diagnostic::config(format!("`{name}` is not set for {host}")).hint("plays, tasks and roles may still set it").into());
    }
    if printer.json {
        let list: Vec<_> = origins.iter().map(|o| json!({
            "level": o.level.to_string(), "place": o.span.as_ref().map(ToString::to_string), "wins": o.wins, "value": shown(&o.value),
        })).collect();
        printer.out(&format!("{}\n", json!({"version": 1, "command": "explain", "host": host, "variable": name, "origins": list})));
        return Exit::Ok;
    }
    for origin in &origins {
        let place = origin.span.as_ref().map(|span| span.to_string()).unwrap_or_default();
        let mark = if origin.wins { paint(style::CREATE, "→") } else { " ".to_owned() };
        printer.say(&format!("{mark} {:<12} {}  {}", origin.level.to_string(), shown(&origin.value), paint(style::DIM, place)));
    }
    Exit::Ok
}

/// A value in one line.
fn shown(value: &Value) -> String {
    if value.is_secret() {
        return MASKED.to_owned();
    }
    match value.as_str() {
        Some(text) => text.lines().next().unwrap_or_default().to_owned(),
        None => crate::lang::yaml::to_yaml(value).trim_end().replace('\n', "; "),
    }
}
