//! The connections of a run: one per node, and one per jump host however many nodes are behind it.

use super::connect::{Connection, Context, Route};
use super::keys::KeyRing;
use super::runtime::{self, Talk};
use super::session::{Program, Session};
use super::wire::Duplex;
use super::{Cost, HostKey, KnownHosts, Prompt, Target};
use crate::lang::Diagnostic;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Opens sessions. Clones share everything; many hosts may be opened at once.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    jumps: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The connection to one jump host. Its lock is held while connecting: the others wait and share what comes of it.
#[derive(Debug, Default)]
struct Slot {
    attempts: AtomicU64,
    state: tokio::sync::Mutex<Option<Result<Arc<Connection>, Diagnostic>>>,
}

impl Pool {
    /// `prompt` is asked for passphrases, `known` says which host keys are trusted, `cost` counts.
    pub fn new(prompt: Arc<dyn Prompt>, known: KnownHosts, cost: Cost) -> Self {
        let agent = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let context = Context { known, ring: KeyRing::new(prompt), cost, agent, home: std::env::home_dir(), routes: Mutex::default() };
        Pool(Arc::new(Inner { context: Arc::new(context), jumps: Mutex::default() }))
    }

    /// The same with no connection open: whoever logs in by it proves that all of the way can be gone anew.
    pub fn afresh(&self) -> Self {
        Pool(Arc::new(Inner { context: self.0.context.clone(), jumps: Mutex::default() }))
    }

    /// With another agent's socket, or none, and another home for the default keys. Before the first use.
    pub fn with_identity(self, agent: Option<PathBuf>, home: Option<PathBuf>) -> Self {
        match Arc::try_unwrap(self.0).map(|inner| Arc::try_unwrap(inner.context).map(|context| (context, inner.jumps))) {
            Ok(Ok((context, jumps))) => Pool(Arc::new(Inner { context: Arc::new(Context { agent, home, ..context }), jumps })),
            Ok(Err(context)) => Pool(Arc::new(Inner { context, jumps: Mutex::default() })),
            Err(shared) => Pool(shared),
        }
    }

    /// From now on, connecting to `endpoint` (see [`Target::endpoint`]) makes a stream with `dial` instead of a TCP
    /// connection: a sandbox, also as the outermost jump host.
    pub fn route<S>(&self, endpoint: String, dial: impl Fn() -> S + Send + Sync + 'static)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let dial: Route = Arc::new(move || Box::new(dial()) as Box<dyn Duplex>);
        self.0.context.routes.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint, dial);
    }

    /// The run's counters.
    pub fn cost(&self) -> &Cost {
        &self.0.context.cost
    }

    /// Connects to `target` anew (always a new login, which is what disarms a guard) and starts the runtime there, as
    /// whom the target says. Nothing has been answered yet when it returns: a `sudo` that refuses, or a login without a
    /// shell, is told by the first call ([`Lost::diagnostic`](super::Lost::diagnostic) words it).
    pub async fn open(&self, target: &Target) -> Result<Talk, Diagnostic> {
        let (program, nonce) = runtime::program(target)?;
        Ok(Talk::new(self.open_program(target, &program).await?, nonce))
    }

    /// Connects to `target` anew and starts `program` there.
    pub async fn open_program(&self, target: &Target, program: &Program) -> Result<Session, Diagnostic> {
        let connection = self.connect(target).await?;
        Session::start(target, connection, program).await
    }

    /// Connects to `target` anew, through its jump hosts.
    pub async fn connect(&self, target: &Target) -> Result<Arc<Connection>, Diagnostic> {
        let through = self.jumps(target).await?;
        Connection::open(target, &self.0.context, through).await
    }

    /// The runtime over a stream that leads to an SSH server: the sandbox. Jump hosts do not apply.
    pub async fn open_stream<S>(&self, target: &Target, stream: S) -> Result<Talk, Diagnostic>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (program, nonce) = runtime::program(target)?;
        let connection = self.connect_stream(target, stream).await?;
        Ok(Talk::new(Session::start(target, connection, &program).await?, nonce))
    }

    /// Logs in over a stream that leads to an SSH server.
    pub async fn connect_stream<S>(&self, target: &Target, stream: S) -> Result<Arc<Connection>, Diagnostic>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        fn duplex(stream: impl Duplex) -> impl Duplex {
            stream
        }
        let context = &self.0.context;
        context.cost.connection();
        let until = Instant::now() + target.connect_timeout;
        Connection::over(target, context, duplex(stream), Some(context.cost.clone()), None, until).await
    }

    /// The key that `target` shows now, taken on trust and without logging in there. Its jump hosts are checked and
    /// logged in to as always.
    pub async fn learn(&self, target: &Target) -> Result<HostKey, Diagnostic> {
        let through = self.jumps(target).await?;
        Connection::learn(target, &self.0.context, through).await
    }

    /// The connection to the last jump host of `target`, made where it is not there yet.
    async fn jumps(&self, target: &Target) -> Result<Option<Arc<Connection>>, Diagnostic> {
        let mut through: Option<Arc<Connection>> = None;
        let mut chain = String::new();
        for jump in &target.jumps {
            chain.push_str(&jump.identity());
            chain.push('\n');
            let slot = {
                let mut jumps = self.0.jumps.lock().unwrap_or_else(PoisonError::into_inner);
                jumps.entry(chain.clone()).or_default().clone()
            };
            through = Some(self.jump(&slot, jump, through).await.map_err(|diagnostic| behind(target, diagnostic))?);
        }
        Ok(through)
    }

    async fn jump(&self, slot: &Slot, jump: &Target, through: Option<Arc<Connection>>) -> Result<Arc<Connection>, Diagnostic> {
        let before = slot.attempts.load(Ordering::Acquire);
        let mut state = slot.state.lock().await;
        match &*state {
            Some(Ok(connection)) if connection.is_open() => return Ok(connection.clone()),
            // It failed while this one waited: thirty hosts behind a dead jump host wait for one timeout, not thirty.
            Some(Err(diagnostic)) if slot.attempts.load(Ordering::Acquire) > before => return Err(diagnostic.clone()),
            _ => {}
        }
        let result = Connection::open(jump, &self.0.context, through).await;
        slot.attempts.fetch_add(1, Ordering::AcqRel);
        *state = Some(result.clone());
        result
    }
}

/// Says for whom a jump host was needed.
fn behind(target: &Target, mut diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.message = format!("{}: its jump host {}", target.name, diagnostic.message);
    if diagnostic.span.is_none() {
        diagnostic.span = target.span.clone();
    }
    diagnostic
}
