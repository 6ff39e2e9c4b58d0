//! Packages, and what is known of a node before and after they come.

use crate::debian::Debian;

const CHAIN: &str = "\
- name: Install
  package: greeter
- name: Configure
  copy: {dest: /etc/greeter.conf, content: \"greeting = ours\\n\"}
- name: Greet louder
  lineinfile: {path: /usr/bin/greeter, regexp: ^echo, line: echo HELLO}
- name: Data
  file: {path: /var/lib/greeter/data, state: directory, owner: greeter, mode: 0700}
";

#[test]
fn the_facts_are_those_of_debian() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks("- command: {argv: [\"true\"]}");
    let facts = node.site.expect(0, &["facts", "inventory.yaml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&facts.out).unwrap();
    let text = json.to_string();
    for (key, value) in [("codename", "trixie"), ("package_manager", "apt"), ("init", "none"), ("hostname", "pi")] {
        assert!(text.contains(&format!("\"{key}\":\"{value}\"")), "{key}: {value}: {text}");
    }
}

#[test]
fn a_saved_plan_holds_though_the_package_brings_what_later_tasks_looked_at() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks(CHAIN);
    let before = node.packages();
    let plan = node.site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    assert_eq!(plan.out.matches("known after apply (package greeter)").count(), 2, "{}", plan.out);
    assert!(plan.out.contains("+ Install"), "{}", plan.out);
    assert_eq!(node.packages(), before, "a plan installs nothing");
    // What the files say by now does not count.
    node.site.tasks("- copy: {dest: /srv/other, content: x}");
    node.site.expect(0, &["apply", "p", "--yes"]);
    assert_eq!(node.text("/etc/greeter.conf"), "greeting = ours\n");
    assert!(node.inside("/usr/bin/greeter").exists() && !node.inside("/srv/other").exists());
    assert_eq!(node.by_hand("greeter"), "HELLO\n");
    assert_eq!(node.by_hand("stat -c '%U %a' /var/lib/greeter/data"), "greeter 700\n");
    node.site.tasks(CHAIN);
    node.has_nothing_to_do();
}

#[test]
fn a_stale_plan_names_the_package_and_changes_nothing() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks(CHAIN);
    node.site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    node.by_hand("apt-get -qq -y install greeter=1.0 >/dev/null");
    let before = node.packages();
    let ended = node.site.expect(1, &["apply", "p", "--yes"]);
    assert!(ended.err.contains("stale") && ended.err.contains("Install"), "{}", ended.err);
    assert_eq!(node.packages(), before);
    assert_eq!(node.text("/etc/greeter.conf"), "greeting = default of 1.0\n");
}

#[test]
fn what_a_failed_run_installed_upgraded_and_removed_is_taken_back() {
    let Some(node) = Debian::start() else { return };
    let before = node.packages();
    let passwd = node.text("/etc/passwd");
    node.fails(CHAIN);
    assert_eq!(node.packages(), before, "installed");
    assert!(!node.inside("/etc/greeter.conf").exists() && !node.inside("/var/lib/greeter").exists());
    assert_eq!(node.text("/etc/passwd"), passwd);

    node.apply("- package: greeter=1.0");
    std::fs::write(node.inside("/etc/greeter.conf"), "by hand\n").unwrap();
    let before = node.packages();
    assert!(before.contains("ii  greeter 1.0"), "{before}");
    node.fails("- package: {name: greeter, state: latest}");
    assert_eq!(node.packages(), before, "upgraded");
    node.fails("- package: {name: greeter, state: absent}");
    assert_eq!(node.packages(), before, "removed");
    assert_eq!(node.text("/etc/greeter.conf"), "by hand\n", "a configuration file is kept through all that");
    node.apply("- package: {name: greeter, state: absent}");
    let before = node.packages();
    assert!(before.contains("rc  greeter 1.0"), "{before}");
    node.fails("- package: [greeter=1.0, tune]");
    assert_eq!(node.packages(), before, "installed once more");
    node.fails("- package: {name: [greeter, tune], state: absent, purge: true}");
    assert_eq!(node.text("/etc/greeter.conf"), "by hand\n", "what was left of a package is left of it");
    node.apply("- package: {name: greeter, state: latest}");
    assert!(node.packages().contains("ii  greeter 1.1"));
    node.has_nothing_to_do();
    node.apply("- package: {name: greeter, state: absent, purge: true}");
    assert!(!node.packages().contains("greeter"));
    node.has_nothing_to_do();
}

#[test]
fn a_package_that_cannot_be_configured_is_taken_back() {
    let Some(node) = Debian::start() else { return };
    let before = node.packages();
    node.site.tasks("- copy: {dest: /srv/first, content: x}\n- package: [greeter, broken]");
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("the licence server does not answer"), "{}", ended.err);
    assert_eq!(node.packages(), before);
    assert!(!node.inside("/srv/first").exists() && !node.inside("/etc/broken.conf").exists());
}

#[test]
fn a_package_that_nobody_has_is_said_and_nothing_stays() {
    let Some(node) = Debian::start() else { return };
    let before = node.packages();
    node.site.tasks("- copy: {dest: /srv/first, content: x}\n- package: no-such-thing");
    let ended = node.site.run(&["apply", "inventory.yaml", "--yes"]);
    assert!(matches!(ended.code, 1 | 3), "{}: {}{}", ended.code, ended.out, ended.err);
    assert!(ended.err.contains("no-such-thing"), "{}", ended.err);
    assert_eq!(node.packages(), before);
    assert!(!node.inside("/srv/first").exists());
}

#[test]
fn a_service_is_refused_where_systemd_does_not_run() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks("- package: greeter\n- name: Serve\n  service: {name: cron, state: started}");
    let ended = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("systemd") && ended.err.contains("site.yaml:"), "{}", ended.err);
    assert!(!node.inside("/usr/bin/greeter").exists());
}
