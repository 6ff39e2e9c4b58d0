//! The binary against sandbox nodes that live dangerously: killed controllers, cut lines, odd names, large files, and
//! onlookers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code, reason = "shared with `e2e`, which uses the rest")]
#[path = "../e2e/site.rs"]
mod site;
#[path = "../support/untested.rs"]
mod untested;

mod line;
mod remote;
mod rounds;

mod cost;
mod fleet;
mod interrupted;
mod killed;
mod large;
mod lost;
mod names;
mod past;
mod orphans;
mod watched;
