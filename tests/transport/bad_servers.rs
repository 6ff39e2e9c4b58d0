//! What answers wrongly, or not at all.

use crate::sshd::{Sshd, free_port, once, pool, text};
use homelab::lang::Kind;
use homelab::transport::Target;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn target(port: u16) -> Target {
    let mut target = Target::new("pi", "127.0.0.1", "pi");
    (target.port, target.agent, target.connect_timeout) = (port, false, Duration::from_millis(400));
    target
}

async fn said(target: &Target) -> String {
    let dir = tempfile::tempdir().unwrap();
    let diagnostic = once(&pool(&dir.path().join("known_hosts")), target, "echo done").await.unwrap_err();
    assert_eq!(diagnostic.kind, Kind::Unreachable, "{}", text(&diagnostic));
    assert!(diagnostic.hint.is_some());
    text(&diagnostic)
}

/// A server that says `words`, reads, and hangs up or does not.
async fn server(words: &'static [u8], hang_up: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(words).await;
                let mut buffer = [0; 4096];
                while !hang_up && stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    port
}

#[tokio::test]
async fn closed_ports_unknown_names_and_silence() {
    let closed = said(&target(free_port())).await;
    assert!(closed.contains("connection refused") && closed.contains("is sshd running"), "{closed}");
    let mut nowhere = target(22);
    nowhere.address = "no-such-host.invalid".into();
    nowhere.connect_timeout = Duration::from_secs(20);
    let nowhere = said(&nowhere).await;
    assert!(nowhere.contains("no address found for `no-such-host.invalid`"), "{nowhere}");
    let silent = said(&target(server(b"", false).await)).await;
    assert!(silent.contains("no answer within 0.4 s (the key exchange)"), "{silent}");
    let stuck = said(&target(server(b"SSH-2.0-stuck\r\n", false).await)).await;
    assert!(stuck.contains("no answer within 0.4 s"), "{stuck}");
    let rude = said(&target(server(b"", true).await)).await;
    assert!(rude.contains("the key exchange failed: the connection was"), "{rude}");
    let web = said(&target(server(&[b'x'; 9000], true).await)).await;
    assert!(web.contains("does not speak SSH"), "{web}");
}

#[tokio::test]
async fn garbage_instead_of_a_key_exchange() {
    for words in [&b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14aaaaaaaaaaaaaaaaaaaaaa"[..], b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", b"SSH-1.5-old\r\n"] {
        let mut target = target(server(words, true).await);
        target.connect_timeout = Duration::from_secs(10);
        said(&target).await;
    }
}

#[tokio::test]
async fn lines_before_the_identification_are_passed_over() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    let mut target = sshd.target("pi", &known);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let real = sshd.port;
    target.host_key_alias = Some(target.known_as());
    target.port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        near.write_all(b"Welcome to the pi\r\nit is yours\r\n").await.unwrap();
        let mut far = tokio::net::TcpStream::connect(("127.0.0.1", real)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    assert_eq!(once(&pool(&known), &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}

#[tokio::test]
async fn a_line_that_goes_dead_in_the_middle_is_noticed() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    let mut target = sshd.target("pi", &known);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let real = sshd.port;
    target.host_key_alias = Some(target.known_as());
    target.port = listener.local_addr().unwrap().port();
    target.keepalive = Some(Duration::from_millis(200));
    let (freeze, mut frozen) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(("127.0.0.1", real)).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = &mut frozen => tokio::time::sleep(Duration::from_secs(100)).await,
        }
    });
    let mut session = pool(&known).open_program(&target, &crate::sshd::program("echo done; sleep 100", "")).await.unwrap();
    crate::sshd::ask(&mut session, "").await.unwrap();
    freeze.send(()).unwrap();
    let lost = crate::sshd::ask(&mut session, "").await.unwrap_err();
    assert_eq!(lost.why, "the host no longer answers");
}

#[tokio::test]
async fn a_handshake_given_up_leaves_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-stuck\r\n").await.unwrap();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    said(&target).await;
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("the stream was closed").unwrap();
}
