//! `homelab drift` as cron runs it: no HOME, no TERM, no terminal, nothing in the environment at all.

use crate::lan::{Ended, Lan, Node, closed};
use std::process::{Command, Stdio};

const TASKS: &str = "\
- name: A page
  copy: {dest: /srv/index.html, content: \"hello\\n\"}
- name: A line
  lineinfile: {path: /etc/hosts, line: 10.0.0.1 router}
- name: A command
  command: {argv: [\"true\"]}";

/// `env -i homelab drift …`.
fn cron(lan: &Lan, args: &[&str]) -> Ended {
    let known = lan.known_hosts();
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab"));
    command.env_clear().current_dir("/").stdin(Stdio::null()).arg("drift").arg(lan.path("inventory.yaml"));
    command.arg("--known-hosts").arg(known).args(args);
    Ended::of(command.output().unwrap())
}

fn applied() -> (Lan, Node) {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("become: true")]);
    lan.tasks(TASKS);
    lan.trust();
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    (lan, node)
}

/// Everything of the node that could have been written to, its own state included.
fn state(node: &Node) -> Vec<String> {
    let out = Command::new("find").arg(node.inside("/")).args(["-path", "*/proc", "-prune", "-o", "-path", "*/dev", "-prune", "-o", "-path", "*/run", "-prune", "-o", "-printf", "%P %m %s %T@\n"]).output().unwrap();
    let mut lines: Vec<String> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn nothing_is_said_of_a_node_as_wished_and_nothing_is_written_to_it() {
    let (lan, node) = applied();
    let before = state(&node);
    let quiet = cron(&lan, &[]).expect(0, "as wished");
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    assert_eq!(state(&node), before);
    let document = cron(&lan, &["--json"]).expect(0, "as wished").json();
    assert_eq!(document["command"], "drift");
}

#[test]
fn a_change_by_hand_is_what_is_printed() {
    let (lan, node) = applied();
    std::fs::write(node.inside("/srv/index.html"), "defaced\n").unwrap();
    let before = state(&node);
    let drifted = cron(&lan, &[]).expect(2, "a change by hand");
    assert_eq!(drifted.err, "");
    assert_eq!(drifted.out, "pi-1  1 to change; 1 as wished\n  ~ A page  copy:/srv/index.html  drift: changed on the node since the last apply\n      @@ -1 +1 @@\n      -defaced\n      +hello\n");
    assert_eq!(state(&node), before, "drift changes nothing");
    let document = cron(&lan, &["--json"]).expect(2, "a change by hand").json();
    let changes: Vec<_> = document["hosts"][0]["lines"].as_array().unwrap().iter().filter(|line| line["outcome"] == "change").collect();
    assert_eq!(changes.len(), 1, "{document}");
    // A file that has gone is one to create again.
    std::fs::remove_file(node.inside("/srv/index.html")).unwrap();
    assert!(cron(&lan, &[]).expect(2, "removed").out.contains("  + A page"));
}

/// What `drift --json` and `plan --json` say of each line that would change.
fn divergences(ended: &Ended) -> Vec<(String, String)> {
    let document = ended.json();
    let lines = document["hosts"][0]["lines"].as_array().unwrap();
    let said = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    lines.iter().filter(|line| !line["divergence"].is_null()).map(|line| (said(&line["task"]), said(&line["divergence"]))).collect()
}

#[test]
fn work_not_yet_applied_is_not_drift() {
    let (lan, node) = applied();
    let of = |task: &str, divergence: &str| (task.to_owned(), divergence.to_owned());
    let command = of("A command", "pending");

    // Wished anew, and nobody touched the node: cron hears nothing.
    lan.tasks(&TASKS.replace("hello", "welcome"));
    let quiet = cron(&lan, &[]).expect(0, "pending is not drift");
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    assert_eq!(divergences(&cron(&lan, &["--json"])), [of("A page", "pending"), command.clone()]);
    assert!(cron(&lan, &["-v"]).err.contains("pi-1: 2 changes not applied yet"));

    // Both: the next apply would take away what somebody did.
    std::fs::write(node.inside("/srv/index.html"), "defaced\n").unwrap();
    let both = cron(&lan, &[]).expect(2, "a conflict");
    assert!(both.out.contains("~ A page  copy:/srv/index.html  conflict: changed on the node, and in the configuration\n"), "{}", both.out);
    assert_eq!(divergences(&cron(&lan, &["--json"])), [of("A page", "conflict"), command.clone()]);
    // A plan says so too.
    let plan = lan.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("conflict: changed on the node"), "{}", plan.out);

    // What others own in the same file is nobody's drift, and no conflict with a line that is new.
    lan.tasks(TASKS);
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    let hosts = node.inside("/etc/hosts");
    let mut text = std::fs::read_to_string(&hosts).unwrap();
    text.push_str("10.9.9.9 somebody\n");
    std::fs::write(&hosts, text).unwrap();
    cron(&lan, &[]).expect(0, "a line of somebody else");
    lan.tasks(&TASKS.replace("10.0.0.1 router", "10.0.0.1 router, mode: '0600'"));
    assert_eq!(divergences(&cron(&lan, &["--json"])), [of("A line", "pending"), command]);
}

#[test]
fn what_was_as_wished_before_the_first_apply_is_kept_so() {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("become: true")]);
    lan.tasks(TASKS);
    lan.trust();
    // A machine without a trace of us is not silently well: a spot instance may have been replaced.
    let anew = cron(&lan, &[]).expect(2, "never applied");
    assert!(anew.out.starts_with("pi-1  1 to create, 1 to change, 1 to run; 0 as wished\n"), "{}", anew.out);
    assert_eq!(anew.err, "pi-1: nothing of this was ever applied here, or the machine was set up anew\n");
    lan.tasks("- name: A page\n  copy: {dest: /srv/index.html, content: \"hello\\n\"}");
    std::fs::write(node.inside("/srv/index.html"), "hello\n").unwrap();
    let first = lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert!(first.out.contains("nothing to do; 1 as wished"), "{}", first.out);
    assert!(!node.inside("/var/lib/homelab/lock").exists());
    let before = state(&node);
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(state(&node), before, "once is enough");
    std::fs::write(node.inside("/srv/index.html"), "defaced\n").unwrap();
    cron(&lan, &[]).expect(2, "changed since");
}

#[test]
fn a_node_that_is_off_is_4_and_not_drift() {
    let (lan, node) = applied();
    let off = |more: &str| format!("off: {{address: 127.0.0.1, port: {}{more}}}", closed());
    lan.inventory(&[off(""), node.host("become: true")]);
    let ended = cron(&lan, &[]).expect(4, "off");
    assert_eq!(ended.out, "");
    assert!(ended.err.contains("connection refused"), "{}", ended.err);

    // Drift elsewhere counts for more, and the one that is off is said as well.
    std::fs::write(node.inside("/srv/index.html"), "defaced\n").unwrap();
    let ended = cron(&lan, &[]).expect(2, "off, and drift elsewhere");
    assert!(ended.out.contains("pi-1  1 to change") && ended.err.contains("connection refused"), "{}{}", ended.out, ended.err);

    // Optional and off: all is well, and well is silent.
    lan.inventory(&[off(", optional: true")]);
    let ended = cron(&lan, &[]).expect(0, "off and optional");
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""));
    let document = cron(&lan, &["--json"]).expect(0, "off and optional").json();
    assert_eq!(document["asleep"], serde_json::json!(["off"]));
}
