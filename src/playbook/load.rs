//! From the YAML of playbooks to the model: includes and roles read, keys and their forms checked, problems collected.

use super::forms::{becomes, expressions, pattern_text, register, serial, texts, tolerance};
use super::keys;
use super::model::{Assert, Body, GUARD, Home, Play, Playbook, Role, Rollback, Task};
use crate::inventory::fields::{Fields, first_line, hint_names, key_span, wrong_type};
use crate::inventory::{Reading, join, read_vars_files};
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value, elsewhere};
use crate::resource;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads playbooks; remembers roles, so that each is read once.
pub(super) struct Loader<'a> {
    pub(super) reading: Reading<'a>,
    /// The inventory's directory.
    pub(super) inventory: PathBuf,
    pub(super) problems: &'a mut Diagnostics,
    /// Finished ones, by directory; `None` for one that could not be read.
    pub(super) roles: BTreeMap<PathBuf, Option<Arc<Role>>>,
    /// Roles and includes being read, outermost first.
    pub(super) open: Vec<(PathBuf, String)>,
}

/// What the tasks of a list have in common.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) home: Arc<Home>,
    /// In `handlers:`.
    pub(super) handler: bool,
}

/// How deep includes, roles and blocks may nest.
const DEEPEST: usize = 64;

impl Loader<'_> {
    /// The playbook at `path`, named at `from`.
    pub(super) fn playbook(&mut self, path: &Path, from: Option<&Span>) -> Option<Playbook> {
        let root = self.reading.yaml(path, from, "playbook");
        let root = self.problems.take(root)?;
        let Some(items) = root.as_seq() else {
            let hint = match root.as_map() {
                Some(map) if map.contains_key("hosts") && map.contains_key("tasks") => "put a `-` before the play: a playbook is a list of plays",
                Some(map) if map.contains_key("groups") || map.contains_key("playbooks") => "this looks like an inventory; a playbook begins with `- name: …`",
                _ => "write each play as `- name: …` with `hosts:` and `tasks:`",
            };
            self.problems.push(
                Diagnostic::config(format!("a playbook must be a list of plays, not {}", root.type_name()))
                    .maybe_at(first_line(root.origin.clone()).as_ref())
                    .hint(hint),
            );
            return None;
        };
        let plays = items.iter().filter_map(|item| self.play(path, item)).collect();
        Some(Playbook { path: path.to_owned(), plays })
    }

    fn play(&mut self, path: &Path, value: &Value) -> Option<Play> {
        let dir = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut found = Diagnostics::new();
        let mut f = Fields::open(value, "the play", keys::PLAY, &[], &mut found);
        let play = f.as_mut().map(|f| {
            let name = f.text("name");
            let pattern = f.need("hosts", "say whom the play is for, like `hosts: all`").cloned();
            let pattern_text = pattern.as_ref().and_then(|value| pattern_text(value, f.problems));
            let files = f.texts("vars_files").unwrap_or_default();
            let mut vars = read_vars_files(&self.reading, &files, &dir, f.problems);
            vars.extend(f.vars("vars"));
            Play {
                name: name.clone().or_else(|| pattern_text.clone()).unwrap_or_default(),
                path: path.to_owned(),
                span: first_line(value.origin.clone()),
                pattern: pattern_text.unwrap_or_default(),
                pattern_span: pattern.and_then(|p| p.origin),
                serial: f.get("serial").map(|value| serial(value, f.problems)).unwrap_or_default(),
                max_failures: f.get("max_failures").and_then(|value| tolerance(value, f.problems)).unwrap_or_default(),
                become_: becomes(f).unwrap_or(false),
                vars: Arc::new(vars),
                rollback: match f.choice("rollback", keys::ROLLBACK) {
                    Some("play") => Rollback::Play,
                    Some("none") => Rollback::None,
                    _ => Rollback::Host,
                },
                tags: texts(f, "tags"),
                guard: guard(f),
                ..Play::default()
            }
        });
        self.problems.0.append(&mut found.0);
        let mut play = play?;
        let home = Arc::new(Home { dir: dir.clone(), role: None, project: common(&self.inventory, &dir), playbook: dir });
        let place = Place { home, handler: false };
        let list = |key: &str| value.as_map().and_then(|map| map.get(key)).cloned();
        play.tasks = self.tasks(list("tasks").as_ref(), "tasks", &place);
        play.handlers = self.tasks(list("handlers").as_ref(), "handlers", &Place { handler: true, ..place.clone() });
        play.on_failure = self.tasks(list("on_failure").as_ref(), "on_failure", &place);
        Some(play)
    }

    /// A list of tasks.
    pub(super) fn tasks(&mut self, list: Option<&Value>, key: &str, place: &Place) -> Vec<Task> {
        let Some(list) = list.filter(|list| list.data != Data::Null) else { return Vec::new() };
        let Some(items) = list.as_seq() else {
            let mut problem = wrong_type(key, list, "a list of tasks").hint("put a `-` before each task");
            if key == "include" {
                problem.message = format!("an included file must be a list of tasks, not {}", list.type_name());
            }
            self.problems.push(problem);
            return Vec::new();
        };
        if self.open.len() > DEEPEST {
            self.problems.push(Diagnostic::config(format!("tasks are nested more than {DEEPEST} deep")).maybe_at(list.origin.as_ref()).hint("take a level out"));
            return Vec::new();
        }
        let tasks: Vec<Task> = items.iter().filter_map(|item| self.task(item, place)).collect();
        if place.handler {
            self.check_handlers(&tasks);
        }
        tasks
    }

    fn check_handlers(&mut self, handlers: &[Task]) {
        let mut seen: BTreeMap<&str, Option<&Span>> = BTreeMap::new();
        for handler in handlers {
            let named = handler.name.as_ref().and_then(|name| Some((name.as_str()?, name.origin.as_ref())));
            let Some((name, span)) = named else {
                self.problems.push(
                    Diagnostic::config("a handler needs a name, for tasks notify it by that").maybe_at(handler.span.as_ref()).hint("add `name:`"),
                );
                continue;
            };
            if let Some(first) = seen.insert(name, span) {
                self.problems.push(
                    Diagnostic::config(format!("two handlers are called `{name}`")).maybe_at(span).note("the first one", first).hint("rename one of them"),
                );
            }
            if !matches!(handler.body, Body::Resource(..)) || handler.looped.is_some() {
                self.problems.push(
                    Diagnostic::config(format!("the handler `{name}` must be a single resource"))
                        .maybe_at(handler.span.as_ref())
                        .hint("write one handler for each thing to do, and notify them all"),
                );
            }
        }
    }

    fn task(&mut self, value: &Value, place: &Place) -> Option<Task> {
        let Some(map) = value.as_map() else {
            self.problems.push(
                Diagnostic::config(format!("a task must be a map, not {}", value.type_name()))
                    .maybe_at(first_line(value.origin.clone()).as_ref())
                    .hint("write it as `- name: …` with a resource, like `file:`, beneath"),
            );
            return None;
        };
        let action = self.action(value, map)?;
        let mut found = Diagnostics::new();
        let mut f = Fields::open(value, "the task", &task_table(action), &[action, "with"], &mut found)?;
        let mut task = common_keys(&mut f, place);
        task.span = value.key_origin(action).cloned().or_else(|| map.get(action).and_then(|v| key_span(action, v)));
        check_fits(&mut f, action);
        self.problems.0.append(&mut found.0);
        let arg = map.get(action)?;
        task.body = match action {
            "block" => {
                self.open.push((PathBuf::new(), "block".into()));
                let tasks = self.tasks(Some(arg), "block", place);
                self.open.pop();
                Body::Block(tasks)
            }
            "include" => self.include(arg, place)?,
            "role" => Body::Role(self.role(arg, &place.home)?, map.get("with").cloned().unwrap_or_else(|| Value::from(Data::Null))),
            "assert" => Body::Assert(self.assert(arg)?),
            _ => {
                if let (Some(task), Some(own)) = (&task.undo, arg.get("undo")) {
                    self.problems.push(
                        Diagnostic::config("`undo` is given twice, to the task and to its command")
                            .maybe_at(own.origin.as_ref())
                            .note("the task's", task.origin.as_ref())
                            .hint("keep one of them"),
                    );
                }
                Body::Resource(resource::kind(action)?, arg.clone())
            }
        };
        Some(task)
    }

    /// The one key that says what the task does.
    fn action<'k>(&mut self, value: &Value, map: &'k IndexMap<String, Value>) -> Option<&'k str> {
        let is_action = |key: &str| keys::ACTIONS.iter().any(|k| k.name == key) || resource::kind(key).is_some();
        let place = |key: &str| value.key_origin(key).cloned().or_else(|| map.get(key).and_then(|v| key_span(key, v)));
        let actions: Vec<&str> = map.keys().map(String::as_str).filter(|key| is_action(key)).collect();
        match actions.as_slice() {
            [one] => return Some(one),
            [first, second, ..] => self.problems.push(
                Diagnostic::config(format!("a task does one thing, and this one has both `{first}` and `{second}`"))
                    .maybe_at(place(second).as_ref())
                    .label("the second")
                    .note("the first", place(first).as_ref())
                    .hint("make them two tasks, or put them into a `block:`"),
            ),
            [] => {
                let known = |key: &str| keys::TASK.iter().any(|k| k.name == key) || key == "with";
                let kinds: Vec<&str> = resource::KINDS.iter().map(|k| k.name).chain(keys::ACTIONS.iter().map(|k| k.name)).collect();
                let mut told = false;
                for key in map.keys().filter(|key| !known(key)) {
                    told = true;
                    let names: Vec<&str> = kinds.iter().copied().chain(keys::TASK.iter().map(|k| k.name)).collect();
                    self.problems.push(
                        Diagnostic::config(format!("there is no resource `{key}`, nor a key of a task"))
                            .maybe_at(place(key).as_ref())
                            .label("unknown")
                            .hint(elsewhere::module(key).or_else(|| elsewhere::keyword(key)).unwrap_or_else(|| hint_names(key, "resources", names))),
                    );
                }
                if !told {
                    self.problems.push(
                        Diagnostic::config("the task does not say what to do")
                            .maybe_at(first_line(value.origin.clone()).as_ref())
                            .hint("add a resource (`homelab docs` lists them), or `block`, `role`, `include` or `assert`"),
                    );
                }
            }
        }
        None
    }

    fn include(&mut self, arg: &Value, place: &Place) -> Option<Body> {
        let Some(text) = arg.as_str() else {
            self.problems.push(wrong_type("include", arg, "the path of a file"));
            return None;
        };
        if text.contains("{{") {
            self.problems.push(
                Diagnostic::config("`include` takes a plain path")
                    .maybe_at(arg.origin.as_ref())
                    .label("not a template")
                    .hint("include each file by name, with a `when:` that chooses"),
            );
            return None;
        }
        let path = join(&place.home.dir, text);
        if !self.enter(&path, format!("{}", path.display()), "the files include each other", arg.origin.as_ref()) {
            return None;
        }
        let root = self.reading.yaml(&path, arg.origin.as_ref(), "included file");
        let body = self.problems.take(root).map(|root| {
            let home = Home { dir: path.parent().unwrap_or(Path::new("")).to_owned(), ..(*place.home).clone() };
            let tasks = self.tasks(Some(&root), "include", &Place { home: Arc::new(home), handler: place.handler });
            Body::Include(path.clone(), tasks)
        });
        self.open.pop();
        body
    }

    /// Notes that `path` is being read; `false`, with a problem, where it is already.
    pub(super) fn enter(&mut self, path: &Path, shown: String, what: &str, span: Option<&Span>) -> bool {
        if let Some(from) = self.open.iter().position(|(open, _)| open == path) {
            let names = self.open[from..].iter().filter(|(open, _)| !open.as_os_str().is_empty()).map(|(_, name)| name.as_str());
            let circle = names.chain([shown.as_str()]).collect::<Vec<_>>().join(" → ");
            self.problems.push(
                Diagnostic::config(format!("{what}: {circle}")).maybe_at(span).label("closes the circle").hint("take one of these out"),
            );
            return false;
        }
        self.open.push((path.to_owned(), shown));
        true
    }

    fn assert(&mut self, arg: &Value) -> Option<Assert> {
        if arg.as_map().is_none() {
            return Some(Assert { that: expressions("assert", arg, self.problems), message: None });
        }
        let mut f = Fields::open(arg, "`assert`", keys::ASSERT, &[], self.problems)?;
        let that = f.need("that", "say what must hold, like `that: facts.memory_mib > 500`")?;
        let message = f.get("message").cloned();
        Some(Assert { that: expressions("that", that, f.problems), message })
    }
}

/// The keys that a task with this action may have; for the unknown ones, all names count.
fn task_table(action: &str) -> Vec<crate::inventory::fields::Key> {
    let mut table = keys::TASK.to_vec();
    if action == "role" {
        table.push(keys::WITH);
    }
    table
}

/// What only some tasks can have.
fn check_fits(f: &mut Fields<'_, '_>, action: &str) {
    let composite = keys::ACTIONS.iter().any(|k| k.name == action);
    for key in keys::RESOURCE_ONLY.iter().copied().filter(|_| composite).chain(["undo"].into_iter().filter(|_| !composite && action != "command")) {
        if let Some(value) = f.get(key) {
            let hint = match key {
                "undo" => "only a `command` needs one; everything else is undone by itself".to_owned(),
                _ => "give it to the tasks inside".to_owned(),
            };
            f.problems.push(Diagnostic::config(format!("`{key}` does not go with `{action}`")).maybe_at(key_span(key, value).as_ref()).hint(hint));
        }
    }
    if action != "role"
        && let Some(value) = f.get("with")
    {
        f.problems.push(
            Diagnostic::config(format!("`with` does not go with `{action}`"))
                .maybe_at(key_span("with", value).as_ref())
                .hint("it holds the parameters of a `role:`; a resource's stand beneath its key"),
        );
    }
    if action == "block"
        && let Some(value) = f.get("loop")
    {
        f.problems.push(
            Diagnostic::config("a block cannot loop")
                .maybe_at(key_span("loop", value).as_ref())
                .hint("put its tasks into a file and loop over `include:`, or make it a role"),
        );
    }
}

/// All but the body.
fn common_keys(f: &mut Fields<'_, '_>, place: &Place) -> Task {
    let name = f.get("name").cloned();
    f.text("name");
    Task {
        span: None,
        name,
        body: Body::Block(Vec::new()),
        when: f.get("when").map(|value| expressions("when", value, f.problems)).unwrap_or_default(),
        looped: f.get("loop").cloned(),
        register: f.get("register").and_then(|value| register(value, f.problems)),
        notify: f.texts("notify").unwrap_or_default(),
        tags: texts(f, "tags"),
        become_: becomes(f),
        retries: f.int("retries", 0..=1000).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        delay: f.seconds("delay").unwrap_or(5),
        timeout: f.seconds("timeout"),
        guard: f.bool("guard"),
        provides: f.get("provides").cloned(),
        undo: f.get("undo").cloned(),
        run_once: f.bool("run_once").unwrap_or(false),
        vars: Arc::new(f.vars("vars")),
        home: place.home.clone(),
    }
}

/// The lowest directory above both.
fn common(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// How long a play's guard waits: seconds, or `false` for no guard at all.
fn guard(f: &mut Fields<'_, '_>) -> u64 {
    match f.get("guard").map(|value| &value.data) {
        None => GUARD,
        Some(Data::Bool(false)) => 0,
        // Without a second at least, no login can be in time.
        Some(_) => f.seconds("guard").map_or(GUARD, |seconds| seconds.max(1)),
    }
}
