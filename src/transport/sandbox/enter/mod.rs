//! The hidden side of the binary: what the server starts to bring a sandbox up and to enter it. Runs before any thread
//! exists, because a process with threads cannot change its user namespace.
//!
//! `hold` makes the namespaces, stays outside and watches whether anybody still needs them; `map` gives `hold` its user
//! ids; `init` is the sandbox's first process; `login` runs one command in it.

mod account;
mod hold;
mod init;
mod login;
mod mounts;
mod request;
mod stand_in;
mod sudo;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// The first argument by which the binary knows that it is meant.
pub const SUBCOMMAND: &str = "__sandbox-enter";

/// How a sandbox can be entered, from best to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    /// As root: namespaces, with a user namespace that has all ids.
    Mapped,
    /// As root where user namespaces are forbidden: all other namespaces.
    Plain,
    /// As root without the right to mount: `chroot` alone.
    Chroot,
    /// As anybody: namespaces, with a user namespace of one id.
    Single,
}

impl Rung {
    /// Those that this user may try, best first.
    pub(super) fn ladder(root: bool) -> &'static [Rung] {
        if root { &[Rung::Mapped, Rung::Plain, Rung::Chroot] } else { &[Rung::Single] }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Rung::Mapped => "mapped",
            Rung::Plain => "plain",
            Rung::Chroot => "chroot",
            Rung::Single => "single",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Rung> {
        [Rung::Mapped, Rung::Plain, Rung::Chroot, Rung::Single].into_iter().find(|rung| rung.name() == name)
    }
}

/// Does what the arguments after the program's name ask for if they begin with [`SUBCOMMAND`], else answers `None`.
/// To be called first of all in `main`, before any thread exists.
pub fn enter(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter();
    if args.next()?.to_str() != Some(SUBCOMMAND) {
        return None;
    }
    let args: Vec<OsString> = args.collect();
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or("")).collect();
    let outcome = match words[..] {
        ["hold", _, rung] => known(rung).and_then(|rung| hold::hold(args[1].as_ref(), rung)),
        ["map", pid] => hold::map(pid),
        ["init", _, rung] => known(rung).and_then(|rung| init::init(args[1].as_ref(), rung)),
        ["login", pid, rung, _, user, _] => known(rung).and_then(|rung| login::login(pid, rung, args[3].as_ref(), user, &args[5])),
        _ => Err("not for calling by hand".to_owned()),
    };
    Some(outcome.map(ExitCode::from).unwrap_or_else(|problem| {
        let _ = writeln!(std::io::stderr(), "homelab: sandbox: {problem}");
        // What ssh itself says when it, not the command, has failed.
        ExitCode::from(255)
    }))
}

fn known(rung: &str) -> Result<Rung, String> {
    Rung::parse(rung).ok_or_else(|| format!("`{rung}` is no way to enter"))
}

/// Puts what was attempted before an error.
fn saying<T, E: Display>(what: impl Display, result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// Turns descriptors 0 to 2 away, so that nobody waits for this process to close them.
fn let_go() -> Result<(), String> {
    let null = saying("/dev/null", std::fs::OpenOptions::new().read(true).write(true).open("/dev/null"))?;
    saying("stdin", nix::unistd::dup2_stdin(&null))?;
    saying("stdout", nix::unistd::dup2_stdout(&null))?;
    saying("stderr", nix::unistd::dup2_stderr(&null))
}
