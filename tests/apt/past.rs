//! Taking back, later, what a finished run did with packages and accounts.

use crate::debian::Debian;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn back(node: &Debian, code: i32, more: &[&str]) -> String {
    let ended = node.site.expect(code, &[&["rollback", "inventory.yaml", "--yes"], more].concat());
    ended.out + &ended.err
}

#[test]
fn a_package_run_is_taken_back_and_what_others_installed_since_stays() {
    let Some(node) = Debian::start() else { return };
    node.apply("- package: greeter=1.0");
    let before = node.packages();
    node.apply("- package: {name: greeter, state: latest}");
    node.by_hand("apt-get -qq -y install tune >/dev/null");
    assert!(node.packages().contains("ii  greeter 1.1"));
    let said = back(&node, 0, &[]);
    assert!(said.contains("(undo: equivalent)"), "{said}");
    let now = node.packages();
    assert!(now.contains("ii  greeter 1.0") && now.contains("ii  tune"), "{now}");
    let others = |list: &str| list.lines().filter(|line| !line.contains("tune")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(others(&now), others(&before));
    assert!(node.site.expect(0, &["drift", "inventory.yaml"]).out.is_empty());
}

#[test]
fn a_later_run_that_changed_the_same_package_is_named() {
    let Some(node) = Debian::start() else { return };
    node.apply("- name: Install\n  package: greeter=1.0");
    node.apply("- name: Upgrade\n  package: {name: greeter, state: latest}");
    let history = node.site.expect(0, &["history", "inventory.yaml", "--json"]);
    let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let first = history["hosts"][0]["runs"][1]["run"].as_str().unwrap().to_owned();
    let said = back(&node, 1, &[&first]);
    assert!(said.contains("conflict: package greeter: run ") && said.contains("in `Upgrade`"), "{said}");
    back(&node, 0, &[]);
    back(&node, 0, &[&first]);
    assert!(!node.packages().contains("ii  greeter"), "{}", node.packages());
}

#[test]
fn an_account_goes_but_what_was_in_its_home_is_put_aside() {
    let Some(node) = Debian::start() else { return };
    node.apply("- user: {name: anna, home: /home/anna}");
    node.by_hand("echo precious >/home/anna/letter");
    let said = back(&node, 0, &[]);
    assert!(said.contains("what was in /home/anna is kept on the node"), "{said}");
    assert!(!node.inside("/home/anna").exists() && !node.text("/etc/passwd").contains("anna"));
    assert_eq!(node.by_hand("cat /var/lib/homelab/runs/*/gone/*/anna/letter"), "precious\n");
}

#[test]
fn packages_that_cannot_be_listed_are_not_said_to_be_taken_back() {
    let Some(node) = Debian::start() else { return };
    let before = node.packages();
    // The list cannot be written, as on a full disk.
    node.site.tasks("- package: greeter\n- command: {shell: true, cmd: \"cd /var/lib/homelab/runs/* && mkdir now; false\", undo: \"true\"}");
    node.site.expect(5, &["apply", "inventory.yaml", "--yes"]);
    node.by_hand("rmdir /var/lib/homelab/runs/*/now");
    back(&node, 0, &[]);
    assert_eq!(node.packages(), before);
}

#[test]
fn what_was_cut_off_in_the_middle_of_dpkg_is_finished() {
    let Some(node) = Debian::start() else { return };
    for way in ["rollback", "resume", "apply"] {
        let before = node.packages();
        node.site.tasks("- package: [greeter, tune]");
        // In the middle of what configures it, the power goes: every process at once.
        node.by_hand("mv /usr/sbin/useradd /usr/sbin/real; printf '#!/bin/sh\\ntouch /run/there; sleep 60\\n' >/usr/sbin/useradd; chmod 755 /usr/sbin/useradd; rm -f /run/there");
        let mut child = node.site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        while !node.inside("/run/there").exists() {
            assert!(since.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "the package is not configured");
            std::thread::sleep(Duration::from_millis(20));
        }
        node.by_hand("for p in /proc/[0-9]*; do p=${p#/proc/}; read -r c </proc/$p/comm; case $p:$c in 1:* | $$:* | *:sshd) ;; *) kill -9 $p ;; esac; done; mv /usr/sbin/real /usr/sbin/useradd");
        child.wait().unwrap();
        let ended = node.site.run(&[way, "inventory.yaml", "--yes"]);
        assert_eq!(ended.code, 0, "{way}: {}{}", ended.out, ended.err);
        if way == "rollback" {
            assert_eq!(node.packages(), before);
        } else {
            let now = node.packages();
            assert!(now.contains("ii  greeter 1.1") && now.contains("ii  tune 1.1"), "{now}");
            node.has_nothing_to_do();
            node.apply("- package: {name: [greeter, tune], state: absent, purge: true}");
        }
    }
}
