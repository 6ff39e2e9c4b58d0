//! The binary, end to end, on sandbox nodes: real SSH, real shells, nothing installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod site;
#[path = "../support/untested.rs"]
mod untested;

mod apply;
mod chains;
mod failing;
mod guard;
mod large;
mod plans;
mod review;
mod secrets;
