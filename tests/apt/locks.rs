//! The package manager's lock in other hands.

use crate::debian::Debian;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Holds dpkg's lock until it is dropped.
struct Holder(Child);

impl Holder {
    fn new(node: &Debian) -> Holder {
        // As dpkg does it, with `struct flock` of a 64-bit Linux.
        let script = "exec perl -e 'use Fcntl; open F, \"+>>\", \"/var/lib/dpkg/lock-frontend\" or die; \
             my $l = pack(\"s s x4 l! l! i x4\", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die \"$!\"; $| = 1; print \"held\\n\"; <STDIN>'";
        let mut child = node.command(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Holder(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_that_is_not_given_back_fails_with_its_holder_named() {
    let Some(node) = Debian::start() else { return };
    let before = node.packages();
    node.site.tasks("- copy: {dest: /srv/first, content: x}\n- name: Install\n  package: {name: greeter, lock_timeout: 3}");
    let holder = Holder::new(&node);
    let start = Instant::now();
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    let took = start.elapsed();
    drop(holder);
    assert!(took >= Duration::from_secs(3), "it did not wait: {took:?}");
    assert!(took < Duration::from_secs(30), "it waited for ever: {took:?}");
    assert!(ended.err.contains("held by process") && ended.err.contains("perl"), "{}", ended.err);
    assert_eq!(node.packages(), before);
    assert!(!node.inside("/srv/first").exists());
    node.apply("- package: greeter");
}

#[test]
fn a_lock_that_is_given_back_in_time_is_waited_for() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks("- package: {name: greeter, lock_timeout: 60}");
    let holder = Holder::new(&node);
    let mut apply = node.site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !node.runs("apt-get") {
        assert!(start.elapsed() < Duration::from_secs(30), "apt-get does not come");
        assert!(apply.try_wait().unwrap().is_none(), "it did not wait");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(holder);
    assert!(apply.wait().unwrap().success());
    assert!(node.packages().contains("ii  greeter"));
}
