//! The reference of the roles in reach of a directory: what `homelab docs ROLE` prints.

use super::load::Loader;
use super::model::{Home, Role, RoleParam};
use super::role::role_places;
use crate::inventory::Reading;
use crate::lang::secret::Identities;
use crate::lang::{Diagnostics, Files, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The names of the roles that a playbook in `dir`, or in `playbooks` below it, could use.
pub fn roles(dir: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for place in role_places(&home(dir)) {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        names.extend(entries.filter(|entry| entry.path().join("role.yaml").exists()).map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    names
}

/// One of them.
///
/// # Errors
/// What is wrong with its text.
pub fn role(name: &str, dir: &Path) -> Result<Option<Arc<Role>>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let identities = Identities::default();
    let files = Files::on_disk();
    let reading = Reading { files: &files, identities: &identities };
    let mut loader = Loader { reading, inventory: dir.to_owned(), problems: &mut problems, roles: BTreeMap::new(), open: Vec::new() };
    let role = loader.role(&Value::from(name), &home(dir));
    problems.into_result(role)
}

fn home(dir: &Path) -> Home {
    Home { dir: dir.to_owned(), role: None, playbook: dir.to_owned(), project: dir.to_owned() }
}

/// The page of `role`, as Markdown.
pub fn reference(role: &Role) -> String {
    let mut page = format!("# {} (role)\n\n{}\n", role.name, role.summary);
    if !role.params.is_empty() {
        page.push_str("\n## Parameters\n\n| parameter | takes | default | meaning |\n|---|---|---|---|\n");
    }
    for (name, param) in &role.params {
        let secret = if param.secret { " Secret." } else { "" };
        let _ = writeln!(page, "| `{name}` | {} | {} | {}{secret} |", takes(param), cell(&default(param)), cell(&param.help));
    }
    page.push_str("\n## In a playbook\n\n```yaml\n- role: ");
    page.push_str(&role.name);
    let required: Vec<&String> = role.params.iter().filter(|(_, param)| param.required).map(|(name, _)| name).collect();
    if !required.is_empty() {
        page.push_str("\n  with:");
        required.iter().for_each(|name| page.push_str(&format!("\n    {name}: …")));
    }
    page.push_str("\n```\n");
    page
}

fn takes(param: &RoleParam) -> String {
    match param.ty {
        "choice" => param.choices.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        "any" => "anything".into(),
        "bool" => "`true` or `false`".into(),
        "int" => "a whole number".into(),
        "path" => "an absolute path".into(),
        other => format!("a {other}"),
    }
}

fn default(param: &RoleParam) -> String {
    match (&param.default, param.required) {
        (_, true) => "must be given".into(),
        (None, false) => String::new(),
        (Some(value), false) if param.secret => if value.is_null() { String::new() } else { "secret".into() },
        (Some(value), false) => match value.written() {
            Some(text) => format!("`{text}`"),
            None => format!("`{}`", serde_json::to_string(value).unwrap_or_default()),
        },
    }
}

/// A text that cannot break out of its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
