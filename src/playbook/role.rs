//! Finding and reading roles.

use super::keys;
use super::load::{Loader, Place};
use super::model::{Home, Role, RoleParam};
use crate::inventory::fields::{Fields, bad_name, key_span, plain_text, wrong_type};
use crate::lang::suggest::did_you_mean;
use crate::lang::{Diagnostic, Span, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Loader<'_> {
    /// The role that `arg` names, from a task at `home`.
    pub(super) fn role(&mut self, arg: &Value, home: &Home) -> Option<Arc<Role>> {
        let Some(name) = arg.as_str() else {
            self.problems.push(wrong_type("role", arg, "the name of a role"));
            return None;
        };
        let span = arg.origin.as_ref();
        if name.is_empty() || name.contains(['/', '\\', '{']) || name.starts_with('.') {
            self.problems.push(
                Diagnostic::config(format!("`{name}` cannot be the name of a role"))
                    .maybe_at(span)
                    .hint("a role is named by its directory in `roles/`, plainly: no path, no template"),
            );
            return None;
        }
        let places = role_places(home);
        let Some(dir) = places.iter().map(|place| place.join(name)).find(|dir| self.reading.files.read(&dir.join("role.yaml")).is_ok() || dir.join("role.yaml").exists()) else {
            self.unknown_role(name, span, &places);
            return None;
        };
        if let Some(role) = self.roles.get(&dir) {
            return role.clone();
        }
        if !self.enter(&dir, name.to_owned(), "the roles use each other", span) {
            return None;
        }
        let role = self.read_role(name, &dir, span, home).map(Arc::new);
        self.open.pop();
        self.roles.insert(dir, role.clone());
        role
    }

    fn unknown_role(&mut self, name: &str, span: Option<&Span>, places: &[PathBuf]) {
        let there = |dir: &PathBuf| {
            let entries = std::fs::read_dir(dir).ok()?;
            Some(entries.flatten().filter(|e| e.path().join("role.yaml").exists()).map(|e| e.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        let mut names: Vec<String> = places.iter().filter_map(there).flatten().collect();
        names.sort();
        names.dedup();
        let first = places.first().map(|place| place.join(name).join("role.yaml")).unwrap_or_default();
        let hint = match did_you_mean(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => format!("it would be in {}", first.display()),
            None => format!("roles: {}; this one would be in {}", names.join(", "), first.display()),
        };
        self.problems.push(Diagnostic::config(format!("there is no role `{name}`")).maybe_at(span).hint(hint));
    }

    fn read_role(&mut self, name: &str, dir: &Path, span: Option<&Span>, from: &Home) -> Option<Role> {
        let path = dir.join("role.yaml");
        let root = self.reading.yaml(&path, span, "role");
        let root = self.problems.take(root)?;
        let mut role = Role { name: name.to_owned(), dir: dir.to_owned(), summary: String::new(), params: Default::default(), tasks: Vec::new(), handlers: Vec::new() };
        let mut f = Fields::open(&root, format!("the role `{name}`"), keys::ROLE, &[], self.problems)?;
        role.summary = f.text("summary").unwrap_or_default();
        for (param, value) in f.map("params").into_iter().flatten() {
            let place = key_span(param, value);
            if let Some(problem) = bad_name(param, place.as_ref()) {
                f.problems.push(problem);
            }
            let Some(mut p) = Fields::open(value, format!("the parameter `{param}`"), keys::PARAM, &[], f.problems) else { continue };
            let parameter = read_param(&mut p, place);
            role.params.insert(param.clone(), parameter);
        }
        let home = Home { dir: dir.to_owned(), role: Some(dir.to_owned()), ..from.clone() };
        let place = Place { home: Arc::new(home), handler: false };
        let list = |key: &str| root.as_map().and_then(|map| map.get(key));
        role.tasks = self.tasks(list("tasks"), "tasks", &place);
        role.handlers = self.tasks(list("handlers"), "handlers", &Place { handler: true, ..place });
        Some(role)
    }
}

fn read_param(p: &mut Fields<'_, '_>, place: Option<Span>) -> RoleParam {
    let ty = p.choice("type", keys::PARAM_TYPES).unwrap_or("any");
    let default = p.get("default").cloned();
    let required = p.bool("required").unwrap_or(false);
    let choices = p.list("choices").unwrap_or_default().iter().filter_map(plain_text).collect::<Vec<_>>();
    if ty == "choice" && choices.is_empty() {
        p.problems.push(Diagnostic::config("a `choice` needs `choices`").maybe_at(place.as_ref()).hint("add `choices: [one, other]`"));
    }
    if required && default.is_some() {
        p.problems.push(
            Diagnostic::config("a parameter with a default is never missing, so it cannot be required")
                .maybe_at(place.as_ref())
                .hint("take out `required` or `default`"),
        );
    }
    RoleParam { ty, default, required, help: p.text("help").unwrap_or_default(), choices, secret: p.bool("secret").unwrap_or(false), span: place }
}

/// Where roles are looked for, nearest first: beside the playbook, then up the tree to the project.
pub(super) fn role_places(home: &Home) -> Vec<PathBuf> {
    let mut places = vec![home.playbook.join("roles")];
    let mut at = Some(home.playbook.as_path());
    while let Some(dir) = at.filter(|dir| dir.starts_with(&home.project)) {
        for place in [dir.join("playbooks/roles"), dir.join("roles")] {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        at = dir.parent();
    }
    places
}
