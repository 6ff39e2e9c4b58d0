//! The reference of the resources, made of their declarations: what `homelab docs` prints.

use super::{KINDS, KindSpec, Param, Ty};
use std::fmt::Write;

/// The reference page of `kind`, as Markdown.
pub fn reference(kind: &KindSpec) -> String {
    let mut page = format!("# {}\n\n{}.\n\n{}\n", kind.name, kind.summary, kind.description);
    page.push_str("\n## Parameters\n\n| parameter | takes | default | meaning |\n|---|---|---|---|\n");
    for param in kind.params {
        let _ = writeln!(page, "| {} | {} | {} | {} |", names(param), cell(&takes(param.ty)), cell(&default(param)), cell(&help(param)));
    }
    if let Some(param) = kind.params.iter().find(|param| !kind.bare.is_empty() && param.name == kind.bare) {
        let _ = write!(page, "\nA text alone, `{}: …`, is its `{}`.\n", kind.name, param.name);
    }
    let _ = write!(page, "\n## Example\n\n```yaml\n{}\n```\n", kind.example.trim_end());
    page
}

/// One line for each kind, as Markdown.
pub fn index() -> String {
    let mut page = String::from("# Resources\n\n| name | does |\n|---|---|\n");
    for kind in KINDS {
        let _ = writeln!(page, "| `{}` | {} |", kind.name, cell(kind.summary));
    }
    page.push_str("\n`homelab docs NAME` prints the page of one.\n");
    page
}

fn names(param: &Param) -> String {
    let mut names = format!("`{}`", param.name);
    for alias in param.aliases {
        let _ = write!(names, " or `{alias}`");
    }
    names
}

/// What messages and the reference call a type.
pub fn takes(ty: Ty) -> String {
    match ty {
        Ty::Str => "a text".into(),
        Ty::Bool => "`true` or `false`".into(),
        Ty::Int => "a whole number".into(),
        Ty::Mode => "permissions".into(),
        Ty::Path => "an absolute path".into(),
        Ty::Strs => "a text or a list of texts".into(),
        Ty::StrMap => "a map of texts".into(),
        Ty::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Ty::LocalFile => "a file or directory of the controller".into(),
        Ty::Template => "a template of the controller".into(),
        Ty::Duration => "seconds, or `90s`, `5m`, `1h`".into(),
        Ty::Any => "anything".into(),
    }
}

fn default(param: &Param) -> String {
    // Words are words, values are code.
    let prose = param.default.contains([' ', '`']) && !param.default.contains('{');
    match (param.required, param.default) {
        (true, _) => "must be given".into(),
        (false, "") => String::new(),
        (false, text) if prose => text.into(),
        (false, value) => format!("`{value}`"),
    }
}

fn help(param: &Param) -> String {
    match param.secret {
        true => format!("{} Secret.", param.help),
        false => param.help.into(),
    }
}

/// A text that cannot break out of its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lang::elsewhere;

    #[test]
    fn every_kind_is_documented() {
        for kind in KINDS {
            assert!(!kind.summary.ends_with('.') && !kind.summary.contains('\n'), "{}: {}", kind.name, kind.summary);
            assert!(!kind.description.trim().is_empty(), "{}", kind.name);
            assert!(kind.bare.is_empty() || kind.params.iter().any(|param| param.name == kind.bare), "{}: bare", kind.name);
            let mut names = std::collections::BTreeSet::new();
            for param in kind.params {
                assert!(param.help.ends_with('.'), "{}.{}: {:?}", kind.name, param.name, param.help);
                assert!(!param.required || param.default.is_empty(), "{}.{}: required, with a default", kind.name, param.name);
                for name in [&param.name].into_iter().chain(param.aliases) {
                    assert!(names.insert(*name), "{}: `{name}` twice", kind.name);
                }
            }
        }
    }

    #[test]
    fn every_example_is_a_task_with_known_parameters() {
        for kind in KINDS {
            let tasks: Vec<serde_json::Map<String, serde_json::Value>> = serde_saphyr::from_str(kind.example).unwrap();
            let of_kind: Vec<_> = tasks.iter().filter_map(|task| task.get(kind.name)).collect();
            assert!(!of_kind.is_empty(), "{}: the example does not show it", kind.name);
            for params in of_kind {
                match params {
                    serde_json::Value::Object(params) => {
                        for key in params.keys() {
                            let known = |param: &Param| param.name == key || param.aliases.contains(&key.as_str());
                            assert!(kind.params.iter().any(known), "{}: the example has `{key}`", kind.name);
                        }
                        for param in kind.params.iter().filter(|param| param.required) {
                            let given = |key: &String| param.name == key || param.aliases.contains(&key.as_str());
                            assert!(params.keys().any(given), "{}: the example lacks `{}`", kind.name, param.name);
                        }
                    }
                    _ => assert!(!kind.bare.is_empty(), "{}: the example is a bare text", kind.name),
                }
            }
        }
    }

    #[test]
    fn pages_show_every_parameter_in_one_row() {
        for kind in KINDS {
            let page = reference(kind);
            for param in kind.params {
                let rows = page.lines().filter(|line| line.starts_with(&format!("| `{}`", param.name))).count();
                assert_eq!(rows, 1, "{}.{}\n{page}", kind.name, param.name);
            }
            assert!(index().contains(&format!("| `{}` |", kind.name)));
        }
    }

    #[test]
    fn what_stands_for_ansibles_modules_is_there() {
        for (_, here) in elsewhere::rows("Modules and operations") {
            // Its resource, or a key of the language, or a command.
            if let Some((name, _)) = here.strip_prefix('`').and_then(|rest| rest.split_once('`')).filter(|(name, _)| !name.contains([':', ' '])) {
                assert!(KINDS.iter().any(|kind| kind.name == name), "there is no `{name}`");
            }
            for role in here.split("role `").skip(1).chain(here.split("roles `").skip(1)).filter_map(|rest| rest.split('`').next()) {
                let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/roles").join(role);
                assert!(dir.is_dir(), "there is no role `{role}`");
            }
        }
    }
}
