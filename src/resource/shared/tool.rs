//! Asking and telling a tool of the node's: what every resource shares that is made by docker, mount, git and their like.

use super::attrs::answered;
use crate::node::probe::Ran;
use crate::node::{Command, Probe, World};
use crate::resource::Block;

/// The exit status that says that there is no such program.
pub const NO_TOOL: i32 = 127;

/// A command, in words.
pub fn command<I: IntoIterator<Item = S>, S: Into<String>>(words: I) -> Command {
    Command { argv: words.into_iter().map(Into::into).collect(), ..Command::default() }
}

/// A script for `sh`, with its arguments as `$1`, `$2`, …
pub fn script(text: &str, args: &[&str]) -> Command {
    let set = if args.is_empty() { String::new() } else { format!("set --{}\n", crate::node::quote::words(args)) };
    Command { argv: vec![format!("{set}{text}")], shell: true, ..Command::default() }
}

/// A call of a function of `library`, one of the files in `scripts/`.
pub fn call(library: &str, function: &str, args: &[&str]) -> Command {
    script(&format!("{library}\n{function}{}", crate::node::quote::words(args)), &[])
}

/// What will be answered on standard output.
pub fn says(stdout: impl Into<String>) -> Ran {
    Ran { rc: 0, stdout: stdout.into(), stderr: String::new() }
}

/// The answer to `question`, whatever its status; what to do about it is up to who asks. Where `tool` is not there, an earlier
/// step may bring it; else `hint` says what does.
pub fn answer<'w>(world: &'w World, question: &Command, tool: &str, hint: &str) -> Result<&'w Ran, Block> {
    if let Some(ran) = world.ran(question).filter(|ran| ran.rc != NO_TOOL) {
        return Ok(ran);
    }
    answered(world, &[Probe::Run(question.clone())])?;
    Err(match world.opaque(Some(&format!("/usr/bin/{tool}"))) {
        Some(cause) => Block::Later(cause),
        None => Block::refused(format!("there is no `{tool}` on the node"), hint),
    })
}

/// A tool that fails: what is planned before may help it (a daemon that is started, a repository that is cloned), else it is in trouble.
pub fn trouble(world: &World, ran: &Ran, tool: &str, hint: &str) -> Block {
    if let Some(cause) = world.changed() {
        return Block::Later(cause);
    }
    let why = ran.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why");
    let denied = why.to_lowercase().contains("permission denied");
    let hint = if denied { "the login may not ask it: set `become: true` on the task or on its play" } else { hint };
    Block::refused(format!("`{tool}` cannot say how things are (status {}): {why}", ran.rc), hint)
}
