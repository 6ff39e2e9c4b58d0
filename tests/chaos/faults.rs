//! An op fails, the controller is killed, the line is cut.

use crate::node::{Node, WAYS, tried};
use crate::site::Site;
use crate::tasks;
use std::io::Write;

/// Where there is one user only, accounts cannot be.
fn node() -> Option<Node> {
    if !nix::unistd::geteuid().is_root() {
        crate::untested::untested("chaos needs accounts in the sandbox, which takes root");
        return None;
    }
    Some(Node::new(Site::bare()))
}

#[test]
fn an_op_fails_at_a_boundary_and_all_is_as_before() {
    let Some(mut node) = node() else { return };
    let mut count = 0;
    for at in tried(0) {
        let (when, before) = (format!("failed at {at}"), node.state());
        let ended = node.run(&["apply", "--yes"], node.other(), at, "fail");
        assert!(ended.code == 3 && ended.out.contains("taken back"), "{when}: exit {}\n{}{}", ended.code, ended.out, ended.err);
        node.is_before(&when, &before, count % 4 == 0);
        count += 1;
        // The ways back of the other side's ops, too.
        if count % 5 == 0 {
            node.done(node.other());
        }
    }
    eprintln!("chaos: an op failed at {count} of {} boundaries of {} ops: as before", tasks::boundaries(), tasks::count());
}

#[test]
fn each_op_is_said_to_have_failed_and_all_is_as_before() {
    let Some(mut node) = node() else { return };
    let (mut count, mut spared) = (0, 0);
    for side in ['b', 'a'] {
        if node.side == side {
            node.done(node.other());
        }
        let before = node.state();
        for op in (0..tasks::count()).filter(|op| crate::node::all() || op % 2 == usize::from(side == 'a')) {
            let when = format!("op {op} failed on the way to {side}");
            let ended = node.run(&["apply", "--yes", &format!("--simulate-fail=Op {op}")], side, crate::node::NOWHERE, "none");
            match ended.code {
                0 => spared += 1,
                3 => count += 1,
                _ => panic!("{when}: exit {}\n{}{}", ended.code, ended.out, ended.err),
            }
            node.is_before(&when, &before, count % 6 == 1);
        }
    }
    assert!(count > spared);
    eprintln!("chaos: {count} times an op of {} was done and said to have failed: as before", tasks::count());
}

#[test]
fn the_controller_is_killed_at_a_boundary_and_the_work_is_finished() {
    let Some(mut node) = node() else { return };
    let mut count = 0;
    for at in tried(1) {
        let (when, before) = (format!("killed at {at}"), node.state());
        let (mut child, mut gate) = node.stopped_at(at);
        child.kill().unwrap();
        child.wait().unwrap();
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        node.remote.released();
        node.finish_by(WAYS[count % WAYS.len()], &before, &when, count % 4 == 0);
        count += 1;
    }
    eprintln!("chaos: the controller was killed at {count} of {} boundaries of {} ops: finished", tasks::boundaries(), tasks::count());
}

#[test]
fn the_line_is_cut_at_a_boundary_and_the_work_is_finished() {
    let Some(mut node) = node() else { return };
    let mut count = 0;
    for at in tried(2) {
        let (when, before) = (format!("cut at {at}"), node.state());
        let (child, mut gate) = node.stopped_at(at);
        node.remote.line.cut();
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        let output = child.wait_with_output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(matches!(output.status.code(), Some(1 | 4)) && !said.contains("taken back"), "{when}: {:?}\n{said}", output.status);
        node.remote.released();
        node.finish_by(WAYS[count % WAYS.len()], &before, &when, count % 4 == 0);
        count += 1;
    }
    eprintln!("chaos: the line was cut at {count} of {} boundaries of {} ops: finished", tasks::boundaries(), tasks::count());
}
