//! The sandbox, over real SSH, entered in every way that this machine's user can be put into.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

#[path = "../support/untested.rs"]
mod untested;

mod client;
mod ways;

use client::{Node, binary, open, shells, spec};
use homelab::transport::sandbox::{Forward, Sandbox, SandboxSpec, Server, Shell};
use russh::keys::{Algorithm, PrivateKey, load_secret_key};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

type Test = tokio::runtime::Runtime;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_finds_a_node_of_its_own() {
    let node = Node::new(&spec()).await;
    assert_eq!(node.out("echo $USER $LOGNAME $HOME; pwd").await, "pi pi /home/pi\n/home/pi\n");
    assert_eq!(node.out("hostname; uname -n; cat /proc/sys/kernel/hostname").await, "pi-1\npi-1\npi-1\n");
    assert!(node.out("cat /etc/os-release").await.contains("VARIANT_ID=homelab-sandbox\n"));
    let uids = if nix::unistd::geteuid().is_root() { "all" } else { "single" };
    assert!(node.out("cat /etc/homelab-sandbox").await.contains(&format!("uids={uids}\n")));
    assert_eq!(node.out("id -u").await, if uids == "all" { "1000\n" } else { "0\n" });
    let stranger = node.sandbox.dir().display().to_string();
    assert_eq!(node.run(&format!("ls {stranger} /work /target /sys/kernel")).await.code, Some(2), "the machine's files are not there");
    assert_eq!(node.out("ls -A /sys").await, "");
    if let Ok(rung) = std::env::var("SANDBOX_TEST_RUNG") {
        assert!(fs::read_to_string(node.sandbox.dir().join("power")).unwrap().contains(&rung), "entered otherwise than by {rung}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_stays_and_what_is_there_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let first = Node::at(dir.path(), &spec()).await;
    assert_eq!(first.run("echo kept > ~/file; rm /tmp/x 2>/dev/null; sudo rm /etc/hosts; sudo sh -c 'echo new-name > /etc/hostname'").await.code, Some(0));
    let pin = first.sandbox.pin();
    first.close().await;
    let again = Node::at(dir.path(), &SandboxSpec { name: "other".into(), ..spec() }).await;
    assert_eq!(again.out("cat ~/file; hostname").await.lines().next(), Some("kept"));
    assert_eq!(again.sandbox.pin(), pin);
    assert_eq!(again.run("ls /etc/hosts").await.code, Some(2));
    assert_eq!(fs::metadata(again.sandbox.client_key_path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_streams_are_told_apart() {
    let node = Node::new(&spec()).await;
    for code in [0, 1, 7, 126, 255] {
        assert_eq!(node.run(&format!("exit {code}")).await.code, Some(code));
    }
    assert_eq!(node.run("kill -9 $$").await.signal.as_deref(), Some("KILL"));
    assert_eq!(node.run("kill -TERM $$").await.signal.as_deref(), Some("TERM"));
    let ran = node.run("echo out; echo err >&2").await;
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("out\n", "err\n"));
    assert_eq!(node.run_with("cat", b"a\0b\xc3\xa4").await.out, "a\0bä");
    if !node.bare() {
        assert_eq!(node.run("echo x > /dev/null; echo y > /dev/stderr").await.err, "y\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_go_in_and_come_back() {
    let node = Node::new(&spec()).await;
    let payload: Vec<u8> = (0..100u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let ran = node.run_with("sleep 0.3; sha256sum", &payload).await;
    assert_eq!(ran.out, format!("{}  -\n", homelab::node::op::sha256(&payload)));
    // Out and in at once, through a command that does not read while it cannot write.
    let ran = node.run_with("tee /dev/stderr | wc -c", &payload[..20 << 20]).await;
    assert_eq!(ran.out.trim(), (20 << 20).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_channel_ends_the_reader_and_spares_the_worker() {
    let node = Node::new(&spec()).await;
    let channel = node.session.channel_open_session().await.unwrap();
    channel.exec(true, "echo started; cat >/dev/null; sleep 0.2; echo done > ~/after").await.unwrap();
    let mut channel = channel;
    while !matches!(channel.wait().await, Some(russh::ChannelMsg::Data { .. })) {}
    channel.close().await.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while node.run("cat ~/after").await.out != "done\n" {
        assert!(Instant::now() < until, "the command neither saw the end of its input nor went on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_the_same_and_others_go_on() {
    let node = Node::new(&spec()).await;
    let key = load_secret_key(node.sandbox.client_key_path(), None).unwrap();
    let address = node.server.listen(0).await.unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let other = open(&node.sandbox, stream, "pi", key).await.unwrap();
    let mut channel = other.channel_open_session().await.unwrap();
    channel.exec(true, "trap '' PIPE; echo started; cat >/dev/null; echo 1; echo done > ~/after").await.unwrap();
    while !matches!(channel.wait().await, Some(russh::ChannelMsg::Data { .. })) {}
    drop(channel);
    drop(other);
    let until = Instant::now() + Duration::from_secs(20);
    while node.run("cat ~/after").await.out != "done\n" {
        assert!(Instant::now() < until);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_key_and_name_come_in() {
    let node = Node::new(&spec()).await;
    let right = load_secret_key(node.sandbox.client_key_path(), None).unwrap();
    let wrong = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    assert!(open(&node.sandbox, node.server.connect(), "pi", wrong).await.is_err());
    assert!(open(&node.sandbox, node.server.connect(), "root", right.clone()).await.is_err());
    assert!(open(&node.sandbox, node.server.connect(), "pi", right).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_without_a_password() {
    let node = Node::new(&spec()).await;
    assert_eq!(node.out("sudo -n id -u").await, "0\n");
    assert_eq!(node.out("sudo sh -c 'echo $USER $HOME $LOGNAME $SUDO_USER'").await, "root /root root pi\n");
    assert_eq!(node.run("sudo sh -c 'exit 42'").await.code, Some(42));
    assert_eq!(node.run_with("sudo -n cat", b"through").await.out, "through");
    assert_eq!(node.run("sudo sh -c 'echo o; echo e >&2'").await.err, "e\n");
    assert_eq!(node.out("cd /tmp && sudo pwd").await, "/tmp\n");
    assert_eq!(node.out("sudo -u pi sh -c 'echo $HOME'").await, "/home/pi\n");
    assert_eq!(node.run("sudo nosuchthing").await.err, "sudo: nosuchthing: command not found\n");
    assert_eq!(node.run("sudo -u nosuchuser id").await.code, Some(1));
    assert_eq!(node.out("sudo printf '%s|' 'a b' '' \"c'd\" '*'").await, "a b||c'd|*|");
    // What the command leaves of its input is the next one's.
    assert_eq!(node.run_with("sudo head -c 0; cat", b"rest").await.out, "rest");
    if nix::unistd::geteuid().is_root() {
        assert_eq!(node.run("cat /etc/shadow").await.code, Some(1), "the login is not root");
        assert_eq!(node.out("sudo cat /etc/shadow | head -n 1").await, "root:*:19700:0:99999:7:::\n");
        assert_eq!(node.out("sudo -u pi id -un").await, "pi\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_with_a_password() {
    let node = Node::new(&SandboxSpec { sudo_password: Some("let me  in\\".into()), ..spec() }).await;
    let ran = node.run("sudo -n true").await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "sudo: a password is required\n"));
    let ran = node.run_with("sudo -S -p 'pw: ' cat", b"let me  in\\\nthe rest").await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "the rest", "pw: "));
    let ran = node.run_with("sudo -S -p '' cat", b"wrong\nlet me  in\\\nrest").await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "rest", "Sorry, try again.\n"));
    let ran = node.run_with("sudo -S -p '' cat", b"1\n2\n3\nlet me  in\\\n").await;
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.err, "Sorry, try again.\nSorry, try again.\nsudo: 3 incorrect password attempts\n");
    let ran = node.run_with("sudo -S -p '' true", b"").await;
    assert_eq!((ran.code, ran.err.contains("no password was provided")), (Some(1), true));
    let ran = node.run_with("sudo true", b"let me  in\\\n").await;
    assert!(ran.code == Some(1) && ran.err.contains("a terminal is required"), "{}", ran.err);
    assert!(!fs::read_to_string(node.sandbox.root().join("etc/homelab-sandbox.sudo")).unwrap().contains("let me"));
    if nix::unistd::geteuid().is_root() {
        assert_eq!(node.run("cat /etc/homelab-sandbox.sudo").await.code, Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_kernel_is_left_alone() {
    let node = Node::new(&spec()).await;
    let swappiness = fs::read("/proc/sys/vm/swappiness").unwrap();
    let forward = fs::read("/proc/sys/net/ipv4/ip_forward").unwrap();
    let hostname = nix::unistd::gethostname().unwrap();
    let other = if forward == b"1\n" { "0" } else { "1" };
    let _ = node.run("sudo sh -c 'echo 7 > /proc/sys/vm/swappiness; echo h > /proc/sysrq-trigger'").await;
    let ran = node.run(&format!("sudo sh -c 'echo {other} > /proc/sys/net/ipv4/ip_forward'; cat /proc/sys/net/ipv4/ip_forward")).await;
    assert_eq!(ran.out, format!("{other}\n"), "its own network's parameters it can set: {}", ran.err);
    let _ = node.run("sudo hostname changed").await;
    assert_eq!(node.out("hostname").await, "changed\n");
    assert_eq!(fs::read("/proc/sys/vm/swappiness").unwrap(), swappiness);
    assert_eq!(fs::read("/proc/sys/net/ipv4/ip_forward").unwrap(), forward);
    assert_eq!(nix::unistd::gethostname().unwrap(), hostname);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_start_is_a_boot() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::at(dir.path(), &spec()).await;
    let before = node.out("cat /proc/sys/kernel/random/boot_id").await;
    assert_eq!(before, node.out("cat /proc/sys/kernel/random/boot_id").await);
    assert_ne!(before, fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap());
    let set = "sudo sh -c 'echo net.ipv4.ip_forward = 1 > /etc/sysctl.d/a.conf; echo forwarder > /etc/hostname'";
    assert_eq!(node.run(set).await.code, Some(0));
    node.close().await;
    down(dir.path());
    let node = Node::at(dir.path(), &spec()).await;
    assert_ne!(before, node.out("cat /proc/sys/kernel/random/boot_id").await);
    assert_eq!(node.out("cat /proc/sys/net/ipv4/ip_forward; hostname").await, "1\nforwarder\n");
}

/// Waits until the sandbox has gone down, as it does when nobody holds it.
fn down(dir: &std::path::Path) {
    let until = Instant::now() + Duration::from_secs(20);
    while dir.join("power").exists() {
        assert!(Instant::now() < until, "the sandbox stays up though nobody holds it");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sandbox_goes_down_when_its_controllers_are_gone_and_its_work_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let before = Test::new().unwrap().block_on(async {
        let node = Node::at(dir.path(), &spec()).await;
        assert_eq!(node.run("(sleep 1; echo late > ~/late) >/dev/null 2>&1 </dev/null &").await.code, Some(0));
        fs::read_to_string(dir.path().join("power")).unwrap()
    });
    down(dir.path());
    if before.contains("chroot") {
        // Without namespaces nobody knows what runs in it: it goes on by itself.
        std::thread::sleep(Duration::from_secs(2));
    }
    assert_eq!(fs::read_to_string(dir.path().join("root/home/pi/late")).unwrap(), "late\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_meet_in_one_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let one = Node::at(dir.path(), &spec()).await;
    let two = Node::at(dir.path(), &spec()).await;
    assert_eq!(one.out("cat /proc/sys/kernel/random/boot_id").await, two.out("cat /proc/sys/kernel/random/boot_id").await);
    one.close().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(two.out("sudo id -u").await, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_goes_where_it_is_allowed() {
    let near = Node::new(&spec()).await;
    let far = Node::new(&SandboxSpec { name: "far".into(), ..spec() }).await;
    let address = far.server.listen(0).await.unwrap();
    near.server.allow_forward(HashMap::from([
        (("far".to_owned(), 22), Forward::Sandbox(far.server.clone())),
        (("tcp".to_owned(), 22), Forward::Address(address.to_string())),
    ]));
    for host in ["far", "tcp"] {
        let channel = near.session.channel_open_direct_tcpip(host, 22, "127.0.0.1", 1).await.unwrap();
        let key = load_secret_key(far.sandbox.client_key_path(), None).unwrap();
        let session = open(&far.sandbox, channel.into_stream(), "pi", key).await.unwrap();
        let jumped = Node::over(&far, session);
        assert_eq!(jumped.out("hostname").await, "far\n");
    }
    assert!(near.session.channel_open_direct_tcpip("elsewhere", 22, "127.0.0.1", 1).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_makes_a_node() {
    for shell in shells() {
        let node = Node::new(&SandboxSpec { shell: Some(shell), ..spec() }).await;
        assert_eq!(node.out("echo $((6*7))").await, "42\n", "{shell:?}");
        // busybox runs its own `hostname` and no wrapper.
        if shell != Shell::Busybox || !node.bare() {
            assert_eq!(node.out("hostname").await, "pi-1\n", "{shell:?}");
        }
        assert_eq!(node.out("printf x | sha256sum | cut -c1-8; stat -c %a /tmp; sudo id -u").await, "2d711642\n1777\n0\n", "{shell:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_can_be_made() {
    if !nix::unistd::geteuid().is_root() || !std::path::Path::new("/usr/sbin/useradd").exists() {
        return untested::untested("it takes root and shadow's tools");
    }
    let node = Node::new(&spec()).await;
    let made = node.run("sudo groupadd -g 2000 crew && sudo useradd -m -u 2001 -g crew -s /bin/sh kid && echo 'kid:secret' | sudo chpasswd && id kid && stat -c %U:%G /home/kid && sudo -u kid id -un && sudo su kid -c id\\ -u").await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(made.out, "uid=2001(kid) gid=2000(crew) groups=2000(crew)\nkid:crew\nkid\n2001\n");
    let ran = node.run("sudo -u kid sudo -n id").await;
    assert_eq!(ran.code, Some(1));
    if !node.bare() {
        assert_eq!(ran.err, "kid is not in the sudoers file.\n");
    }
    assert_eq!(node.run("sudo userdel -r kid; id kid").await.code, Some(1));
}

#[test]
fn it_is_small_and_quick_and_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let sandbox = Sandbox::prepare(dir.path(), &spec()).unwrap();
    let took = start.elapsed();
    let size = bytes(&sandbox.root());
    eprintln!("made in {took:?}, {} KiB", size >> 10);
    assert!(size < 60 << 20, "{size} bytes");
    let tool = sandbox.root().join("usr/bin/cat");
    let made = fs::metadata(&tool).unwrap().modified().unwrap();
    Sandbox::prepare(dir.path(), &spec()).unwrap();
    assert_eq!(fs::metadata(&tool).unwrap().modified().unwrap(), made);
    // Another version's tools are replaced, and nothing else.
    fs::write(sandbox.root().join("etc/hosts"), "mine").unwrap();
    fs::write(dir.path().join("tools"), "0.0.0 0 default\nusr/bin/old\n").unwrap();
    fs::write(sandbox.root().join("usr/bin/old"), "").unwrap();
    Sandbox::prepare(dir.path(), &spec()).unwrap();
    assert_ne!(fs::metadata(&tool).unwrap().modified().unwrap(), made);
    assert!(!sandbox.root().join("usr/bin/old").exists());
    assert_eq!(fs::read_to_string(sandbox.root().join("etc/hosts")).unwrap(), "mine");
}

fn bytes(dir: &std::path::Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| {
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() { bytes(&entry.path()) } else { meta.len() }
        })
        .sum()
}

#[test]
fn what_cannot_be_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let bad = Sandbox::prepare(dir.path(), &SandboxSpec { user: "a:b".into(), ..spec() }).unwrap_err();
    assert_eq!(bad.message, "`a:b` cannot be a login name in a sandbox");
    let bad = Sandbox::prepare(dir.path(), &SandboxSpec { name: "a/b".into(), ..spec() }).unwrap_err();
    assert!(bad.hint.is_some());
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let bad = Sandbox::prepare(&file.join("x"), &spec()).unwrap_err();
    assert!(bad.message.starts_with("sandbox: cannot make"), "{}", bad.message);
    let sandbox = Sandbox::prepare(dir.path(), &spec()).unwrap();
    let bad = Server::start(&sandbox, Some(std::path::Path::new("/bin/false"))).unwrap_err();
    assert!(bad.message.starts_with("a sandbox cannot be entered on this machine"), "{}", bad.message);
    let out = std::process::Command::new(binary()).args(["__sandbox-enter", "nonsense"]).output().unwrap();
    assert_eq!(out.status.code(), Some(255));
}
