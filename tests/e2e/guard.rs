//! The guard and trials: what cuts the line is taken back by the node alone, and only what a new login has kept stays.

use crate::site::{Ended, Site};
use crate::untested::untested;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The controller's own key: without it nobody logs in.
const KEY: &str = "/etc/ssh/authorized_keys.d/pi";
const LOCK_OUT: &str = "- name: Lock out\n  file: {path: /etc/ssh/authorized_keys.d/pi, state: absent}";

fn site(head: &str, tasks: &str) -> Site {
    let site = Site::new("- file: {path: /srv/d, state: directory}");
    site.apply();
    site.play(head, tasks);
    site
}

fn apply(site: &Site) -> Child {
    site.command(&["apply", "inventory.yaml", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn until(what: &str, limit: u64, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(limit), "{what}: not within {limit} s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The last run's journal.
fn journal(site: &Site) -> String {
    let runs = site.inside("pi", "/var/lib/homelab/runs");
    // Two runs may have begun within the same second.
    let journals = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path().join("journal")).filter(|path| path.exists());
    let last = journals.max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    last.map(|path| std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default()
}

fn guarded(site: &Site) -> bool {
    site.inside("pi", "/var/lib/homelab/guard").exists() || site.inside("pi", "/etc/local.d/homelab-guard.start").exists()
}

fn said(ended: &Ended) -> String {
    format!("{}{}", ended.out, ended.err)
}

#[test]
fn who_locks_everybody_out_is_taken_back_by_the_node() {
    let site = site("guard: 3", &format!("- copy: {{dest: /srv/d/first, content: x}}\n{LOCK_OUT}\n- copy: {{dest: /srv/d/last, content: x}}"));
    let before = site.snapshot("pi");
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("guarded: takes itself back unless a new login succeeds within 3 s"), "{}", plan.out);
    assert_eq!(plan.out.matches("guarded:").count(), 1, "{}", plan.out);
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("no new login within 3 s: taken back by the node") && ended.err.contains("hint:"), "{}", said(&ended));
    assert!(ended.out.contains("failed and taken back: 3 undone"), "{}", said(&ended));
    assert_eq!(site.snapshot("pi"), before);
    let journal = journal(&site);
    assert!(journal.contains("\nG 3\n") && journal.contains("\nN\n") && journal.contains("\nX\n") && !journal.contains("\ng\n"), "{journal}");
    assert!(!guarded(&site));
    // It is all as before: one can log in, and what is wished now is done.
    site.play("", "- copy: {dest: /srv/d/next, content: x}");
    site.apply();
}

#[test]
fn what_lets_a_new_login_in_stays() {
    let site = site("guard: 2s", "- copy: {dest: /etc/ssh/sshd_config, content: \"PermitRootLogin no\\n\"}\n  notify: [Restart]\n");
    site.play(
        "guard: 2s\nhandlers:\n  - name: Restart\n    command: {shell: true, cmd: \"echo restarted >>/srv/d/log\"}",
        "- copy: {dest: /etc/ssh/sshd_config, content: \"PermitRootLogin no\\n\"}\n  notify: [Restart]\n",
    );
    let plan = site.expect(0, &["--json", "plan", "inventory.yaml"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let guards: Vec<_> = plan["hosts"][0]["lines"].as_array().unwrap().iter().map(|line| line["guard"].as_u64()).collect();
    // What makes it take effect is guarded with it.
    assert_eq!(guards, [Some(2), Some(2)], "{plan}");
    site.apply();
    let text = journal(&site);
    assert!(text.find("\nG 2\n") < text.find("\nB 1 ") && text.find("\nB 2 ") < text.find("\ng\n"), "{text}");
    assert!(!guarded(&site));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(site.text("/etc/ssh/sshd_config"), "PermitRootLogin no\n");
    assert!(journal(&site).contains("\nE ") && !journal(&site).contains("\nN\n"));
}

#[test]
fn play_and_task_say_whether_there_is_one() {
    let site = site("guard: false", "- copy: {dest: /etc/ssh/sshd_config, content: x}\n- name: Mine\n  copy: {dest: /srv/d/a, content: a}\n  guard: true");
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(!plan.out.contains("guarded"), "{}", plan.out);
    site.apply();
    assert!(!journal(&site).contains("\nG "), "{}", journal(&site));
    site.play("", "- copy: {dest: /etc/ssh/sshd_config, content: y}\n  guard: false\n- name: Mine\n  copy: {dest: /srv/d/a, content: b}\n  guard: true");
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert_eq!(plan.out.matches("within 60 s").count(), 1, "{}", plan.out);
    assert!(plan.out.find("Mine") < plan.out.find("guarded"), "{}", plan.out);
    site.apply();
    assert!(journal(&site).contains("\nG 60\n") && journal(&site).contains("\ng\n"), "{}", journal(&site));
}

#[test]
fn a_controller_that_is_killed_leaves_the_node_to_itself() {
    let wait = "- name: Wait\n  command: {shell: true, cmd: \"touch /srv/d/begun; sleep 2; touch /srv/d/slept\", undo: rm -f /srv/d/begun /srv/d/slept}";
    let site = site("guard: 3", &format!("{LOCK_OUT}\n{wait}\n- copy: {{dest: /srv/d/last, content: x}}"));
    let before = site.snapshot("pi");
    let mut child = apply(&site);
    until("begun", 60, || site.inside("pi", "/srv/d/begun").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // The op under way is not cut off: it ends, and then the guard's time runs.
    until("the op has ended", 20, || site.inside("pi", "/srv/d/slept").exists() || journal(&site).contains("\nX\n"));
    assert!(!journal(&site).contains("\nN\n"), "{}", journal(&site));
    until("taken back", 30, || journal(&site).contains("\nX\n") && !guarded(&site));
    assert_eq!(site.snapshot("pi"), before);
    site.play("", "- copy: {dest: /srv/d/next, content: x}");
    site.apply();
}

#[test]
fn a_run_goes_on_over_a_new_line_where_the_old_one_died() {
    let cut = "read p x </var/lib/homelab/lock/owner; touch /srv/d/once; kill -9 $p; sleep 1";
    let site = site(
        "guard: 20",
        &format!("- name: Cut\n  command: {{shell: true, cmd: \"{cut}\", creates: /srv/d/once, undo: rm -f /srv/d/once}}\n  guard: true\n- copy: {{dest: /srv/d/last, content: x}}"),
    );
    let ended = site.apply();
    assert!(ended.out.contains("done: 1 changed") || ended.out.contains("done: 2 changed"), "{}", said(&ended));
    assert_eq!(site.text("/srv/d/last"), "x");
    assert!(!guarded(&site) && !site.inside("pi", "/var/lib/homelab/lock").exists());
    let text = journal(&site);
    assert!(text.contains("\ng\n") && text.contains("\nE ") && !text.contains("\nN\n"), "{text}");
}

#[test]
fn a_step_that_fails_while_guarded_is_taken_back_and_the_guard_goes() {
    let site = site("", "- copy: {dest: /etc/ssh/sshd_config, content: x}\n- name: Break\n  command: {argv: [\"false\"]}");
    let before = site.snapshot("pi");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(!ended.err.contains("by the node"), "{}", ended.err);
    assert_eq!(site.snapshot("pi"), before);
    assert!(!guarded(&site));
}

#[test]
fn where_a_failure_is_left_a_new_login_disarms_too() {
    let site = site("rollback: none\nguard: 2", "- copy: {dest: /etc/ssh/sshd_config, content: x}\n- name: Break\n  command: {argv: [\"false\"]}");
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(site.text("/etc/ssh/sshd_config"), "x");
    assert!(!guarded(&site));
}

#[test]
fn a_trial_that_is_kept_stays() {
    let site = site("", "- copy: {dest: /srv/d/new, content: x}");
    let ended = site.expect(0, &["apply", "inventory.yaml", "--yes", "--trial", "5m"]);
    assert!(ended.out.contains("done: 1 changed; on trial until 20") && said(&ended).contains("homelab keep inventory.yaml"), "{}", said(&ended));
    // Nobody applies meanwhile; everybody may look.
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(said(&plan).contains("is on trial") && said(&plan).contains("homelab keep"), "{}", said(&plan));
    site.play("", "- copy: {dest: /srv/d/new, content: y}");
    let again = site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(again.err.contains("is on trial") && again.err.contains("homelab keep") && again.err.contains("nothing was changed"), "{}", said(&again));
    let json: serde_json::Value = serde_json::from_str(&site.expect(0, &["--json", "plan", "inventory.yaml"]).out).unwrap();
    assert_eq!((json["guards"]["pi"]["trial"].as_bool(), json["guards"]["pi"]["seconds"].as_u64()), (Some(true), Some(300)), "{json}");
    // There is little time, and none to mend a playbook first.
    site.write("site.yaml", "- hosts: [\n");
    let kept = site.expect(0, &["keep", "inventory.yaml"]);
    assert!(kept.out.contains("pi  kept: run "), "{}", said(&kept));
    assert!(!guarded(&site));
    let none = site.expect(0, &["keep", "inventory.yaml"]);
    assert!(none.out.contains("pi  nothing is on trial"), "{}", said(&none));
    site.play("", "- copy: {dest: /srv/d/new, content: y}");
    site.apply();
    assert_eq!(site.text("/srv/d/new"), "y");
}

#[test]
fn a_trial_that_expires_is_taken_back_and_the_plan_is_as_before() {
    let site = site("", "- copy: {dest: /srv/d/new, content: x}\n- copy: {dest: /etc/motd, content: hello}");
    let (before, plan) = (site.snapshot("pi"), site.expect(0, &["plan", "inventory.yaml"]).out);
    site.expect(0, &["apply", "inventory.yaml", "--yes", "--trial", "4s"]);
    assert_eq!(site.text("/etc/motd"), "hello");
    until("taken back", 30, || journal(&site).contains("\nX\n") && !guarded(&site));
    assert_eq!(site.snapshot("pi"), before);
    // It is told from what somebody took away by hand.
    assert_eq!(site.expect(0, &["plan", "inventory.yaml"]).out, plan);
    let late = site.expect(0, &["keep", "inventory.yaml"]);
    assert!(late.out.contains("nothing is on trial"), "{}", said(&late));
}

/// Whether the sandbox has processes of its own, and so can end them all.
fn reboots(site: &Site) -> bool {
    let power = std::fs::read_to_string(site.path(".sandbox/pi/power")).unwrap_or_default();
    let chroot = power.contains("chroot");
    if chroot {
        untested("a sandbox that is a chroot alone cannot reboot");
    }
    !chroot
}

#[test]
fn a_reboot_is_told_by_the_boot_id_and_the_run_goes_on() {
    let note = |name: &str| format!("- command: {{shell: true, cmd: \"cat /proc/sys/kernel/random/boot_id >/srv/d/{name}\", creates: /srv/d/{name}, undo: rm -f /srv/d/{name}}}\n");
    let site = site("", &format!("{}- name: Start anew\n  reboot: {{}}\n{}", note("a"), note("b")));
    if !reboots(&site) {
        return;
    }
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("reboot, and be back within 600 s") && plan.out.contains("guarded"), "{}", plan.out);
    site.apply();
    assert_ne!(site.text("/srv/d/a"), site.text("/srv/d/b"));
    let text = journal(&site);
    assert!(text.contains(&format!("\nB 2 reboot {} ", site.text("/srv/d/a").trim())) && text.contains("\nD 2\n") && text.contains("\nE "), "{text}");
    assert!(!guarded(&site));
}

#[test]
fn a_step_that_fails_after_a_reboot_is_taken_back_all_the_same() {
    let site = site("", "- copy: {dest: /srv/d/new, content: x}\n- reboot: {}\n- name: Break\n  command: {argv: [\"false\"]}");
    if !reboots(&site) {
        return;
    }
    let before = site.snapshot("pi");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.out.contains("the node was rebooted; what is read only at boot is in effect until the next one"), "{}", said(&ended));
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn who_locks_everybody_out_with_a_reboot_is_taken_back_after_it() {
    let site = site("guard: 3", &format!("{LOCK_OUT}\n- reboot: {{reboot_timeout: 5s}}"));
    if !reboots(&site) {
        return;
    }
    let before = site.snapshot("pi");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("taken back by the node"), "{}", said(&ended));
    assert_eq!(site.snapshot("pi"), before);
    assert!(site.inside("pi", KEY).exists() && !guarded(&site));
}
