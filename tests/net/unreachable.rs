//! Machines that are off, silent, or not there; and what that means for the others.

use crate::lan::{Lan, closed};
use std::time::{Duration, Instant};

const CLOSED: &str = "\
error: pi-1 (127.0.0.1:PORT): connection refused
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT}
  |   ^^^^
hint: the machine is there, but nothing listens on port PORT: is sshd running, and is `port:` right?
";

const SILENT: &str = "\
error: pi-1 (127.0.0.1:PORT): no answer within 1 s (the key exchange)
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, connect_timeout: 1}
  |   ^^^^
hint: is the machine on, and on a network that this one can reach? A slow one needs a longer `connect_timeout:`
";

#[test]
fn a_closed_port_is_exit_4_and_says_what_to_look_at() {
    let lan = Lan::new();
    let port = closed();
    lan.tasks("- copy: {dest: /etc/motd, content: x}");
    lan.inventory(&[format!("pi-1: {{address: 127.0.0.1, port: {port}}}")]);
    for args in [&["plan", "inventory.yaml"][..], &["apply", "inventory.yaml", "--yes"], &["drift", "inventory.yaml"], &["facts", "inventory.yaml"], &["trust", "inventory.yaml", "--yes"]] {
        let off = lan.expect(4, args);
        assert_eq!(off.out, "", "{args:?}");
        assert_eq!(off.err.replace(&port.to_string(), "PORT"), CLOSED, "{args:?}");
    }
}

#[test]
fn an_address_that_never_answers_is_given_up_after_its_timeout() {
    let lan = Lan::new();
    let port = lan.silent();
    lan.tasks("- copy: {dest: /etc/motd, content: x}");
    lan.inventory(&[format!("pi-1: {{address: 127.0.0.1, port: {port}, connect_timeout: 1}}")]);
    let start = Instant::now();
    let off = lan.expect(4, &["plan", "inventory.yaml"]);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(off.out, "");
    assert_eq!(off.err.replace(&port.to_string(), "PORT"), SILENT);
}

#[test]
fn a_name_that_nobody_knows() {
    let lan = Lan::new();
    lan.tasks("- copy: {dest: /etc/motd, content: x}");
    lan.inventory(&["pi-1: {address: no-such-host.invalid}".into()]);
    let off = lan.expect(4, &["plan", "inventory.yaml"]);
    assert!(off.err.contains("pi-1 (no-such-host.invalid:22): no address found for `no-such-host.invalid`"), "{}", off.err);
    assert!(off.err.contains("hint: check `address:` of the host"), "{}", off.err);
}

#[test]
fn one_off_and_the_others_done() {
    let lan = Lan::new();
    let (one, two) = (lan.node("one"), lan.node("two"));
    let off = format!("off: {{address: 127.0.0.1, port: {}", closed());
    lan.tasks("- copy: {dest: /etc/motd, content: \"hello\\n\"}");
    lan.inventory(&[one.host(""), two.host("")]);
    lan.trust();
    lan.inventory(&[one.host(""), format!("{off}}}"), two.host("")]);
    let ended = lan.expect(4, &["apply", "inventory.yaml", "--yes", "--json"]);
    let document = ended.json();
    let ends: Vec<&str> = document["runs"].as_array().unwrap().iter().map(|run| run["end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["done", "unreachable", "done"]);
    assert!(document["problems"][0]["message"].as_str().unwrap().contains("connection refused"), "{document}");
    assert_eq!((one.text("/etc/motd").as_str(), two.text("/etc/motd").as_str()), ("hello\n", "hello\n"));

    // For people: the summary tells all, also who was not reached.
    std::fs::write(one.inside("/etc/motd"), "other\n").unwrap();
    let ended = lan.expect(4, &["apply", "inventory.yaml", "--yes"]);
    let summary = ended.out.split("Summary\n").nth(1).unwrap_or_else(|| panic!("no summary: {}", ended.out));
    assert_eq!(summary, "  one  done: 1 changed\n  off  not reached\n  two  nothing to do\n");

    // With nothing to do it is still not well.
    let ended = lan.expect(4, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("connection refused"), "{}", ended.err);

    // Said to be optional, it is no failure; said it is all the same.
    lan.inventory(&[one.host(""), format!("{off}, optional: true}}"), two.host("")]);
    for command in ["plan", "apply"] {
        let ended = lan.expect(0, &[command, "inventory.yaml"]);
        let hosts: Vec<&str> = ended.out.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(hosts, ["one, two  nothing to do; 1 as wished", "off  not reached, and optional"], "{}", ended.out);
        assert_eq!(ended.err, "");
    }
    let facts = lan.expect(0, &["facts", "inventory.yaml"]).out;
    let hosts: Vec<&str> = facts.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(hosts, ["one", "off  not reached, and optional", "two"]);
    std::fs::write(one.inside("/etc/motd"), "other\n").unwrap();
    let ended = lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.out.ends_with("Summary\n  one  done: 1 changed\n  off  not reached, and optional\n  two  nothing to do\n"), "{}", ended.out);
    let document = lan.expect(0, &["plan", "inventory.yaml", "--json"]).json();
    assert_eq!(document["asleep"], serde_json::json!(["off"]));
    assert_eq!(document["problems"].as_array().unwrap().len(), 0);
}

#[test]
fn all_of_them_asleep_and_optional_is_no_failure() {
    let lan = Lan::new();
    lan.tasks("- copy: {dest: /etc/motd, content: x}");
    lan.inventory(&[format!("off: {{address: 127.0.0.1, port: {}, optional: true}}", closed())]);
    for args in [&["plan", "inventory.yaml"][..], &["apply", "inventory.yaml", "--yes"], &["facts", "inventory.yaml"], &["trust", "inventory.yaml", "--yes"]] {
        let ended = lan.expect(0, args);
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("off  not reached, and optional\n", ""), "{args:?}");
    }
}
