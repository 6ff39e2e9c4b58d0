//! A node that is lost in the middle of an apply: it is said, the others finish, and the next apply goes on.

use crate::nodes::{Lab, by_hand, comes_back, container, does, root, until};
use crate::site::Ended;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Two that are not lost.
const OTHERS: [&str; 2] = ["nfs", "busybox"];
/// Three keepalives of 15 seconds without an answer, and time to say so.
const PATIENCE: Duration = Duration::from_secs(90);

/// An apply during which `lose` happens to `node`, and how it ends: in time, with the others done.
fn loses(lab: &Lab, node: &str, lose: impl FnOnce()) -> Ended {
    for one in OTHERS.iter().chain([&node]) {
        by_hand(one, "rm -rf /srv/lost /run/lost");
    }
    lab.site.tasks(&format!(
        "- file: {{path: /srv/lost, state: directory}}\n- copy: {{dest: /srv/lost/first, content: x}}\n- name: Take time\n  \
         command: {{shell: true, cmd: \"if mkdir /run/lost; then sleep 70; fi; touch /srv/lost/slept\", creates: /srv/lost/slept, undo: rm -f /srv/lost/slept}}\n  \
         when: host.name == \"{node}\"\n- copy: {{dest: /srv/lost/last, content: x}}"
    ));
    let all = format!("{},{node}", OTHERS.join(","));
    let child = lab.site.command(&["apply", "inventory.yaml", "--yes", "--limit", &all]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = root(node).join("run/lost");
    until("the step begins", Duration::from_secs(60), || begun.exists());
    lose();
    let start = Instant::now();
    let output = child.wait_with_output().unwrap();
    let took = start.elapsed();
    let ended = Ended { code: output.status.code().unwrap(), out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() };
    let said = format!("{}{}", ended.out, ended.err);
    assert!(took < PATIENCE, "it took {took:?}:\n{said}");
    // A step was begun and left: an error, not only a host that was not reached.
    assert_eq!(ended.code, 1, "{said}");
    assert!(ended.err.contains(&format!("{node}: the connection was lost")), "{said}");
    for other in OTHERS {
        assert!(said.lines().any(|line| line.trim_start().starts_with(other) && line.contains("done: 3 changed")), "{other} did not finish:\n{said}");
        assert!(root(other).join("srv/lost/last").exists());
    }
    ended
}

/// The next apply, with the node back.
fn completes(lab: &Lab, node: &str) {
    by_hand(node, "mkdir -p /run/lost");
    let ended = lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", node]);
    assert!(ended.out.contains("done: "), "{}{}", ended.out, ended.err);
    assert!(root(node).join("srv/lost/last").exists() && root(node).join("srv/lost/slept").exists());
    let all = [&OTHERS[..], &[node]].concat();
    lab.has_nothing_to_do("inventory.yaml", &all);
    for one in all {
        assert!(!root(one).join("var/lib/homelab/lock").exists(), "{one}: a lock is left");
        by_hand(one, "rm -rf /srv/lost /run/lost");
    }
}

#[test]
fn rebooted() {
    let Some(lab) = Lab::up() else { return };
    loses(&lab, "bookworm", || drop(does(&["restart", "--time", "1", &container("bookworm")])));
    comes_back("bookworm");
    completes(&lab, "bookworm");
}

#[test]
fn stopped() {
    let Some(lab) = Lab::up() else { return };
    loses(&lab, "bookworm", || drop(does(&["stop", "--time", "1", &container("bookworm")])));
    // Still away: nothing worse than that.
    let away = lab.site.expect(4, &["apply", "inventory.yaml", "--yes", "--limit", "nfs,bookworm"]);
    assert!(away.out.contains("not reached") && away.out.contains("nothing to do"), "{}{}", away.out, away.err);
    does(&["start", &container("bookworm")]);
    comes_back("bookworm");
    completes(&lab, "bookworm");
}

#[test]
fn cut_off() {
    let Some(lab) = Lab::up() else { return };
    // The node goes on meanwhile, and nobody tells it or us that the line is gone.
    loses(&lab, "inner", || drop(does(&["network", "disconnect", "homelab-lab-lan", &container("inner")])));
    does(&["network", "connect", "--ip", "10.207.2.10", "homelab-lab-lan", &container("inner")]);
    by_hand("inner", "ip route replace default via 10.207.2.2");
    comes_back("inner");
    until("the node has let go", Duration::from_secs(90), || !root("inner").join("var/lib/homelab/lock").exists());
    completes(&lab, "inner");
}
