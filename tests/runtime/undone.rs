//! steno's third law: every undo run twice is the same; here also when the first time is broken off at any place.

use crate::shell::{ALL, Node, Sh, numbered, snapshot};
use homelab::node::op::Content;
use homelab::node::{Command, Op, program};
use std::fs;
use std::os::unix::fs::symlink;

fn put(path: String, text: &str, mode: u32) -> Op {
    Op::Put { path, content: Content::inline(text.as_bytes(), false), mode, owner: None, group: None, validate: None }
}

#[test]
fn steno_law_3_every_undo_run_twice_is_the_same() {
    for sh in ALL {
        let node = Node::in_memory(sh);
        fs::write(node.at("old"), "before").unwrap();
        fs::write(node.at("doomed"), "before").unwrap();
        fs::create_dir_all(node.at("tree/below")).unwrap();
        fs::write(node.at("tree/below/file"), "deep").unwrap();
        symlink("old", node.at("link")).unwrap();
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let script = |text: String| Command { argv: vec![text], shell: true, ..Default::default() };
        let ops = [
            put(node.at("old"), "after", 0o600),
            put(node.at("new"), "new", 0o644),
            Op::Mkdir { path: node.at("dir"), mode: 0o750, owner: None, group: None },
            put(node.at("dir/in"), "in", 0o644),
            Op::Attr { path: node.at("tree/below"), mode: Some(0o2770), owner: None, group: None },
            Op::Link { path: node.at("link"), target: "elsewhere".into() },
            Op::Link { path: node.at("fresh"), target: "nowhere".into() },
            Op::Run { command: script(format!("echo x >'{}'", node.at("ran"))), undo: Some(script(format!("rm -f '{}'", node.at("ran")))), ok: vec![], creates: vec![], again: false },
            Op::Remove { path: node.at("doomed") },
            Op::Remove { path: node.at("tree") },
        ];
        for broken_off in 0..=ops.len() {
            let run = format!("r{broken_off:02}");
            let mut session = node.connect_apart();
            session.begin(&run);
            session.perform(&numbered(&ops)).unwrap();
            let unit = program::unwind(session.next(), &run);
            session.killed_after(&unit, broken_off, 0);
            let mut session = node.connect();
            session.begin(&run);
            for time in ["broken off and taken up again", "once more"] {
                session.unwind(&run);
                assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?} after {broken_off} of {}: {time}", ops.len());
            }
            session.finish();
            session.close();
        }
    }
}
