//! The runtime over real SSH.

use crate::sshd::{Sshd, pool, text};
use homelab::lang::Diagnostic;
use homelab::node::Costly;
use homelab::node::frame::Frame;
use homelab::node::program::{look, read_look};
use homelab::transport::{Pool, Talk, Target};
use std::time::Duration;

/// Opens and asks for facts; the frames, and the session for more.
pub async fn facts(pool: &Pool, target: &Target) -> Result<(Vec<Frame>, Talk), Diagnostic> {
    let mut talk = pool.open(target).await?;
    let seq = talk.next_seq();
    let frames = talk.call(&[look(seq, &[], Some(Costly::ALL), false)], Duration::from_secs(20), |_| {}).await.map_err(|lost| lost.diagnostic(target))?;
    Ok((frames, talk))
}

#[tokio::test]
async fn looking_is_one_channel_and_one_turn() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let (frames, mut talk) = facts(&pool, &target).await.map_err(|d| text(&d)).unwrap();
    let seen = read_look(&frames, &[]).unwrap();
    assert!(!seen.facts.expect("facts were asked for").kernel.is_empty());
    let spent = pool.cost().spent();
    assert_eq!((spent.connections, spent.channels, spent.round_trips), (1, 1, 8));

    let seq = talk.next_seq();
    let mut live = 0;
    let again = talk.call(&[look(seq, &[], Some(Costly::ALL), false)], Duration::from_secs(20), |_| live += 1).await.unwrap();
    assert_eq!(live, again.len());
    assert_eq!(pool.cost().spent().round_trips, 9);
    talk.close().await;
}

#[tokio::test]
async fn a_login_that_prints_is_not_in_the_way() {
    let command = "ForceCommand echo Welcome; echo '@0 end 0 0 0'; eval \"$SSH_ORIGINAL_COMMAND\"";
    let Some(sshd) = Sshd::start(command) else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    facts(&pool(&sshd.path("known_hosts")), &target).await.map_err(|d| text(&d)).unwrap();
}

#[tokio::test]
async fn a_login_without_a_shell_says_why() {
    let Some(sshd) = Sshd::start("ForceCommand echo This account is currently not available.; exit 1") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let said = text(&facts(&pool(&sshd.path("known_hosts")), &target).await.unwrap_err());
    assert!(said.starts_with("Refused") && said.contains("no shell answers") && said.contains("it said: This account is currently not available."), "{said}");
}

#[tokio::test]
async fn a_runtime_that_is_killed_in_the_middle_is_a_lost_session() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let (_, mut talk) = facts(&pool(&sshd.path("known_hosts")), &target).await.map_err(|d| text(&d)).unwrap();
    let part = homelab::transport::Part::Bytes("nonsense\n".into());
    let lost = talk.send([part], 2, Duration::from_secs(20), |_| {}).await.unwrap_err();
    assert!(!lost.early);
    assert!(text(&lost.diagnostic(&target)).contains("the program on the node ended"), "{lost:?}");
}

#[tokio::test]
async fn any_stream_that_leads_to_a_server_will_do() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    // A small pipe, so that both sides have to wait for each other.
    let (near, mut far) = tokio::io::duplex(1024);
    let port = sshd.port;
    tokio::spawn(async move {
        let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut far, &mut tcp).await;
    });
    let mut talk = pool.open_stream(&target, near).await.map_err(|d| text(&d)).unwrap();
    let seq = talk.next_seq();
    let frames = talk.call(&[look(seq, &[], Some(Costly::ALL), false)], Duration::from_secs(20), |_| {}).await.unwrap();
    assert!(read_look(&frames, &[]).unwrap().facts.is_some());
    assert!(pool.cost().spent().bytes_down > 1000);
}

#[tokio::test]
async fn twenty_nodes_at_once() {
    let Some(sshd) = Sshd::start("") else { return };
    let target = sshd.target("pi", &sshd.path("known_hosts"));
    let pool = pool(&sshd.path("known_hosts"));
    let all: Vec<_> = (0..20).map(|_| { let (pool, target) = (pool.clone(), target.clone()); tokio::spawn(async move { facts(&pool, &target).await.map(|_| ()) }) }).collect();
    for one in all {
        one.await.unwrap().map_err(|d| text(&d)).unwrap();
    }
    assert_eq!(pool.cost().spent().channels, 20);
}

#[tokio::test]
async fn a_route_stands_in_for_tcp_for_a_node_and_for_a_jump_host() {
    let (Some(jump), Some(node)) = (Sshd::start(""), Sshd::start("")) else { return };
    let known = jump.path("known_hosts");
    let (mut first, mut target) = (jump.target("jump", &known), node.target("node", &known));
    (first.host_key_alias, first.address) = (Some(first.known_as()), "sandbox".into());
    let pool = pool(&known);
    let port = jump.port;
    pool.route(first.endpoint(), move || {
        let (near, mut far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut far, &mut tcp).await;
        });
        near
    });
    facts(&pool, &first).await.map_err(|d| text(&d)).unwrap();
    target.jumps = vec![first];
    facts(&pool, &target).await.map_err(|d| text(&d)).unwrap();
}
