//! The channel: sudo with and without a password, and a real sshd.

use crate::shell::{ALL, NONCE, Node as Box_, Session};
use crate::untested::untested;
use homelab::node::runtime::{Become, greeting};
use std::io::Write;
use std::process::{Command, Stdio};

/// In namespaces of their own over a copy of this machine, where a login `pi` may use sudo as `rule` says.
fn sudoing(node: &Box_, rule: &str, how: &Become) -> Command {
    let cage = node.bin().with_file_name("cage");
    std::fs::create_dir_all(&cage).unwrap();
    let script = r#"c=$1; mount -t tmpfs none "$c" && mkdir "$c/up" "$c/wk" "$c/m" &&
        mount -t overlay o -o "lowerdir=/,upperdir=$c/up,workdir=$c/wk" "$c/m" &&
        mount -t proc proc "$c/m/proc" && mount --rbind /dev "$c/m/dev" && exec chroot "$c/m" /bin/sh -c '
        useradd -m -s /bin/sh pi && echo "pi:raspberry" | chpasswd && chmod -R a+rX "$3" &&
        echo "$1" >/etc/sudoers.d/pi && chmod 440 /etc/sudoers.d/pi && exec su -s /bin/sh pi -c "$2"' sh "$2" "$3" "$4""#;
    let mut command = Command::new("unshare");
    command.args(["-munpf", "--kill-child", "/bin/sh", "-c", script, "sh"]).arg(&cage).args([rule, &node.command(how)]);
    command.arg(node.bin().parent().unwrap());
    command
}

#[test]
fn sudo_asks_or_does_not_and_the_program_starts_either_way() {
    if !nix::unistd::geteuid().is_root() {
        return untested("it takes root");
    }
    let asked = Become::Sudo { user: "root".into(), asked: true };
    let silent = Become::Sudo { user: "root".into(), asked: false };
    for sh in ALL {
        for (rule, how, password) in [
            ("pi ALL=(ALL) ALL", &asked, Some("raspberry")),
            ("pi ALL=(ALL) NOPASSWD: ALL", &asked, Some("raspberry")),
            ("pi ALL=(ALL) NOPASSWD: ALL", &silent, None),
            ("Defaults use_pty\npi ALL=(ALL) ALL", &asked, Some("raspberry")),
        ] {
            let node = Box_::new(sh);
            let mut session = Session::greet(&mut sudoing(&node, rule, how), password);
            let facts = session.look(&[], true).facts.unwrap();
            assert_eq!((facts.identity.uid, facts.user.name.as_str()), (0, "pi"), "{sh:?} {rule}");
            session.begin("r1");
            let op = homelab::node::Op::Mkdir { path: "/etc/made".into(), mode: 0o700, owner: None, group: None };
            session.perform(&[(1, &op)]).unwrap();
            session.close();
        }
        let node = Box_::new(sh);
        let mut child = sudoing(&node, "pi ALL=(ALL) ALL", &asked).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&greeting(NONCE, Some("wrong"))).unwrap();
        let out = child.wait_with_output().unwrap();
        drop(input);
        assert!(!out.status.success() && out.stdout.is_empty(), "{sh:?} {out:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("incorrect password"), "{sh:?} {out:?}");
    }
}

/// A real OpenSSH sshd on a port of its own, with a key that lets the present user in.
#[test]
fn over_a_real_sshd() {
    let Some(sshd) = ["/usr/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|p| std::path::Path::new(p).exists()) else {
        return untested("sshd is not installed");
    };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    for key in ["host", "user"] {
        assert!(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status().unwrap().success());
    }
    std::fs::copy(at("user.pub"), at("authorized")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(at("config"), format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n",
        at("host"), at("authorized"),
    )).unwrap();
    let _ = std::fs::create_dir_all("/run/sshd");
    let mut server = Command::new(sshd).args(["-D", "-e", "-f", &at("config")]).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    for sh in ALL {
        let node = Box_::new(sh);
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-q", "-p", &port.to_string(), "-i", &at("user"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.arg(format!("{user}@127.0.0.1")).arg(node.command(&Become::No));
        let mut session = Session::start(&mut ssh);
        session.begin("r1");
        let op = homelab::node::Op::Mkdir { path: node.at("made"), mode: 0o700, owner: None, group: None };
        session.perform(&[(1, &op)]).unwrap();
        // The line drops: the session's end is seen on the node, and the lock is given back.
        session.child.kill().unwrap();
        session.child.wait().unwrap();
        let lock = node.state().join("lock");
        let freed = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            !lock.exists()
        });
        assert!(freed, "{sh:?}: the lock is held after the line dropped");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
