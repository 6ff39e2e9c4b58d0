//! A node that nobody reaches any more after a guarded step, also after the guard's time: nothing is claimed of it.

use crate::line::Fate;
use crate::remote::Remote;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn who_is_not_reached_any_more_is_lost_and_was_taken_back_all_the_same() {
    let remote = Remote::new("guard: 2", "- file: {path: /srv/d, state: directory}");
    let (first, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    let before = remote.site.snapshot("pi");
    remote.site.play("guard: 2", "- name: Rules\n  copy: {dest: /etc/nftables.conf, content: drop}\n- name: Load them\n  command: {shell: true, cmd: \"touch /srv/d/loaded; sleep 2\"}\n  undo: rm /srv/d/loaded");
    remote.line.expect(Fate::Nothing);
    let child = remote.site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    remote.line.controller(child.id());
    let since = Instant::now();
    while !remote.site.inside("pi", "/srv/d/loaded").exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "the guarded step does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Old and new connections alike.
    remote.line.cut();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(5), "{out}{err}");
    assert!(err.contains("pi: nobody can log in any more, also after the time of its guard (2 s)") && err.contains("hint: look at the machine itself"), "{out}{err}");
    assert!(out.contains("lost: not reached any more, and what the node has done by itself was not seen"), "{out}{err}");
    assert!(out.contains("if it runs, the node took run ") && out.contains(" back by itself at about 20"), "{out}{err}");
    assert!(!out.contains("taken back by the node") && !out.contains("failed and taken back"), "what nobody has seen is claimed: {out}");
    // It had. Whoever reaches it again is told, and goes on from there.
    assert_eq!(remote.site.snapshot("pi"), before);
    let (history, _) = remote.run(&["history", "inventory.yaml"], Fate::Nothing);
    assert!(history.out.contains("taken back, 2 steps"), "{}{}", history.out, history.err);
    let (again, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
}
