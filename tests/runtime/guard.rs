//! The guard on real shells: armed, renewed, disarmed by another session; and what it does when nobody comes.

use crate::shell::{ALL, Node, Session, Sh, numbered, snapshot};
use homelab::node::op::Content;
use homelab::node::program::{self, Verdict, guard};
use homelab::node::{Op, runtime};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The time of most guards here.
const SECONDS: u64 = 7;

/// For longer than that.
fn passes() {
    std::thread::sleep(Duration::from_secs(SECONDS + 2));
}

/// A node on which nothing is really rebooted or started by systemd, whatever a test asks for: the runtime takes `reboot`
/// by its path, and this one comes first.
fn harmless(sh: Sh) -> Node {
    let node = Node::new(sh);
    for tool in ["reboot", "systemctl", "systemd-run", "wall"] {
        let path = node.bin().join(tool);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/sh\necho {tool} >>{}\n", node.at("../called"))).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    node
}

/// In every shell at once: what a guard does takes its time, and more of it on a machine that has other work. The times of
/// these tests are some seconds longer than a run ought to need between two exchanges.
fn everywhere(test: impl Fn(Sh) + Sync) {
    std::thread::scope(|scope| {
        for sh in ALL {
            let test = &test;
            scope.spawn(move || test(sh));
        }
    });
}

fn put(path: &str, text: &str) -> Op {
    Op::Put { path: path.into(), content: Content::inline(text, false), mode: 0o644, owner: None, group: None, validate: None }
}

/// Begins a run, arms its guard, and changes a file of the node.
fn armed(node: &Node, session: &mut Session, seconds: u64, trial: bool) {
    std::fs::write(node.at("file"), "before\n").unwrap();
    session.begin("r1");
    let unit = runtime::guard_preamble(session.next());
    session.run(&unit);
    let unit = guard::arm(session.next(), "r1", seconds, trial);
    let frames = session.run(&unit);
    assert!(frames.iter().any(|frame| frame.tag == "armed"), "{:?} {frames:?}", node.sh);
    session.perform(&numbered(&[put(&node.at("file"), "after\n"), put(&node.at("new"), "new\n")])).unwrap();
    assert_eq!(std::fs::read_to_string(node.at("file")).unwrap(), "after\n");
}

fn journal(node: &Node) -> String {
    std::fs::read_to_string(node.state().join("runs/r1/journal")).unwrap_or_default()
}

fn dir(node: &Node) -> PathBuf {
    node.state().join("guard")
}

fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    since.elapsed()
}

fn verdict(session: &mut Session, disarm: bool) -> Verdict {
    let unit = runtime::guard_preamble(session.next());
    session.run(&unit);
    let unit = if disarm { guard::disarm(session.next(), "r1") } else { guard::verdict(session.next(), "r1") };
    guard::read_verdict(&session.run(&unit))
}

#[test]
fn nobody_comes_back_and_the_node_is_as_before() {
    everywhere(|sh| {
        let node = harmless(sh);
        std::fs::write(node.at("file"), "before\n").unwrap();
        let before = snapshot(&node.root(), sh != Sh::Busybox);
        let mut session = node.connect();
        session.begin("r1");
        let unit = runtime::guard_preamble(session.next());
        session.run(&unit);
        let unit = guard::arm(session.next(), "r1", SECONDS, false);
        session.run(&unit);
        session.perform(&numbered(&[put(&node.at("file"), "after\n"), put(&node.at("new"), "new\n")])).unwrap();
        // The controller is there, and the line is not: the session waits for input that never comes.
        until("taken back", Duration::from_secs(40), || journal(&node).contains("\nX\n"));
        assert_eq!(snapshot(&node.root(), sh != Sh::Busybox), before, "{sh:?}");
        let text = journal(&node);
        assert!(text.contains(&format!("\nG {SECONDS}\n")) && text.contains("\nN\n"), "{sh:?} {text}");
        until("gone", Duration::from_secs(20), || !dir(&node).exists() && !node.state().join("lock").exists());
        // The one that held the lock has been ended, not left to act on.
        assert!(session.child.wait().is_ok());
        // Whoever logs in later hears what was done.
        let mut later = node.connect();
        let Verdict::Fired(frames) = verdict(&mut later, true) else { panic!("{sh:?}") };
        let undone: Vec<u64> = frames.iter().filter(|frame| frame.tag == "undone").filter_map(|frame| frame.number(0)).collect();
        assert_eq!(undone, [2, 1], "{sh:?} {frames:?}");
        assert!(frames.iter().any(|frame| frame.tag == "unwound"), "{sh:?} {frames:?}");
        // And may begin anew.
        assert!(later.begin("r2").iter().any(|frame| frame.tag == "begun"), "{sh:?}");
        later.finish();
        assert!(!std::path::Path::new(&node.at("../called")).exists(), "{sh:?}: nothing was rebooted");
    });
}

#[test]
fn a_new_login_disarms_it_and_the_old_session_goes_on() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        armed(&node, &mut session, SECONDS, false);
        let mut other = node.connect();
        assert_eq!(verdict(&mut other, false), Verdict::Armed, "{sh:?}");
        assert_eq!(verdict(&mut other, true), Verdict::Disarmed, "{sh:?}");
        assert!(!dir(&node).exists(), "{sh:?}");
        passes();
        assert!(!journal(&node).contains("\nN\n"), "{sh:?}");
        assert_eq!(std::fs::read_to_string(node.at("file")).unwrap(), "after\n");
        session.finish();
        assert!(journal(&node).contains("\ng\n"), "{sh:?}");
        assert_eq!(verdict(&mut other, true), Verdict::Unguarded, "{sh:?}");
    });
}

#[test]
fn it_waits_for_an_op_under_way_and_each_exchange_begins_its_time_anew() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        armed(&node, &mut session, SECONDS, false);
        let unit = guard::busy(session.next());
        session.run(&unit);
        let slow = Op::Run {
            command: program_command("sleep 10"),
            undo: None,
            ok: vec![],
            creates: vec![],
            brings: vec![],
            again: true,
        };
        session.perform(&[(3, &slow)]).unwrap_or_else(|e| panic!("{sh:?} {e:?}"));
        assert!(!journal(&node).contains("\nN\n"), "{sh:?}: fired in the middle of an op");
        for _ in 0..5 {
            let unit = guard::idle(session.next());
            session.run(&unit);
            std::thread::sleep(Duration::from_secs(2));
        }
        assert!(!journal(&node).contains("\nN\n"), "{sh:?}: fired while the controller was talking");
        until("fired at last", Duration::from_secs(40), || journal(&node).contains("\nX\n"));
        drop(session);
    });
}

fn program_command(script: &str) -> homelab::node::Command {
    homelab::node::Command { argv: vec![script.into()], shell: true, ..Default::default() }
}

#[test]
fn a_run_on_trial_is_taken_back_after_its_end_receipts_included() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        std::fs::create_dir_all(node.state()).unwrap();
        std::fs::write(node.state().join("receipts"), "file:/x a b\n").unwrap();
        armed(&node, &mut session, SECONDS, true);
        session.finish();
        session.close();
        assert!(journal(&node).contains("\nE\n"), "{sh:?}");
        let mut other = node.connect();
        let state = other.look(&[], true).state;
        let guard = state.guard.unwrap_or_else(|| panic!("{sh:?}: no guard is seen"));
        assert!(guard.trial && guard.run == "r1" && guard.seconds == SECONDS && guard.left <= SECONDS, "{sh:?} {guard:?}");
        // Nobody else begins meanwhile.
        let frames = other.begin("r2");
        assert!(frames.iter().any(|frame| frame.tag == "guarded") && !frames.iter().any(|frame| frame.tag == "begun"), "{sh:?} {frames:?}");
        until("taken back", Duration::from_secs(40), || journal(&node).contains("\nX\n") && !dir(&node).exists());
        assert_eq!(std::fs::read_to_string(node.at("file")).unwrap(), "before\n");
        assert!(!std::path::Path::new(&node.at("new")).exists());
        assert_eq!(std::fs::read_to_string(node.state().join("receipts")).unwrap(), "file:/x a b\n", "{sh:?}");
        other.close();
    });
}

/// As a power cut leaves a node: what ran is gone, and what the guard knows of the boot is another one's.
fn power_cut(node: &Node, session: Session) {
    let pid = std::fs::read_to_string(dir(node).join("pid")).unwrap();
    let mut child = session.child;
    child.kill().unwrap();
    child.wait().unwrap();
    let kill = |pid: i32| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    kill(pid.split(' ').next().unwrap().parse().unwrap());
    for name in ["due", "armed"] {
        let path = dir(node).join(name);
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(boot.trim()), "{name}: {text}");
        std::fs::write(&path, text.replace(boot.trim(), "another-boot")).unwrap();
    }
}

fn boots(node: &Node) -> std::process::Child {
    std::process::Command::new(node.bin().join("sh")).arg(dir(node).join("run")).spawn().or_else(|_| std::process::Command::new("sh").arg(dir(node).join("run")).spawn()).unwrap()
}

#[test]
fn after_a_reboot_it_fires_soon_and_has_the_node_start_anew() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        armed(&node, &mut session, 600, false);
        // Its deadline would be far away.
        let due = std::fs::read_to_string(dir(&node).join("due")).unwrap();
        power_cut(&node, session);
        std::fs::write(dir(&node).join("due"), due.replace(due.split(' ').next().unwrap(), "another-boot")).unwrap();
        let mut guard = boots(&node);
        until("taken back", Duration::from_secs(40), || journal(&node).contains("\nX\n"));
        guard.wait().unwrap();
        assert_eq!(std::fs::read_to_string(node.at("file")).unwrap(), "before\n");
        let called = std::fs::read_to_string(node.at("../called")).unwrap();
        assert_eq!(called.trim(), "reboot", "{sh:?}: what was read at boot is taken up again");
        assert!(!dir(&node).exists());
    });
}

#[test]
fn a_reboot_that_the_run_asked_for_leaves_time_to_come_back() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        armed(&node, &mut session, SECONDS, false);
        let reboot = Op::Reboot { timeout: 300, connect: None, message: "soon".into() };
        let unit = program::act(session.next(), &[(3, &reboot)]);
        let frames = session.run(&unit);
        assert!(frames.iter().any(|frame| frame.tag == "rebooting" && frame.number(0) == Some(3)), "{sh:?} {frames:?}");
        until("asked to reboot", Duration::from_secs(20), || std::fs::read_to_string(node.at("../called")).is_ok_and(|called| called.contains("reboot")));
        power_cut(&node, session);
        let mut guard = boots(&node);
        passes();
        assert!(!journal(&node).contains("\nN\n"), "{sh:?}: it did not wait");
        // The controller is back, and adopts the run.
        let mut back = node.connect();
        let unit = runtime::apply_preamble(back.next());
        back.run(&unit);
        let unit = runtime::guard_preamble(back.next());
        back.run(&unit);
        let unit = guard::room(back.next(), "r1", 5);
        back.run(&unit);
        let frames = back.begin("r1");
        assert!(frames.iter().any(|frame| frame.tag == "begun"), "{sh:?} {frames:?}");
        let unit = guard::guarded(back.next(), SECONDS);
        back.run(&unit);
        // From here on its time is the usual one.
        until("fired", Duration::from_secs(40), || journal(&node).contains("\nX\n"));
        guard.wait().unwrap();
        assert_eq!(std::fs::read_to_string(node.at("file")).unwrap(), "before\n");
    });
}

#[test]
fn a_guard_that_nothing_started_at_boot_is_started_by_the_next_run() {
    everywhere(|sh| {
        let node = harmless(sh);
        let mut session = node.connect();
        armed(&node, &mut session, SECONDS, false);
        power_cut(&node, session);
        passes();
        assert!(!journal(&node).contains("\nX\n"));
        let mut next = node.connect();
        assert!(next.begin("r2").iter().any(|frame| frame.tag == "guarded"), "{sh:?}");
        until("taken back", Duration::from_secs(40), || journal(&node).contains("\nX\n") && !dir(&node).exists());
        assert!(next.begin("r3").iter().any(|frame| frame.tag == "begun"), "{sh:?}");
        next.finish();
    });
}
