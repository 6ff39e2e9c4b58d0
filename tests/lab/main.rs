//! The lab's nodes, from end to end: real architectures, real init systems, real package managers, and their own tools as judges.
//!
//! Needs the lab: `sudo tests/lab/up`, then `HOMELAB_LAB=1`, which `tests/run` sets. Without it each test says that it was not run,
//! and under CI that is a failure. A test has the whole lab to itself: one at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code)] // shared with the tests of sandboxes
#[path = "../e2e/site.rs"]
mod site;

#[allow(dead_code)] // shared with the tests of sandboxes
#[path = "../support/faults/mod.rs"]
mod faults;
#[allow(dead_code)] // shared with the tests of lines
#[path = "../live/line.rs"]
mod line;
#[allow(dead_code)] // shared with the tests of packages
#[path = "../support/repo.rs"]
mod repo;
#[path = "../support/shown.rs"]
mod shown;
#[allow(dead_code)] // shared with the laws
#[path = "../support/tree.rs"]
mod tree;
#[path = "../support/untested.rs"]
mod untested;
#[allow(dead_code)] // shared with the tests of downloads
#[path = "../support/web.rs"]
mod web;

mod chaos;
mod cloud;
mod disk;
mod docker;
mod facts;
mod forward;
mod guard;
mod jump;
mod kinds;
mod kube;
mod locks;
mod lost;
mod nodes;
mod npm;
mod purity;
mod registries;
mod registry;
mod twice;
mod waypoint;
