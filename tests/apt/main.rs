//! A real Debian with a real apt and a real sshd: a root made by debootstrap, entered by chroot in namespaces of its own.
//!
//! Needs root and debootstrap; without them, or with `HOMELAB_TEST_QUICK=1`, each test says that it was not run, but under
//! `CI=true` it must run or fail. The root is made once, in `target/nodes`; each node is a copy-on-write view of it, gone with its test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[allow(dead_code)] // shared with the other tests of the binary
#[path = "../e2e/site.rs"]
mod site;

#[allow(dead_code)] // shared with the tests of systemd
#[path = "../support/debian.rs"]
mod debian;
#[path = "../support/repo.rs"]
mod repo;
#[path = "../support/untested.rs"]
mod untested;
#[path = "../support/web.rs"]
mod web;

mod accounts;
mod alternatives;
mod archives;
mod checks;
mod clones;
mod dnf;
mod downloads;
mod locales;
mod locks;
mod packages;
mod past;
mod repositories;
mod secured;
