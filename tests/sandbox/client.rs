//! A small SSH client of the tests' own, and the making of sandboxes.

use homelab::transport::sandbox::{Sandbox, SandboxSpec, Server, Shell};
use russh::client::{self, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelMsg, Disconnect};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};

pub struct Pinned(pub String);

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        Ok(key.fingerprint(HashAlg::Sha256).to_string() == self.0)
    }
}

pub struct Ran {
    pub out: String,
    pub err: String,
    pub code: Option<u32>,
    pub signal: Option<String>,
}

pub struct Node {
    pub sandbox: Sandbox,
    pub server: Server,
    pub session: Handle<Pinned>,
    _dir: Option<tempfile::TempDir>,
}

pub fn spec() -> SandboxSpec {
    SandboxSpec { name: "pi-1".into(), user: "pi".into(), sudo_password: None, shell: None }
}

/// homelab's own binary; `ways` has a copy where everybody may read it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("SANDBOX_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_homelab").into(), PathBuf::from))
}

pub async fn open<S>(sandbox: &Sandbox, stream: S, user: &str, key: PrivateKey) -> Result<Handle<Pinned>, russh::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut session = client::connect_stream(Arc::new(client::Config::default()), stream, Pinned(sandbox.pin())).await?;
    let answer = session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await?;
    if answer.success() { Ok(session) } else { Err(russh::Error::NotAuthenticated) }
}

impl Node {
    pub async fn new(spec: &SandboxSpec) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Node::at(dir.path(), spec).await;
        node._dir = Some(dir);
        node
    }

    pub async fn at(dir: &Path, spec: &SandboxSpec) -> Node {
        let sandbox = Sandbox::prepare(dir, spec).unwrap();
        let server = Server::start(&sandbox, Some(binary())).unwrap();
        let key = load_secret_key(sandbox.client_key_path(), None).unwrap();
        let session = open(&sandbox, server.connect(), &spec.user, key).await.unwrap();
        Node { sandbox, server, session, _dir: None }
    }

    /// Whether there are no namespaces, so that some things of the machine shine through.
    pub fn bare(&self) -> bool {
        std::fs::read_to_string(self.sandbox.dir().join("power")).unwrap().contains("chroot")
    }

    /// The same node by way of another session.
    pub fn over(node: &Node, session: Handle<Pinned>) -> Node {
        Node { sandbox: node.sandbox.clone(), server: node.server.clone(), session, _dir: None }
    }

    pub async fn run(&self, command: &str) -> Ran {
        self.run_with(command, b"").await
    }

    pub async fn run_with(&self, command: &str, stdin: &[u8]) -> Ran {
        let channel = self.session.channel_open_session().await.unwrap();
        channel.exec(true, command).await.unwrap();
        let (mut read, write) = channel.split();
        let stdin = stdin.to_vec();
        let feed = tokio::spawn(async move {
            let _ = write.data(&stdin[..]).await;
            let _ = write.eof().await;
        });
        let mut ran = Ran { out: String::new(), err: String::new(), code: None, signal: None };
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => ran.out += &String::from_utf8_lossy(&data),
                ChannelMsg::ExtendedData { data, .. } => ran.err += &String::from_utf8_lossy(&data),
                ChannelMsg::ExitStatus { exit_status } => ran.code = Some(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => ran.signal = Some(format!("{signal_name:?}")),
                _ => {}
            }
        }
        feed.abort();
        ran
    }

    /// What a command that must succeed in silence printed.
    pub async fn out(&self, command: &str) -> String {
        let ran = self.run(command).await;
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command}");
        ran.out
    }

    pub async fn close(self) {
        let _ = self.session.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

pub fn shells() -> Vec<Shell> {
    [Shell::Dash, Shell::Bash, Shell::Busybox].into_iter().filter(|shell| Path::new("/usr/bin").join(shell.name()).exists()).collect()
}
