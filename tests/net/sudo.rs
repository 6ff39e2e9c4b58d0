//! Becoming root on the node: without a password, with the right one, a wrong one, and none.

use crate::lan::{Lan, Node};

fn one(password: Option<&str>) -> (Lan, Node) {
    let lan = Lan::new();
    let node = lan.node_with("pi-1", password);
    lan.inventory(&[node.host("")]);
    lan.tasks("- copy: {dest: /etc/motd, content: \"hello\\n\"}");
    lan.trust();
    (lan, node)
}

#[test]
fn the_password_comes_from_the_inventory_and_is_never_shown() {
    let (lan, node) = one(Some("correct horse"));
    lan.inventory(&[node.host("become: {password: correct horse}")]);
    let ended = lan.expect(0, &["apply", "inventory.yaml", "--yes", "-vv"]);
    assert_eq!(node.text("/etc/motd"), "hello\n");
    assert!(!format!("{}{}", ended.out, ended.err).contains("correct horse"));
    assert!(node.inside("/var/lib/homelab").exists(), "it ran as root");
}

#[test]
fn a_wrong_password_is_said_to_be_wrong() {
    let (lan, node) = one(Some("correct horse"));
    lan.inventory(&[node.host("become: {password: battery staple}")]);
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(refused.out, "");
    assert_eq!(
        lan.plain(&refused.err, &[&node]),
        "\
error: pi-1 (PI-1): the password for sudo was not accepted
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: DIR/nodes/pi-1/client_key, become: {password: ‹masked›}}
  |   ^^^^
  |
  = note: it said: Sorry, try again.
  = note: it said: Sorry, try again.
  = note: it said: sudo: 3 incorrect password attempts
hint: check `become.password`, or type it with `--ask-become-pass`
"
    );
}

#[test]
fn where_sudo_asks_and_nothing_is_given_the_flag_is_named() {
    let (lan, node) = one(Some("correct horse"));
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(refused.out, "");
    assert_eq!(
        lan.plain(&refused.err, &[&node]),
        "\
error: pi-1 (PI-1): sudo asks for a password
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: DIR/nodes/pi-1/client_key}
  |   ^^^^
  |
  = note: it said: sudo: a password is required
hint: run with `--ask-become-pass`, or set `become.password` (a secret)
"
    );
    // The flag itself needs a terminal.
    let unasked = lan.expect(64, &["plan", "inventory.yaml", "--ask-become-pass"]);
    assert_eq!(unasked.out, "");
    assert_eq!(unasked.err, "error: cannot ask for the sudo password: there is no terminal\nhint: give `become.password` as a secret in the inventory\n");
}

#[test]
fn sudo_that_asks_nothing_needs_nothing_and_takes_a_password_that_is_not_needed() {
    let (lan, node) = one(None);
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    lan.inventory(&[node.host("become: {password: not needed}")]);
    let plan = lan.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("nothing to do; 1 as wished"), "{}", plan.out);
    assert_eq!(plan.err, "");
}

#[test]
fn what_the_login_may_not_do_is_hinted_at() {
    let (lan, node) = one(None);
    let hint = "hint: `pi` may not do this: set `become: true` on the task or on its play\n";
    let denied = "- command: {cmd: \"echo Permission denied >&2; exit 1\", shell: true}\n  become: BECOME\n";
    for task in ["- file: {path: /etc/made, state: directory}\n  become: false\n", &denied.replace("BECOME", "false")] {
        lan.tasks(task);
        let failed = lan.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(failed.err.contains(hint), "{}{}", failed.out, failed.err);
    }
    // Who is root already is not told to become root.
    lan.tasks(&denied.replace("BECOME", "true"));
    let failed = lan.expect(3, &["apply", "inventory.yaml", "--yes", "-v"]);
    assert!(failed.out.contains("Permission denied") && !failed.err.contains(hint), "{}{}", failed.out, failed.err);
    assert!(!node.inside("/etc/made").exists());
}
