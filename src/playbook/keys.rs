//! The keys of playbooks and roles: one table for the loader, for "did you mean" and for the editor's schema.

use crate::inventory::fields::{Key, Shape};

/// What `rollback:` takes.
pub const ROLLBACK: &[&str] = &["host", "play", "none"];

/// The types of role parameters.
pub const PARAM_TYPES: &[&str] = &["text", "bool", "int", "list", "map", "path", "mode", "duration", "choice", "any"];

/// Keys of a play.
pub const PLAY: &[Key] = &[
    Key::new("name", Shape::Text, "What the play is for."),
    Key::new("hosts", Shape::Text, "Whom it is for: a pattern like `pis:!pi-3`."),
    Key::new("serial", Shape::Any, "How many hosts at a time: a number, a percentage, or a list of them; by default all."),
    Key::new("max_failures", Shape::Any, "How many hosts (or `30%`) may fail before the play stops; by default 0."),
    Key::new("become", Shape::Bool, "Whether its tasks run as root."),
    Key::new("vars", Shape::Map, "Variables; they win over the inventory's."),
    Key::new("vars_files", Shape::Texts, "YAML files of variables, relative to the playbook."),
    Key::new("rollback", Shape::Choice(ROLLBACK), "What a failure takes back: the `host` (default), the whole `play`, or `none`."),
    Key::new("tags", Shape::Texts, "Tags of all its tasks."),
    Key::new("guard", Shape::SecondsOrNot, "How long a node waits for a new login before it takes back a change that may cut the line; by default 60 seconds, `false`: for ever."),
    Key::new("tasks", Shape::Tasks, "What is to be, in order."),
    Key::new("handlers", Shape::Tasks, "Tasks that run once, at the end, if a changed task notifies them by name."),
    Key::new("on_failure", Shape::Tasks, "Tasks that run after a failure has been taken back, to tell someone."),
];

/// Keys of a task beside the one that says what it does.
pub const TASK: &[Key] = &[
    Key::new("name", Shape::Text, "What the task is for; may hold `{{ }}`."),
    Key::new("when", Shape::Expression, "Only if this expression is true; a list means all of them."),
    Key::new("loop", Shape::Any, "Once for each item of a list, or each pair of a map, as `item`."),
    Key::new("register", Shape::Any, "Keep the result as a variable: its name, or a map with `name`, `keep`, `secret`."),
    Key::new("notify", Shape::Texts, "Handlers to run if this changes something."),
    Key::new("tags", Shape::Texts, "Words that `--tags` chooses by; `always` and `never` have a meaning of their own."),
    Key::new("become", Shape::Bool, "Whether it runs as root; how, the host says."),
    Key::new("retries", Shape::Int, "How often to try again before it has failed."),
    Key::new("delay", Shape::Seconds, "How long to wait between tries; by default 5 seconds."),
    Key::new("timeout", Shape::Seconds, "How long it may take."),
    Key::new("guard", Shape::Bool, "It may cut the line: the node takes it back if the controller does not return."),
    Key::new("provides", Shape::Texts, "The only paths that a command or package may bring."),
    Key::new("undo", Shape::Any, "The command that takes a `command` back."),
    Key::new("run_once", Shape::Bool, "On the first host of the play only."),
    Key::new("vars", Shape::Map, "Variables of this task; they win over the play's."),
];

/// Keys that say what a task does, beside the resources.
pub const ACTIONS: &[Key] = &[
    Key::new("block", Shape::Tasks, "Tasks that share `when`, `become`, `tags`, `vars`."),
    Key::new("role", Shape::Text, "A role, with its parameters in `with:`."),
    Key::new("include", Shape::Text, "A file with a list of tasks, relative to this one."),
    Key::new("assert", Shape::Any, "What must hold: an expression, a list of them, or a map with `that` and `message`."),
];

/// Parameters of a role, beside `role:`.
pub const WITH: Key = Key::new("with", Shape::Map, "The role's parameters.");

/// Keys of a task that only a single resource can have.
pub const RESOURCE_ONLY: &[&str] = &["register", "notify", "retries", "delay", "timeout", "guard", "provides", "undo"];

/// Keys of `register:`.
pub const REGISTER: &[Key] = &[
    Key::new("name", Shape::Text, "The variable's name."),
    Key::new("keep", Shape::Bool, "Keep it on the node, for later runs and for other hosts (`hosts[\"x\"].kept`)."),
    Key::new("secret", Shape::Bool, "Never show it."),
];

/// Keys of `assert:`.
pub const ASSERT: &[Key] = &[
    Key::new("that", Shape::Expression, "An expression, or a list of them."),
    Key::new("message", Shape::Text, "What to say if it does not hold."),
];

/// Keys of a `role.yaml`.
pub const ROLE: &[Key] = &[
    Key::new("summary", Shape::Text, "What the role is for, in one line."),
    Key::new("params", Shape::Map, "Its parameters, by name."),
    Key::new("tasks", Shape::Tasks, "What is to be, in order."),
    Key::new("handlers", Shape::Tasks, "Handlers that its tasks may notify."),
];

/// Keys of a role's parameter.
pub const PARAM: &[Key] = &[
    Key::new("type", Shape::Choice(PARAM_TYPES), "What it takes; by default any."),
    Key::new("default", Shape::Any, "What holds when it is not given; may name the parameters above it."),
    Key::new("required", Shape::Bool, "Must be given."),
    Key::new("help", Shape::Text, "What it means."),
    Key::new("choices", Shape::List, "The words that a `choice` takes."),
    Key::new("secret", Shape::Bool, "Its value must never show."),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::keys::{BECOME, CONNECTION, TOP};
    use crate::lang::elsewhere;

    #[test]
    fn what_stands_for_ansibles_keywords_is_there() {
        let tables = [PLAY, TASK, ACTIONS, TOP, CONNECTION, BECOME];
        let known = |name: &str| tables.iter().copied().flatten().any(|key| key.name == name);
        let command = crate::resource::kind("command").unwrap();
        for (there, here) in elsewhere::rows("Keywords").filter(|(_, here)| here.starts_with('`')) {
            let name = elsewhere::words(here).next().unwrap();
            assert!(known(name.trim_end_matches(':')) || command.params.iter().any(|param| param.name == name) || name.starts_with("--"), "{there}: there is no `{name}`");
        }
    }
}
