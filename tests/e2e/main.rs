//! The binary, end to end, on sandbox nodes: real SSH, real shells, nothing installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../support/shown.rs"]
mod shown;
mod site;
#[path = "../support/untested.rs"]
mod untested;

mod apply;
mod chains;
mod defects;
mod facts;
mod failing;
mod guard;
mod images;
mod kubernetes;
mod large;
mod npm;
mod on_failure;
mod past;
mod plans;
mod report;
mod review;
mod saga;
mod secrets;
mod simulate;
mod waypoint;
