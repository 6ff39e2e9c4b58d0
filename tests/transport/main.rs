//! The transport against real OpenSSH servers and an agent, and against servers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

#[path = "../support/untested.rs"]
mod untested;

mod bad_servers;
mod hostile;
mod hostkeys;
mod jumps;
mod logins;
mod sandboxes;
mod sessions;
mod sshd;
mod sudo;
mod talk;
