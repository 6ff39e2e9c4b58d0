use crate::sshd::{Sshd, keygen, once, pool, text};
use homelab::transport::known_hosts;

#[tokio::test]
async fn two_jumps_each_with_its_own_key_and_host_key() {
    let (Some(outer), Some(inner), Some(node)) = (Sshd::start(""), Sshd::start(""), Sshd::start("")) else { return };
    let known = outer.path("known_hosts");
    let mut target = node.target("node", &known);
    target.jumps = vec![outer.target("outer", &known), inner.target("inner", &known)];
    let pool_ = pool(&known);
    let said = once(&pool_, &target, "echo $SSH_CONNECTION; echo done").await.map_err(|d| text(&d)).unwrap();
    assert!(said.contains(&format!("127.0.0.1 {}", node.port)), "{said}");
    for sshd in [&outer, &inner, &node] {
        assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
    }
    let spent = pool_.cost().spent();
    assert_eq!((spent.connections, spent.channels), (3, 1));

    // A changed key on any hop stops it, with both fingerprints, and nothing behind it is logged in to.
    for (hop, sshd) in [(0, &outer), (1, &inner), (2, &node)] {
        let changed = outer.path(&format!("changed{hop}"));
        std::fs::copy(&known, &changed).unwrap();
        keygen(outer.dir.path(), &format!("other{hop}"), &["-t", "ed25519"]);
        let other = homelab::transport::keys::public(&outer.path(&format!("other{hop}.pub"))).unwrap();
        known_hosts::record(&changed, &format!("[127.0.0.1]:{}", sshd.port), &other, true).unwrap();
        let before = sshd.log().matches("Accepted publickey").count();
        let said = text(&once(&pool(&changed), &target, "echo done").await.unwrap_err());
        assert!(said.contains("has changed") && said.contains(&sshd.fingerprint("host_ed25519")) && said.contains(&outer.fingerprint(&format!("other{hop}"))), "{said}");
        assert!(said.starts_with("Refused: node"), "{said}");
        assert_eq!(sshd.log().matches("Accepted publickey").count(), before);
    }
}

#[tokio::test]
async fn many_hosts_share_one_jump_connection() {
    let (Some(jump), Some(node)) = (Sshd::start(""), Sshd::start("")) else { return };
    let known = jump.path("known_hosts");
    let mut target = node.target("node", &known);
    target.jumps = vec![jump.target("jump", &known)];
    let pool = pool(&known);
    let hosts: Vec<_> = (0..12).map(|_| { let (pool, target) = (pool.clone(), target.clone()); tokio::spawn(async move { once(&pool, &target, "echo done").await }) }).collect();
    for host in hosts {
        assert_eq!(host.await.unwrap().map_err(|d| text(&d)).unwrap(), "done\n");
    }
    assert_eq!(jump.log().matches("Accepted publickey").count(), 1);
    assert_eq!(pool.cost().spent().connections, 13);
}

#[tokio::test]
async fn what_fails_behind_a_jump_says_so() {
    let (Some(jump), Some(closed)) = (Sshd::start(""), Sshd::start("AllowTcpForwarding no")) else { return };
    let known = jump.path("known_hosts");
    let mut target = closed.target("node", &known);
    target.port = crate::sshd::free_port();
    target.jumps = vec![jump.target("jump", &known)];
    let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
    assert!(said.starts_with("Unreachable: node") && said.contains("the jump host jump cannot connect"), "{said}");

    target.jumps = vec![closed.target("closed", &known)];
    let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
    assert!(said.contains("AllowTcpForwarding"), "{said}");

    // A dead jump host: the hosts behind it wait for one failure together.
    target.jumps[0].port = crate::sshd::free_port();
    let pool = pool(&known);
    let (a, b) = tokio::join!(once(&pool, &target, "echo done"), once(&pool, &target, "echo done"));
    let said = text(&a.unwrap_err());
    assert!(said.contains("node: its jump host closed") && said.contains("refused"), "{said}");
    assert!(b.is_err());
    assert_eq!(pool.cost().spent().connections, 1);
}

#[tokio::test]
async fn a_jump_host_that_went_away_is_connected_to_anew() {
    let (Some(jump), Some(node)) = (Sshd::start(""), Sshd::start("")) else { return };
    let known = jump.path("known_hosts");
    let mut target = node.target("node", &known);
    target.jumps = vec![jump.target("jump", &known)];
    let pool = pool(&known);
    once(&pool, &target, "echo done").await.map_err(|d| text(&d)).unwrap();
    // Its connection's process on the jump host is ended from the node behind it: all share this machine.
    let to = format!("[127.0.0.1]:{}", jump.port);
    let pids = crate::sshd::run("sh", &["-c", &format!("for p in /proc/[0-9]*; do grep -qs '^PPid:.{}$' $p/status && echo ${{p#/proc/}}; done; true", jump.pid())]);
    for pid in pids.split_whitespace() {
        crate::sshd::run("kill", &[pid]);
    }
    let mut said = String::new();
    for _ in 0..50 {
        match once(&pool, &target, "echo done").await {
            Ok(_) if jump.log().matches("Accepted publickey").count() == 2 => return,
            Ok(_) => {}
            Err(diagnostic) => said = text(&diagnostic),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{to}: {said}{}", jump.log());
}

#[tokio::test]
async fn a_node_that_floods_harms_itself_only() {
    let (Some(jump), Some(node)) = (Sshd::start(""), Sshd::start("")) else { return };
    let known = jump.path("known_hosts");
    let mut target = node.target("node", &known);
    target.jumps = vec![jump.target("jump", &known)];
    let pool = pool(&known);
    let mut flood = pool.open_program(&target, &crate::sshd::program("echo done; read x; yes", "")).await.map_err(|d| text(&d)).unwrap();
    crate::sshd::ask(&mut flood, "").await.unwrap();
    // Answered by the first of the flood.
    let go = homelab::transport::Part::Bytes("\n".into());
    flood.exchange([go], std::time::Duration::from_secs(20), |_| Ok(Some(()))).await.unwrap();
    // It now sends without end, and nobody reads. Another host behind the same jump host notices nothing.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let other = tokio::time::timeout(std::time::Duration::from_secs(20), once(&pool, &target, "echo done")).await;
    assert_eq!(other.expect("not held up").map_err(|d| text(&d)).unwrap(), "done\n");
    while flood.connection().is_open() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let lost = crate::sshd::ask(&mut flood, "").await.unwrap_err();
    assert_eq!(lost.why, "the node sent more than it was asked for");
}
