//! Meeting a machine: unknown, trusted, pinned, changed.

use crate::lan::{Lan, Node};
use std::process::Stdio;

const MOTD: &str = "- copy: {dest: /etc/motd, content: \"hello\\n\"}";

const UNKNOWN: &str = "\
error: pi-1 (PI-1): the host key is not known
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: DIR/nodes/pi-1/client_key}
  |   ^^^^
  |
  = note: shown: PIN-pi-1 (ED25519)
hint: compare it with the machine's own, then `homelab trust INVENTORY --limit pi-1`
";

const UNASKED: &str = "\
error: pi-1: no terminal to ask at whether this key is right
hint: compare the fingerprint with the machine's own, then `--yes` records it
";

const BEWARE: &str = "find out why before anything else: someone may be in between. If the machine was set up anew: `homelab trust INVENTORY --limit pi-1 --replace`";

const REPLACE: &str = "if the machine was set up anew, `homelab trust --replace` records the key that it shows now; if not, someone may be in between";

const UNPINNED: &str = "\
hint: find out why before anything else: someone may be in between. If the machine was set up anew, compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console and change `host_key:`
";

fn changed(hint: &str) -> String {
    format!(
        "\
error: pi-1 (PI-1): the host key has changed
 --> inventory.yaml:4:3
  |
4 |   pi-1: {{address: 127.0.0.1, port: PORT, key: DIR/nodes/pi-1/client_key}}
  |   ^^^^
  |
  = note: shown: PIN-pi-1 (ED25519)
  = note: known: BEFORE (ED25519), DIR/.ssh/known_hosts:1
hint: {hint}
"
    )
}

fn one() -> (Lan, Node) {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("")]);
    lan.tasks(MOTD);
    (lan, node)
}

#[test]
fn an_unknown_host_is_refused_until_it_is_trusted() {
    let (lan, node) = one();
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(refused.out, "");
    assert_eq!(lan.plain(&refused.err, &[&node]), UNKNOWN);

    // Without a terminal nobody can say yes, and nothing is recorded.
    let unasked = lan.expect(64, &["trust", "inventory.yaml"]);
    assert_eq!(lan.plain(&unasked.out, &[&node]), "pi-1  ED25519 PIN-pi-1  new\n");
    assert_eq!(lan.plain(&unasked.err, &[&node]), UNASKED);
    assert_eq!(lan.known(), "");

    let met = lan.expect(0, &["trust", "inventory.yaml", "--yes"]);
    assert_eq!((lan.plain(&met.out, &[&node]).as_str(), met.err.as_str()), ("pi-1  ED25519 PIN-pi-1  new\n", ""));
    assert_eq!(lan.known().lines().count(), 1);
    assert!(lan.known().starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", node.address.port())), "{}", lan.known());
    let plan = lan.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("+hello") && plan.err.is_empty(), "{}{}", plan.out, plan.err);

    // Met again, it is known, and nothing is written.
    let before = lan.known();
    let again = lan.expect(0, &["trust", "inventory.yaml", "--json"]);
    assert_eq!(again.json()["hosts"][0]["state"], "known");
    assert_eq!(again.json()["hosts"][0]["recorded"], false);
    assert_eq!(lan.known(), before);
}

#[test]
fn a_person_may_say_no() {
    if !std::path::Path::new("/usr/bin/script").exists() {
        return crate::untested::untested("script, which makes a terminal, is not installed");
    }
    let (lan, _node) = one();
    let answer = |answer: &str| {
        let command = format!("{} trust inventory.yaml", env!("CARGO_BIN_EXE_homelab"));
        let inside = lan.command(&[]);
        let mut script = std::process::Command::new("/usr/bin/script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(inside.get_current_dir().unwrap());
        for (name, value) in inside.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), answer.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
    };
    let (code, said) = answer("n\n");
    assert!(code == Some(1) && said.contains("[y/N]") && said.contains("pi-1: its key is not recorded"), "{code:?} {said}");
    assert_eq!(lan.known(), "");
    let (code, said) = answer("y\n");
    assert!(code == Some(0) && !said.contains("not recorded"), "{code:?} {said}");
    assert_eq!(lan.known().lines().count(), 1);
}

#[test]
fn a_changed_host_key_stops_everything_and_shows_both() {
    let (lan, node) = one();
    lan.trust();
    let known = lan.known();
    let before = node.reinstall();
    for args in [&["plan", "inventory.yaml"][..], &["apply", "inventory.yaml", "--yes"], &["drift", "inventory.yaml"], &["facts", "inventory.yaml"]] {
        let refused = lan.expect(1, args);
        assert_eq!(refused.out, "", "{args:?}");
        assert_eq!(lan.plain(&refused.err, &[&node]).replace(&before, "BEFORE"), changed(BEWARE), "{args:?}");
    }
    let refused = lan.expect(1, &["trust", "inventory.yaml", "--yes"]);
    assert_eq!(refused.out, "");
    assert_eq!(lan.plain(&refused.err, &[&node]).replace(&before, "BEFORE"), changed(REPLACE));
    assert_eq!(lan.known(), known);

    let replaced = lan.expect(0, &["trust", "inventory.yaml", "--yes", "--replace"]);
    assert_eq!(lan.plain(&replaced.out, &[&node]), "pi-1  ED25519 PIN-pi-1  changed\n");
    assert_eq!(lan.known().lines().count(), 1, "in place of the known one: {}", lan.known());
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(node.text("/etc/motd"), "hello\n");
}

#[test]
fn a_pin_in_the_inventory_decides_alone() {
    let (lan, node) = one();
    lan.inventory(&[node.host(&format!("host_key: \"{}\"", node.pin()))]);
    lan.expect(0, &["plan", "inventory.yaml"]);
    let met = lan.expect(0, &["trust", "inventory.yaml"]);
    assert_eq!(lan.plain(&met.out, &[&node]), "pi-1  ED25519 PIN-pi-1  pinned\n");
    assert_eq!(lan.known(), "", "a pinned key needs no recording");

    // A wrong pin holds even against known_hosts, and `trust` does not go around it.
    lan.inventory(&[node.host("")]);
    lan.trust();
    let wrong = format!("SHA256:{}", "A".repeat(43));
    lan.inventory(&[node.host(&format!("host_key: \"{wrong}\""))]);
    for args in [&["plan", "inventory.yaml"][..], &["trust", "inventory.yaml", "--yes", "--replace"]] {
        let refused = lan.expect(1, args);
        assert_eq!(refused.out, "", "{args:?}");
        let said = lan.plain(&refused.err, &[&node]);
        assert!(said.starts_with("error: pi-1 (PI-1): the host key is not the pinned one\n --> inventory.yaml:4:3\n"), "{said}");
        let end = format!("  = note: shown:  PIN-pi-1 (ED25519)\n  = note: pinned: {wrong}\n{UNPINNED}");
        assert!(said.ends_with(&end), "{said}");
    }
}

#[test]
fn a_revoked_key_is_refused_whatever_else_says() {
    let (lan, node) = one();
    lan.trust();
    lan.write(".ssh/known_hosts", &format!("{}@revoked {}", lan.known(), lan.known()));
    for args in [&["plan", "inventory.yaml"][..], &["trust", "inventory.yaml", "--yes", "--replace"]] {
        let refused = lan.expect(1, args);
        let said = lan.plain(&refused.err, &[&node]);
        assert!(said.contains("the host key is revoked") && said.contains("DIR/.ssh/known_hosts:2") && refused.out.is_empty(), "{said}");
    }
}

#[test]
fn problems_are_in_the_document_too() {
    let (lan, node) = one();
    let refused = lan.expect(1, &["plan", "inventory.yaml", "--json"]);
    let document = refused.json();
    assert_eq!(document["hosts"].as_array().unwrap().len(), 0);
    let problem = &document["problems"][0];
    assert_eq!(problem["message"], format!("pi-1 ({}): the host key is not known", node.address));
    assert!(problem["place"].as_str().unwrap().starts_with("inventory.yaml:4:"), "{problem}");
    assert!(problem["notes"][0].as_str().unwrap().contains(&node.pin()), "{problem}");
}
