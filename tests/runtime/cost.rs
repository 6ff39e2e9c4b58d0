//! What it costs: processes started on the node, counted in a pid namespace of their own.

use crate::shell::{ALL, Node as Box_, Session, Sh, numbered, snapshot};
use crate::untested::untested;
use homelab::node::op::Content;
use homelab::node::probe::{Command as Run, Depth};
use homelab::node::op::sha256;
use homelab::node::{Answer, Costly, Op, Probe, runtime};
use std::process::Command;

/// A session in a pid namespace: pids there are given out in order, so a new one tells how many there were.
fn counted(node: &Box_) -> Option<Session> {
    if !nix::unistd::geteuid().is_root() {
        untested("counting processes takes root");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-pf", "--mount-proc", "--kill-child", "/bin/sh", "-c", &node.command(&runtime::Become::No)]);
    Some(Session::start(&mut command))
}

/// How many processes there have been so far, this question's own included: the last pid that was given out.
fn last_pid(session: &mut Session) -> u64 {
    let probe = Probe::Run(Run { argv: vec!["cut -d ' ' -f 5 /proc/loadavg".into()], shell: true, ..Run::default() });
    match &session.look(std::slice::from_ref(&probe), false).answers[&probe] {
        Answer::Ran(ran) => ran.stdout.trim().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn per_question(session: &mut Session) -> u64 {
    let first = last_pid(session);
    last_pid(session) - first
}

#[test]
fn looking_at_a_hundred_files_starts_at_most_fifteen_processes() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut probes = Vec::new();
        for i in 0..100 {
            let text = format!("file {i}\n");
            std::fs::write(node.at(&format!("f{i}")), &text).unwrap();
            probes.push(Probe::Path { path: node.at(&format!("f{i}")), depth: Depth::Text { unless: Some(sha256(text.as_bytes())) } });
        }
        let Some(mut session) = counted(&node) else { return };
        let question = per_question(&mut session);
        let before = last_pid(&mut session);
        session.look(&probes, true);
        let look = last_pid(&mut session) - before - question;
        let before = last_pid(&mut session);
        session.look_for(&probes, Some(Costly::default()), false);
        let steady = last_pid(&mut session) - before - question;
        session.close();
        // And the session itself: the shell, one dd for the functions, and two for sudo.
        let all = look + 4;
        eprintln!("{sh:?}: {look} processes to look at 100 files with all facts, {steady} without the costly ones, {all} with the session");
        assert!(all <= 15, "{sh:?}: {all}");
        assert!(steady <= 4, "{sh:?}: {steady}");
    }
}

#[test]
fn a_first_apply_of_a_hundred_small_files_costs_little_more_than_a_process_each() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut ops = Vec::new();
        for d in 0..10 {
            ops.push(Op::Mkdir { path: node.at(&format!("d{d}")), mode: 0o755, owner: None, group: None });
        }
        for i in 0..100 {
            let content = Content::inline(format!("file {i}\n"), false);
            ops.push(Op::Put { path: node.at(&format!("d{}/f{i}", i / 10)), content, mode: 0o644, owner: None, group: None, validate: None });
        }
        let Some(mut session) = counted(&node) else { return };
        let question = per_question(&mut session);
        let before = last_pid(&mut session);
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap();
        session.finish();
        let apply = last_pid(&mut session) - before - question;
        session.close();
        eprintln!("{sh:?}: {apply} processes to make 10 directories and 100 files");
        assert!(apply <= 130, "{sh:?}: {apply}");
    }
}

#[test]
fn ending_a_run_costs_three_processes_for_being_able_to_take_it_back() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut ops = Vec::new();
        for i in 0..100 {
            let content = Content::inline(format!("file {i}\n"), false);
            ops.push(Op::Put { path: node.at(&format!("f{i}")), content, mode: 0o644, owner: None, group: None, validate: None });
        }
        let Some(mut session) = counted(&node) else { return };
        let question = per_question(&mut session);
        // Once alone, once with runs before it, which are measured.
        for (run, most) in [("r1", 8), ("r2", 10)] {
            session.begin(run);
            session.perform(&numbered(&ops)).unwrap();
            let before = last_pid(&mut session);
            session.finish();
            let finish = last_pid(&mut session) - before - question;
            eprintln!("{sh:?}: {finish} processes to end {run}");
            // Seven are for the unit itself, the receipts, the journal and the lock; stat, ln and du for what comes later.
            assert!(finish <= most, "{sh:?} {run}: {finish}");
        }
        session.close();
    }
}

#[test]
fn taking_back_a_hundred_files_costs_a_few_processes_for_those_of_a_directory() {
    for sh in ALL {
        let node = Box_::new(sh);
        let at = |i: usize| node.at(&format!("d{}/f{i}", i / 10));
        let put = |i: usize| Op::Put { path: at(i), content: Content::inline(format!("file {i}\n"), false), mode: 0o644, owner: None, group: None, validate: None };
        let dir = |d: usize| Op::Mkdir { path: node.at(&format!("d{d}")), mode: 0o755, owner: None, group: None };
        let made: Vec<Op> = (0..10).map(dir).chain((0..100).map(put)).collect();
        let changed: Vec<Op> = (0..100).map(put).collect();
        let attrs: Vec<Op> = (0..100).map(|i| Op::Attr { path: at(i), mode: Some(0o600), owner: None, group: None }).collect();
        let removed: Vec<Op> = (0..100).map(|i| Op::Remove { path: at(i) }).collect();
        let Some(mut session) = counted(&node) else { return };
        let question = per_question(&mut session);
        for (what, ops, most) in [("made", &made, 12), ("changed", &changed, 52), ("given another mode", &attrs, 12), ("removed", &removed, 52)] {
            if what == "changed" {
                for i in 0..100 {
                    std::fs::create_dir_all(node.at(&format!("d{}", i / 10))).unwrap();
                    std::fs::write(at(i), "before\n").unwrap();
                }
            }
            let run = format!("r-{}", what.replace(' ', "-"));
            let before = snapshot(&node.root(), sh != Sh::Busybox);
            session.begin(&run);
            session.perform(&numbered(ops)).unwrap();
            let first = last_pid(&mut session);
            session.unwind(&run);
            let spent = last_pid(&mut session) - first - question;
            assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?} {what}");
            eprintln!("{sh:?}: {spent} processes to take back {} ops that {what} 100 files", ops.len());
            assert!(spent <= most, "{sh:?} {what}: {spent}");
        }
        session.close();
    }
}

/// On another architecture's root (`debootstrap --arch=arm64`, qemu-user), named by HOMELAB_TEST_ROOT: prints what it costs.
#[test]
#[ignore = "measures a root of another architecture, which HOMELAB_TEST_ROOT names"]
fn on_an_emulated_root() {
    let root = std::env::var_os("HOMELAB_TEST_ROOT").expect("HOMELAB_TEST_ROOT names a root of another architecture");
    let mut command = Command::new("unshare");
    command.args(["-mpfu", "--kill-child", "/bin/sh", "-c", r#"mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2""#, "sh"]);
    command.arg(&root).arg(runtime::bootstrap());
    let mut session = Session::start(&mut command);
    let facts = session.look(&[], true).facts.unwrap();
    eprintln!("{} {} {} {}", facts.kernel_arch, facts.arch, facts.docker_platform, facts.os.name);
    let question = per_question(&mut session);
    let mut ops = vec![Op::Mkdir { path: "/srv/measured".into(), mode: 0o755, owner: None, group: None }];
    let mut probes = Vec::new();
    for i in 0..100 {
        let path = format!("/srv/measured/f{i}");
        let content = Content::inline(format!("file {i}\n"), false);
        probes.push(Probe::Path { path: path.clone(), depth: Depth::Text { unless: Some(content.sha256.clone()) } });
        ops.push(Op::Put { path, content, mode: 0o644, owner: None, group: None, validate: None });
    }
    session.begin("r1");
    let (before, start) = (last_pid(&mut session), std::time::Instant::now());
    session.perform(&numbered(&ops)).unwrap();
    let time = start.elapsed();
    eprintln!("apply: {} processes, {time:?}", last_pid(&mut session) - before - question);
    // The emulator's own threads take numbers too: about half of these are processes.
    let (all, read) = (Some(Costly::ALL), Some(Costly::default()));
    for (what, probes, facts) in
        [("all facts", &probes[..0], all), ("100 files", &probes[..], None), ("both", &probes[..], all), ("files, and facts that cost nothing", &probes[..], read)]
    {
        let (before, start) = (last_pid(&mut session), std::time::Instant::now());
        session.look_for(probes, facts, false);
        let time = start.elapsed();
        eprintln!("look at {what}: {} numbers, {time:?}", last_pid(&mut session) - before - question);
    }
    let start = std::time::Instant::now();
    session.unwind("r1");
    eprintln!("unwind: {:?}", start.elapsed());
    session.finish();
    session.close();
}
