//! Digests of what a resource rests on: for stale checks and receipts. They cover managed, stable attributes only.

use crate::lang::Masker;
use crate::node::probe::{Answer, Attrs, Node};
use crate::node::op::{hex, sha256};
use crate::node::{Answers, Op, Probe};
use crate::node::op::{Body, ToolOp};
use crate::resource::{Claim, Resource};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A digest over what `resource` wishes.
pub fn desired(resource: &dyn Resource) -> String {
    struct Hash(Sha256);
    impl std::fmt::Write for Hash {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.update(text);
            Ok(())
        }
    }
    let mut hash = Hash(Sha256::new());
    let _ = write!(hash, "{resource:?}");
    hex(&hash.0.finalize())
}

/// A digest over what `resource` owns of the state that was seen: not the directory above its file, nor the other lines of it.
pub fn observed(resource: &dyn Resource, answers: &Answers) -> String {
    let owned = Owned::of(resource);
    let parts: BTreeSet<String> = resource.look().iter().filter_map(|probe| owned.part(probe, answers.get(probe)?)).collect();
    sha256(parts.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
}

/// Whether commands of the user are among what `resource` looks at.
pub fn asks_commands(resource: &dyn Resource) -> bool {
    resource.look().iter().any(|probe| matches!(probe, Probe::Run(_)))
}

/// What a resource owns, by its claims.
struct Owned<'a> {
    resource: &'a dyn Resource,
    claims: Vec<Claim>,
    /// It owns paths; others that it looks at are its ops' needs.
    paths: bool,
}

impl<'a> Owned<'a> {
    fn of(resource: &'a dyn Resource) -> Self {
        let claims = resource.claims();
        let paths = claims.iter().any(|claim| !matches!(claim, Claim::Other(_)));
        Owned { resource, claims, paths }
    }

    /// What is compared of an answer; nothing if the question was about something else.
    fn part(&self, probe: &Probe, answer: &Answer) -> Option<String> {
        let text = match (probe, answer) {
            (Probe::Path { path, .. }, Answer::Path(node)) => return Some(format!("{path}\t{}", self.node(path, node)?)),
            (Probe::Tree { path }, _) if !self.paths || self.claims.contains(&Claim::Attrs(path.clone())) => stable(answer),
            (Probe::Path { .. } | Probe::Tree { .. }, _) => return None,
            (Probe::Crontab { .. }, Answer::Crontab(Some(text))) => self.resource.slice(text).unwrap_or_else(|| text.clone()),
            (Probe::Package { .. }, Answer::Package(state)) => format!("{:?} {}", state.installed, state.residue),
            // Who is in a group is said by the accounts.
            (Probe::Group { .. }, Answer::Group(Some(group))) if !self.paths => group.gid.to_string(),
            // Accounts and groups are looked at by whoever gives files to them.
            (Probe::User { .. } | Probe::Group { .. }, _) if self.paths => return None,
            _ => stable(answer),
        };
        // A command is its answer: that it is asked in other words is a matter of the wish.
        let name = match probe {
            Probe::Run(_) => String::new(),
            Probe::Package { name, .. } => name.clone(),
            other => format!("{other:?}"),
        };
        Some(format!("{name}\t{text}"))
    }

    fn node(&self, path: &str, node: &Node) -> Option<String> {
        let ours = |claim: &Claim| matches!(claim, Claim::Content(of) | Claim::Slice(of, _) | Claim::Attrs(of) if of == path);
        if self.paths && !self.claims.iter().any(ours) {
            return None;
        }
        // Mode and owners count even where they are not wished (yet): a wish that begins to name them is no change of the node.
        Some(match node {
            Node::File(file) => {
                let text = file.text.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
                match text.and_then(|text| self.resource.slice(text)) {
                    Some(part) => format!("file {} {part}", attrs_text(&file.attrs)),
                    None => node_text(node),
                }
            }
            other => node_text(other),
        })
    }
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

fn attrs_text(a: &Attrs) -> String {
    format!("{:o} {} {}", a.mode, a.owner, a.group)
}

fn node_text(node: &Node) -> String {
    let attrs = attrs_text;
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
        Op::Run { command, undo, .. } | Op::Tool(ToolOp { command, undo, .. }) => {
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
