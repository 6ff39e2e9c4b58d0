//! `homelab trust`: meets the host keys of new hosts and records them.

use super::args::{Narrow, Reach, Selection};
use super::load::load;
use super::looked::{may_be_off, means};
use super::prompt::{Terminal, confirm};
use super::{Exit, Printer};
use crate::fleet::target::Way;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use crate::playbook::limited;
use crate::transport::hostkey::Standing;
use crate::transport::known_hosts::{self, KnownHosts};
use crate::transport::{HostKey, Pool, Target};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

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

/// Meets them, one after another: a person reads the fingerprints. A key that is turned down is an error: its host stays unknown.
pub async fn run(args: &Args, printer: &Printer) -> Exit {
    match meet(args, printer).await {
        Ok(exit) => exit,
        Err(problems) => printer.fail("trust", &problems),
    }
}

async fn meet(args: &Args, printer: &Printer) -> Result<Exit, Diagnostics> {
    // A jump host is met too, though no play may be for it; so `--limit` chooses among all hosts, not those of the plays.
    let whole = Selection { narrow: Narrow { limit: None, ..args.selection.narrow.clone() }, ..args.selection.clone() };
    let loaded = load(&whole, None, printer)?;
    let hosts = match &args.selection.narrow.limit {
        Some(text) => loaded.config.jumps_first(limited(&loaded.config.inventory, text)?),
        None => loaded.config.hosts_and_jumps(),
    };
    let (pool, targets, _) = means(&loaded, &args.reach, printer)?;
    let known = match &args.reach.known_hosts {
        Some(path) => KnownHosts::at(path.clone()),
        None => KnownHosts::of_user(),
    };
    let mut meeting = Meeting { pool, known, args, printer, problems: Diagnostics::new(), met: Vec::new() };
    let mut outside = BTreeSet::new();
    for host in hosts {
        let Way::Ssh(target) = targets.of(&host)? else {
            printer.say(&format!("{host}  a sandbox: its key is made and known here"));
            continue;
        };
        // Jump hosts that are no hosts of the inventory are met where they are first needed.
        for (index, jump) in target.jumps.iter().enumerate().filter(|(_, jump)| jump.is_outside()) {
            if outside.insert(jump.name.clone()) {
                meeting.with(&Target { jumps: target.jumps[..index].to_vec(), ..jump.clone() }).await?;
            }
        }
        let before = meeting.problems.0.len();
        meeting.with(target).await?;
        if may_be_off(&loaded, &host, &Diagnostics(meeting.problems.0[before..].to_vec())) {
            meeting.problems.0.truncate(before);
            printer.say(&super::plan::asleep(&host));
        }
    }
    let Meeting { problems, met, .. } = meeting;
    printer.problems(&problems);
    if printer.json {
        printer.out(&format!("{}\n", json!({"version": 1, "command": "trust", "hosts": met, "problems": super::plan::problems(&problems)})));
    }
    Ok(Exit::of(&problems))
}

/// Meeting one host after another.
struct Meeting<'a> {
    pool: Arc<Pool>,
    known: KnownHosts,
    args: &'a Args,
    printer: &'a Printer,
    problems: Diagnostics,
    met: Vec<serde_json::Value>,
}

impl Meeting<'_> {
    /// Meets `target`; what is wrong with it is kept. Fails where nothing can be recorded at all.
    async fn with(&mut self, target: &Target) -> Result<(), Diagnostics> {
        let looked = match self.pool.learn(target).await {
            Ok(key) => Standing::of(target, &self.known, &key).map(|standing| (key, standing)),
            Err(problem) => Err(problem),
        };
        match looked {
            Ok((key, standing)) => self.judge(target, &key, standing),
            Err(problem) => {
                self.problems.push(problem);
                Ok(())
            }
        }
    }

    fn judge(&mut self, target: &Target, key: &HostKey, standing: Standing) -> Result<(), Diagnostics> {
        let (state, wanted) = match standing {
            Standing::Known => ("known", false),
            Standing::Pinned => ("pinned", false),
            Standing::New => ("new", true),
            Standing::Changed(_) if self.args.replace => ("changed", true),
            Standing::Changed(problem) => {
                self.problems.push(problem.hint(
                    "if the machine was set up anew, `homelab trust --replace` records the key that it shows now; if not, someone may be in between",
                ));
                return Ok(());
            }
            Standing::Refused(problem) => {
                self.problems.push(problem);
                return Ok(());
            }
        };
        let (host, fingerprint) = (&target.name, key.fingerprint());
        self.printer.say(&format!("{host}  {} {fingerprint}  {state}", key.kind()));
        let recorded = wanted && self.agreed(host, &fingerprint);
        if recorded {
            known_hosts::record(&first(&self.known), &target.known_as(), &key.0, state == "changed").map_err(|error| unwritable(&self.known, &error))?;
        }
        self.met.push(json!({"host": host, "type": key.kind(), "fingerprint": fingerprint, "state": state, "recorded": recorded}));
        Ok(())
    }

    fn agreed(&mut self, host: &str, fingerprint: &str) -> bool {
        if self.args.yes {
            return true;
        }
        self.problems.push(if !Terminal::present() {
            Diagnostic::new(Kind::Usage, format!("{host}: no terminal to ask at whether this key is right"))
                .hint("compare the fingerprint with the machine's own, then `--yes` records it")
        } else if confirm(self.printer, &format!("Is {fingerprint} the key of {host}?")) {
            return true;
        } else {
            // The host was to be met: what comes after this command must not take it for known.
            Diagnostic::new(Kind::Refused, format!("{host}: its key is not recorded, as answered"))
                .hint("find out which key is the machine's own, and run this again")
        });
        false
    }
}

fn unwritable(known: &KnownHosts, error: &std::io::Error) -> Diagnostics {
    Diagnostic::config(format!("{}: {error}", first(known).display())).hint("`--known-hosts FILE` names another file").into()
}

/// The file that is written to.
fn first(known: &KnownHosts) -> PathBuf {
    known.files.first().cloned().unwrap_or_default()
}
