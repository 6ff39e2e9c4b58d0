//! The binary, end to end, on sandbox nodes: real SSH, real shells, nothing installed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod site;

mod apply;
mod chains;
mod facts;
mod failing;
mod large;
mod past;
mod plans;
mod review;
mod secrets;
