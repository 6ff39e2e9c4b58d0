//! A server of our own that does what no sshd does.

use crate::sshd::{keygen, pool, text};
use homelab::transport::Target;
use russh::keys::PublicKey;
use russh::server::{self, Auth, Msg, Session};
use russh::{Channel, ChannelId, Error};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Lets everyone in, answers `done` to any exec, and tries to open channels towards the client.
struct Hostile(mpsc::UnboundedSender<(&'static str, bool)>);

impl server::Handler for Hostile {
    type Error = Error;

    async fn auth_publickey(&mut self, _: &str, _: server::VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(&mut self, _: Channel<Msg>, reply: server::ChannelOpenHandle, _: &mut Session) -> Result<(), Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Error> {
        let (handle, results) = (session.handle(), self.0.clone());
        tokio::spawn(async move {
            let _ = results.send(("forwarded-tcpip", handle.channel_open_forwarded_tcpip("localhost", 22, "localhost", 1).await.is_ok()));
            let _ = results.send(("forwarded-streamlocal", handle.channel_open_forwarded_streamlocal("/x").await.is_ok()));
            let _ = results.send(("agent", handle.channel_open_agent().await.is_ok()));
            let _ = results.send(("session", handle.channel_open_session().await.is_ok()));
            let _ = results.send(("direct-tcpip", handle.channel_open_direct_tcpip("localhost", 22, "localhost", 1).await.is_ok()));
            let _ = results.send(("direct-streamlocal", handle.channel_open_direct_streamlocal("/x").await.is_ok()));
            let _ = results.send(("x11", handle.channel_open_x11("localhost", 1).await.is_ok()));
            let _ = handle.data(channel, "done\n".as_bytes().to_vec()).await;
        });
        Ok(())
    }
}

#[tokio::test]
async fn nothing_that_a_server_opens_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let host = russh::keys::load_secret_key(keygen(dir.path(), "host", &["-t", "ed25519"]), None).unwrap();
    let mut target = Target::new("pi", "nowhere.invalid", "pi");
    target.keys = vec![keygen(dir.path(), "key", &["-t", "ed25519"])];
    target.pins = vec![PublicKey::to_openssh(host.public_key()).unwrap()];
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (sender, mut results) = mpsc::unbounded_channel();
    let config = Arc::new(server::Config { keys: vec![host], ..server::Config::default() });
    tokio::spawn(async move {
        if let Ok(running) = server::run_stream(config, far, Hostile(sender)).await {
            let _ = running.await;
        }
    });
    let connection = pool(&dir.path().join("known_hosts")).connect_stream(&target, near).await.map_err(|d| text(&d)).unwrap();
    let mut session = homelab::transport::Session::start(&target, connection, &crate::sshd::program("true", "")).await.map_err(|d| text(&d)).unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), crate::sshd::ask(&mut session, "")).await.unwrap().unwrap(), "done\n");
    for _ in 0..7 {
        let (kind, accepted) = results.recv().await.unwrap();
        assert!(!accepted, "{kind}");
    }
}
