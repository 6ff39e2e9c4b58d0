//! The fixed runtime on real shells: dash, bash and busybox ash, with pipes in place of the channel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

#[path = "../support/untested.rs"]
mod untested;

mod apply;
mod look;
mod past;
mod channel;
mod cost;
mod guard;
mod iptables;
mod offers;
mod quoting;
mod random;
mod shell;
mod sums;
mod system;
mod tools;
mod undone;
