//! One SSH connection: the TCP connection or the channel below it, the key exchange, the host key, the login.

use super::hostkey::{HostKey, Known, refused, unreachable};
use super::keys::KeyRing;
use super::session::failed;
use super::verifier::{Broken, Line, Verifier, plain};
use super::wire::{Duplex, Scissors, Wire};
use super::{Cost, KnownHosts, Target, auth};
use crate::lang::Diagnostic;
use nix::errno::Errno;
use russh::client::{self, Handle};
use russh::{ChannelOpenFailure, Disconnect, Preferred};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes a node may send before they are read. Small, so that many nodes at once stay small.
const WINDOW: u32 = 512 * 1024;

/// What every connection of a run shares.
pub(super) struct Context {
    pub(super) known: KnownHosts,
    pub(super) ring: KeyRing,
    pub(super) cost: Cost,
    pub(super) agent: Option<PathBuf>,
    pub(super) home: Option<PathBuf>,
    /// By endpoint: what stands in for a TCP connection to it.
    pub(super) routes: Mutex<HashMap<String, Route>>,
}

/// Makes a stream to an SSH server.
pub(super) type Route = Arc<dyn Fn() -> Box<dyn Duplex> + Send + Sync>;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("known", &self.known).field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Context {
    /// The stream to `target` itself.
    async fn dial(&self, target: &Target, until: Instant) -> Result<Box<dyn Duplex>, Diagnostic> {
        let route = self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(&target.endpoint()).cloned();
        match route {
            Some(route) => Ok(route()),
            None => Ok(Box::new(tcp(target, until, &self.cost).await?)),
        }
    }
}

/// An open, logged-in connection. It ends when the last clone of its `Arc` does.
pub struct Connection {
    /// Of the target, for errors of what goes through it.
    name: String,
    handle: Handle<Verifier>,
    line: Arc<Line>,
    cost: Cost,
    /// Closed after this connection, not before.
    _through: Option<Arc<Connection>>,
    scissors: Mutex<Option<Scissors>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("open", &self.is_open()).finish()
    }
}

impl Connection {
    /// Connects to `target`, through `through` where it is behind a jump host, and logs in.
    pub(super) async fn open(target: &Target, context: &Context, through: Option<Arc<Connection>>) -> Result<Arc<Self>, Diagnostic> {
        let until = Instant::now() + target.connect_timeout;
        context.cost.connection();
        match &through {
            None => {
                let stream = context.dial(target, until).await?;
                Self::over(target, context, stream, Some(context.cost.clone()), None, until).await
            }
            Some(jump) => {
                let stream = jump.forward(target, until).await?;
                Self::over(target, context, stream, None, through.clone(), until).await
            }
        }
    }

    /// Logs in over a stream that is already there.
    pub(super) async fn over(
        target: &Target,
        context: &Context,
        stream: impl Duplex,
        cost: Option<Cost>,
        through: Option<Arc<Connection>>,
        until: Instant,
    ) -> Result<Arc<Self>, Diagnostic> {
        let line = Arc::new(Line::default());
        let known = Known::of(target, &context.known)?;
        let config = config(target, &known);
        let (wire, scissors) = Wire::new(stream, cost);
        let verifier = Verifier { target: target.clone(), known, line: line.clone(), learn: None };
        let begun = within(target, until, "the key exchange", client::connect_stream(config, wire, verifier)).await?;
        let mut handle = begun.map_err(|broken| not_begun(target, broken))?;
        context.cost.turns(2);
        let start = Instant::now();
        let mut end = start + until.saturating_duration_since(start).max(Duration::from_secs(1));
        {
            let login = auth::login(&mut handle, target, context, &line);
            tokio::pin!(login);
            loop {
                tokio::select! {
                    result = &mut login => break result?,
                    () = sleep_until(end) => {
                        // A person who types a passphrase is not a host that does not answer.
                        match context.ring.attended().map(|at| Instant::from_std(at) + target.connect_timeout) {
                            Some(later) if later > Instant::now() => end = later,
                            _ => return Err(too_slow(target, "the login")),
                        }
                    }
                }
            }
        }
        Ok(Arc::new(Connection { name: target.name.clone(), handle, line, cost: context.cost.clone(), _through: through, scissors: Mutex::new(Some(scissors)) }))
    }

    /// Takes the host's key without checking it and without logging in.
    pub(super) async fn learn(target: &Target, context: &Context, through: Option<Arc<Connection>>) -> Result<HostKey, Diagnostic> {
        let until = Instant::now() + target.connect_timeout;
        let learned = Arc::new(Mutex::new(None));
        let known = Known::of(target, &context.known)?;
        let config = config(target, &known);
        let verifier = Verifier { target: target.clone(), known, line: Arc::default(), learn: Some(learned.clone()) };
        context.cost.connection();
        let (wire, _scissors) = match &through {
            None => Wire::new(context.dial(target, until).await?, Some(context.cost.clone())),
            Some(jump) => Wire::new(jump.forward(target, until).await?, None),
        };
        let begun = within(target, until, "the key exchange", client::connect_stream(config, wire, verifier)).await?;
        context.cost.turns(2);
        let key = learned.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (key, begun) {
            (Some(key), _) => Ok(key),
            (None, Err(broken)) => Err(not_begun(target, broken)),
            (None, Ok(_)) => Err(refused(target, "the server showed no host key")),
        }
    }

    /// Whether it still stands, as far as is known here.
    pub fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// A TCP connection to `target` that the other end opens.
    async fn forward(&self, target: &Target, until: Instant) -> Result<impl Duplex + use<>, Diagnostic> {
        let open = self.handle.channel_open_direct_tcpip(&target.address, u32::from(target.port), "127.0.0.1", 0);
        self.cost.turns(1);
        match within(target, until, "the jump host", open).await? {
            Ok(channel) => Ok(channel.into_stream()),
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)) => {
                Err(refused(target, format!("the jump host {} does not forward connections", self.name))
                    .hint(format!("set `AllowTcpForwarding yes` in the sshd_config of {}", self.name)))
            }
            Err(russh::Error::ChannelOpenFailure(_)) => Err(unreachable(target, format!("the jump host {} cannot connect to it", self.name))
                .hint(format!("is it on, and does {} know the address? (`address:` is resolved there, not here)", self.name))),
            Err(error) => Err(unreachable(
                target,
                format!("the jump host {} was lost: {}", self.name, self.line.why().unwrap_or_else(|| plain(&error))),
            )
            .hint("is it still on?")),
        }
    }

    /// An exec channel that runs `command`. Nothing is waited for but the channel itself.
    pub(super) async fn exec(&self, command: &str) -> Result<russh::Channel<client::Msg>, russh::Error> {
        self.cost.channel();
        self.cost.turns(1);
        let channel = self.handle.channel_open_session().await?;
        // Where the server takes it, what sudo and others say is in a language that is recognised.
        channel.set_env(false, "LC_ALL", "C").await?;
        channel.exec(false, command).await?;
        Ok(channel)
    }

    /// Says goodbye. What is dropped without it is cut, which a server takes as well.
    pub(super) async fn goodbye(&self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "").await;
    }

    /// Ends it at once, with everything that runs over it.
    pub(super) fn cut(&self) {
        self.scissors.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn cost(&self) -> &Cost {
        &self.cost
    }

    pub(super) fn why(&self) -> Option<String> {
        self.line.why()
    }
}

fn config(target: &Target, known: &Known) -> Arc<client::Config> {
    Arc::new(client::Config {
        window_size: WINDOW,
        keepalive_interval: target.keepalive,
        keepalive_max: 3,
        nodelay: true,
        preferred: Preferred { key: Cow::Owned(known.algorithms()), ..Preferred::DEFAULT },
        ..client::Config::default()
    })
}

/// Connects to the first address that answers. Each gets an equal share of the time that is left, so that a dead IPv6
/// route does not use it all.
async fn tcp(target: &Target, until: Instant, cost: &Cost) -> Result<TcpStream, Diagnostic> {
    let lookup = tokio::net::lookup_host((target.address.as_str(), target.port));
    let hint = "check `address:` of the host; a name needs a DNS record, an entry in /etc/hosts, or mDNS on this machine";
    let addresses: Vec<_> = match within(target, until, "the name lookup", lookup).await? {
        Ok(found) => found.collect(),
        Err(error) if is_full(&error) => return Err(full(target)),
        Err(error) => return Err(unreachable(target, format!("no address found for `{}`: {}", target.address, tidy(&error))).hint(hint)),
    };
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        let share = until.saturating_duration_since(Instant::now()) / (addresses.len() - index) as u32;
        cost.turns(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
    }
    Err(match last {
        None if addresses.is_empty() => unreachable(target, format!("no address found for `{}`", target.address)).hint(hint),
        None => too_slow(target, "the connection"),
        Some(error) if is_full(&error) => full(target),
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => unreachable(target, "connection refused")
            .hint(format!("the machine is there, but nothing listens on port {}: is sshd running, and is `port:` right?", target.port)),
        Some(error) => unreachable(target, format!("cannot connect: {}", tidy(&error))).hint("is the machine on, and on a network that this one can reach?"),
    })
}

/// Whether there is no room for one more open file. (A name lookup says it only in words.)
fn is_full(error: &io::Error) -> bool {
    let full = |errno: Errno| error.raw_os_error() == Some(errno as i32);
    full(Errno::EMFILE) || full(Errno::ENFILE) || error.to_string().contains("Too many open files")
}

fn full(target: &Target) -> Diagnostic {
    failed(target, "too many files are open on this machine").hint("speak to fewer nodes at a time (`--forks`), or allow more: `ulimit -n`")
}

fn tidy(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => error.kind().to_string(),
        None => error.to_string(),
    }
}

async fn within<T>(target: &Target, until: Instant, what: &str, work: impl Future<Output = T>) -> Result<T, Diagnostic> {
    tokio::time::timeout_at(until, work).await.map_err(|_| too_slow(target, what))
}

fn too_slow(target: &Target, what: &str) -> Diagnostic {
    let limit = target.connect_timeout.as_secs_f32();
    unreachable(target, format!("no answer within {limit} s ({what})"))
        .hint("is the machine on, and on a network that this one can reach? A slow one needs a longer `connect_timeout:`")
}

/// The key exchange failed.
fn not_begun(target: &Target, broken: Broken) -> Diagnostic {
    match broken {
        Broken::HostKey(diagnostic) => *diagnostic,
        Broken::Learned | Broken::Ssh(russh::Error::UnknownKey) => refused(target, "the server showed no host key that can be checked"),
        Broken::Ssh(russh::Error::NoCommonAlgo { kind, ours, theirs }) => refused(target, format!("no {kind:?} algorithm in common"))
            .note(format!("ours:   {}", ours.join(", ")), None)
            .note(format!("theirs: {}", theirs.join(", ").replace(char::is_control, " ")), None)
            .hint("update the SSH server of the machine"),
        Broken::Ssh(russh::Error::Version) => unreachable(target, "what answers there does not speak SSH").hint("is `port:` right?"),
        Broken::Ssh(russh::Error::WrongServerSig) => refused(target, "the server could not prove that the host key is its own"),
        Broken::Ssh(error) => unreachable(target, format!("the key exchange failed: {}", plain(&error)))
            .hint("the server hung up: it may be starting, overloaded (`MaxStartups`), or keep this address out"),
    }
}
