//! The defects of the best rollback there is, and the laws that users of a saga engine hold it to: one test each, by name. What needs a
//! real systemd is in `tests/systemd`, what needs a line that drops in `tests/live`, and the law of the undo
//! that is run twice in `tests/runtime/undone.rs`.

use crate::site::{Ended, Site};
use std::time::{Duration, Instant};

/// A site with its node, on which nothing has been applied yet.
fn fresh(head: &str, tasks: &str) -> Site {
    let site = Site::new(tasks);
    site.play(head, tasks);
    site.expect(0, &["facts", "inventory.yaml"]);
    site
}

fn apply(site: &Site) -> Ended {
    site.run(&["apply", "inventory.yaml", "--yes"])
}

/// deploy-rs#214: it ended with 0 after it had rolled back.
#[test]
fn deploy_rs_214_a_failure_that_was_taken_back_is_never_exit_0() {
    let made = "- copy: {dest: /srv/made, content: x}\n";
    for (what, head, failing) in [
        ("a command", "", "- command: {argv: [\"false\"]}"),
        ("one that does not keep its word", "", "- command: {argv: [\"true\"], creates: /srv/promised}"),
        ("a file that its judge refuses", "", "- copy: {dest: /srv/judged, content: x, validate: \"test ! -f %s\"}"),
        ("a handler", "handlers:\n  - name: Reload\n    command: {cmd: \"test ! -e /srv/noted\", shell: true}", "- copy: {dest: /srv/noted, content: x}\n  notify: Reload"),
        ("with somebody to tell, who is told", "on_failure:\n  - command: {argv: [\"true\"]}", "- command: {argv: [\"false\"]}"),
        ("after all its tries", "", "- command: {argv: [\"false\"]}\n  retries: 2\n  delay: 0"),
        ("while it is not known before", "", "- command: {cmd: echo yes, undo: \"true\"}\n  register: said\n- command: {argv: [\"false\"]}\n  when: said.stdout == \"yes\""),
    ] {
        let site = fresh(head, &format!("{made}{failing}"));
        let before = site.snapshot("pi");
        let ended = apply(&site);
        assert_eq!(ended.code, 3, "{what}\n{}{}", ended.out, ended.err);
        assert!(ended.out.contains("failed and taken back"), "{what}\n{}", ended.out);
        assert_eq!(site.snapshot("pi"), before, "{what}");
    }
}

/// deploy-rs#68: what had been restarted was not restarted by the rollback.
#[test]
fn deploy_rs_68_what_was_restarted_is_restarted_on_what_is_there_again() {
    let daemon = "handlers:\n  - name: Restart\n    command: {shell: true, cmd: \"cat /srv/conf >/srv/runs-with; echo x >>/var/restarts\"}";
    let site = fresh(daemon, "- copy: {dest: /srv/conf, content: old}\n  notify: Restart");
    site.apply();
    site.play(daemon, "- copy: {dest: /srv/conf, content: new}\n  notify: Restart");
    let play = std::fs::read_to_string(site.path("site.yaml")).unwrap();
    site.write("site.yaml", &format!("{play}- name: Later\n  hosts: all\n  become: true\n  tasks:\n    - command: {{argv: [\"false\"]}}\n"));
    assert_eq!(apply(&site).code, 3);
    assert_eq!((site.text("/srv/conf").as_str(), site.text("/srv/runs-with").as_str()), ("old", "old"));
    assert_eq!(site.text("/var/restarts").lines().count(), 3, "with the old one, with the new one, with the old one");
}

/// deploy-rs#86: on a first run there was no previous state to go back to.
#[test]
fn deploy_rs_86_a_first_run_is_taken_back_to_nothing() {
    let site = fresh("", "- file: {path: /srv/app, state: directory}\n- copy: {dest: /srv/app/conf, content: x}\n- name: Break\n  command: {argv: [\"false\"]}");
    assert!(!site.inside("pi", "/var/lib/homelab/runs").exists(), "somebody was here before");
    let before = site.snapshot("pi");
    let ended = apply(&site);
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    assert_eq!(site.snapshot("pi"), before);
    assert!(!site.inside("pi", "/var/lib/homelab/open").exists());
}

/// deploy-rs#58: it hung until a timeout though the activation had failed at once.
#[test]
fn deploy_rs_58_a_failure_at_once_is_reported_at_once() {
    let site = fresh("", "- copy: {dest: /srv/made, content: x}\n- name: Activate\n  command: {argv: [\"false\"]}\n  timeout: 600");
    let since = Instant::now();
    let ended = apply(&site);
    assert_eq!(ended.code, 3);
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    // A daemon that the failing command left behind keeps nobody waiting, though it holds on to the command's output.
    site.tasks("- name: Activate\n  command: {shell: true, cmd: \"sleep 100 & exit 1\"}");
    let since = Instant::now();
    let ended = apply(&site);
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
}

/// deploy-rs#241: it said that it had rolled back when it had not.
#[test]
fn deploy_rs_241_taken_back_is_never_said_unless_it_was_verified() {
    for (what, stubborn) in [
        ("an undo that fails", "command: {cmd: touch /srv/made, creates: /srv/made, undo: \"false\"}"),
        ("an undo that does nothing and says that all is well", "command: {cmd: touch /srv/made, creates: /srv/made, undo: \"true\"}"),
        ("an undo of a removal that does nothing", "command: {cmd: rm /srv/old, removes: /srv/old, undo: \"true\"}"),
    ] {
        let site = fresh("", "- copy: {dest: /srv/old, content: old}");
        site.apply();
        site.tasks(&format!("- copy: {{dest: /srv/file, content: x}}\n- name: Stubborn\n  {stubborn}\n- name: Break\n  command: {{argv: [\"false\"], undo: \"true\"}}"));
        let ended = apply(&site);
        assert_eq!(ended.code, 5, "{what}\n{}{}", ended.out, ended.err);
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains("stuck") && said.contains("`Stubborn`") && !said.contains("taken back"), "{what}\n{said}");
        assert!(!site.inside("pi", "/srv/file").exists(), "{what}: the rest is undone all the same");
    }
    // A file that cannot be put back, for somebody has put a directory there.
    let site = fresh("", "- copy: {dest: /srv/file, content: old}");
    site.apply();
    site.tasks("- copy: {dest: /srv/file, content: new}\n- command: {shell: true, cmd: \"rm /srv/file; mkdir /srv/file; touch /srv/file/in; false\", undo: \"true\"}");
    let ended = apply(&site);
    assert!(ended.code == 5 && ended.out.contains("stuck") && !ended.out.contains("taken back"), "{}{}", ended.out, ended.err);
}

/// steno: the step that failed is not undone.
#[test]
fn steno_the_step_that_failed_is_undone_too() {
    let site = fresh("", "- name: Half\n  command: {shell: true, cmd: \"touch /srv/half; false\", undo: \"rm -f /srv/half\"}");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json"]);
    assert!(!site.inside("pi", "/srv/half").exists());
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let step = &document["runs"][0]["steps"][0];
    assert_eq!((&step["end"], &step["undone"]), (&"failed".into(), &true.into()));
}

const STEPS: &str = "\
- name: Place
  file: {path: /srv/place, state: directory, mode: 02770}
- name: File
  copy: {dest: /srv/place/file, content: x, mode: 0600}
- name: Line
  lineinfile: {path: /etc/hosts, line: 10.0.0.1 router}
- name: Link
  file: {path: /srv/link, src: place, state: link}
- name: Made
  command: {cmd: touch /srv/made, creates: /srv/made, undo: rm -f /srv/made}";

/// steno's first law: every step run twice is the same.
#[test]
fn steno_law_1_every_step_run_twice_is_the_same() {
    let site = fresh("", STEPS);
    site.apply();
    let once = site.snapshot("pi");
    // What the node knows of it is taken away, so that each step is really tried.
    std::fs::remove_dir_all(site.inside("pi", "/var/lib/homelab")).unwrap();
    site.apply();
    assert_eq!(site.snapshot("pi"), once);
}

/// steno's second law: a failure at every step unwinds.
#[test]
fn steno_law_2_a_failure_at_every_step_unwinds() {
    let site = fresh("", STEPS);
    let before = site.snapshot("pi");
    for step in ["Place", "File", "Line", "Link", "Made"] {
        site.expect(3, &["apply", "inventory.yaml", "--yes", &format!("--simulate-fail={step}")]);
        assert_eq!(site.snapshot("pi"), before, "{step}");
    }
}
