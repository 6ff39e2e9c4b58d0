//! What names may look like before they reach a node's tools, and the diagnostics for those that may not. A name that
//! a tool would take for an option, a field separator or a second line is refused here, at the place where it is written.

use super::attrs::wrong;
use crate::lang::Diagnostics;
use crate::node::{Answer, Probe, World};
use crate::resource::Block;
use crate::resource::params::Args;

/// `value` as a message may show it.
pub fn shown(args: &Args, param: &str, value: &str) -> String {
    if args.is_secret(param) { "‹secret›".into() } else { format!("`{}`", value.escape_debug()) }
}

/// Whether a user or group name is one that `useradd` and `/etc/passwd` can carry.
pub fn is_account(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 32
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && chars.clone().rev().skip(1).all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && chars.next_back().is_none_or(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'))
        && !name.bytes().all(|b| b.is_ascii_digit())
}

/// Checks that `value` of `param` is a user or group name (`what` says which).
pub fn account(args: &Args, param: &str, what: &str, value: &str) -> Result<String, Diagnostics> {
    if is_account(value) {
        return Ok(value.to_owned());
    }
    Err(wrong(
        args,
        param,
        format!("{} is not a {what} name", shown(args, param, value)),
        "not a name",
        "at most 32 letters, digits, `_`, `-` and `.`, the first a letter, a digit or `_`, and not digits only",
    ).into())
}

/// Checks that `value` of `param` is one line that a `:`-separated file can carry.
pub fn field(args: &Args, param: &str, value: &str) -> Result<String, Diagnostics> {
    match value.chars().find(|c| *c == ':' || c.is_control()) {
        None => Ok(value.to_owned()),
        Some(bad) => Err(wrong(
            args,
            param,
            format!("`{param}` cannot contain {}", if bad == ':' { "a colon" } else { "a line break or control character" }),
            "cannot be stored in /etc/passwd",
            "write it as one line without colons",
        ).into()),
    }
}

/// Checks that `value` of `param` is one line without control characters, and not empty.
pub fn line(args: &Args, param: &str, value: &str) -> Result<String, Diagnostics> {
    if value.trim().is_empty() {
        return Err(wrong(args, param, format!("`{param}` is empty"), "nothing here", format!("give `{param}` a text")).into());
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(wrong(
            args,
            param,
            format!("`{param}` contains a line break or control character"),
            "must be one line",
            "write it as one line; a longer script belongs into a file of its own, which the line calls",
        ).into());
    }
    Ok(value.to_owned())
}

/// The kinds of units systemd has.
const SUFFIXES: &[&str] =
    &["service", "socket", "timer", "path", "mount", "automount", "target", "swap", "slice", "scope", "device"];

/// Whether `name` ends in a unit kind (`.service`, `.timer`, …).
pub fn has_unit_suffix(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix))
}

/// Checks that `value` of `param` can be a unit's name.
pub fn unit(args: &Args, param: &str, value: &str) -> Result<String, Diagnostics> {
    let ok = !value.is_empty()
        && value.len() <= 247
        && !value.starts_with(['-', '.'])
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '@' | '-' | '\\'));
    if ok {
        return Ok(value.to_owned());
    }
    Err(wrong(
        args,
        param,
        format!("{} is not a unit name", shown(args, param, value)),
        "not a unit name",
        "letters, digits, `:`, `_`, `.`, `-`, `@`; the first no dash or dot. `systemd-escape --path` makes one of a path",
    ).into())
}

/// Refuses where the node could not answer `probe`; its words are untrusted and shown as such.
pub fn answered(world: &World, probe: &Probe, what: &str, hint: &str) -> Result<(), Block> {
    match world.failure(probe) {
        None => Ok(()),
        Some(why) => {
            let why: String = why.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
            Err(Block::refused(format!("the node could not say {what}: {why}"), hint))
        }
    }
}

/// Refuses where nothing on the node could make, change or remove accounts and groups.
pub fn tools(world: &World, what: &str) -> Result<(), Block> {
    if world.facts.accounts != "none" {
        return Ok(());
    }
    Err(Block::refused(
        format!("this node has no tools for {what}: neither shadow's nor busybox's"),
        "skip the task there: `when: facts.accounts != \"none\"`",
    ))
}

/// Refuses a change that busybox has no tool for.
pub fn usermod(world: &World, what: &str, tool: &str) -> Result<(), Block> {
    if world.facts.accounts != "busybox" {
        return Ok(());
    }
    Err(Block::refused(format!("this node cannot change {what}: busybox has no {tool}"), "leave it as it is there, or install shadow's tools"))
}

/// The lines of `text` without their ends, but with a carriage return where one is: other people's lines stay as they are.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let some = (!text.is_empty()).then(|| text.strip_suffix('\n').unwrap_or(text).split('\n'));
    some.into_iter().flatten()
}

/// Where an account's home is unless it says otherwise.
pub fn usual_home(user: &str) -> String {
    if user == "root" { "/root".into() } else { format!("/home/{user}") }
}

/// Whether the account was seen not to be there, whatever the plan makes of it.
pub fn seen_no_user(world: &World, name: &str) -> bool {
    matches!(world.seen().get(&Probe::User { name: name.to_owned() }), Some(Answer::User(None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names() {
        for good in ["pi", "_apt", "www-data", "systemd-network", "machine$", "a", "3proxy", "john.doe"] {
            assert!(is_account(good), "{good}");
        }
        for bad in ["", "-r", "a b", "a:b", "a\nb", "root,wheel", "1000", "$", "a/b", "é", "a$b", &"a".repeat(33)] {
            assert!(!is_account(bad), "{bad}");
        }
    }

    #[test]
    fn unit_suffixes() {
        assert!(has_unit_suffix("a.service") && has_unit_suffix("b@c.timer"));
        assert!(!has_unit_suffix("a") && !has_unit_suffix("a.b") && !has_unit_suffix(".service"));
    }
}
