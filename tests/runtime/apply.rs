//! File ops: applied they are as planned, unwound they are as before, on every shell.

use crate::shell::{ALL, Node as Box_, Sh, numbered, snapshot};
use homelab::node::op::{Body, Content};
use homelab::node::probe::{Depth, Node};
use homelab::node::op::sha256;
use homelab::node::{Answer, Op, Probe};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

fn put(path: String, text: impl AsRef<[u8]>, mode: u32) -> Op {
    Op::Put { path, content: Content::inline(text.as_ref(), false), mode, owner: None, group: None, validate: None }
}

fn mkdir(path: String, mode: u32) -> Op {
    Op::Mkdir { path, mode, owner: None, group: None }
}

fn attr(path: String, mode: u32) -> Op {
    Op::Attr { path, mode: Some(mode), owner: None, group: None }
}

/// A directory with something of everything in it.
fn furnish(node: &Box_) {
    for (name, mode) in [("old", 0o640), ("two words", 0o755), ("-dash", 0o600), ("new\nline", 0o604), ("it's 100%", 0o4711)] {
        fs::write(node.at(name), format!("before {name}\0\n")).unwrap();
        fs::set_permissions(node.at(name), fs::Permissions::from_mode(mode)).unwrap();
        filetime(&node.at(name));
    }
    fs::create_dir_all(node.at("tree/below/more")).unwrap();
    fs::set_permissions(node.at("tree"), fs::Permissions::from_mode(0o2750)).unwrap();
    fs::write(node.at("tree/below/file"), "deep").unwrap();
    symlink("../nowhere", node.at("tree/below/link")).unwrap();
    symlink("old", node.at("link")).unwrap();
    symlink("tree", node.at("dirlink")).unwrap();
}

/// A time that a copy would not have by chance.
fn filetime(path: &str) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789)).unwrap();
}

fn everything(node: &Box_) -> Vec<Op> {
    vec![
        put(node.at("old"), "after\n", 0o644),
        put(node.at("new"), "", 0o600),
        put(node.at("two words"), "it's \"quoted\" $HOME `id` \\n\n\n", 0o4755),
        put(node.at("new\nline"), [0u8, 1, 2, 255, 10, 0], 0o640),
        put(node.at("-dash"), vec![b'x'; 70_000], 0o644),
        put(node.at("dirlink"), "a file over a link to a directory", 0o644),
        attr(node.at("it's 100%"), 0o700),
        mkdir(node.at("dir"), 0o751),
        mkdir(node.at("dir/sub dir"), 0o1777),
        put(node.at("dir/sub dir/a"), "a", 0o644),
        put(node.at("dir/sub dir/b"), "b", 0o644),
        attr(node.at("dir/sub dir/a"), 0o400),
        put(node.at("dir/sub dir/a"), "again", 0o640),
        Op::Link { path: node.at("link"), target: "tree\nodd".into() },
        Op::Link { path: node.at("dir/fresh"), target: "-x".into() },
        Op::Remove { path: node.at("tree") },
        mkdir(node.at("tree"), 0o700),
        put(node.at("tree/below"), "a file where a directory was", 0o644),
        Op::Remove { path: node.at("new\nline") },
        Op::Remove { path: node.at("never was") },
    ]
}

#[test]
fn ops_do_what_they_say_and_unwinding_takes_all_of_it_back() {
    for sh in ALL {
        let node = Box_::new(sh);
        furnish(&node);
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let ops = everything(&node);
        let mut session = node.connect();
        assert!(session.begin("r1").iter().any(|f| f.tag == "begun"));
        session.perform(&numbered(&ops)).unwrap();

        let read = |name: &str| fs::read(node.at(name)).unwrap();
        let mode = |name: &str| fs::symlink_metadata(node.at(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((read("old"), mode("old")), (b"after\n".to_vec(), 0o644), "{sh:?}");
        assert_eq!((read("new"), mode("new")), (vec![], 0o600));
        assert_eq!((read("two words"), mode("two words")), (b"it's \"quoted\" $HOME `id` \\n\n\n".to_vec(), 0o4755));
        assert_eq!((read("-dash").len(), mode("-dash")), (70_000, 0o644));
        assert_eq!((read("dirlink"), mode("it's 100%"), mode("dir"), mode("dir/sub dir")), (b"a file over a link to a directory".to_vec(), 0o700, 0o751, 0o1777));
        assert_eq!((read("dir/sub dir/a"), mode("dir/sub dir/a")), (b"again".to_vec(), 0o640));
        assert_eq!(fs::read_link(node.at("link")).unwrap().to_str(), Some("tree\nodd"));
        assert_eq!((fs::read_link(node.at("dir/fresh")).unwrap().to_str(), mode("tree")), (Some("-x"), 0o700));
        assert!(fs::symlink_metadata(node.at("new\nline")).is_err());

        let frames = session.unwind("r1");
        assert_eq!(frames.iter().filter(|f| f.tag == "undone").count(), ops.len(), "{frames:?}");
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
        assert_eq!(session.unwind("r1").iter().filter(|f| f.tag == "undone").count(), 0);
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before);
        session.finish();
        session.close();
        assert!(!node.state().join("lock").exists());
        assert!(!node.state().join("open").exists());
    }
}

#[test]
fn what_is_applied_is_what_the_world_predicted() {
    use homelab::node::World;
    for sh in ALL {
        let node = Box_::new(sh);
        furnish(&node);
        let ops = [
            put(node.at("old"), "after\n", 0o644),
            mkdir(node.at("dir"), 0o751),
            put(node.at("dir/new"), "x", 0o640),
            attr(node.at("two words"), 0o600),
            Op::Link { path: node.at("link"), target: "elsewhere".into() },
            Op::Remove { path: node.at("-dash") },
        ];
        let probes: Vec<Probe> = ["old", "dir", "dir/new", "two words", "link", "-dash"]
            .iter()
            .map(|name| Probe::Path { path: node.at(name), depth: Depth::Text { unless: None } })
            .collect();
        let mut session = node.connect();
        let look = session.look(&probes, true);
        let mut world = World::new(look.facts.unwrap(), look.answers);
        ops.iter().for_each(|op| world.effect(op));
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        let after = session.look(&probes, false);
        for probe in &probes {
            let Probe::Path { path, .. } = probe else { unreachable!() };
            assert_eq!(after.answers[probe], Answer::Path(world.path(path).unwrap()), "{sh:?} {path}");
        }
        assert_eq!(after.state.run_number, 1);
        assert_eq!(after.state.interrupted.as_deref(), Some("r1"));
        assert_eq!(after.state.locked_by.as_ref().map(|o| o.who.as_str()), Some("me@here"));
        session.close();
        let after = node.look(&[]);
        assert_eq!((after.state.locked_by, after.state.interrupted.as_deref()), (None, Some("r1")), "{sh:?}");
    }
}

/// A numeric mode leaves a directory's setuid and setgid bits alone, unless it is written long enough.
#[test]
fn the_special_bits_of_a_directory_come_and_go() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mode = |name: &str| fs::metadata(node.at(name)).unwrap().permissions().mode() & 0o7777;
        for (name, bits) in [("plain", 0o750), ("group", 0o2750), ("all", 0o7755)] {
            fs::create_dir(node.at(name)).unwrap();
            fs::set_permissions(node.at(name), fs::Permissions::from_mode(bits)).unwrap();
        }
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let ops = [attr(node.at("plain"), 0o2775), attr(node.at("group"), 0o755), mkdir(node.at("all"), 0o700), mkdir(node.at("all/fresh"), 0o755), mkdir(node.at("plain/fresh"), 0o711)];
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        assert_eq!([mode("plain"), mode("group"), mode("all"), mode("all/fresh"), mode("plain/fresh")], [0o2775, 0o755, 0o700, 0o755, 0o711], "{sh:?}");
        session.unwind("r1");
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
        session.close();
    }
}

/// All of a batch is captured before any of it is done, so that no path may be in it twice.
#[test]
fn a_directory_that_was_made_and_given_away_in_one_batch_is_taken_back() {
    for sh in ALL {
        let node = Box_::new(sh);
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let ops = [mkdir(node.at("dir"), 0o700), attr(node.at("dir"), 0o755), put(node.at("dir/file"), "x", 0o600), attr(node.at("dir/file"), 0o644), mkdir(node.at("dir"), 0o711)];
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        session.unwind("r1");
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
        session.close();
    }
}

/// The power went, or the disk was full, in the middle of a journal's line. What is written after it must not make another line of it.
#[test]
fn a_journal_line_that_was_cut_off_stays_void() {
    for sh in ALL {
        for carried_on in [false, true] {
            let node = Box_::new(sh);
            furnish(&node);
            // What the cut line would name if it were one.
            fs::write(node.at("keep"), "not ours").unwrap();
            let before = snapshot(&node.root(), sh != Sh::Busybox);
            let mut session = node.connect();
            session.begin("r1");
            session.perform(&[(1, &put(node.at("old"), "after", 0o600))]).unwrap();
            session.child.kill().unwrap();
            session.child.wait().unwrap();
            let path = node.state().join("runs/r1/journal");
            let mut journal = fs::File::options().append(true).open(&path).unwrap();
            write!(journal, "B 2 put a 0 0 0 2_0 {}", node.at("keep")).unwrap();
            let mut session = node.connect();
            session.begin("r1");
            if carried_on {
                session.perform(&[(3, &put(node.at("new"), "x", 0o600))]).unwrap();
            }
            session.unwind("r1");
            session.unwind("r1");
            assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?} {carried_on}");
            let text = fs::read_to_string(&path).unwrap();
            let read = homelab::node::journal::Journal::read(&text).unwrap();
            let ops: Vec<u32> = read.ops.keys().copied().collect();
            assert_eq!(ops, if carried_on { vec![1, 3] } else { vec![1] }, "{sh:?} {text}");
            assert!(read.closed && read.ops.values().all(|stage| *stage == homelab::node::journal::Stage::Undone), "{sh:?} {text}");
            session.close();
        }
    }
}

#[test]
fn a_failing_op_stops_the_batch_and_is_undone_too() {
    for sh in ALL {
        let node = Box_::new(sh);
        furnish(&node);
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let failing = [
            put(node.at("tree"), "a file over a directory", 0o644),
            put(node.at("no/such/dir"), "x", 0o644),
            mkdir(node.at("no/such"), 0o755),
            mkdir(node.at("old/below"), 0o755),
            attr(node.at("none"), 0o600),
            attr(node.at("link"), 0o600),
            Op::Link { path: node.at("tree"), target: "x".into() },
            Op::Put { path: node.at("old"), content: Content::inline("x", false), mode: 0o644, owner: Some("no one".into()), group: None, validate: None },
            Op::Put { path: node.at("old"), content: Content::inline("x", false), mode: 0o644, owner: None, group: None, validate: Some("grep -q y %s".into()) },
        ];
        for (i, bad) in failing.into_iter().enumerate() {
            let ops = [put(node.at("new"), "x", 0o644), put(node.at("old"), "changed", 0o600), mkdir(node.at("fresh"), 0o700), bad, put(node.at("later"), "x", 0o644)];
            let run = format!("r{i}");
            let mut session = node.connect();
            session.begin(&run);
            let (number, why) = session.perform(&numbered(&ops)).unwrap_err();
            assert_eq!(number, 4, "{sh:?} {i} {why}");
            assert!(!why.is_empty());
            assert!(fs::symlink_metadata(node.at("later")).is_err(), "{sh:?} {i}: what followed was begun");
            session.unwind(&run);
            assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?} {i}");
            session.finish();
            session.close();
        }
    }
}

#[test]
fn a_validated_file_goes_live_only_if_its_judge_agrees() {
    for sh in ALL {
        let node = Box_::new(sh);
        let good = Op::Put { path: node.at("a b"), content: Content::inline("good", false), mode: 0o644, owner: None, group: None, validate: Some("grep -q good %s && test -f %s".into()) };
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&[(1, &good)]).unwrap();
        assert_eq!(fs::read(node.at("a b")).unwrap(), b"good");
        session.close();
    }
}

#[test]
fn the_input_cut_at_every_byte_leaves_nothing_half_written_and_no_lock() {
    use homelab::node::{program, runtime};
    use std::process::{Command, Stdio};
    for sh in ALL {
        let node = Box_::new(sh);
        fs::write(node.at("old"), "before").unwrap();
        let ops = [put(node.at("old"), "after it's done", 0o644), mkdir(node.at("dir"), 0o755), put(node.at("dir/blob"), [b'z', 0, b'z'], 0o600)];
        let mut wire = runtime::greeting(crate::shell::NONCE, None);
        let mut seq = 2;
        wire.extend(runtime::preamble(1).wire(crate::shell::NONCE));
        wire.extend(runtime::apply_preamble(2).wire(crate::shell::NONCE));
        // Cuts inside the fixed functions are alike; a few of them do.
        let fixed = wire.len();
        seq += 1;
        wire.extend(program::begin(seq, "r1", "me", 1).wire(crate::shell::NONCE));
        for part in program::stage(&mut seq, &numbered(&ops)) {
            match part {
                program::Part::Unit(unit) => wire.extend(unit.wire(crate::shell::NONCE)),
                program::Part::Stream { op, body: Body::Inline(bytes) } => wire.extend(program::chunks(op, &bytes)),
                program::Part::Stream { .. } => unreachable!(),
            }
        }
        wire.extend(program::act(seq + 1, &numbered(&ops)).wire(crate::shell::NONCE));
        wire.extend(program::finish(seq + 2, &Default::default(), &Default::default()).wire(crate::shell::NONCE));
        // Every byte takes minutes; by default the three shells take turns.
        let (first, step) = if std::env::var_os("HOMELAB_TEST_SLOW").is_some() { (0, 1) } else { (sh as usize * 5, 15) };
        let cuts = (0..fixed).step_by(3999).chain((fixed + first..wire.len()).step_by(step)).chain([wire.len()]);
        for cut in cuts {
            let _ = fs::remove_dir_all(node.state());
            let _ = fs::remove_dir_all(node.at("dir"));
            fs::write(node.at("old"), "before").unwrap();
            let mut child = Command::new("/bin/sh").arg("-c").arg(node.command(&runtime::Become::No))
                .stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(&wire[..cut]).unwrap();
            child.wait().unwrap();
            let old = fs::read(node.at("old")).unwrap();
            assert!(old == b"before" || old == b"after it's done", "{sh:?} {cut}: {old:?}");
            assert!(!node.state().join("lock").exists(), "{sh:?} {cut}: the lock is held");
            let names: Vec<_> = fs::read_dir(node.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(names.iter().all(|n| n == "old" || n == "dir"), "{sh:?} {cut}: {names:?}");
            if let Ok(blob) = fs::read(node.at("dir/blob")) {
                assert_eq!(blob, [b'z', 0, b'z'], "{sh:?} {cut}");
            }
            if cut == wire.len() {
                assert_eq!((old.as_slice(), node.state().join("open").exists()), (&b"after it's done"[..], false), "{sh:?}");
            }
        }
    }
}

#[test]
fn a_large_file_is_streamed_and_arrives_whole() {
    let mib: usize = if std::env::var_os("HOMELAB_TEST_1GIB").is_some() { 1024 } else { 64 };
    let source = tempfile::NamedTempFile::new().unwrap();
    let mut hash = <sha2::Sha256 as sha2::Digest>::new();
    let mut block = vec![0u8; 1 << 20];
    for i in 0..mib {
        block.iter_mut().enumerate().for_each(|(j, b)| *b = (i * 31 + j * 7 + j / 251) as u8);
        source.as_file().write_all(&block).unwrap();
        sha2::Digest::update(&mut hash, &block);
    }
    let digest: String = sha2::Digest::finalize(hash).iter().map(|b| format!("{b:02x}")).collect();
    for sh in ALL {
        let node = Box_::new(sh);
        let content = Content { body: Body::Local(source.path().to_owned()), size: (mib as u64) << 20, sha256: digest.clone(), secret: false, own: false };
        let op = Op::Put { path: node.at("large"), content, mode: 0o600, owner: None, group: None, validate: None };
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&[(1, &op)]).unwrap();
        let probe = Probe::Path { path: node.at("large"), depth: Depth::Digest };
        match &session.look(std::slice::from_ref(&probe), false).answers[&probe] {
            Answer::Path(Node::File(file)) => assert_eq!((file.size, file.sha256.as_deref()), ((mib as u64) << 20, Some(digest.as_str()))),
            other => panic!("{other:?}"),
        }
        session.close();
    }
}

#[test]
fn what_arrived_wrong_is_found_before_the_first_act() {
    let node = Box_::new(Sh::Dash);
    let content = Content { body: Body::Inline(Arc::new(b"not this".to_vec())), size: 8, sha256: sha256(b"this"), secret: false, own: false };
    let op = Op::Put { path: node.at("x"), content, mode: 0o600, owner: None, group: None, validate: None };
    let mut session = node.connect();
    session.begin("r1");
    let mut seq = 100;
    let mut found = false;
    for part in homelab::node::program::stage(&mut seq, &[(1, &op)]) {
        if let homelab::node::program::Part::Unit(unit) = part {
            let (frames, status) = session.try_run(&unit).unwrap();
            found |= status != 0 && frames.iter().any(|f| f.tag == "unstaged" && f.number(0) == Some(1));
        }
    }
    assert!(found);
    session.close();
}

#[test]
fn a_held_lock_names_its_holder_and_a_dead_ones_lock_is_taken() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut first = node.connect();
        first.begin("r1");
        let mut second = node.connect();
        let frames = second.begin("r2");
        let locked = frames.iter().find(|f| f.tag == "locked").expect("not refused");
        assert_eq!((locked.text().as_str(), locked.number(0)), ("me@here", Some(1_700_000_000)));
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        assert!(node.state().join("lock").exists(), "killed: nobody removed it");
        assert!(second.begin("r2").iter().any(|f| f.tag == "begun"), "{sh:?}");
        second.finish();
        second.close();
        assert!(!node.state().join("lock").exists());
    }
}

#[test]
fn of_many_who_find_a_stale_lock_one_gets_it() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut dead = node.connect();
        dead.begin("r0");
        dead.child.kill().unwrap();
        dead.child.wait().unwrap();
        let got = std::thread::scope(|scope| {
            let all: Vec<_> = (1..=8)
                .map(|i| {
                    let node = &node;
                    scope.spawn(move || {
                        let mut session = node.connect();
                        let begun = session.begin(&format!("r{i}")).iter().any(|f| f.tag == "begun");
                        (begun, session)
                    })
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(got.iter().filter(|(begun, _)| *begun).count(), 1, "{sh:?}");
        got.into_iter().for_each(|(_, session)| assert_eq!(session.close(), 0));
    }
}

#[test]
fn pending_handlers_and_kept_values_are_read_back_and_unwound() {
    use homelab::node::program::{keep, pending};
    for sh in ALL {
        let node = Box_::new(sh);
        let mut session = node.connect();
        session.begin("r1");
        let odd = "Restart it's \"x\" * 100%\nnow";
        for (i, unit) in [pending(50, odd, true), pending(51, "b", true), pending(52, "xb", true), pending(53, "b", false), keep(54, "k 1", b"v\0\n"), keep(55, "k 1", b"w\0\n")].iter().enumerate() {
            assert_eq!(session.try_run(unit).unwrap().1, 0, "{i}");
        }
        let look = session.look(&[], false);
        assert_eq!(look.state.pending, [odd, "xb"], "{sh:?}");
        assert_eq!(look.state.kept, [("k 1".to_owned(), b"w\0\n".to_vec())].into());
        session.unwind("r1");
        assert!(session.look(&[], false).state.pending.is_empty());
        let receipts = [("file:/x y".to_owned(), ("aa".to_owned(), "bb".to_owned()))].into();
        session.run(&homelab::node::program::finish(60, &receipts, &Default::default()));
        session.close();
        let mut session = node.connect();
        assert!(session.look(&[], false).state.receipts.is_empty());
        assert_eq!(session.look(&[], true).state.receipts, receipts);
        session.close();
    }
}

#[test]
fn a_target_on_another_filesystem_is_served_too() {
    use std::os::unix::fs::MetadataExt;
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        return crate::untested::untested("there is no /dev/shm");
    };
    let root = other.path().to_str().unwrap().to_owned();
    for sh in ALL {
        let node = Box_::new(sh);
        if fs::metadata(&root).unwrap().dev() == fs::metadata(node.root()).unwrap().dev() {
            return crate::untested::untested("/dev/shm is the same filesystem");
        }
        let at = |name: &str| format!("{root}/{name}");
        fs::write(at("old"), "before").unwrap();
        filetime(&at("old"));
        fs::create_dir_all(at("tree/below")).unwrap();
        fs::write(at("tree/below/file"), "deep").unwrap();
        let before = snapshot(&root, sh != Sh::Busybox);
        let ops = [
            put(at("old"), "after", 0o644), put(at("new"), "n", 0o755), mkdir(at("dir"), 0o755), put(at("dir/x"), "x", 0o600),
            Op::Remove { path: at("tree") },
        ];
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        assert_eq!((fs::read(at("old")).unwrap(), fs::read(at("dir/x")).unwrap()), (b"after".to_vec(), b"x".to_vec()), "{sh:?}");
        assert_eq!(fs::metadata(at("new")).unwrap().mode() & 0o7777, 0o755);
        assert!(!std::path::Path::new(&at("tree")).exists());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 3, "something is left over");
        // An unwinding before this one was killed while it copied the directory back.
        fs::create_dir(at(".homelab-r1-5")).unwrap();
        fs::write(at(".homelab-r1-5/half"), "x").unwrap();
        session.unwind("r1");
        assert_eq!(snapshot(&root, sh != Sh::Busybox), before, "{sh:?}");
        session.close();
    }
}

#[test]
fn when_no_frame_can_go_out_the_program_stops_at_the_next_boundary_and_frees_the_lock() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut session = node.connect();
        session.begin("r1");
        // Each op waits, so that the line is gone long before the last of them.
        let wait = |i: u32| Op::Run {
            command: homelab::node::Command { argv: vec![format!("echo {i} >>'{}'; sleep 0.2", node.at("steps"))], shell: true, ..Default::default() },
            undo: None, ok: vec![], creates: vec![], brings: vec![], again: false,
        };
        let ops: Vec<Op> = (0..30).map(wait).collect();
        let unit = homelab::node::program::act(90, &numbered(&ops));
        session.write(&unit.wire(crate::shell::NONCE));
        std::thread::sleep(std::time::Duration::from_millis(300));
        // The input stays open: only the answers have nobody to go to.
        let mut child = session.hang_up();
        child.wait().unwrap();
        let steps = fs::read_to_string(node.at("steps")).unwrap().lines().count();
        assert!((1..10).contains(&steps), "{sh:?}: {steps}");
        assert!(!node.state().join("lock").exists(), "{sh:?}");
        let journal = fs::read_to_string(node.state().join("runs/r1/journal")).unwrap();
        let journal_read = homelab::node::journal::Journal::read(&journal).unwrap();
        assert_eq!(journal_read.ops.len(), steps, "{sh:?} {journal}");
        assert!(journal.ends_with("I\n") && !journal_read.closed, "{sh:?} {journal}");
    }
}
