//! The laws that every change keeps, asked of the binary on sandbox nodes, on dash, bash and busybox ash: applied twice there is
//! nothing to do, a plan touches nothing, and a failing later step takes everything back to its grade, handlers included.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code)] // shared with the other tests of the binary
#[path = "../e2e/site.rs"]
mod site;
#[path = "../support/tree.rs"]
mod tree;
#[path = "../support/untested.rs"]
mod untested;

mod accounts;
mod handlers;
mod kinds;
mod node;
mod random;
