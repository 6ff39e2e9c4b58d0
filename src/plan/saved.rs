//! Saved plans: the sources they were made from, the digests of what was observed, and the shape of every op.
//!
//! A plan file carries its configuration (secrets in it stay encrypted as they were written), so that applying it makes
//! the very same tasks again; the node is looked at once more, and a difference in what was observed, or in an op that
//! follows from it, refuses the whole plan. No secret is written: an op that holds one is kept without it.

use super::{HostPlan, Outcome, digest};
use crate::lang::{Diagnostic, Diagnostics, Kind, Masker};
use crate::node::Probe;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The format's version.
const VERSION: u32 = 1;

/// A plan in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Format.
    pub homelab_plan: u32,
    /// Where the names below are relative to.
    pub directory: PathBuf,
    /// The inventory, as it was named.
    pub inventory: PathBuf,
    /// The playbooks, as they were named; empty: those of the inventory.
    pub playbooks: Vec<PathBuf>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--set`.
    pub sets: Vec<String>,
    /// Every text that was read.
    pub sources: BTreeMap<PathBuf, String>,
    /// By host.
    pub hosts: BTreeMap<String, SavedHost>,
}

/// One host's part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SavedHost {
    /// The lines that have something to do, in order.
    pub lines: Vec<SavedLine>,
}

/// One line's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLine {
    /// Its stable position.
    pub key: String,
    /// What people read.
    pub label: String,
    /// The resource's id; of a late task the only one it may touch, where known.
    pub id: Option<String>,
    /// Digest of what its change rests on.
    pub observed: Option<String>,
    /// The shape of its ops; `None`: known after apply.
    pub ops: Option<String>,
}

impl SavedHost {
    /// Of a plan. `probes` answers what a line's resource looks at.
    pub fn of(plan: &HostPlan, probes: impl Fn(&str) -> Option<Vec<Probe>>, answers: &crate::node::Answers, masker: &Masker) -> Self {
        let lines = plan
            .lines
            .iter()
            .filter(|line| line.acts())
            .map(|line| SavedLine {
                key: line.key.clone(),
                label: masker.mask(&line.label).into_owned(),
                id: line.id.as_ref().map(|id| masker.mask(&id.to_string()).into_owned()),
                observed: probes(&line.key).filter(|_| !line.waits()).map(|probes| digest::of_probes(&probes, answers)),
                ops: match &line.outcome {
                    Outcome::Change(change) if change.open.is_none() => Some(digest::shape(&change.ops, masker)),
                    _ => None,
                },
            })
            .collect();
        SavedHost { lines }
    }

    /// Why `now` is not this plan any more.
    pub fn stale(&self, host: &str, now: &SavedHost) -> Diagnostics {
        let mut problems = Diagnostics::new();
        let name = |line: &SavedLine| line.id.clone().unwrap_or_else(|| line.label.clone());
        let mut say = |line: &SavedLine, what: &str| {
            problems.push(
                Diagnostic::new(Kind::Failed, format!("{host}: stale: {} (`{}`) {what}", name(line), line.label))
                    .hint("nothing was changed; make the plan again to see what is there now"),
            );
        };
        for line in &self.lines {
            match now.lines.iter().find(|other| other.key == line.key) {
                Some(other) if other == line => {}
                Some(other) if other.observed != line.observed => say(line, "has changed on the node since the plan was made"),
                Some(_) => say(line, "would now be done differently"),
                None => say(line, "is no longer to be done"),
            }
        }
        for line in &now.lines {
            if !self.lines.iter().any(|other| other.key == line.key) {
                say(line, "is to be done now, and is not in the plan");
            }
        }
        problems
    }
}

impl SavedPlan {
    /// A plan of these hosts.
    pub fn new(inventory: PathBuf, playbooks: Vec<PathBuf>, sources: BTreeMap<PathBuf, String>) -> Self {
        let directory = std::env::current_dir().unwrap_or_default();
        SavedPlan { homelab_plan: VERSION, directory, inventory, playbooks, limit: None, tags: Vec::new(), sets: Vec::new(), sources, hosts: BTreeMap::new() }
    }

    /// Writes it, 0600 from birth, whole or not at all.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    /// Whether the file begins as a saved plan does.
    pub fn is_one(path: &Path) -> bool {
        use std::io::Read;
        let mut start = [0; 64];
        std::fs::File::open(path)
            .and_then(|mut file| file.read(&mut start))
            .is_ok_and(|n| String::from_utf8_lossy(&start[..n]).contains("\"homelab_plan\""))
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<SavedPlan, Diagnostic> {
        let text = std::fs::read(path).map_err(|error| {
            Diagnostic::config(format!("cannot read the plan {}: {error}", path.display())).hint("`homelab plan INVENTORY --out FILE` makes one")
        })?;
        let plan: SavedPlan = serde_json::from_slice(&text).map_err(|error| {
            Diagnostic::config(format!("{} is not a whole plan: {error}", path.display())).hint("make it again: `homelab plan INVENTORY --out FILE`")
        })?;
        if plan.homelab_plan != VERSION {
            return Err(Diagnostic::config(format!("{} is a plan of format {}, and this homelab reads {VERSION}", path.display(), plan.homelab_plan))
                .hint("make it again with this homelab"));
        }
        Ok(plan)
    }
}
