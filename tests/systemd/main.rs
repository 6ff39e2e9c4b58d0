//! A Debian on which systemd runs: what ends in a service, and its way back. Where it is not run: as in `tests/apt`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code)] // shared with the other tests of the binary
#[path = "../e2e/site.rs"]
mod site;
#[allow(dead_code)] // shared with the tests of apt
#[path = "../support/debian.rs"]
mod debian;
#[path = "../support/repo.rs"]
mod repo;
#[path = "../support/untested.rs"]
mod untested;
#[allow(dead_code)] // shared with the tests of apt
#[path = "../support/web.rs"]
mod web;

mod docker;
mod services;
mod swapping;
mod system;
