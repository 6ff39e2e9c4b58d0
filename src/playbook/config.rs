//! The whole configuration: inventory, plays, and what the command line chose of them.

use super::load::Loader;
use super::local::Cache;
use super::model::{Body, Play, Task};
use super::hosts::limited;
use super::{check, known, select};
use crate::lang::secret::Identities;
use crate::inventory::{self, Definition, Inventory, Reading, pattern};
use crate::lang::{Diagnostic, Diagnostics, Engine, Files, Kind, Span, Value, suggest};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line chooses.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--limit`: only hosts that this pattern chooses too.
    pub limit: Option<String>,
    /// `--tags`: only tasks with one of these; empty: all.
    pub tags: Vec<String>,
    /// `--start-at`: nothing before the task of this name.
    pub start_at: Option<String>,
    /// `--set`: variables that win over all others.
    pub sets: Vec<(String, Value)>,
    /// Who can read secrets.
    pub identities: Arc<Identities>,
}

/// Everything that was read, checked for form.
#[derive(Clone)]
pub struct Config {
    /// Who.
    pub inventory: Inventory,
    /// What, in order, with the hosts of each.
    pub plays: Vec<Play>,
    /// The hosts, where the inventory alone was read.
    pub alone: Option<Vec<String>>,
    /// `--set`.
    pub sets: IndexMap<String, Value>,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--start-at`: play and key of its task.
    pub start: Option<(usize, String)>,
    /// Tasks that keep their result on the node.
    pub keeps: Vec<Keep>,
    /// Renders.
    pub engine: Engine,
    /// The door to the files.
    pub files: Arc<Files>,
    /// Local files, loaded once for all hosts.
    pub cache: Arc<Cache>,
    /// Who can read secrets.
    pub identities: Arc<Identities>,
}

/// A task that keeps its result on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Whose hosts keep it.
    pub play: usize,
    /// The name it is kept by.
    pub name: String,
    /// The task.
    pub task: String,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("inventory", &self.inventory.path).field("plays", &self.plays.len()).finish_non_exhaustive()
    }
}

/// Reads `inventory` and `playbooks` (none: those that the inventory names), and checks all that can be checked
/// before anything is known of a node.
///
/// # Errors
/// Every problem found, each once.
pub fn load(files: Arc<Files>, inventory: &Path, playbooks: &[PathBuf], options: &Options) -> Result<Config, Diagnostics> {
    let mut problems = Diagnostics::new();
    let reading = Reading { files: &files, identities: &options.identities };
    let Some((who, named, engine, sets)) = read_hosts(&reading, &files, inventory, playbooks, options, &mut problems) else { return Err(problems) };
    if named.is_empty() && problems.is_empty() {
        problems.push(
            Diagnostic::config(format!("{} names no playbook", inventory.display()))
                .hint("add `playbooks: [site.yaml]` to the inventory, relative to it, or name one on the command line"),
        );
    }
    let mut loader = Loader {
        reading,
        inventory: inventory.parent().unwrap_or(Path::new("")).to_owned(),
        problems: &mut problems,
        roles: BTreeMap::new(),
        open: Vec::new(),
    };
    let mut plays: Vec<Play> = Vec::new();
    for (path, span) in &named {
        plays.extend(loader.playbook(path, span.as_ref()).map(|book| book.plays).unwrap_or_default());
    }
    choose_hosts(&who, &mut plays, options, &mut problems);
    check::syntax(&engine, &who, &plays, &mut problems);
    check::notifications(&plays, &mut problems);
    check::handlers(&plays, &mut problems);
    check_tags(&plays, options, &mut problems);
    let start = options.start_at.as_ref().and_then(|name| match select::start_at(&plays, name) {
        Ok(start) => Some(start),
        Err(problem) => {
            problems.push(problem);
            None
        }
    });
    let keeps = keeps(&plays);
    let problems = once(problems);
    let (tags, identities) = (options.tags.clone(), options.identities.clone());
    problems.into_result(Config { inventory: who, plays, alone: None, sets, tags, start, keeps, engine, files, cache: Arc::default(), identities })
}

/// Reads `inventory` alone, for what has been done and not for what is wished: nobody whose playbook is broken may be kept
/// from taking a run back.
///
/// # Errors
/// The problems of the inventory.
pub fn load_hosts(files: Arc<Files>, inventory: &Path, options: &Options) -> Result<Config, Diagnostics> {
    let mut problems = Diagnostics::new();
    let reading = Reading { files: &files, identities: &options.identities };
    let Some((who, _, engine, sets)) = read_hosts(&reading, &files, inventory, &[], options, &mut problems) else { return Err(problems) };
    let hosts = match &options.limit {
        Some(text) => problems.take(limited(&who, text)).unwrap_or_default(),
        None => who.hosts.keys().cloned().collect(),
    };
    let identities = options.identities.clone();
    let config = Config { inventory: who, plays: Vec::new(), alone: Some(hosts), sets, tags: Vec::new(), start: None, keeps: Vec::new(), engine, files, cache: Arc::default(), identities };
    once(problems).into_result(config)
}

type Named = Vec<(PathBuf, Option<Span>)>;

/// The inventory with its connections, and what else it takes: the playbooks that are named, the engine, and `--set`.
fn read_hosts(reading: &Reading<'_>, files: &Arc<Files>, inventory: &Path, playbooks: &[PathBuf], options: &Options, problems: &mut Diagnostics) -> Option<(Inventory, Named, Engine, IndexMap<String, Value>)> {
    let mut who = inventory::load(reading, inventory, problems)?;
    let mut named: Named = playbooks.iter().map(|path| (path.clone(), None)).collect();
    if named.is_empty() {
        named = who.playbooks.clone();
    }
    let engine = Engine::new(files.clone(), search(inventory, &named));
    let sets = sets(options, problems);
    let groups = Arc::new(known::groups(&who));
    let mut render = |who: &Inventory, host: &str, value: &Value| match engine.render_value(value, &known::inventory_scope(who, host, &groups, &sets)) {
        Ok(done) => Ok(done.value),
        Err(error) => Err(error.into_diagnostics()),
    };
    inventory::resolve(&mut who, &mut render, problems);
    Some((who, named, engine, sets))
}

/// Each problem once, for what is wrong for twenty hosts is mended in one place; file by file, from top to bottom.
pub fn once(problems: Diagnostics) -> Diagnostics {
    let mut out = Diagnostics::new();
    let mut names: Vec<String> = Vec::new();
    for problem in problems.0 {
        if !out.0.contains(&problem) {
            let name = problem.span.as_ref().map(|span| span.source.name.clone());
            names.extend(name.filter(|name| !names.contains(name)));
            out.push(problem);
        }
    }
    out.0.sort_by_key(|problem| {
        let span = problem.span.as_ref()?;
        Some((names.iter().position(|name| *name == span.source.name), span.range.start))
    });
    out
}

impl Config {
    /// Every definition of a host's variable, weakest first, the winner marked: inventory, groups, host, the plays
    /// for that host, `--set`.
    pub fn explain(&self, host: &str, name: &str) -> Vec<Definition> {
        let mut layers = self.inventory.layers(host);
        for play in self.plays.iter().filter(|play| play.hosts.iter().any(|h| h == host)) {
            layers.push(inventory::Layer { level: inventory::Level::Play(play.name.clone()), vars: play.vars.clone() });
        }
        layers.push(inventory::Layer { level: inventory::Level::Set, vars: Arc::new(self.sets.clone()) });
        inventory::vars::explain(&layers, name)
    }
}

/// Where templates look for the ones they include: the playbooks' directories and `templates/` above them.
fn search(inventory: &Path, playbooks: &[(PathBuf, Option<Span>)]) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    let here = [inventory].into_iter().chain(playbooks.iter().map(|(path, _)| path.as_path()));
    for dir in here.filter_map(Path::parent) {
        for place in [dir.to_owned(), dir.join("templates"), inventory::join(dir, "../templates")] {
            if !dirs.contains(&place) {
                dirs.push(place);
            }
        }
    }
    dirs
}

fn sets(options: &Options, problems: &mut Diagnostics) -> IndexMap<String, Value> {
    let mut sets = IndexMap::new();
    for (name, value) in &options.sets {
        if let Some(mut problem) = inventory::fields::bad_name(name, value.origin.as_ref()) {
            problem.kind = Kind::Usage;
            problems.push(problem);
        }
        sets.insert(name.clone(), value.clone());
    }
    sets
}

fn choose_hosts(who: &Inventory, plays: &mut [Play], options: &Options, problems: &mut Diagnostics) {
    let limit = options.limit.as_ref().map(|text| {
        problems.take(limited(who, text)).unwrap_or_default()
    });
    for play in plays.iter_mut().filter(|play| play.pattern_span.is_some()) {
        let chosen = problems.take(pattern::select(who, &play.pattern, play.pattern_span.as_ref()));
        play.hosts = chosen.unwrap_or_default();
        if let Some(limit) = &limit {
            play.hosts.retain(|host| limit.contains(host));
        }
    }
}

fn check_tags(plays: &[Play], options: &Options, problems: &mut Diagnostics) {
    let known = select::tags(plays);
    let special = ["all", "tagged", "untagged", "always", "never"];
    for tag in options.tags.iter().filter(|tag| !special.contains(&tag.as_str()) && !known.contains(tag)) {
        let fallback = if known.is_empty() { "no task has tags".to_owned() } else { format!("tags: {}", known.join(", ")) };
        let hint = suggest::hint(tag, known.iter().map(String::as_str), &fallback);
        problems.push(Diagnostic::new(Kind::Usage, format!("no task has the tag `{tag}`")).hint(hint));
    }
}

fn keeps(plays: &[Play]) -> Vec<Keep> {
    fn walk(tasks: &[Task], play: usize, out: &mut Vec<Keep>) {
        for task in tasks {
            if let Some(register) = task.register.as_ref().filter(|r| r.keep) {
                let shown = task.name.as_ref().and_then(Value::as_str).unwrap_or(&register.name).to_owned();
                out.push(Keep { play, name: register.name.clone(), task: shown });
            }
            match &task.body {
                Body::Block(tasks) | Body::Include(_, tasks) => walk(tasks, play, out),
                Body::Role(role, _) => walk(&role.tasks, play, out),
                Body::Resource(..) | Body::Assert(_) => {}
            }
        }
    }
    let mut out = Vec::new();
    for (at, play) in plays.iter().enumerate() {
        walk(&play.tasks, at, &mut out);
        walk(&play.handlers, at, &mut out);
    }
    out
}
