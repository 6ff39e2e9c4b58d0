//! What can go wrong, on real machines: at each boundary of one playbook, on several nodes at once.

mod machine;

use crate::faults::{Full, Node, Tasks, tried};
use crate::nodes::{Lab, comes_back, container, does};
use machine::Machine;
use std::path::Path;
use std::sync::Mutex;

/// The nodes, each prepared for it by a thread of its own, do this together.
fn on_each<T: Send>(nodes: &[&'static str], does: impl Fn(&mut Node<Machine>) -> Vec<T> + Sync) -> Option<Vec<T>> {
    Lab::up()?;
    let each = |name: &'static str| {
        let machine = Machine::new(name);
        let mut node = Node::new(machine, Tasks::of_machine());
        let came = does(&mut node);
        node.place.clean();
        came
    };
    Some(std::thread::scope(|scope| {
        let threads: Vec<_> = nodes.iter().map(|name| scope.spawn(|| each(name))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("on one node it went wrong")).collect()
    }))
}

/// At each boundary that is tried, from `first` on, this happens to whichever of the nodes is free.
fn at_boundaries<T: Send>(first: usize, nodes: &[&'static str], what: &str, happens: impl Fn(&mut Node<Machine>, usize, usize) -> T + Sync) -> Vec<T> {
    let tasks = Tasks::of_machine();
    let left = Mutex::new(tried(first, tasks.boundaries()).enumerate());
    let next = || left.lock().unwrap().next();
    let Some(came) = on_each(nodes, |node| std::iter::from_fn(&next).map(|(nth, at)| happens(node, at, nth)).collect()) else { return Vec::new() };
    eprintln!("lab: {what} at {} of {} boundaries of {} tasks, on {}", came.len(), tasks.boundaries(), tasks.count(), nodes.join(", "));
    came
}

#[test]
fn an_op_fails_at_a_boundary() {
    at_boundaries(0, &["inner", "nfs"], "an op failed", |node, at, nth| {
        node.fails(at, nth);
        // The ways back of the other side's ops, too.
        if nth % 5 == 4 {
            node.done(node.other());
        }
    });
}

#[test]
fn each_op_is_said_to_have_failed() {
    // One on the way to each side.
    let came = on_each(&["trixie", "bookworm"], |node| {
        if node.place.name == "bookworm" {
            node.done('b');
        }
        vec![node.rehearses()]
    });
    if let Some(came) = came {
        eprintln!("lab: {} times an op was done and said to have failed, of {} tasks", came.iter().sum::<usize>(), Tasks::of_machine().count());
    }
}

#[test]
fn the_controller_is_killed_at_a_boundary() {
    at_boundaries(1, &["trixie", "aptlock"], "the controller was killed", Node::is_killed);
}

#[test]
fn the_line_is_cut_at_a_boundary() {
    at_boundaries(2, &["inner", "bookworm"], "the line was cut", Node::is_cut);
}

#[test]
fn the_node_is_rebooted_at_a_boundary() {
    at_boundaries(0, &["trixie", "bookworm", "aptlock", "nfs"], "the node was rebooted", |node, at, nth| {
        let name = node.place.name;
        node.is_rebooted(at, nth, || {
            does(&["restart", "--time", "1", &container(name)]);
            comes_back(name);
        });
    });
}

#[test]
fn the_disk_is_full_from_a_boundary_on() {
    let came = at_boundaries(1, &["inner", "aptlock"], "the disk was full", |node, at, nth| {
        node.is_full(at, nth, &Path::new("/run/homelab-lab/disks").join(node.place.name).join("ballast"))
    });
    eprintln!("lab: the disk was full: {}", Full::told(&came));
    assert!(came.iter().any(|came| *came != Full::Through) || came.is_empty(), "no disk was full");
}
