//! When the undo of what a tool was told has its turn: between the others, or once all of them had theirs.

use crate::shell::{ALL, Node, numbered};
use homelab::node::op::{Content, ToolOp};
use homelab::node::{Command, Op};
use std::fs;

fn script(text: String) -> Option<Command> {
    Some(Command { argv: vec![text], shell: true, ..Command::default() })
}

#[test]
fn an_undo_comes_backwards_or_once_the_files_are_back() {
    for sh in ALL {
        let node = Node::in_memory(sh);
        fs::write(node.at("file"), "before").unwrap();
        fs::write(node.at("seen"), "").unwrap();
        let put = Op::Put { path: node.at("file"), content: Content::inline(b"after".to_vec(), false), mode: 0o644, owner: None, group: None, validate: None };
        let told = |name: &str, again: bool| {
            let says = |when: &str| script(format!("echo {name} {when} $(cat '{}') >>'{}'", node.at("file"), node.at("seen")));
            Op::Tool(ToolOp { command: says("did").unwrap(), undo: says("undid"), again, ..ToolOp::default() })
        };
        // A handler of a user's, who says how it is undone: in its turn, unlike one that would be run once more.
        let Op::Tool(says) = told("handler", false) else { panic!() };
        let handler = Op::Run { command: says.command, undo: says.undo, ok: vec![], creates: vec![], brings: vec![], again: true };
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&[put, told("last", true), told("between", false), handler, told("last-but", true)])).unwrap();
        for _ in ["once", "once more"] {
            session.unwind("r1");
            let seen = fs::read_to_string(node.at("seen")).unwrap();
            assert_eq!(
                seen.lines().collect::<Vec<_>>(),
                [
                    "last did after", "between did after", "handler did after", "last-but did after", "handler undid after", "between undid after", "last undid before",
                    "last-but undid before"
                ],
                "{sh:?}"
            );
        }
        session.finish();
        session.close();
    }
}
