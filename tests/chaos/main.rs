//! Chaos: one playbook with every op that a sandbox can carry, and at each boundary between two of them something goes wrong: the next
//! op fails, the controller is killed, the line is cut, the disk is full. Each time the node is as before or, after the next apply, as after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code, reason = "shared with `live`, which uses the rest")]
#[path = "../live/line.rs"]
mod line;
#[allow(dead_code, reason = "shared with `live`, which uses the rest")]
#[path = "../live/remote.rs"]
mod remote;
#[allow(dead_code, reason = "shared with `e2e`, which uses the rest")]
#[path = "../e2e/site.rs"]
mod site;
#[allow(dead_code, reason = "shared with `lab`, which uses the rest")]
#[path = "../support/faults/mod.rs"]
mod faults;
#[allow(dead_code, reason = "shared with `laws`, which uses the rest")]
#[path = "../support/tree.rs"]
mod tree;
#[path = "../support/untested.rs"]
mod untested;

mod at_each;
mod full;
mod sandbox;
