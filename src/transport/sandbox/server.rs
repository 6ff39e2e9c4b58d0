//! The embedded SSH server of one sandbox: one login with one key, commands only.

use super::forward::{Forward, Forwards, pass};
use super::power::Power;
use super::{Sandbox, keys, relay, session};
use crate::lang::diagnostic::Diagnostic;
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;

/// Serves one sandbox, which stays up while this (or a clone of it) lives.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    power: Arc<Power>,
    config: Arc<Config>,
    user: String,
    root: PathBuf,
    forwards: Mutex<Forwards>,
}

impl Server {
    /// Brings the sandbox up and is ready to serve. `binary` is homelab's; `None` means the one that is running.
    pub fn start(sandbox: &Sandbox, binary: Option<&Path>) -> Result<Server, Diagnostic> {
        // The kernel's own name for it holds even when the file has been replaced meanwhile.
        let power = Power::on(sandbox, binary.unwrap_or(Path::new("/proc/self/exe")))?;
        let config = Config {
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            // There is nobody to slow down.
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![sandbox.host_key.clone()],
            channel_buffer_size: 16,
            inactivity_timeout: None,
            nodelay: true,
            ..Config::default()
        };
        let shared = Shared {
            power: Arc::new(power),
            config: Arc::new(config),
            user: sandbox.user.clone(),
            root: sandbox.root(),
            forwards: Mutex::default(),
        };
        Ok(Server { shared: Arc::new(shared) })
    }

    /// Lets it be a jump host to these and nothing else; replaces what was allowed before.
    pub fn allow_forward(&self, forwards: Forwards) {
        *self.shared.forwards.lock().unwrap_or_else(|e| e.into_inner()) = forwards;
    }

    /// A new connection to it, without a port. Must be called within a tokio runtime.
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(256 * 1024);
        let server = self.clone();
        tokio::spawn(async move { server.serve(far).await });
        near
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        // A machine is up whether or not it lets anybody in; this one may just have rebooted. What is wrong, the login says.
        let power = self.shared.power.clone();
        let _ = tokio::task::spawn_blocking(move || power.wake()).await;
        let connection = Connection { server: self.clone(), channels: HashMap::new() };
        // A client that breaks off is an error to russh and none to a server.
        if let Ok(running) = run_stream(self.shared.config.clone(), relay::unblocked(stream), connection).await {
            let _ = running.await;
        }
    }

    /// Listens on 127.0.0.1 at `port` (0 takes a free one) for as long as the runtime lives; answers the address.
    pub async fn listen(&self, port: u16) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let server = server.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        Ok(address)
    }

    fn forward(&self, host: &str, port: u32) -> Option<Forward> {
        let key = (host.to_owned(), u16::try_from(port).ok()?);
        self.shared.forwards.lock().unwrap_or_else(|e| e.into_inner()).get(&key).cloned()
    }
}

/// One client's connection.
struct Connection {
    server: Server,
    /// Open, but nothing asked for yet.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    fn accepts(&self, user: &str, key: &PublicKey) -> Auth {
        let shared = &self.server.shared;
        if user == shared.user && keys::authorized(&shared.root, user).iter().any(|known| known.key_data() == key.key_data()) {
            Auth::Accept
        } else {
            Auth::reject()
        }
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: russh::server::PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.accepts(user, offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.accepts(user, key.public_key))
    }

    async fn channel_open_session(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.server.forward(host, port) {
            Some(to) => {
                reply.accept().await;
                tokio::spawn(pass(channel, to));
            }
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        tokio::spawn(session::run(channel, session.handle(), self.server.shared.power.clone(), command.to_vec()));
        Ok(())
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }
}
