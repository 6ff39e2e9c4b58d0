//! A conversation with a node: one exec channel that runs the bootstrap, over which calls are made one after another.
//!
//! The exec request, what `sudo` wants, the greeting and the first call travel together: nothing is waited for but the
//! channel and the answer. While a call is being written its answers are already read, so that a node which answers early
//! never stands still; what is sent is bounded by the channel's window, so that a payload of any size needs little memory.

use super::hostkey::{refused, unreachable};
use super::pump::Pump;
use super::{Connection, Target, privilege};
use crate::lang::{Diagnostic, Kind};
use bytes::{Bytes, BytesMut};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf};
use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes read from a file at once.
const BLOCK: usize = 256 * 1024;
/// Bytes of standard error that are kept.
const TAIL: usize = 16 * 1024;
/// How long a broken channel may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(3);

const FLOOD: &str = "the node sent more than it was asked for";

/// What is started on a node.
#[derive(Debug, Clone)]
pub struct Program {
    /// The exec request: a line that the login shell runs.
    pub command: String,
    /// Sent ahead of the first call: a password for `sudo`, what the program waits for before it begins.
    pub greeting: Bytes,
}

/// A piece of what a call sends.
#[derive(Debug, Clone)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// A part of a file on this machine; it is read when it is its turn, and never held as a whole.
    File {
        /// Where.
        path: PathBuf,
        /// The first byte.
        offset: u64,
        /// How many. A file that has become shorter ends the session.
        length: u64,
    },
}

/// How the node's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status; None where it was killed or the line dropped.
    pub exit: Option<u32>,
}

/// The conversation is over before the call was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Lost {
    /// Why, in plain words.
    pub why: String,
    /// The program's exit status, if it was heard.
    pub exit: Option<u32>,
    /// The last of its standard error.
    pub stderr: String,
    /// Nothing had been answered yet in this session.
    pub early: bool,
}

impl Lost {
    /// For the user, about `target`.
    pub fn diagnostic(&self, target: &Target) -> Diagnostic {
        if self.early
            && let Some(diagnostic) = privilege::explain(target, self)
        {
            return diagnostic;
        }
        let diagnostic = match (self.early, self.exit) {
            (true, Some(_)) => refused(target, format!("the login works, but no shell answers: {}", self.why))
                .hint(format!("does `ssh {}@{} true` work? The login needs a shell (not `nologin`), and `sh` must be there", target.user, target.address)),
            _ => unreachable(target, format!("the connection was lost: {}", self.why))
                .hint("see whether the machine is up and can be reached, then run the same again"),
        };
        self.with_stderr(diagnostic)
    }

    /// `diagnostic` with the last lines of standard error.
    pub(super) fn with_stderr(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(5)) {
            diagnostic = diagnostic.note(format!("it said: {}", line.replace(char::is_control, " ").trim_end()), None);
        }
        diagnostic
    }
}

/// One conversation.
pub struct Session {
    connection: Arc<Connection>,
    read: Pump,
    write: ChannelWriteHalf<Msg>,
    /// Sent ahead of the first call.
    first: Bytes,
    stderr: VecDeque<u8>,
    exit: Option<u32>,
    /// Something was answered.
    begun: bool,
    /// A call ended in the middle: what would come next cannot be told apart.
    spoiled: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("begun", &self.begun).field("spoiled", &self.spoiled).finish_non_exhaustive()
    }
}

impl Session {
    /// Starts `program` over `connection`, as `target` says.
    pub async fn start(target: &Target, connection: Arc<Connection>, program: &Program) -> Result<Session, Diagnostic> {
        privilege::check(target)?;
        let opened = timeout(target.connect_timeout, connection.exec(&program.command)).await;
        let channel = match opened {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
                return Err(refused(target, "the server opens no session").hint("`MaxSessions` of its sshd_config may be too low"));
            }
            Ok(Err(error)) => return Err(unreachable(target, format!("the connection was lost: {}", connection.why().unwrap_or_else(|| error.to_string())))),
            Err(_) => return Err(unreachable(target, "no answer when opening a session")),
        };
        let (read, write) = channel.split();
        let read = Pump::start(read, &connection);
        Ok(Session { connection, read, write, first: program.greeting.clone(), stderr: VecDeque::new(), exit: None, begun: false, spoiled: None })
    }

    /// One call: sends `parts` and gives what the node answers to `answer`, piece by piece as it comes, until that says
    /// that the answer is complete. `silence` is how long the node may neither answer nor take anything.
    ///
    /// After an `Err`, and when the future is dropped before it is done, the session is over.
    pub async fn exchange<T>(
        &mut self,
        parts: impl IntoIterator<Item = Part, IntoIter: Send>,
        silence: Duration,
        mut answer: impl FnMut(&[u8]) -> Result<Option<T>, String> + Send,
    ) -> Result<T, Lost> {
        if let Some(why) = &self.spoiled {
            return Err(self.lost(why.clone()));
        }
        if self.read.flooded() {
            return Err(self.lost(FLOOD.into()));
        }
        // Until it is complete; also when this future is dropped.
        self.spoiled = Some("an earlier call was not finished".into());
        self.connection.cost().exchange();
        let first = std::mem::take(&mut self.first);
        let _reading = self.read.reading();
        let moved = Moved { start: Instant::now(), last: AtomicU64::new(0) };
        let why = {
            let sending = send(&self.write, std::iter::once(Part::Bytes(first)).chain(parts), &moved);
            tokio::pin!(sending);
            let mut sent = false;
            let mut until = Instant::now() + silence;
            loop {
                tokio::select! {
                    message = self.read.wait() => match message {
                        Some(ChannelMsg::Data { data }) => {
                            self.begun = true;
                            until = Instant::now() + silence;
                            match answer(&data) {
                                Ok(None) => {}
                                Ok(Some(whole)) => {
                                    if sent {
                                        self.spoiled = None;
                                    }
                                    return Ok(whole);
                                }
                                Err(why) => break Some(format!("its answer cannot be read: {why}")),
                            }
                        }
                        Some(ChannelMsg::ExtendedData { data, .. }) => {
                            until = Instant::now() + silence;
                            keep(&mut self.stderr, &data);
                        }
                        Some(other) if !note_exit(&mut self.exit, &other) => {}
                        _ => break None,
                    },
                    result = &mut sending, if !sent => match result {
                        Ok(()) => sent = true,
                        Err(Unsent::Channel) => break None,
                        Err(Unsent::File(why)) => break Some(why),
                    },
                    () = sleep_until(until) => {
                        until = moved.last() + silence;
                        if until <= Instant::now() {
                            break Some(format!("no answer for {} s", silence.as_secs_f32()));
                        }
                    }
                }
            }
        };
        let why = match why {
            Some(why) => why,
            None => self.last_words().await,
        };
        self.spoiled = Some(why.clone());
        Err(self.lost(why))
    }

    /// Ends the conversation: closes the program's input, hears how it ended, and says goodbye (where nobody
    /// else uses the connection).
    pub async fn close(mut self) -> Ended {
        let _ = self.write.eof().await;
        self.last_words().await;
        if Arc::strong_count(&self.connection) == 1 {
            self.connection.goodbye().await;
        }
        Ended { exit: self.exit }
    }

    /// The last of what the program wrote to standard error; what is no UTF-8 is replaced.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.iter().copied().collect::<Vec<u8>>()).into_owned()
    }

    /// The connection it runs over.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Reads on until the channel is closed, for the exit status and standard error; and says what happened.
    async fn last_words(&mut self) -> String {
        let _reading = self.read.reading();
        let listen = async {
            while let Some(message) = self.read.wait().await {
                match message {
                    ChannelMsg::ExtendedData { data, .. } => keep(&mut self.stderr, &data),
                    other => {
                        note_exit(&mut self.exit, &other);
                    }
                }
            }
        };
        let heard = timeout(LAST_WORDS, listen).await.is_ok();
        match self.exit {
            _ if self.read.flooded() => FLOOD.into(),
            Some(status) => format!("the program on the node ended with exit status {status}"),
            None if heard && !self.connection.is_open() => self.connection.why().unwrap_or_else(|| "the connection was closed".into()),
            None => "the program on the node ended".into(),
        }
    }

    fn lost(&self, why: String) -> Lost {
        Lost { why, exit: self.exit, stderr: self.stderr(), early: !self.begun }
    }
}

/// Keeps an exit status; whether the channel is at its end.
fn note_exit(exit: &mut Option<u32>, message: &ChannelMsg) -> bool {
    match message {
        ChannelMsg::ExitStatus { exit_status } => *exit = Some(*exit_status),
        ChannelMsg::Eof | ChannelMsg::Close | ChannelMsg::ExitSignal { .. } => return true,
        _ => {}
    }
    false
}

fn keep(tail: &mut VecDeque<u8>, data: &[u8]) {
    tail.extend(&data[data.len().saturating_sub(TAIL)..]);
    tail.drain(..tail.len().saturating_sub(TAIL));
}

/// Why not everything was sent.
enum Unsent {
    Channel,
    File(String),
}

/// When something was last taken by the channel.
struct Moved {
    start: Instant,
    last: AtomicU64,
}

impl Moved {
    fn now(&self) {
        self.last.store(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last.load(Relaxed))
    }
}

/// Sends `parts`, noting in `moved` when the channel takes something.
async fn send(write: &ChannelWriteHalf<Msg>, parts: impl Iterator<Item = Part>, moved: &Moved) -> Result<(), Unsent> {
    let mut open: Option<(PathBuf, tokio::fs::File)> = None;
    for part in parts {
        match part {
            Part::Bytes(bytes) => put(write, bytes, moved).await?,
            Part::File { path, offset, length } => {
                let broken = |error: std::io::Error| Unsent::File(format!("{} cannot be read: {error}", path.display()));
                let mut file = match open.take() {
                    Some((same, file)) if same == path => file,
                    _ => tokio::fs::File::open(&path).await.map_err(broken)?,
                };
                file.seek(SeekFrom::Start(offset)).await.map_err(broken)?;
                let mut left = length;
                while left > 0 {
                    let mut block = BytesMut::with_capacity(BLOCK.min(usize::try_from(left).unwrap_or(BLOCK)));
                    let read = (&mut file).take(left).read_buf(&mut block).await.map_err(broken)?;
                    if read == 0 {
                        return Err(Unsent::File(format!("{} became shorter while it was sent", path.display())));
                    }
                    left -= read as u64;
                    put(write, block.freeze(), moved).await?;
                }
                open = Some((path, file));
            }
        }
    }
    Ok(())
}

async fn put(write: &ChannelWriteHalf<Msg>, mut bytes: Bytes, moved: &Moved) -> Result<(), Unsent> {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(BLOCK));
        write.data_bytes(piece).await.map_err(|_| Unsent::Channel)?;
        moved.now();
    }
    Ok(())
}

/// A failure on the node that is not the line's: kept here so that every layer words it the same.
pub fn failed(target: &Target, message: impl fmt::Display) -> Diagnostic {
    Diagnostic::new(Kind::Failed, format!("{}: {message}", target.name)).maybe_at(target.span.as_ref())
}
