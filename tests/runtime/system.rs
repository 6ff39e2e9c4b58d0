//! Ops on accounts, crontabs, kernel parameters and commands: on a copy of this machine, as root.

use crate::shell::{ALL, Node as Box_, Sh, numbered};
use crate::untested::untested;
use homelab::node::op::{ToolOp, UserOp};
use homelab::node::probe::Command;
use homelab::node::{Answer, Op, Probe, program, runtime};

fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        untested("it takes root");
    }
    root
}

fn shell(script: &str) -> Command {
    Command { argv: vec![script.into()], shell: true, ..Command::default() }
}

#[test]
fn accounts_crontabs_and_parameters_are_made_and_taken_back() {
    if !root() {
        return;
    }
    for sh in ALL {
        let node = Box_::new(sh);
        if sh == Sh::Busybox {
            // Debian's busybox has no applets for accounts: ash drives shadow's tools then.
            for tool in ["useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "gpasswd", "chpasswd"] {
                let real = [format!("/usr/sbin/{tool}"), format!("/usr/bin/{tool}")].into_iter().find(|p| std::path::Path::new(p).exists());
                std::os::unix::fs::symlink(real.expect("shadow's tools"), node.bin().join(tool)).unwrap();
            }
        }
        let mut session = node.caged();
        session.begin("r0");
        // Something to change and to remove.
        let have = vec![
            Op::Mkdir { path: "/var/spool/cron".into(), mode: 0o755, owner: None, group: None },
            Op::Mkdir { path: "/var/spool/cron/crontabs".into(), mode: 0o755, owner: None, group: None },
            Op::Group { name: "oldgroup".into(), present: true, gid: Some(7001), system: false },
            Op::Group { name: "own".into(), present: true, gid: Some(7002), system: false },
            Op::User(UserOp { name: "old".into(), present: true, uid: Some(7001), group: Some("oldgroup".into()), home: Some("/home/old one".into()), shell: Some("/bin/sh".into()), create_home: true, password: Some("$6$salt$hash".into()), ..UserOp::default() }),
            Op::Crontab { user: "old".into(), text: Some("1 2 * * * echo before\n".into()) },
        ];
        session.perform(&numbered(&have)).unwrap_or_else(|e| panic!("{sh:?} {e:?}"));
        session.finish();

        let probes = [
            Probe::User { name: "deploy".into() },
            Probe::Group { name: "app".into() },
            Probe::User { name: "old".into() },
            Probe::Group { name: "oldgroup".into() },
            Probe::Crontab { user: "old".into() },
            Probe::Sysctl { key: "net.ipv4.ip_forward".into() },
            Probe::Hostname,
            Probe::Run(shell("ls -d /home/* /tmp/made-* 2>/dev/null; cat /etc/group; ls -ld '/home/old one'")),
            Probe::Sysctl { key: "net.ipv4.tcp_keepalive_time".into() },
            Probe::Group { name: "own".into() },
        ];
        let before = session.look(&probes, false).answers;
        assert!(matches!(&before[&probes[2]], Answer::User(Some(u)) if u.password.as_deref() == Some("$6$salt$hash")), "{sh:?} {before:?}");
        assert_eq!(before[&probes[4]], Answer::Crontab(Some("1 2 * * * echo before\n".into())), "{sh:?}");
        // The kernel answers the first read only, which has to be for all digits.
        assert_eq!(before[&probes[8]], Answer::Sysctl(Some("7200".into())), "{sh:?}");

        let mut ops = vec![
            Op::Group { name: "app".into(), present: true, gid: Some(4321), system: true },
            Op::User(UserOp { name: "deploy".into(), present: true, uid: Some(4322), group: Some("app".into()), groups: Some(vec!["oldgroup".into()]), comment: Some("It's me".into()), shell: Some("/bin/sh".into()), create_home: true, password: Some("$6$a$b".into()), ..UserOp::default() }),
            Op::Crontab { user: "old".into(), text: Some("3 4 * * * echo 'it is' \"%\"\n".into()) },
            Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() },
            Op::Hostname { name: "renamed".into() },
            Op::Run { command: shell("read x; echo \"$x\" >/tmp/made-by-run; echo out; echo err >&2; exit 3"), undo: Some(shell("rm /tmp/made-by-run")), ok: vec![0, 3], creates: vec![], brings: vec![], again: false },
        ];
        if let Op::Run { command, .. } = &mut ops[5] {
            command.stdin = Some("given\n".into());
        }
        ops.push(Op::Sysctl { key: "net.ipv4.tcp_keepalive_time".into(), value: "600".into() });
        ops.push(Op::User(UserOp { name: "old".into(), present: true, exists: true, comment: Some("changed".into()), groups: Some(vec!["app".into()]), home: Some("/srv".into()), password: Some("!".into()), ..UserOp::default() }));
        ops.push(Op::User(UserOp { name: "own".into(), present: true, uid: Some(7003), ..UserOp::default() }));
        session.begin("r1");
        session.perform(&numbered(&ops)).unwrap_or_else(|e| panic!("{sh:?} {e:?}"));
        let after = session.look(&probes, false).answers;
        let Answer::User(Some(deploy)) = &after[&probes[0]] else { panic!("{sh:?} {after:?}") };
        assert_eq!((deploy.uid, deploy.group.as_str(), deploy.comment.as_str(), deploy.shell.as_str()), (4322, "app", "It's me", "/bin/sh"));
        assert_eq!((deploy.groups.as_slice(), deploy.password.as_deref()), (&["oldgroup".to_owned()][..], Some("$6$a$b")));
        assert!(matches!(&after[&probes[1]], Answer::Group(Some(g)) if g.gid == 4321));
        assert_eq!(after[&probes[4]], Answer::Crontab(Some("3 4 * * * echo 'it is' \"%\"\n".into())), "{sh:?}");
        assert_eq!(after[&probes[5]], Answer::Sysctl(Some("1".into())));
        assert_eq!(after[&probes[8]], Answer::Sysctl(Some("600".into())), "{sh:?}");
        assert_eq!(after[&probes[6]], Answer::Hostname("renamed".into()));
        assert!(matches!(&after[&probes[2]], Answer::User(Some(u)) if u.comment == "changed" && u.groups == ["app"] && u.home == "/srv"), "{after:?}");
        session.unwind("r1");
        assert_eq!(session.look(&probes, false).answers, before, "{sh:?}");
        session.unwind("r1");
        assert_eq!(session.look(&probes, false).answers, before, "{sh:?}");
        session.finish();

        let gone = [
            Op::Crontab { user: "old".into(), text: None },
            Op::User(UserOp { name: "old".into(), exists: true, remove_home: true, ..UserOp::default() }),
            Op::Group { name: "oldgroup".into(), present: false, gid: None, system: false },
        ];
        session.begin("r2");
        session.perform(&numbered(&gone[..2])).unwrap_or_else(|e| panic!("{sh:?} {e:?}"));
        if matches!(session.look(&probes, false).answers[&probes[3]], Answer::Group(Some(_))) {
            session.perform(&[(3, &gone[2])]).unwrap_or_else(|e| panic!("{sh:?} {e:?}"));
        }
        let after = session.look(&probes, false).answers;
        assert_eq!((&after[&probes[2]], &after[&probes[3]]), (&Answer::User(None), &Answer::Group(None)), "{sh:?}");
        session.unwind("r2");
        let back = session.look(&probes, false).answers;
        for i in [2, 3, 4] {
            assert_eq!(back[&probes[i]], before[&probes[i]], "{sh:?}");
        }
        session.close();
    }
}

#[test]
fn a_parameter_that_cannot_be_written_fails_and_leaves_nothing_to_take_back() {
    for sh in ALL {
        let mut session = Box_::new(sh).connect();
        session.begin("r1");
        let op = Op::Sysctl { key: "kernel.ostype".into(), value: "Minix".into() };
        let (frames, _) = session.try_run(&program::act(90, &[(1, &op)])).unwrap();
        assert!(frames.iter().any(|f| f.tag == "op" && f.field(1) == "failed"), "{sh:?} {frames:?}");
        let frames = session.unwind("r1");
        assert!(frames.iter().any(|f| f.tag == "undone") && !frames.iter().any(|f| f.tag == "stuck"), "{sh:?} {frames:?}");
        session.close();
    }
}

#[test]
fn a_crontab_that_cannot_be_kept_is_not_touched() {
    for sh in ALL {
        let node = Box_::new(sh);
        // Its own in place of the machine's.
        let (tool, tab) = (node.bin().join("crontab"), node.at("tab"));
        let _ = std::fs::remove_file(&tool);
        std::fs::write(&tool, format!("#!/bin/sh\nfor a; do :; done\ncase $a in -l) cat {tab} ;; -r) rm {tab} ;; *) cat >{tab} ;; esac\n")).unwrap();
        std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(&tab, "1 2 * * * echo before\n").unwrap();
        let mut session = node.connect();
        session.begin("r1");
        // As on a full disk.
        std::fs::create_dir(node.state().join("runs/r1/before/1.cron")).unwrap();
        session.perform(&[(1, &Op::Crontab { user: "me".into(), text: Some("3 4 * * * echo after\n".into()) })]).unwrap_err();
        session.unwind("r1");
        assert_eq!(std::fs::read_to_string(&tab).unwrap(), "1 2 * * * echo before\n", "{sh:?}");
        session.close();
    }
}

#[test]
fn a_commands_end_is_told_and_no_undo_is_said() {
    for sh in ALL {
        let node = Box_::new(sh);
        let op = Op::Run { command: shell("echo out; echo err >&2; exit 4"), undo: None, ok: vec![], creates: vec![], brings: vec![], again: false };
        let mut session = node.connect();
        session.begin("r1");
        let unit = program::act(90, &[(1, &op)]);
        let (frames, status) = session.try_run(&unit).unwrap();
        let (number, ran) = frames.iter().find_map(program::ran).unwrap();
        assert_eq!((number, ran.rc, ran.stdout.as_str(), ran.stderr.as_str()), (1, 4, "out\n", "err\n"), "{sh:?}");
        assert!(status != 0 && frames.iter().any(|f| f.tag == "op" && f.field(1) == "failed"));
        assert!(session.unwind("r1").iter().any(|f| f.tag == "left" && f.number(0) == Some(1)));
        session.close();
    }
}

#[test]
fn a_secret_script_its_input_and_its_environment_are_in_no_process_list() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut command = shell("x=PASS_IN_SCRIPT; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' >\"$OUT\"; read y");
        command.environment = [("OUT".to_owned(), node.at("seen")), ("SECRET".to_owned(), "PASS_IN_ENV".to_owned())].into();
        command.stdin = Some("PASS_IN_STDIN\n".into());
        command.secret = true;
        command.user = nix::unistd::geteuid().is_root().then(|| "root".to_owned());
        let op = Op::Run { command, undo: None, ok: vec![], creates: vec![], brings: vec![], again: false };
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&[(1, &op)]).unwrap();
        session.close();
        let seen = std::fs::read_to_string(node.at("seen")).unwrap();
        assert!(seen.contains("eval"), "the list is empty");
        assert!(!seen.contains("PASS_IN_"), "{sh:?}");
    }
}

#[test]
fn a_unit_without_systemd_is_an_honest_error() {
    // The machine's own units are not for tests: where it has systemd, on a copy whose /run is empty.
    let systemd = std::path::Path::new("/run/systemd/system").exists();
    if systemd && !root() {
        return;
    }
    for sh in ALL {
        let node = Box_::new(sh);
        let op = Op::Unit { name: "no-such.service".into(), act: homelab::node::op::UnitAct::Start };
        let mut session = if systemd { node.caged() } else { node.connect() };
        session.begin("r1");
        let (_, why) = session.perform(&[(1, &op)]).unwrap_err();
        assert!(why.to_lowercase().contains("systemd"), "{sh:?} {why}");
        session.unwind("r1");
        session.close();
    }
}

/// With the machine's own apt, on a copy of the machine; `tests/apt` asks the same of a Debian of its own.
#[test]
#[ignore = "downloads by this machine's own apt"]
fn packages_come_and_go_and_the_installed_set_is_what_it_was() {
    if !root() {
        return;
    }
    for sh in [Sh::Dash, Sh::Bash] {
        let node = Box_::new(sh);
        let mut session = node.caged_with("-mupf");
        let probes = [
            Probe::Package { name: "sl".into(), candidate: true },
            Probe::Package { name: "ed".into(), candidate: false },
            Probe::Run(shell("dpkg-query -W")),
        ];
        session.begin("r0");
        let ed = Op::Packages { install: vec!["ed".into()], remove: vec![], purge: false, refresh: true, lock_timeout: 30, lost: false };
        session.perform(&[(1, &ed)]).unwrap_or_else(|e| panic!("{e:?}"));
        session.finish();
        let before = session.look(&probes, false).answers;
        assert!(matches!(&before[&probes[0]], Answer::Package(p) if p.installed.is_none() && p.candidate.is_some()), "{before:?}");
        let op = Op::Packages { install: vec!["sl".into()], remove: vec!["ed".into()], purge: true, refresh: false, lock_timeout: 30, lost: false };
        session.begin("r1");
        session.perform(&[(1, &op)]).unwrap_or_else(|e| panic!("{e:?}"));
        let after = session.look(&probes, false).answers;
        assert!(matches!(&after[&probes[0]], Answer::Package(p) if p.installed.is_some()), "{after:?}");
        assert!(matches!(&after[&probes[1]], Answer::Package(p) if p.installed.is_none()), "{after:?}");
        session.unwind("r1");
        assert_eq!(session.look(&probes, false).answers, before);
        let wrong = Op::Packages { install: vec!["no-such-package-at-all".into()], remove: vec![], purge: false, refresh: false, lock_timeout: 5, lost: false };
        let (_, why) = session.perform(&[(2, &wrong)]).unwrap_err();
        assert!(why.contains("no-such-package-at-all"), "{why}");
        session.close();
    }
}

#[test]
fn who_holds_a_lock_is_said_also_where_apt_said_it_on_a_line_begun_before() {
    for sh in ALL {
        let node = Box_::new(sh);
        let apt = node.bin().join("apt-get");
        let says = "Waiting for cache lock: Could not get lock /l. It is held by process 7 (other)...E: Could not get lock /l. It is held by process 7 (other)\nE: Unable to acquire the dpkg frontend lock (/l), is another process using it?";
        std::fs::write(&apt, format!("#!/bin/sh\nprintf '%s\\n' '{says}'\nexit 100\n")).unwrap();
        std::fs::set_permissions(&apt, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut session = node.connect();
        session.begin("r1");
        let op = Op::Packages { install: vec!["greeter".into()], remove: vec![], purge: false, refresh: false, lock_timeout: 0, lost: false };
        let (_, said) = session.perform(&[(1, &op)]).unwrap_err();
        assert!(said.starts_with("Could not get lock /l. It is held by process 7 (other)\nUnable to acquire"), "{sh:?}: {said}");
    }
}

#[test]
fn what_is_mounted_on_a_directory_stands_against_a_rollback_unless_the_run_did_it() {
    if !root() {
        return;
    }
    for sh in ALL {
        let node = Box_::new(sh);
        let [own, theirs] = [node.at("own one"), node.at("theirs")];
        let mount = |at: &str| shell(&format!("mount -t tmpfs none '{at}'"));
        let made = |path: &String| Op::Mkdir { path: path.clone(), mode: 0o755, owner: None, group: None };
        let tool = ToolOp { command: mount(&own), undo: Some(shell(&format!("umount '{own}'"))), brings: vec![own.clone()], ..ToolOp::default() };
        let mut session = node.caged();
        session.begin("r1");
        session.perform(&numbered(&[made(&own), Op::Tool(tool), made(&theirs)])).unwrap();
        session.finish();
        session.look(&[Probe::Run(mount(&theirs))], false);
        let functions = runtime::history_preamble(session.next());
        session.run(&functions);
        let unit = program::changed(session.next(), "r1");
        let foreign: Vec<String> = session.run(&unit).iter().filter(|f| f.tag == "foreign").map(homelab::node::frame::Frame::text).collect();
        assert_eq!(foreign, [theirs], "{sh:?}");
        session.close();
    }
}

#[test]
fn what_is_mounted_is_neither_moved_nor_emptied() {
    if !root() {
        return;
    }
    for sh in ALL {
        let node = Box_::new(sh);
        let [made, doomed] = [node.at("made"), node.at("doomed")];
        let mount = format!("for d in '{made}' '{doomed}/100% deep'; do mkdir -p \"$d\" && mount -t tmpfs none \"$d\" && echo precious >\"$d/data\" || exit; done");
        let ops = vec![
            Op::Mkdir { path: made.clone(), mode: 0o755, owner: None, group: None },
            Op::Run { command: shell(&mount), undo: None, ok: vec![], creates: vec![], brings: vec![], again: false },
            Op::Remove { path: doomed.clone() },
        ];
        let mut session = node.caged();
        session.begin("r1");
        let (at, why) = session.perform(&numbered(&ops)).unwrap_err();
        assert_eq!((at, why.trim()), (3, format!("something is mounted on {doomed}/100% deep").as_str()), "{sh:?}");
        let stuck = session.try_unwind("r1").unwrap_err();
        assert!(stuck.contains(&format!("stuck 1: something is mounted on {made}")), "{sh:?}: {stuck}");
        let probe = Probe::Run(shell(&format!("cat '{made}/data' '{doomed}/100% deep/data'")));
        let found = session.look(std::slice::from_ref(&probe), false).answers;
        assert!(matches!(&found[&probe], Answer::Ran(ran) if ran.stdout == "precious\nprecious\n"), "{sh:?}: {found:?}");
        session.close();
    }
}
