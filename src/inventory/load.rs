//! From the YAML of an inventory to the model: ranges expanded, groups nested, problems collected.

use super::fields::{Fields, bad_name, first_line, hint_names, key_span, wrong_type};
use super::reading::Reading;
use super::{Group, Host, Inventory, connection, keys, range};
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value};
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;

/// Reads the inventory at `path`. What can be read is returned even where there are problems, so that the caller can go
/// on and find more of them. Connections are not resolved yet: [`resolve`] does that, once templates can be rendered.
pub fn load(reading: &Reading<'_>, path: &Path, problems: &mut Diagnostics) -> Option<Inventory> {
    let root = problems.take(reading.yaml(path, None, "inventory"))?;
    let mut inventory = Inventory { path: path.to_owned(), ..Inventory::default() };
    let mut own = Diagnostics::new();
    let Some(mut f) = Fields::open(&root, "the inventory", &keys::top(), &[], &mut own) else {
        problems.0.append(&mut own.0);
        return None;
    };
    let dir = path.parent().unwrap_or(Path::new(""));
    for (text, span) in f.texts("playbooks").unwrap_or_default() {
        inventory.playbooks.push((super::join(dir, &text), span));
    }
    inventory.vars = Arc::new(variables(reading, &mut f, dir));
    let map = root.as_map().cloned().unwrap_or_default();
    inventory.fields = connection_fields(&map);
    let (groups, hosts) = (f.map("groups"), f.map("hosts"));
    for key in map.keys() {
        match key.as_str() {
            "groups" => read_groups(reading, groups, dir, &mut inventory, f.problems),
            "hosts" => read_hosts(reading, hosts, dir, &mut inventory, f.problems),
            _ => {}
        }
    }
    check_names(&inventory, f.problems);
    nest(&mut inventory, f.problems);
    inventory.disagreements(f.problems);
    problems.0.append(&mut own.0);
    Some(inventory)
}

/// The connection keys of `map`, as written.
fn connection_fields(map: &IndexMap<String, Value>) -> IndexMap<String, Value> {
    let wanted = |key: &str| keys::CONNECTION.iter().any(|k| k.name == key);
    map.iter().filter(|(key, _)| wanted(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// `vars_files` in order, each over the one before, then `vars`.
fn variables(reading: &Reading<'_>, f: &mut Fields<'_, '_>, dir: &Path) -> IndexMap<String, Value> {
    let files = f.texts("vars_files").unwrap_or_default();
    let mut vars = read_vars_files(reading, &files, dir, f.problems);
    vars.extend(f.vars("vars"));
    vars
}

/// The variables in `files`, relative to `dir`; a later file's replace an earlier one's.
pub fn read_vars_files(reading: &Reading<'_>, files: &[(String, Option<Span>)], dir: &Path, problems: &mut Diagnostics) -> IndexMap<String, Value> {
    let mut vars = IndexMap::new();
    for (text, span) in files {
        let path = super::join(dir, text);
        let Some(value) = problems.take(reading.yaml(&path, span.as_ref(), "file of variables")) else { continue };
        match value.data {
            Data::Map(map) => {
                for (name, value) in map {
                    if let Some(problem) = bad_name(&name, key_span(&name, &value).as_ref()) {
                        problems.push(problem);
                    }
                    vars.insert(name, value);
                }
            }
            Data::Null => {}
            _ => problems.push(
                Diagnostic::config(format!("the variables in {} must be a map, not {}", path.display(), value.type_name()))
                    .maybe_at(first_line(value.origin).as_ref())
                    .note("it is read because of this", span.as_ref())
                    .hint("write it as `name: value` lines"),
            ),
        }
    }
    vars
}

fn read_groups(reading: &Reading<'_>, groups: Option<&IndexMap<String, Value>>, dir: &Path, inventory: &mut Inventory, problems: &mut Diagnostics) {
    for (name, value) in groups.into_iter().flatten() {
        let span = key_span(name, value);
        let Some(mut f) = Fields::open(value, format!("the group `{name}`"), &keys::group(), &[], problems) else { continue };
        let mut group = Group { name: name.clone(), span: span.clone(), ..Group::default() };
        if let Some(hosts) = f.get("hosts").filter(|v| v.as_map().is_some()) {
            f.problems.push(
                wrong_type("hosts", hosts, "a list of names").hint("a group lists names; what belongs to a host goes under the top-level `hosts:`"),
            );
        } else {
            for (text, span) in f.texts("hosts").unwrap_or_default() {
                for host in expand(&text, span.as_ref(), f.problems) {
                    mention(inventory, &host, span.as_ref());
                    if !group.hosts.contains(&host) {
                        group.hosts.push(host);
                    }
                }
            }
        }
        group.children = f.texts("children").unwrap_or_default();
        group.vars = Arc::new(variables(reading, &mut f, dir));
        group.fields = value.as_map().map(connection_fields).unwrap_or_default();
        inventory.groups.insert(name.clone(), group);
    }
}

fn read_hosts(reading: &Reading<'_>, hosts: Option<&IndexMap<String, Value>>, dir: &Path, inventory: &mut Inventory, problems: &mut Diagnostics) {
    let mut declared: IndexMap<String, Option<Span>> = IndexMap::new();
    for (text, value) in hosts.into_iter().flatten() {
        let span = key_span(text, value);
        let names = expand(text, span.as_ref(), problems);
        let Some(mut f) = Fields::open(value, format!("the host `{text}`"), &keys::host(), &[], problems) else { continue };
        let vars = Arc::new(variables(reading, &mut f, dir));
        let fields = value.as_map().map(connection_fields).unwrap_or_default();
        for name in names {
            mention(inventory, &name, span.as_ref());
            if let Some(first) = declared.insert(name.clone(), span.clone()) {
                problems.push(
                    Diagnostic::config(format!("the host `{name}` is described twice"))
                        .maybe_at(span.as_ref())
                        .label("here again")
                        .note("first here", first.as_ref())
                        .hint("describe each host once; what several share goes into a group"),
                );
            } else if let Some(host) = inventory.hosts.get_mut(&name) {
                host.vars = vars.clone();
                host.fields = fields.clone();
                host.span = span.clone();
            }
        }
    }
}

fn expand(text: &str, span: Option<&Span>, problems: &mut Diagnostics) -> Vec<String> {
    let names = range::expand(text).unwrap_or_else(|(message, hint)| {
        problems.push(Diagnostic::config(message).maybe_at(span).hint(hint));
        Vec::new()
    });
    let fits = |name: &String| {
        let first = name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        first && name != "all" && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let (good, bad): (Vec<_>, Vec<_>) = names.into_iter().partition(fits);
    if let Some(name) = bad.first() {
        let hint = match name {
            name if name == "all" => "`all` means every host; what holds for each of them goes to the top of the inventory",
            name if name.contains([':', '@']) => "give it a short name and put the rest into `address`, `port` and `user`",
            _ => "a host's name has letters, digits, `-`, `_` and `.`",
        };
        problems.push(Diagnostic::config(format!("`{name}` cannot be the name of a host")).maybe_at(span).hint(hint));
    }
    good
}

fn mention(inventory: &mut Inventory, name: &str, span: Option<&Span>) {
    inventory
        .hosts
        .entry(name.to_owned())
        .or_insert_with(|| Host { name: name.to_owned(), span: span.cloned(), ..Host::default() });
}

fn check_names(inventory: &Inventory, problems: &mut Diagnostics) {
    for group in inventory.groups.values() {
        if group.name == "all" {
            problems.push(
                Diagnostic::config("`all` means every host and cannot be a group's name")
                    .maybe_at(group.span.as_ref())
                    .hint("what holds for every host goes to the top of the inventory: `vars:`, `user:`, …"),
            );
        }
        if let Some(host) = inventory.hosts.get(&group.name) {
            problems.push(
                Diagnostic::config(format!("`{}` is both a group and a host", group.name))
                    .maybe_at(group.span.as_ref())
                    .label("the group")
                    .note("the host", host.span.as_ref())
                    .hint("call one of them otherwise, so that a pattern means one thing"),
            );
        }
        for (child, span) in &group.children {
            if !inventory.groups.contains_key(child) {
                let names: Vec<&str> = inventory.groups.keys().map(String::as_str).filter(|name| *name != group.name).collect();
                let hint = match inventory.hosts.contains_key(child) {
                    true => "it is a host: name it under `hosts:` of the group".to_owned(),
                    false => hint_names(child, "groups", names),
                };
                problems.push(Diagnostic::config(format!("no group is called `{child}`")).maybe_at(span.as_ref()).hint(hint));
            }
        }
    }
}

/// Finds each group's depth and each host's groups; reports groups that contain themselves.
fn nest(inventory: &mut Inventory, problems: &mut Diagnostics) {
    let mut done: Vec<String> = Vec::new();
    for name in inventory.groups.keys() {
        let mut path = Vec::new();
        descend(inventory, name, &mut path, &mut done, problems);
    }
    // Parents are finished after their children: backwards, every parent comes before its children. A circle's
    // depths mean nothing, but they are finite.
    for name in done.iter().rev() {
        let Some(group) = inventory.groups.get(name) else { continue };
        let (depth, children) = (group.depth, group.children.clone());
        for (child, _) in children {
            if let Some(child) = inventory.groups.get_mut(&child) {
                child.depth = child.depth.max(depth + 1);
            }
        }
    }
    let mut order: Vec<(usize, String)> = inventory.groups.values().map(|g| (g.depth, g.name.clone())).collect();
    order.sort_by_key(|(depth, _)| *depth);
    for (_, group) in order {
        for host in inventory.members(&group).unwrap_or_default() {
            if let Some(host) = inventory.hosts.get_mut(&host) {
                host.groups.push(group.clone());
            }
        }
    }
}

fn descend<'a>(inventory: &'a Inventory, name: &'a str, path: &mut Vec<&'a str>, done: &mut Vec<String>, problems: &mut Diagnostics) {
    if done.iter().any(|d| d == name) {
        return;
    }
    path.push(name);
    for (child, span) in inventory.groups.get(name).map(|g| g.children.as_slice()).unwrap_or_default() {
        if let Some(from) = path.iter().position(|at| *at == child.as_str()) {
            let circle = path[from..].iter().copied().chain([child.as_str()]).collect::<Vec<_>>().join(" → ");
            problems.push(
                Diagnostic::config(format!("the groups contain each other: {circle}"))
                    .maybe_at(span.as_ref())
                    .label("closes the circle")
                    .hint("take one of these children out"),
            );
        } else if inventory.groups.contains_key(child) {
            descend(inventory, child, path, done, problems);
        }
    }
    path.pop();
    done.push(name.to_owned());
}

/// Resolves every host's connection: the top's fields, its groups' (deeper wins), its own; texts rendered by `render`
/// with the host's variables.
pub fn resolve(inventory: &mut Inventory, render: &mut dyn FnMut(&Inventory, &str, &Value) -> Result<Value, Diagnostics>, problems: &mut Diagnostics) {
    let names: Vec<String> = inventory.hosts.keys().cloned().collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let dir = inventory.path.parent().unwrap_or(Path::new("")).to_owned();
    let mut resolved = IndexMap::new();
    let mut found = Diagnostics::new();
    for name in &names {
        let Some(host) = inventory.hosts.get(name) else { continue };
        let mut fields = inventory.fields.clone();
        for group in host.groups.iter().filter_map(|group| inventory.groups.get(group)) {
            fields.extend(group.fields.clone());
        }
        // A default that sends the jump host through itself is not meant for it.
        if fields.get("jump").and_then(Value::as_str) == Some(name) {
            fields.shift_remove("jump");
        }
        fields.extend(host.fields.clone());
        let jump = fields.get("jump").and_then(|value| value.origin.clone());
        let mut rendered = IndexMap::new();
        for (key, value) in fields {
            if let Some(value) = found.take(render(inventory, name, &value)) {
                rendered.insert(key, value);
            }
        }
        let fields = Value { origin: host.span.clone(), ..Value::from(Data::Map(rendered)) };
        resolved.insert(name.clone(), (connection::read(name, &fields, &dir, &borrowed, &mut found), jump));
    }
    connection::jump_cycles(&resolved, &mut found);
    connection::jumps_nowhere(&resolved, &mut found);
    // What a group says wrongly, it says to each of its hosts: once is enough.
    for problem in found.0 {
        if !problems.0.contains(&problem) {
            problems.push(problem);
        }
    }
    for (name, (connection, _)) in resolved {
        if let Some(host) = inventory.hosts.get_mut(&name) {
            host.connection = connection;
        }
    }
}
