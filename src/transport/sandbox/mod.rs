//! The sandbox: a throwaway node on this machine, for a first try and for tests. It needs no privileges and no
//! installs: its root is a directory with the shell and tools of this machine (copies, with their libraries) and an
//! `/etc` of its own; it is entered by namespaces, or by `chroot` where there are none; it is spoken to over real SSH,
//! without a port being opened.
//!
//! It keeps people from harm by accident, not from malice: what runs in it is the user's own configuration.
//! `docs/sandbox.md` says what it has and lacks, `docs/adr/0003-sandbox.md` why it is made like this.

mod elf;
mod enter;
mod forward;
mod keys;
mod power;
mod relay;
mod root;
mod server;
mod session;
mod skeleton;
mod tools;

pub use forward::{Forward, Forwards};
pub use enter::{SUBCOMMAND, enter};
pub use root::{Sandbox, SandboxSpec, Shell};
pub use server::Server;

use crate::lang::diagnostic::{Diagnostic, Kind};
use std::path::Path;

/// What a failed step of making or starting a sandbox is to the user.
fn trouble(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(Kind::Unreachable, format!("{what}: {error}"))
}

/// The same for a file operation.
fn trouble_at(act: &str, path: &Path, error: impl std::fmt::Display) -> Diagnostic {
    trouble(format_args!("sandbox: cannot {act} {}", path.display()), error)
        .hint("the sandbox directory must be on a writable file system that belongs to you")
}
