//! `homelab trust`: meets the host keys of new hosts and records them.

use super::args::{Reach, Selection};
use super::load::load;
use super::looked::means;
use super::prompt::{Terminal, confirm};
use super::{Exit, Printer};
use crate::fleet::target::Way;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::transport::known_hosts::{self, KnownHosts, Mark};
use crate::transport::HostKey;
use std::path::PathBuf;
use serde_json::json;

/// Arguments of `trust`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose keys.
    #[command(flatten)]
    pub selection: Selection,
    /// Do not ask: record what is shown.
    #[arg(short, long)]
    pub yes: bool,
    /// Record a changed key in place of the known one (a machine was installed anew).
    #[arg(long)]
    pub replace: bool,
    /// How to reach the nodes.
    #[command(flatten)]
    pub reach: Reach,
}

/// Meets them, one after another: a person reads the fingerprints.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    match meet(args, printer).await {
        Ok(exit) => exit,
        Err(problems) => printer.fail("trust", &problems),
    }
}

async fn meet(args: &Args, printer: &Printer) -> Result<Exit, Diagnostics> {
    let loaded = load(&args.selection, None, printer)?;
    let (pool, targets, _) = means(&loaded, &args.reach, printer)?;
    let known = match &args.reach.known_hosts {
        Some(path) => KnownHosts::at(path.clone()),
        None => KnownHosts::of_user(),
    };
    let mut problems = Diagnostics::new();
    let mut met = Vec::new();
    for host in loaded.config.hosts() {
        let Way::Ssh(target) = targets.of(&host)? else {
            printer.say(&format!("{host}  a sandbox: its key is made and known here"));
            continue;
        };
        let key = match pool.learn(target).await {
            Ok(key) => key,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let (fingerprint, name) = (key.fingerprint(), target.known_as());
        let entries = known.find(&name).map_err(|error| unreadable(&known, &error))?;
        let state = if entries.iter().any(|entry| entry.mark == Mark::Trusted && entry.key.key_data() == key.0.key_data()) {
            "known"
        } else if target.pins.contains(&fingerprint) {
            "pinned"
        } else if let Some(other) = entries.iter().find(|entry| entry.mark == Mark::Trusted) {
            if !args.replace {
                problems.push(
                    Diagnostic::new(Kind::Refused, format!("{host}: its host key has changed: it shows {fingerprint}, and {} is known ({})", HostKey(other.key.clone()).fingerprint(), format_args!("{}:{}", other.file.display(), other.line)))
                        .hint("if the machine was installed anew, `homelab trust --replace` records the new key; if not, somebody may be in between"),
                );
                continue;
            }
            "changed"
        } else {
            "new"
        };
        printer.say(&format!("{host}  {} {fingerprint}  {state}", key.kind()));
        let wanted = matches!(state, "new" | "changed");
        if wanted {
            if !args.yes {
                if !Terminal::present() {
                    problems.push(Diagnostic::new(Kind::Usage, format!("{host}: no terminal to ask at whether this key is right")).hint("compare the fingerprint, then `--yes` records it"));
                    continue;
                }
                if !confirm(printer, &format!("Is {fingerprint} the key of {host}?")) {
                    continue;
                }
            }
            known_hosts::record(&first(&known), &name, &key.0, state == "changed").map_err(|error| unreadable(&known, &error))?;
        }
        met.push(json!({"host": host, "type": key.kind(), "fingerprint": fingerprint, "state": state, "recorded": wanted}));
    }
    printer.problems(&problems);
    if printer.json {
        printer.out(&format!("{}\n", json!({"version": 1, "command": "trust", "hosts": met, "problems": super::plan::problems(&problems)})));
    }
    Ok(Exit::of(&problems))
}

fn unreadable(known: &KnownHosts, error: &std::io::Error) -> Diagnostics {
    Diagnostic::config(format!("{}: {error}", first(known).display())).hint("`--known-hosts FILE` names another file").into()
}

/// The file that is written to.
fn first(known: &KnownHosts) -> PathBuf {
    known.files.first().cloned().unwrap_or_default()
}
