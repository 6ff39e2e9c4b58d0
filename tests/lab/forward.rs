//! Scenario A: packets from the home side reach a service of the inner network through the router, by the shipped roles; the kernel's
//! own words and real packets are the judges.

use crate::nodes::{Lab, by_hand, comes_back, container, does, docker, repo};
use std::process::Command;

/// Addresses that `tests/lab/up` gives.
const ROUTER: &str = "10.207.1.15";
const INNER: &str = "10.207.2.10";

/// What a service of the inner network answers on each port: real sockets, of systemd.
const SERVICES: &str = "
    - systemd_unit:
        name: \"answer-{{ item }}.socket\"
        started: true
        content: \"[Socket]\\nListenStream={{ item }}\\nAccept=yes\\n\"
      loop: [9701, 9702, 9703]
    - systemd_unit:
        name: \"answer-{{ item }}@.service\"
        content: \"[Service]\\nExecStart=/bin/echo inner {{ item }}\\nStandardOutput=socket\\n\"
      loop: [9701, 9702, 9703]
";

fn playbook(ports: &str, state: &str) -> String {
    let services = if state == "present" { SERVICES } else { "    []\n" };
    format!(
        "- name: Services\n  hosts: inner\n  become: true\n  tasks:\n{services}- name: Router\n  hosts: router\n  become: true\n  tasks:\n    - role: port_forward\n      with: {{name: lab, interface: \"{{{{ outer }}}}\", target: {INNER}, ports: {ports}, source: 10.207.2.2}}\n"
    )
}

/// What answers `node` at an address and port, if anything does.
fn reached(node: &str, address: &str, port: u16) -> String {
    let output = docker(&["exec", &container(node), "timeout", "3", "bash", "-c", &format!("exec 3<>/dev/tcp/{address}/{port} && head -n 1 <&3")]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The rules of a node, without those of the role.
fn others(node: &str) -> String {
    by_hand(node, "iptables-save | grep -v -e '^#' -e HL_lab -e '^:.*\\[' || true")
}

fn own(node: &str) -> String {
    by_hand(node, "iptables-save | grep HL_lab || true")
}

#[test]
fn ports_of_the_inner_network_are_reached_through_the_router() {
    let Some(lab) = Lab::up() else { return };
    // The roles as they are shipped.
    let outer = by_hand("router", &format!("ip -o -4 addr show | grep ' {ROUTER}/' | cut -d' ' -f2"));
    let set = format!("outer={}", outer.trim());
    lab.has_roles();
    let apply = |args: &[&str]| lab.site.expect(0, &[&["apply", "inventory.yaml", "--yes", "--limit", "router,inner", "--set", &set], args].concat());

    // Somebody else's rules.
    by_hand("router", "iptables -C FORWARD -s 192.0.2.1 -j DROP 2>/dev/null || iptables -A FORWARD -s 192.0.2.1 -j DROP");
    let before = others("router");
    lab.site.write("site.yaml", &playbook("[9701, 9702]", "present"));
    assert_eq!(reached("trixie", ROUTER, 9701), "");
    apply(&[]);
    for port in [9701, 9702] {
        assert_eq!(reached("trixie", ROUTER, port), format!("inner {port}"));
        // Not otherwise.
        assert_eq!(reached("trixie", INNER, port), "", "the inner network is open to everybody");
    }
    assert_eq!(reached("trixie", ROUTER, 9703), "");
    assert_eq!(others("router"), before);

    let rules = own("router");
    let again = apply(&[]);
    assert!(!again.out.is_empty() && again.out.lines().all(|line| line.contains("nothing to do")), "{}", again.out);
    assert_eq!(own("router"), rules);

    does(&["restart", "--time", "1", &container("router")]);
    comes_back("router");
    comes_back("inner");
    assert_eq!(own("router"), rules, "the rules are not there after a restart");
    assert_eq!(reached("trixie", ROUTER, 9702), "inner 9702");
    let drift = lab.site.expect(0, &["drift", "inventory.yaml", "--limit", "router", "--set", &set]);
    assert_eq!(drift.out + &drift.err, "");

    // What somebody takes out by hand is what the next plan shows.
    by_hand("router", "iptables -t nat -F HL_lab_NPOST");
    let drift = lab.site.run(&["drift", "inventory.yaml", "--limit", "router", "--set", &set]);
    assert!(drift.code == 2 && drift.out.contains("the kernel has no nat -A HL_lab_NPOST"), "{}{}", drift.out, drift.err);

    // A port that left the list is gone, by the same act that mends the rest.
    lab.site.write("site.yaml", &playbook("[9702]", "present"));
    apply(&[]);
    assert_eq!((reached("trixie", ROUTER, 9701), reached("trixie", ROUTER, 9702)), (String::new(), "inner 9702".to_owned()));
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", "router"]);
    assert_eq!((reached("trixie", ROUTER, 9701), reached("trixie", ROUTER, 9702)), ("inner 9701".to_owned(), "inner 9702".to_owned()));

    // Taken away again.
    lab.site.tasks(
        "- iptables: {name: lab, state: absent}\n  when: host.name == \"router\"\n- systemd_unit: {name: \"answer-{{ item }}.socket\", state: absent}\n  loop: [9701, 9702, 9703]\n  \
         when: host.name == \"inner\"\n- systemd_unit: {name: \"answer-{{ item }}@.service\", state: absent}\n  loop: [9701, 9702, 9703]\n  when: host.name == \"inner\"",
    );
    apply(&[]);
    assert_eq!(own("router"), "");
    by_hand("router", "iptables -D FORWARD -s 192.0.2.1 -j DROP || true"); // gone with the restart
}

/// Who may only pass through passes through, to the machines that are named.
#[test]
fn a_jump_box_lets_through_and_nowhere_else() {
    let Some(lab) = Lab::up() else { return };
    lab.has_roles();
    let key = lab.site.path("guest-key");
    assert!(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "guest", "-f"]).arg(&key).status().unwrap().success());
    let public = std::fs::read_to_string(lab.site.path("guest-key.pub")).unwrap();
    lab.site.tasks(&format!("- role: jump_box\n  with: {{inner: [{INNER}], users: [{{name: guest, key: \"{}\"}}]}}", public.trim()));
    lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "router"]);
    let ssh = |args: &[&str]| {
        let pins = format!("UserKnownHostsFile={}", repo().join("inventories/.lab/known_hosts").display());
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-p", "2215", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=5", "-o", &pins, "-i"]).arg(&key);
        let output = command.args(args).arg("guest@127.0.0.1").stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let (_, inner) = ssh(&["-W", &format!("{INNER}:22")]);
    assert!(inner.starts_with("SSH-2.0-"), "{inner}");
    let (_, outer) = ssh(&["-W", "10.207.1.10:22"]);
    assert!(!outer.contains("SSH-2.0-") && outer.contains("prohibited"), "{outer}");
    let (in_, shell) = ssh(&["-T"]);
    assert!(!in_, "a shell: {shell}");
    lab.has_nothing_to_do("inventory.yaml", &["router"]);
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", "router"]);
    assert!(!ssh(&["-W", &format!("{INNER}:22")]).1.contains("SSH-2.0-"));
    assert_eq!(by_hand("router", "id guest 2>/dev/null; ls /etc/ssh/sshd_config.d | grep jump || true"), "");
}

/// Who is not named stays outside, of IPv4 and IPv6.
#[test]
fn a_host_firewall_lets_in_what_is_named() {
    let Some(lab) = Lab::up() else { return };
    lab.has_roles();
    let services = SERVICES.replace("[9701, 9702, 9703]", "[9801, 9802]");
    lab.site.tasks(&services.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect::<String>());
    let limit = ["inventory.yaml", "--yes", "--limit", "router"];
    lab.site.expect(0, &[&["apply"], &limit[..]].concat());
    let seen = || [22, 9801, 9802].map(|port| reached("trixie", ROUTER, port));
    let open = seen();
    assert!(open[0].starts_with("SSH-2.0-") && open[1] == "inner 9801" && open[2] == "inner 9802", "{open:?}");
    lab.site.tasks("- role: host_firewall\n  with: {management: [10.207.1.0/24, 127.0.0.0/8], ports: [9801]}");
    lab.site.expect(0, &[&["apply"], &limit[..]].concat());
    let shut = seen();
    assert!(shut[0].starts_with("SSH-2.0-") && shut[1] == "inner 9801" && shut[2].is_empty(), "{shut:?}");
    assert!(by_hand("router", "ip6tables-save").contains("-A HL_host6_IN -j DROP"));
    lab.has_nothing_to_do("inventory.yaml", &["router"]);
    lab.site.expect(0, &[&["rollback"], &limit[..]].concat());
    assert_eq!(seen(), open);
    by_hand("router", "systemctl disable --now answer-9801.socket answer-9802.socket 2>/dev/null; rm -f /etc/systemd/system/answer-*; systemctl daemon-reload");
}

/// A node with docker keeps docker's rules, and what it publishes.
#[test]
fn dockers_own_rules_stay() {
    let Some(lab) = Lab::up() else { return };
    lab.site.tasks("- iptables: {name: lab, rules: [\"-A INPUT -p tcp --dport 4711 -j REJECT\", {table: nat, chain: PREROUTING, protocol: tcp, destination_port: 4712, jump: REDIRECT, to_ports: 22}]}");
    let before = others("trixie");
    assert!(before.contains("DOCKER"), "{before}");
    let rules = "apply inventory.yaml --yes --limit trixie".split(' ').collect::<Vec<_>>();
    lab.site.expect(0, &rules);
    assert_eq!(others("trixie"), before);
    assert!(own("trixie").contains("--dport 4711 -j REJECT"));
    // Docker restarted does not take ours, nor we its.
    by_hand("trixie", "systemctl restart docker");
    lab.has_nothing_to_do("inventory.yaml", &["trixie"]);
    assert_eq!(others("trixie"), before);
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", "trixie"]);
    assert_eq!((others("trixie"), own("trixie")), (before, String::new()));
}

/// A firewall that shuts out whoever set it up is opened by the node alone.
#[test]
fn who_locks_themselves_out_is_let_in_again() {
    let Some(lab) = Lab::up() else { return };
    lab.site.play("guard: 15", "- iptables: {name: lab, rules: [\"-A INPUT -p tcp --dport 22 -j DROP\"]}");
    let ended = lab.site.expect(3, &["apply", "inventory.yaml", "--yes", "--limit", "router"]);
    assert!(ended.err.contains("taken back by the node"), "{}{}", ended.out, ended.err);
    assert_eq!(own("router"), "");
    lab.site.expect(0, &["plan", "inventory.yaml", "--limit", "router"]);
}
