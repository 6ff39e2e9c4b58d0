//! The same against OpenSSH's own server, as root, whose `/var/lib` is a directory of the test's.

use crate::lan::{Lan, closed, wait_for};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SSHD: &str = "/usr/sbin/sshd";

struct Sshd {
    port: u16,
    key: PathBuf,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// None where it cannot be had: no sshd, not root, or no mount namespaces to hide this machine's own `/var/lib` in.
fn sshd(lan: &Lan) -> Option<Sshd> {
    let hidden = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !Path::new(SSHD).exists() || !nix::unistd::geteuid().is_root() || !hidden {
        crate::untested::untested("it takes sshd, root and mount namespaces");
        return None;
    }
    let dir = lan.path("sshd");
    std::fs::create_dir_all(dir.join("lib")).unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    for name in ["host", "client"] {
        let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(name)]).stdin(Stdio::null()).status();
        assert!(status.unwrap().success());
    }
    std::fs::copy(dir.join("client.pub"), dir.join("authorized_keys")).unwrap();
    let port = closed();
    std::fs::write(
        dir.join("config"),
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("authorized_keys")
        ),
    )
    .unwrap();
    let script = "mount --make-rprivate / && mount --bind \"$0\" /var/lib && exec /usr/sbin/sshd -D -f \"$1\" -E \"$2\"";
    let child = Command::new("unshare").args(["-m", "sh", "-c", script, &at("lib"), &at("config"), &at("log")]).stdin(Stdio::null()).spawn().unwrap();
    let sshd = Sshd { port, key: dir.join("client"), child };
    wait_for("sshd to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
    Some(sshd)
}

#[test]
fn trusted_planned_applied_and_watched() {
    let lan = Lan::new();
    let Some(sshd) = sshd(&lan) else { return };
    let host = |more: &str| format!("box: {{address: 127.0.0.1, port: {}, user: root, key: {}{more}}}", sshd.port, sshd.key.display());
    let file = lan.path("made/file");
    lan.inventory(&[host("")]);
    lan.tasks(&format!(
        "- file: {{path: {}, state: directory, mode: 0700}}\n- name: A file\n  copy: {{dest: {}, content: \"over OpenSSH\\n\", mode: 0640}}",
        lan.path("made").display(),
        file.display()
    ));
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert!(refused.err.contains("the host key is not known") && refused.out.is_empty(), "{}", refused.err);
    lan.trust();
    let plan = lan.expect(0, &["plan", "inventory.yaml", "-v"]);
    assert!(plan.err.contains("cost: 1 connection, 1 exec channel, "), "{}", plan.err);
    assert!(!lan.path("sshd/lib/homelab").exists() && !file.exists(), "a plan leaves nothing behind");
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "over OpenSSH\n");
    assert!(lan.path("sshd/lib/homelab").exists());
    assert_eq!(lan.expect(0, &["drift", "inventory.yaml"]).out, "");
    std::fs::write(&file, "by hand\n").unwrap();
    let drifted = lan.expect(2, &["drift", "inventory.yaml"]);
    assert!(drifted.out.contains("A file") && drifted.out.contains("-by hand"), "{}", drifted.out);
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);

    // A failing step takes all back.
    lan.tasks(&format!("- copy: {{dest: {}, content: \"other\\n\"}}\n- command: {{argv: [\"false\"]}}", file.display()));
    lan.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "over OpenSSH\n");
}

#[test]
fn openssh_as_a_jump_host_of_a_sandbox() {
    let lan = Lan::new();
    let Some(sshd) = sshd(&lan) else { return };
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("jump: box"), format!("box: {{address: 127.0.0.1, port: {}, user: root, key: {}}}", sshd.port, sshd.key.display())]);
    lan.tasks("- copy: {dest: /etc/motd, content: \"hello\\n\"}");
    lan.trust();
    lan.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "pi-1"]);
    assert_eq!(node.text("/etc/motd"), "hello\n");
    // Its own sshd says no in its own way.
    lan.inventory(&[format!("pi-1: {{address: 127.0.0.1, port: {}, jump: box}}", closed()), format!("box: {{address: 127.0.0.1, port: {}, user: root, key: {}}}", sshd.port, sshd.key.display())]);
    let off = lan.expect(4, &["plan", "inventory.yaml", "--limit", "pi-1"]);
    assert!(off.err.contains("the jump host box cannot connect to it"), "{}", off.err);
}
