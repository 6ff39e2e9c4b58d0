//! Digests of what a resource rests on: for stale checks and receipts. They cover managed, stable attributes only.

use crate::lang::Masker;
use crate::node::probe::{Answer, Attrs, Node};
use crate::node::op::sha256;
use crate::node::{Answers, Op, Probe};
use crate::node::op::Body;
use crate::resource::Resource;

/// A digest over the answers to what `resource` looks at.
pub fn observed(resource: &dyn Resource, answers: &Answers) -> String {
    of_probes(&resource.look(), answers)
}

/// A digest over the answers to `probes`.
pub fn of_probes(probes: &[Probe], answers: &Answers) -> String {
    let mut text = String::new();
    for probe in probes {
        if let Some(answer) = answers.get(probe) {
            text += &format!("{probe:?}\t{}\n", stable(answer));
        }
    }
    sha256(text.as_bytes())
}

fn stable(answer: &Answer) -> String {
    match answer {
        Answer::Path(node) => node_text(node),
        Answer::Tree(tree) => tree.iter().map(|(path, node)| format!("{path}\t{}\n", node_text(node))).collect(),
        // What is underway is not a state to compare with.
        Answer::Unit(Some(unit)) => format!("{} {} {}", unit.load, unit.active, unit.file),
        Answer::Ran(ran) => format!("{} {}", ran.rc, ran.stdout),
        other => format!("{other:?}"),
    }
}

fn node_text(node: &Node) -> String {
    let attrs = |a: &Attrs| format!("{:o} {} {}", a.mode, a.owner, a.group);
    match node {
        Node::Absent => "absent".into(),
        Node::File(file) => format!("file {} {}", attrs(&file.attrs), file.sha256.as_deref().unwrap_or("")),
        Node::Dir(a) => format!("dir {}", attrs(a)),
        Node::Link { target } => format!("link {target}"),
        Node::Other(a) => format!("other {}", attrs(a)),
    }
}

/// A form of `ops` that can be written down and compared: without bodies, and without anything that tells a secret.
pub fn shape(ops: &[Op], masker: &Masker) -> String {
    let shapes: Vec<Op> = ops.iter().cloned().map(|op| strip(op, masker)).collect();
    masker.mask(&serde_json::to_string(&shapes).unwrap_or_default()).into_owned()
}

fn strip(mut op: Op, masker: &Masker) -> Op {
    match &mut op {
        Op::Put { content, .. } => {
            content.body = Body::Inline(Vec::new().into());
            if content.secret {
                content.sha256 = String::new();
                content.size = 0;
            }
        }
        // Masked before it is JSON, whose escapes would hide a secret of several lines.
        Op::Crontab { text: Some(text), .. } => *text = masker.mask(text).into_owned(),
        Op::User(user) => user.password = user.password.take().map(|_| String::new()),
        Op::Run { command, undo, .. } => {
            for command in [Some(command), undo.as_mut()].into_iter().flatten() {
                if command.secret {
                    command.argv = Vec::new();
                    command.stdin = None;
                    command.environment.clear();
                }
            }
        }
        _ => {}
    }
    op
}
