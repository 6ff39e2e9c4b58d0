//! The binary over real TCP and SSH: sandbox nodes behind real ports, a real sshd where there is one, and machines
//! that are off, silent, reinstalled or someone else's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod lan;
#[path = "../support/untested.rs"]
mod untested;

mod against;
mod drift;
mod hostkeys;
mod jumps;
mod logins;
mod many;
mod openssh;
mod runs;
mod sudo;
mod unreachable;
