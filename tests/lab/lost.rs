//! A node that is lost in the middle of an apply: it is said, the others finish, and the next apply goes on.

use crate::nodes::{Lab, by_hand, comes_back, container, does, root, until};
use crate::site::Ended;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Two that are not lost.
const OTHERS: [&str; 2] = ["nfs", "busybox"];
/// Three keepalives of 15 seconds without an answer, and time to say so.
const PATIENCE: Duration = Duration::from_secs(90);

/// An apply during which `lose` happens to `node`: how it ended, and after how long.
fn loses(lab: &Lab, node: &str, lose: impl FnOnce()) -> (Ended, Duration) {
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
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }, start.elapsed())
}

/// It was said that `node` is lost, in time, and the others were done.
fn was_lost(node: &str, (ended, took): &(Ended, Duration)) {
    let said = format!("{}{}", ended.out, ended.err);
    assert!(*took < PATIENCE, "it took {took:?}:\n{said}");
    // A step was begun and left: an error, not only a host that was not reached.
    assert_eq!(ended.code, 1, "{said}");
    assert!(ended.err.lines().any(|line| line.starts_with(&format!("error: {node} (")) && line.contains("the connection was lost")), "{said}");
    let summary = |host: &str, says: &str| ended.out.lines().any(|line| line.trim_start().starts_with(host) && line.contains(says));
    assert!(summary(node, "unknown"), "{said}");
    for other in OTHERS {
        assert!(summary(other, "done: 3 changed"), "{other} did not finish:\n{said}");
        assert!(root(other).join("srv/lost/last").exists());
    }
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
    let lost = loses(&lab, "bookworm", || drop(does(&["restart", "--time", "1", &container("bookworm")])));
    comes_back("bookworm");
    was_lost("bookworm", &lost);
    completes(&lab, "bookworm");
}

#[test]
fn stopped() {
    let Some(lab) = Lab::up() else { return };
    let lost = loses(&lab, "bookworm", || drop(does(&["stop", "--time", "1", &container("bookworm")])));
    let away = lab.site.run(&["apply", "inventory.yaml", "--yes", "--limit", "nfs,bookworm"]);
    does(&["start", &container("bookworm")]);
    comes_back("bookworm");
    was_lost("bookworm", &lost);
    // Not reached at all: nothing worse than that.
    assert_eq!(away.code, 4, "{}{}", away.out, away.err);
    assert!(away.err.contains("error: bookworm (") && away.out.contains("nothing to do"), "{}{}", away.out, away.err);
    completes(&lab, "bookworm");
}

#[test]
fn cut_off() {
    let Some(lab) = Lab::up() else { return };
    // The node goes on meanwhile, and nobody tells it or us that the line is gone.
    let lost = loses(&lab, "inner", || drop(does(&["network", "disconnect", "homelab-lab-lan", &container("inner")])));
    does(&["network", "connect", "--ip", "10.207.2.10", "homelab-lab-lan", &container("inner")]);
    by_hand("inner", "ip route replace default via 10.207.2.2");
    comes_back("inner");
    was_lost("inner", &lost);
    until("the node has let go", Duration::from_secs(90), || !root("inner").join("var/lib/homelab/lock").exists());
    completes(&lab, "inner");
}
