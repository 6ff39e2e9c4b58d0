//! Loading a configuration the way every command does: files, `--set`, `--limit`, secrets.

use super::{Exit, Printer};
use super::args::{Narrow, Selection};
use super::secret::default_identity;
use crate::fleet::cache::Cache;
use crate::lang::{Diagnostic, Diagnostics, Files, Kind, Source, secret};
use crate::node::Facts;
use crate::plan::saved::SavedPlan;
use crate::playbook::{Config, Options};
use std::path::PathBuf;
use std::sync::Arc;

/// A loaded configuration.
pub struct Loaded {
    /// It.
    pub config: Arc<Config>,
    /// What was read for it.
    pub files: Arc<Files>,
    /// Facts last seen.
    pub cache: Cache,
}

impl Loaded {
    /// The facts last seen of `host`.
    pub fn cached_facts(&self, host: &str) -> Option<Facts> {
        self.cache.facts(&crate::fleet::target::cache_name(&self.config.inventory, host))
    }
}

/// Loads what `selection` names; a saved plan brings its own texts.
pub fn load(selection: &Selection, saved: Option<&SavedPlan>, printer: &Printer) -> Result<Loaded, Diagnostics> {
    load_from(selection, None, saved, printer)
}

/// The same for a command about what was done: where the playbooks cannot be read, the inventory is enough.
pub fn load_past(selection: &Selection, printer: &Printer) -> Result<Loaded, Diagnostics> {
    let problems = match load(selection, None, printer) {
        Err(problems) if Exit::of(&problems) != Exit::Usage => problems,
        loaded => return loaded,
    };
    let files = Arc::new(Files::on_disk());
    let options = options(&selection.narrow, None, printer)?;
    let Ok(config) = crate::playbook::load_hosts(files.clone(), &selection.inventory, &options) else { return Err(problems) };
    printer.note("the playbooks cannot be used as they are (`homelab check` says why); the inventory is enough for this, and all of its hosts are meant, or those of `--limit`");
    Ok(Loaded { config: Arc::new(config), files, cache: Cache::open() })
}

/// The same, with nothing before the task called `start_at`.
pub fn load_from(
    selection: &Selection,
    start_at: Option<&str>,
    saved: Option<&SavedPlan>,
    printer: &Printer,
) -> Result<Loaded, Diagnostics> {
    let files = Arc::new(match saved {
        Some(plan) => Files::bundled(plan.sources.clone()),
        None => Files::on_disk(),
    });
    let options = options(&selection.narrow, start_at, printer)?;
    let config = crate::playbook::load(files.clone(), &selection.inventory, &selection.playbooks, &options)?;
    Ok(Loaded { config: Arc::new(config), files, cache: Cache::open() })
}

fn options(narrow: &Narrow, start_at: Option<&str>, printer: &Printer) -> Result<Options, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut sets = Vec::new();
    for set in &narrow.sets {
        let Some((key, value)) = set.split_once('=') else {
            problems.push(Diagnostic::new(Kind::Usage, format!("`--set {set}` has no `=`")).hint("write `--set name=value`"));
            continue;
        };
        let source = Arc::new(Source { name: format!("--set {key}"), text: value.to_owned() });
        if let Some(value) = problems.take(crate::lang::yaml::parse(&source)) {
            sets.push((key.to_owned(), value));
        }
    }
    let identities = problems.take(identities(&narrow.identity, printer)).unwrap_or_else(secret::Identities::none);
    problems.into_result(Options {
        limit: narrow.limit.clone(),
        tags: narrow.tags.clone(),
        start_at: start_at.map(str::to_owned),
        sets,
        identities: Arc::new(identities),
    })
}

/// The identities that are named, or the default one where it exists.
fn identities(named: &[PathBuf], printer: &Printer) -> Result<secret::Identities, Diagnostics> {
    let mut all = secret::Identities::telling(printer.masker().clone());
    let paths = if named.is_empty() { default_identity().filter(|path| path.exists()).into_iter().collect() } else { named.to_vec() };
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Diagnostics::from(
                Diagnostic::new(Kind::Usage, format!("cannot read the identity {}: {error}", path.display()))
                    .hint("`homelab secret keygen` makes one; `--identity FILE` names another"),
            )
        })?;
        all.add(&text, &path.display().to_string())?;
    }
    Ok(all)
}
