//! dpkg's lock in other hands.

use crate::nodes::{Lab, by_hand, repo, root, until};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The lock, held until this is dropped.
struct Held;

fn aptlock(word: &str) {
    let done = Command::new(repo().join("tests/lab/aptlock")).arg(word).stdin(Stdio::null()).status().unwrap();
    assert!(done.success(), "tests/lab/aptlock {word}");
}

impl Held {
    fn new() -> Held {
        aptlock("on");
        Held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        aptlock("off");
    }
}

fn packages() -> String {
    by_hand("aptlock", "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'")
}

const LIMIT: [&str; 4] = ["inventory.yaml", "--yes", "--limit", "aptlock"];

#[test]
fn a_lock_that_stays_is_waited_for_as_long_as_the_task_may_take() {
    let Some(lab) = Lab::up() else { return };
    lab.offers_packages(&["aptlock"]);
    by_hand("aptlock", "rm -f /srv/first");
    let before = packages();
    let first = "- copy: {dest: /srv/first, content: x}\n- name: Install\n  package: ";
    for (task, least) in [("{name: greeter, lock_timeout: 15}", 15), ("greeter\n  timeout: 5", 5)] {
        lab.site.tasks(&format!("{first}{task}"));
        let held = Held::new();
        let start = Instant::now();
        let ended = lab.site.expect(3, &[&["apply"], &LIMIT[..]].concat());
        let took = start.elapsed().as_secs();
        drop(held);
        assert!((least..least + 25).contains(&took), "{task}: {took} s");
        assert!(ended.err.contains("held by process") && ended.err.contains("unattended-upgr"), "{task}: {}", ended.err);
        assert!(ended.out.contains("taken back"), "{task}: {}", ended.out);
        assert_eq!(packages(), before, "{task}");
        assert!(!root("aptlock").join("srv/first").exists(), "{task}");
    }
    lab.withdraws_packages(&["aptlock"]);
}

#[test]
fn a_lock_that_is_given_back_in_time_is_waited_for() {
    let Some(lab) = Lab::up() else { return };
    lab.offers_packages(&["aptlock"]);
    lab.site.tasks("- package: {name: greeter, lock_timeout: 100}");
    let held = Held::new();
    let mut apply = lab.site.command(&[&["apply"], &LIMIT[..]].concat()).stdout(Stdio::null()).spawn().unwrap();
    until("apt-get waits", Duration::from_secs(60), || {
        assert!(apply.try_wait().unwrap().is_none(), "it did not wait");
        by_hand("aptlock", "cat /proc/[0-9]*/comm").lines().any(|comm| comm == "apt-get")
    });
    std::thread::sleep(Duration::from_secs(3));
    assert!(apply.try_wait().unwrap().is_none(), "it did not wait");
    drop(held);
    assert!(apply.wait().unwrap().success());
    assert!(packages().contains("ii  greeter"));
    lab.withdraws_packages(&["aptlock"]);
}
