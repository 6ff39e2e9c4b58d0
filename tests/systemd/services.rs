//! Units and services: chains that end in one, handlers that restart one, and one that does not start.

use crate::debian::Debian;

/// A stand-in for a daemon: what it has read when it started can be asked.
const CHAIN: &str = r##"
- name: A place
  file: {path: /opt/clock, state: directory}
- name: The program
  copy: {dest: /opt/clock/run, mode: 0755, content: "#!/bin/sh\ncat /opt/clock/conf >/run/clock\n"}
- name: Its configuration
  copy: {dest: /opt/clock/conf, content: "CONF\n"}
  notify: [Restart]
- name: Its unit
  systemd_unit: {name: clock.service, content: "[Service]\nExecStartPre=/opt/clock/run\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n"}
- name: Its service
  service: {name: clock, state: started, enabled: true}
"##;
const HANDLERS: &str = "handlers:\n  - name: Restart\n    service: {name: clock, state: restarted}";

fn state(node: &Debian, unit: &str) -> String {
    node.by_hand(&format!("systemctl show -p LoadState -p ActiveState -p UnitFileState --value {unit} | tr '\\n' ' '"))
}

fn play(node: &Debian, conf: &str, more: &str) {
    node.site.play(HANDLERS, &(CHAIN.trim_start().replace("CONF", conf) + more));
}

const BREAK: &str = "- name: Break\n  command: {argv: [\"false\"]}\n";
/// A play of its own, so that the handlers of the one before have run.
const BREAK_LATER: &str = "- name: Second\n  hosts: all\n  tasks:\n    - name: Break\n      command: {argv: [\"false\"]}\n";

#[test]
fn a_chain_from_a_directory_to_a_running_service() {
    let Some(node) = Debian::boot() else { return };
    play(&node, "one", "");
    let said = node.site.expect(0, &["facts", "inventory.yaml", "--json"]).out;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said.to_string().contains("\"init\":\"systemd\""), "{said}");
    let plan = node.site.expect(0, &["plan", "inventory.yaml"]);
    assert!(!plan.out.contains("known after apply"), "nothing here is uncertain:\n{}", plan.out);

    // Taken back from nothing: stopped, disabled and gone.
    play(&node, "one", BREAK);
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("Break"), "{}", ended.err);
    assert!(state(&node, "clock").starts_with("not-found inactive"), "{}", state(&node, "clock"));
    assert!(!node.inside("/opt/clock").exists() && !node.inside("/etc/systemd/system/clock.service").exists());
    assert!(!node.inside("/etc/systemd/system/multi-user.target.wants/clock.service").is_symlink());
    assert!(!node.runs("sleep"));

    play(&node, "one", "");
    node.site.apply();
    assert_eq!(state(&node, "clock"), "loaded active enabled ");
    assert_eq!(node.text("/run/clock"), "one\n");
    node.has_nothing_to_do();

    // A later run that stops, disables and removes it, and fails.
    node.site.tasks(&format!("- service: {{name: clock, state: stopped, enabled: false}}\n- systemd_unit: {{name: clock.service, state: absent}}\n- file: {{path: /opt/clock, state: absent}}\n{BREAK}"));
    node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(state(&node, "clock"), "loaded active enabled ");
    play(&node, "one", "");
    node.has_nothing_to_do();
}

#[test]
fn a_handler_restarts_and_restarts_again_on_the_way_back() {
    let Some(node) = Debian::boot() else { return };
    play(&node, "one", "");
    node.site.apply();
    let pid = || node.by_hand("systemctl show -p MainPID --value clock");
    let first = pid();
    play(&node, "two", "");
    node.site.apply();
    assert_ne!(pid(), first);
    assert_eq!(node.text("/run/clock"), "two\n");
    node.has_nothing_to_do();
    // Flushed with the new configuration, then failed: what runs is what is configured again.
    play(&node, "three", "");
    let site = std::fs::read_to_string(node.site.path("site.yaml")).unwrap();
    node.site.write("site.yaml", &(site + BREAK_LATER));
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("Break"), "{}", ended.err);
    assert_eq!((node.text("/opt/clock/conf").as_str(), node.text("/run/clock").as_str()), ("two\n", "two\n"));
    assert_eq!(state(&node, "clock"), "loaded active enabled ");
    play(&node, "two", "");
    node.has_nothing_to_do();
}

#[test]
fn what_a_boot_in_between_started_or_did_not_start_is_taken_back() {
    let Some(node) = Debian::boot() else { return };
    // What a boot would do, where there is none.
    for (is, enabled, boots) in [("inactive disabled", true, "start"), ("active enabled", false, "stop")] {
        node.site.tasks(&format!("{}- service: {{name: clock, state: {}, enabled: {}}}\n", CHAIN.trim_start().split("- name: Its service").next().unwrap().replace("  notify: [Restart]\n", ""), if enabled { "stopped" } else { "started" }, !enabled));
        node.site.apply();
        let before = format!("loaded {is} ");
        assert_eq!(state(&node, "clock"), before);
        node.site.tasks(&format!("- service: {{name: clock, enabled: {enabled}}}\n- command: {{cmd: systemctl {boots} clock, undo: \"true\"}}\n{BREAK}"));
        node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert_eq!(state(&node, "clock"), before, "{boots}");
    }
}

#[test]
fn a_service_that_does_not_start_says_why_and_is_taken_back() {
    let Some(node) = Debian::boot() else { return };
    node.site.tasks(
        "- systemd_unit: {name: sick.service, content: \"[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sh -c 'echo no licence was found >&2; exit 7'\\n\"}\n\
         - name: Start it\n  service: {name: sick, state: started}",
    );
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("Start it") && ended.err.contains("no licence was found"), "{}", ended.err);
    assert!(!node.inside("/etc/systemd/system/sick.service").exists());
    assert!(state(&node, "sick").starts_with("not-found"), "{}", state(&node, "sick"));
}

#[test]
fn a_package_its_configuration_and_its_service() {
    let Some(node) = Debian::boot() else { return };
    let tasks = "- name: Install\n  package: greeterd\n- name: Configure\n  copy: {dest: /etc/greeterd.conf, content: \"ours\\n\"}\n- name: Serve\n  service: {name: greeterd, state: started, enabled: true}";
    let before = node.packages();
    node.site.tasks(tasks);
    let plan = node.site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    let serve = plan.out.lines().find(|line| line.contains("Serve")).unwrap_or_default();
    assert!(serve.contains("known after apply (package greeterd)"), "{}", plan.out);
    node.site.tasks(&format!("{tasks}\n{BREAK}"));
    node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(node.packages(), before);
    assert!(!node.inside("/etc/greeterd.conf").exists() && state(&node, "greeterd").starts_with("not-found"));
    node.site.tasks(tasks);
    node.site.expect(0, &["apply", "p", "--yes"]);
    assert_eq!(state(&node, "greeterd"), "loaded active enabled ");
    assert_eq!(node.text("/run/greeterd"), "ours\n");
    node.has_nothing_to_do();
}

/// What the run brought and restarted is gone when all is back: there is nothing that could take up anything.
#[test]
fn a_restart_of_what_the_run_brought_is_no_work_on_the_way_back() {
    let Some(node) = Debian::boot() else { return };
    let before = node.packages();
    for (kind, tasks) in [
        ("a package", "- package: greeterd\n- service: {name: greeterd, state: started}\n- service: {name: greeterd, state: restarted}\n"),
        ("a unit", "- systemd_unit: {name: mine.service, started: true, content: \"[Service]\\nExecStart=sleep infinity\\n\"}\n- service: {name: mine, state: restarted}\n"),
    ] {
        node.site.tasks(&format!("{tasks}{BREAK}"));
        let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(ended.err.contains("`Break` failed"), "{kind}: {}", ended.err);
        assert_eq!(node.packages(), before);
        for unit in ["greeterd", "mine"] {
            assert!(state(&node, unit).starts_with("not-found inactive"), "{kind}: {}", state(&node, unit));
        }
    }
}

/// deploy-rs#68: sshd itself was not restarted by the rollback. Here it is the one through which all of this happens.
#[test]
fn deploy_rs_68_sshd_itself_is_restarted_by_the_undo() {
    let Some(node) = Debian::boot() else { return };
    let pid = || node.by_hand("systemctl show -p MainPID --value test-sshd");
    let head = "handlers:\n  - name: Restart sshd\n    service: {name: test-sshd, state: restarted}";
    let tasks = "- name: Configure sshd\n  lineinfile: {path: /etc/ssh/test_config, line: MaxAuthTries 3}\n  notify: [Restart sshd]\n";
    let (before, first) = (node.text("/etc/ssh/test_config"), pid());
    node.site.play(head, tasks);
    let site = std::fs::read_to_string(node.site.path("site.yaml")).unwrap();
    let seen = "- name: Second\n  hosts: all\n  tasks:\n    - name: See\n      command: {shell: true, cmd: \"systemctl show -p MainPID --value test-sshd >/root/second\"}\n    - name: Break\n      command: {argv: [\"false\"]}\n";
    node.site.write("site.yaml", &(site + seen));
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("`Break` failed"), "{}", ended.err);
    let second = node.text("/root/second");
    assert_eq!(node.text("/etc/ssh/test_config"), before);
    assert!(second != first && pid() != second && pid() != first, "restarted by the handler and again by the undo: {first} {second} {}", pid());
    assert!(node.by_hand("sshd -T -f /etc/ssh/test_config").contains("maxauthtries 6"), "what runs is what is configured");
    // It answers.
    node.site.expect(0, &["facts", "inventory.yaml"]);
}

/// deploy-rs#58, with a unit that waits long for what has failed already.
#[test]
fn deploy_rs_58_a_unit_that_fails_at_once_is_reported_at_once() {
    let Some(node) = Debian::boot() else { return };
    node.site.tasks(
        "- systemd_unit: {name: sick.service, content: \"[Service]\\nType=notify\\nTimeoutStartSec=600\\nExecStart=/bin/false\\n\"}\n- name: Start it\n  service: {name: sick, state: started}\n  timeout: 600",
    );
    let since = std::time::Instant::now();
    node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(since.elapsed() < std::time::Duration::from_secs(60), "{:?}", since.elapsed());
}
