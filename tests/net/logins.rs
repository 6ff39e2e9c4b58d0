//! Keys that do not fit, cannot be opened, or are not there. None of these is a machine that is off: exit 1.

use crate::lan::{Lan, Node};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn one() -> (Lan, Node) {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("")]);
    lan.tasks("- copy: {dest: /etc/motd, content: x}");
    lan.trust();
    (lan, node)
}

/// A fresh key pair in the controller's directory.
fn keygen(lan: &Lan, name: &str, passphrase: &str) -> PathBuf {
    let path = lan.path(name);
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"]).arg(&path).stdin(Stdio::null()).status();
    assert!(status.unwrap().success());
    path
}

fn with_key(lan: &Lan, node: &Node, key: &str) -> String {
    lan.inventory(&[format!("pi-1: {{address: {}, port: {}, key: {key}}}", node.address.ip(), node.address.port())]);
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(refused.out, "");
    lan.plain(&refused.err, &[node])
}

#[test]
fn a_key_that_the_node_does_not_take() {
    let (lan, node) = one();
    keygen(&lan, "other", "");
    assert_eq!(
        with_key(&lan, &node, "other"),
        "\
error: pi-1 (PI-1): login as pi was refused
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: other}
  |   ^^^^
  |
  = note: tried other (ssh-ed25519): refused
  = note: the server accepts: publickey
hint: put a public key into ~pi/.ssh/authorized_keys there (`ssh-copy-id`), or set `user:` or `key:` of the host
"
    );
}

#[test]
fn an_encrypted_key_without_anybody_to_ask() {
    let (lan, node) = one();
    std::fs::copy(node.key(), lan.path("locked")).unwrap();
    let status = Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"]).arg(lan.path("locked")).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    assert_eq!(
        with_key(&lan, &node, "locked"),
        "\
error: pi-1 (PI-1): login as pi was refused
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: locked}
  |   ^^^^
  |
  = note: tried locked (ssh-ed25519): it is encrypted and there is nobody to ask for its passphrase
  = note: the server accepts: publickey
hint: load it into the agent first: `ssh-add locked`; or run homelab in a terminal
"
    );
}

#[test]
fn a_key_file_that_is_not_there() {
    let (lan, node) = one();
    assert_eq!(
        with_key(&lan, &node, "keys/nobody"),
        "\
error: pi-1 (PI-1): the key keys/nobody cannot be used: there is no such file
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT, key: keys/nobody}
  |   ^^^^
hint: check `key:` of the host; `ssh-keygen -t ed25519` makes a new pair
"
    );
}

#[test]
fn a_key_file_that_others_can_read() {
    let (lan, node) = one();
    let key = keygen(&lan, "open", "");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = with_key(&lan, &node, "open");
    assert!(said.contains("its mode is 0644: other users could read it") && said.contains("hint: `chmod 600 "), "{said}");
}

#[test]
fn no_key_at_all() {
    let (lan, node) = one();
    lan.inventory(&[format!("pi-1: {{address: {}, port: {}}}", node.address.ip(), node.address.port())]);
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(
        lan.plain(&refused.err, &[&node]),
        "\
error: pi-1 (PI-1): login as pi was refused
 --> inventory.yaml:4:3
  |
4 |   pi-1: {address: 127.0.0.1, port: PORT}
  |   ^^^^
  |
  = note: no key to offer: none in the agent, none in ~/.ssh
  = note: the server accepts: publickey
hint: name a private key with `key:`, or load one into the agent (`ssh-add`); `ssh-keygen -t ed25519` makes one
"
    );
}

#[test]
fn a_login_name_that_the_node_does_not_have() {
    let (lan, node) = one();
    lan.inventory(&[node.host("user: mallory")]);
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    let said = lan.plain(&refused.err, &[&node]);
    assert!(said.contains("login as mallory was refused"), "{said}");
}
