//! What keeps every login out of a real node: it takes that back by itself, with its own sshd, firewall and init system as judges.

use crate::nodes::{Lab, by_hand, comes_back, container, docker, does, logged_in, root, until};
use std::process::Stdio;
use std::time::Duration;

const REFUSE: &str = "- copy: {dest: /etc/ssh/sshd_config.d/00-nobody.conf, content: \"DenyUsers *\\n\"}\n  notify: [Restart sshd]";
const RESTART: &str = "handlers:\n  - name: Restart sshd\n    service: {name: ssh, state: restarted}";

/// What the last run's journal says; nothing while the node is on its way down or up, which ends whatever is asked of it.
fn journal(node: &str) -> String {
    let said = docker(&["exec", &container(node), "sh", "-c", "cat \"$(ls -d /var/lib/homelab/runs/* | tail -n 1)/journal\""]);
    if said.status.success() { String::from_utf8(said.stdout).unwrap() } else { String::new() }
}

fn guarded(node: &str) -> bool {
    let root = root(node);
    ["var/lib/homelab/guard", "etc/systemd/system/homelab-guard.service", "etc/systemd/system/sysinit.target.wants/homelab-guard.service"]
        .iter()
        .any(|path| root.join(path).symlink_metadata().is_ok())
}

/// An apply of these tasks is taken back by `node` alone, which then lets its login in and is as before.
fn is_taken_back(node: &str, head: &str, tasks: &str, trace: &str) {
    let Some(lab) = Lab::up() else { return };
    lab.site.play(&format!("guard: 15\n{head}"), tasks);
    let ended = lab.site.expect(3, &["apply", "inventory.yaml", "--yes", "--limit", node]);
    assert!(ended.err.contains("taken back by the node"), "{}{}", ended.out, ended.err);
    assert_eq!(logged_in(node, trace), "", "{node}: a trace is left");
    let text = journal(node);
    assert!(text.contains("\nG 15\n") && text.contains("\nN\n") && text.contains("\nX\n"), "{text}");
    assert!(!guarded(node));
}

#[test]
fn an_sshd_that_refuses_everybody() {
    is_taken_back("trixie", RESTART, REFUSE, "ls /etc/ssh/sshd_config.d/00-nobody.conf 2>/dev/null || true");
}

#[test]
fn a_firewall_that_drops_ssh() {
    let rule = "INPUT -p tcp --dport 22 -j DROP";
    let tasks = format!("- command: {{cmd: iptables -I {rule}, undo: iptables -D {rule}}}");
    is_taken_back("router", "", &tasks, &format!("sudo -n iptables -C {rule} 2>/dev/null && echo there || true"));
}

#[test]
fn the_logins_key_is_gone() {
    is_taken_back("bookworm", "", "- file: {path: /home/pi/.ssh/authorized_keys, state: absent}", "true");
}

#[test]
fn a_route_that_leads_nowhere() {
    let Some(_) = Lab::up() else { return };
    // Answers do not find their way back.
    let gateway = by_hand("bookworm", "ip route show default | cut -d' ' -f3");
    let gateway = gateway.trim();
    let tasks = format!("- command: {{cmd: ip route add unreachable {gateway}/32, undo: ip route del unreachable {gateway}/32}}");
    is_taken_back("bookworm", "", &tasks, "ip route | grep unreachable || true");
}

#[test]
fn a_reboot_in_between_does_not_save_it() {
    let Some(lab) = Lab::up() else { return };
    // Its time would be long.
    lab.site.play(&format!("guard: 3600\n{RESTART}"), &format!("{REFUSE}\n- command: {{shell: true, cmd: \"touch /run/there; sleep 30\", undo: \"true\"}}"));
    let mut child = lab.site.command(&["apply", "inventory.yaml", "--yes", "--limit", "trixie"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let there = root("trixie").join("run/there");
    until("the step begins", Duration::from_secs(60), || there.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(guarded("trixie"));
    does(&["restart", "--time", "1", &container("trixie")]);
    until("taken back", Duration::from_secs(120), || journal("trixie").contains("\nX\n"));
    comes_back("trixie");
    assert!(!root("trixie").join("etc/ssh/sshd_config.d/00-nobody.conf").exists() && !guarded("trixie"));
}

#[test]
fn killed_controllers_leave_the_node_to_itself() {
    let Some(lab) = Lab::up() else { return };
    lab.site.play(&format!("guard: 10\n{RESTART}"), &format!("{REFUSE}\n- command: {{shell: true, cmd: \"touch /run/there; sleep 5\", undo: \"true\"}}"));
    let mut child = lab.site.command(&["apply", "inventory.yaml", "--yes", "--limit", "trixie"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let there = root("trixie").join("run/there");
    until("the step begins", Duration::from_secs(60), || there.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    until("taken back", Duration::from_secs(60), || journal("trixie").contains("\nX\n") && !guarded("trixie"));
    assert!(!root("trixie").join("etc/ssh/sshd_config.d/00-nobody.conf").exists());
    comes_back("trixie");
}

#[test]
fn reboots_and_goes_on() {
    let Some(lab) = Lab::up() else { return };
    let note = |name: &str| format!("- command: {{shell: true, cmd: \"cat /proc/sys/kernel/random/boot_id >/srv/boot-{name}\", creates: /srv/boot-{name}, undo: rm -f /srv/boot-{name}}}\n");
    by_hand("trixie", "rm -f /srv/boot-*");
    lab.site.tasks(&format!("{}- reboot: {{reboot_timeout: 3m}}\n{}", note("a"), note("b")));
    let ended = lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "trixie"]);
    assert!(ended.out.contains("done: 3 changed"), "{}{}", ended.out, ended.err);
    comes_back("trixie");
    let (a, b) = (by_hand("trixie", "cat /srv/boot-a"), by_hand("trixie", "cat /srv/boot-b"));
    assert!(a != b && !guarded("trixie"), "{a}{b}");
    by_hand("trixie", "rm -f /srv/boot-*");
}

#[test]
fn a_trial_is_kept_or_not() {
    let Some(lab) = Lab::up() else { return };
    let nodes = "trixie,busybox,arm64";
    let all = ["trixie", "busybox", "arm64"];
    for node in all {
        by_hand(node, "rm -f /etc/trial");
    }
    lab.site.tasks("- copy: {dest: /etc/trial, content: x}");
    lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", nodes, "--trial", "60s"]);
    let kept = lab.site.expect(0, &["keep", "inventory.yaml", "--limit", "trixie"]);
    assert!(kept.out.contains("trixie  kept"), "{}", kept.out);
    until("the others take it back", Duration::from_secs(150), || ["busybox", "arm64"].iter().all(|node| journal(node).contains("\nX\n")));
    assert!(root("trixie").join("etc/trial").exists());
    for node in ["busybox", "arm64"] {
        assert!(!root(node).join("etc/trial").exists(), "{node}");
    }
    by_hand("trixie", "rm -f /etc/trial");
}
