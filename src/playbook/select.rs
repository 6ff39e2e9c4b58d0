//! Which tasks are meant: `--tags` and `--start-at`.

use super::model::{Body, Play, Task};
use crate::lang::{Diagnostic, suggest};

/// Whether a task with these tags is chosen. `never` runs only if it is chosen by another of its tags (or by
/// `never`), `always` whenever it is not also `never`.
pub fn chosen(only: &[String], tags: &[String]) -> bool {
    let has = |tag: &str| tags.iter().any(|t| t == tag);
    let named = only.iter().any(|tag| match tag.as_str() {
        "all" => !has("never"),
        "tagged" => !tags.is_empty() && !has("never"),
        "untagged" => tags.is_empty(),
        tag => has(tag),
    });
    match (only.is_empty(), has("never")) {
        (_, true) => named,
        (true, false) => true,
        (false, false) => named || has("always"),
    }
}

/// The position (play, key) of the first task called `name`.
pub fn start_at(plays: &[Play], name: &str) -> Result<(usize, String), Diagnostic> {
    let mut names = Vec::new();
    for (at, play) in plays.iter().enumerate() {
        if let Some(key) = find(&play.tasks, &at.to_string(), name, &mut names) {
            return Ok((at, key));
        }
    }
    let hint = suggest::hint(name, names.iter().map(String::as_str), "name a task as the playbook does; `homelab check` lists them");
    Err(Diagnostic::new(crate::lang::Kind::Usage, format!("no task is called `{name}`")).hint(hint))
}

fn find(tasks: &[Task], prefix: &str, name: &str, names: &mut Vec<String>) -> Option<String> {
    for (at, task) in tasks.iter().enumerate() {
        let key = format!("{prefix}/{at}");
        if let Some(own) = task.name.as_ref().and_then(|n| n.as_str()) {
            if own == name {
                return Some(key);
            }
            names.push(own.to_owned());
        }
        let inner = match &task.body {
            Body::Block(tasks) | Body::Include(_, tasks) => tasks.as_slice(),
            Body::Role(role, _) => role.tasks.as_slice(),
            Body::Resource(..) | Body::Assert(_) => &[],
        };
        if let Some(found) = find(inner, &key, name, names) {
            return Some(found);
        }
    }
    None
}

/// Every tag that is written in these plays.
pub fn tags(plays: &[Play]) -> Vec<String> {
    fn walk(tasks: &[Task], out: &mut Vec<String>) {
        for task in tasks {
            out.extend(task.tags.iter().cloned());
            match &task.body {
                Body::Block(tasks) | Body::Include(_, tasks) => walk(tasks, out),
                Body::Role(role, _) => walk(&role.tasks, out),
                Body::Resource(..) | Body::Assert(_) => {}
            }
        }
    }
    let mut out = Vec::new();
    for play in plays {
        out.extend(play.tags.iter().cloned());
        walk(&play.tasks, &mut out);
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn tags_choose() {
        let texts = |list: &str| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (only, tags, wish) in [
            ("", "", true),
            ("", "net", true),
            ("", "never", false),
            ("", "never debug", false),
            ("debug", "never debug", true),
            ("never", "never", true),
            ("net", "", false),
            ("net", "net web", true),
            ("net", "always", true),
            ("net", "always never", false),
            ("all", "never", false),
            ("all", "", true),
            ("tagged", "", false),
            ("tagged", "x", true),
            ("untagged", "x", false),
            ("untagged", "", true),
        ] {
            assert_eq!(chosen(&texts(only), &texts(tags)), wish, "--tags '{only}' on '{tags}'");
        }
    }
}
