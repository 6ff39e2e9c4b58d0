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

/// The position of the first task called `name`, or of a handler if there is no such task.
pub fn named(plays: &[Play], name: &str) -> Result<String, Diagnostic> {
    let problem = match start_at(plays, name) {
        Ok((_, key)) => return Ok(key),
        Err(problem) => problem,
    };
    let called = |task: &Task| task.name.as_ref().and_then(|n| n.as_str()) == Some(name);
    let handler = plays.iter().position(|play| play.handlers.iter().any(called));
    handler.map(|at| format!("{at}/handlers/{name}")).ok_or(problem)
}

/// Whether the step at `step` is the task at `task`, one of its loop's items, or below it.
pub fn within(step: &str, task: &str) -> bool {
    // In a step's position, `#3` is the item of a loop.
    let parts: Vec<&str> = step.split('/').map(|part| part.split_once('#').filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit())).map_or(part, |(part, _)| part)).collect();
    let plain = parts.join("/");
    plain.strip_prefix(task).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    use super::{chosen, within};

    #[test]
    fn items_and_inner_tasks_are_within() {
        for (step, task, wish) in [("0/1", "0/1", true), ("0/1#3", "0/1", true), ("0/1#3/2", "0/1/2", true), ("0/12", "0/1", false), ("0/1/2#0", "0/1", true), ("1/1", "0/1", false)] {
            assert_eq!(within(step, task), wish, "{step} within {task}");
        }
    }

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
