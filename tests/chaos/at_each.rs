//! An op fails, the controller is killed, the line is cut.

use crate::faults::{Node, tried};
use crate::sandbox::{self, Sandbox};
use crate::site::Site;

/// Where there is one user only, accounts cannot be.
fn node() -> Option<Node<Sandbox>> {
    if !nix::unistd::geteuid().is_root() {
        crate::untested::untested("chaos needs accounts in the sandbox, which takes root");
        return None;
    }
    Some(sandbox::node(Site::bare()))
}

/// Something happens at each boundary that is tried, from `first` on; it is told how often.
fn at_boundaries(first: usize, what: &str, came: &str, mut happens: impl FnMut(&mut Node<Sandbox>, usize, usize)) {
    let Some(mut node) = node() else { return };
    let mut count = 0;
    for (nth, at) in tried(first, node.tasks.boundaries()).enumerate() {
        happens(&mut node, at, nth);
        count += 1;
    }
    eprintln!("chaos: {what} at {count} of {} boundaries of {} tasks: {came}", node.tasks.boundaries(), node.tasks.count());
}

#[test]
fn an_op_fails_at_a_boundary_and_all_is_as_before() {
    at_boundaries(0, "an op failed", "as before", |node, at, nth| {
        node.fails(at, nth);
        // The ways back of the other side's ops, too.
        if nth % 5 == 4 {
            node.done(node.other());
        }
    });
}

#[test]
fn each_op_is_said_to_have_failed_and_all_is_as_before() {
    let Some(mut node) = node() else { return };
    let mut count = node.rehearses();
    node.done(node.other());
    count += node.rehearses();
    eprintln!("chaos: {count} times one of {} tasks was done and said to have failed: as before", node.tasks.count());
}

#[test]
fn the_controller_is_killed_at_a_boundary_and_the_work_is_finished() {
    at_boundaries(1, "the controller was killed", "finished", Node::is_killed);
}

#[test]
fn the_line_is_cut_at_a_boundary_and_the_work_is_finished() {
    at_boundaries(2, "the line was cut", "finished", Node::is_cut);
}
