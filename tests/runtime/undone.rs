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
            Op::Run { command: script(format!("echo x >'{}'", node.at("ran"))), undo: Some(script(format!("rm -f '{}'", node.at("ran")))), ok: vec![], creates: vec![], brings: vec![], again: false },
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

/// Sixty files that were there and twenty that were not, in three directories of which one is new, changed in every way.
fn many(node: &Node) -> Vec<Op> {
    for dir in ["one", "two"] {
        fs::create_dir(node.at(dir)).unwrap();
        for i in 0..30 {
            fs::write(node.at(&format!("{dir}/it's {i}")), format!("before {dir} {i}\n").repeat(i)).unwrap();
        }
    }
    let of = |dir: &'static str, numbers: std::ops::Range<usize>| numbers.map(move |i| node.at(&format!("{dir}/it's {i}")));
    let mut ops = vec![Op::Mkdir { path: node.at("new"), mode: 0o755, owner: None, group: None }, Op::Mkdir { path: node.at("new/er"), mode: 0o755, owner: None, group: None }];
    ops.extend(of("one", 0..15).chain(of("two", 0..15)).map(|path| put(path, "after", 0o600)));
    ops.extend(of("new/er", 0..20).map(|path| put(path, "new", 0o644)));
    ops.extend(of("one", 10..20).map(|path| Op::Attr { path, mode: Some(0o4711), owner: None, group: None }));
    ops.extend(of("two", 20..30).chain(of("one", 25..30)).map(|path| Op::Remove { path }));
    ops
}

#[test]
fn what_is_put_back_together_can_be_broken_off_at_any_moment() {
    for sh in ALL {
        let node = Node::in_memory(sh);
        let ops = many(&node);
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        for moment in 0..24 {
            let run = format!("r{moment:02}");
            let mut session = node.connect_apart();
            session.begin(&run);
            session.perform(&numbered(&ops)).unwrap();
            let unit = program::unwind(session.next(), &run);
            session.killed_after(&unit, 0, moment * 1500);
            let mut session = node.connect();
            session.begin(&run);
            session.unwind(&run);
            assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?} broken off after {} µs", moment * 1500);
            session.finish();
            session.close();
        }
    }
}

#[test]
fn one_of_many_that_cannot_be_put_back_is_named_and_the_others_are_back() {
    for sh in ALL {
        let node = Node::in_memory(sh);
        let ops = many(&node);
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        // A copy that is gone, a directory that is not empty, which hinders nobody, and a file that became a directory.
        let group = fs::read_to_string(node.state().join("runs/r1/journal")).unwrap();
        let group = group.lines().find(|line| line.ends_with("/two/it's 7")).unwrap().split(' ').nth(7).unwrap().to_owned();
        let copy = node.state().join("runs/r1/before").join(group).join("it's 7");
        fs::rename(&copy, node.at("../copy")).unwrap();
        fs::write(node.at("new/er/foreign"), "").unwrap();
        fs::remove_file(node.at("one/it's 3")).unwrap();
        fs::create_dir(node.at("one/it's 3")).unwrap();
        let stuck = session.try_unwind("r1").unwrap_err();
        assert!(!fs::exists(node.at("new")).unwrap() && fs::exists(node.state().join("runs/r1/gone")).unwrap(), "{sh:?}: {stuck}");
        let number = |name: &str| 1 + ops.iter().position(|op| matches!(op, Op::Put { path, .. } | Op::Mkdir { path, .. } if *path == node.at(name))).unwrap();
        for name in ["two/it's 7", "one/it's 3"] {
            assert!(stuck.contains(&format!("stuck {}: ", number(name))), "{sh:?} {name}: {stuck}");
        }
        assert_eq!(stuck.matches("stuck ").count(), 2, "{sh:?} {stuck}");
        assert_eq!(stuck.matches("undone ").count(), ops.len() - 2, "{sh:?} {stuck}");
        fs::rename(node.at("../copy"), copy).unwrap();
        fs::remove_dir(node.at("one/it's 3")).unwrap();
        session.unwind("r1");
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
    }
}

#[test]
fn what_a_service_wrote_meanwhile_is_put_aside_when_a_run_fails() {
    for sh in ALL {
        let node = Node::in_memory(sh);
        fs::create_dir_all(node.at("old/deep")).unwrap();
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let mkdir = |name: &str| Op::Mkdir { path: node.at(name), mode: 0o755, owner: None, group: None };
        let ops = [mkdir("new"), mkdir("new/er"), put(node.at("new/er/ours"), "ours", 0o644), Op::Remove { path: node.at("old") }];
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        fs::write(node.at("new/er/data"), "precious").unwrap();
        fs::create_dir(node.at("old")).unwrap();
        fs::write(node.at("old/data"), "as precious").unwrap();
        let frames = session.try_unwind("r1").unwrap();
        session.close();
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
        let gone = node.state().join("runs/r1/gone");
        for (of, at, text) in [("2", "er", "precious"), ("4", "old", "as precious")] {
            assert_eq!(fs::read_to_string(gone.join(of).join(at).join("data")).unwrap(), text, "{sh:?}");
            let told = frames.iter().find(|f| f.tag == "residue" && f.fields == [of]).unwrap();
            assert!(told.text().contains(gone.join(of).to_str().unwrap()), "{sh:?} {}", told.text());
        }
    }
}

#[test]
fn nothing_is_marked_as_put_back_before_it_is_on_the_disk() {
    // Busybox's shell has a sync of its own, which nobody can listen to.
    for sh in [Sh::Dash, Sh::Bash] {
        let node = Node::in_memory(sh);
        let ops = many(&node);
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        session.close();
        // How many marks there are, and how many files are as they were, whenever the disk is waited for.
        let sync = node.bin().join("sync");
        let _ = fs::remove_file(&sync);
        let count = |what: &str| format!("grep -rl {what} '{}' | grep -c .", node.root());
        let log = node.at("../log");
        let script = format!("#!/bin/sh\necho $(grep -c '^U' '{}') $({}) >>'{log}'\n", node.state().join("runs/r1/journal").display(), count("before"));
        fs::write(&sync, script).unwrap();
        fs::set_permissions(&sync, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        // A shell that has not yet found another one.
        let mut session = node.connect();
        session.begin("r1");
        session.unwind("r1");
        let seen: Vec<(usize, usize)> = fs::read_to_string(&log).unwrap().lines().map(|line| line.split_once(' ').map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap()).collect();
        // 15 removed, 5 and 5 that had two modes, 20 new, 30 changed, 2 directories; two of the files were empty.
        let (marks, files): (Vec<usize>, Vec<usize>) = seen.iter().copied().unzip();
        assert_eq!(marks[..6], [0, 15, 20, 25, 45, 75], "{sh:?} {seen:?}");
        assert_eq!(marks.last(), Some(&ops.len()), "{sh:?} {seen:?}");
        assert_eq!((files[0], files[4]), (30, 58), "{sh:?} {seen:?}");
    }
}
