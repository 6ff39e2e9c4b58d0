//! Ctrl-C.

use crate::line::Fate;
use crate::rounds::Rounds;
use crate::site::Site;
use nix::sys::signal::Signal;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn ctrl_c_stops_at_a_step_boundary_and_says_how_to_go_on() {
    let mut rounds = Rounds::new();
    rounds.next();
    rounds.apply(Fate::Nothing);
    // Logging in and looking is about a third of the turns.
    let (turns, _, _) = rounds.remote.line.seen();
    rounds.next();
    let ended = rounds.apply(Fate::Signal(turns * 2 / 3, Signal::SIGINT));
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    assert!(said.contains("Stopping at the next step boundary") && said.contains("`homelab resume` goes on, `homelab rollback` takes it back"), "{said}");
    assert!(!rounds.remote.site.inside("pi", "/var/lib/homelab/lock").exists(), "the lock is held");
    assert!(rounds.remote.site.text("/srv/rounds/page").contains(&format!("round {}", rounds.round)), "what came first was done");
    assert!(!rounds.remote.site.text("/etc/motd").contains(&format!("round {}", rounds.round)), "what came last was not");
    rounds.finishes("after Ctrl-C");
}

#[test]
fn ctrl_c_stops_nobody_who_has_finished() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  quick: {sandbox: true, become: true}\n  slow: {sandbox: true, become: true}\n");
    let slow = "- command: {cmd: \"touch /srv/begun; sleep 4\", shell: true}\n  when: host.name == \"slow\"\n";
    site.tasks(&format!("- copy: {{dest: /srv/first, content: x}}\n{slow}- copy: {{dest: /srv/last, content: x}}\n  when: host.name == \"slow\""));
    let child = site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    while !(site.inside("quick", "/srv/first").exists() && site.inside("slow", "/srv/begun").exists()) {
        assert!(since.elapsed() < Duration::from_secs(60), "nothing begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What the node did has to be heard of, while the other one sleeps.
    std::thread::sleep(Duration::from_secs(1));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("quick  done: 1 changed") && out.contains("stopped: 2 done"), "{out}{err}");
    assert!(!err.contains("quick: stopped"), "{err}");
    assert!(site.inside("slow", "/srv/begun").exists() && !site.inside("slow", "/srv/last").exists());
}
