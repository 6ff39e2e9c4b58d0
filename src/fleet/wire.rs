//! What is said to a node, in words of the run: look, begin, stage, act, unwind, finish. Each is one exchange over the
//! one exec channel; units that need no answer in between travel together.

use crate::lang::{Diagnostic, Kind};
use crate::node::frame::{Decoder, Frame};
use crate::node::op::Body;
use crate::node::probe::Ran;
use crate::node::program::{self, Look, Unit, Unwound};
use crate::node::{Answers, Content, Op, Probe, runtime};
use crate::transport::{Lost, Part, Session, Target};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may be silent while looking.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a node may be silent while an op runs, where its task does not say.
const OP_PATIENCE: Duration = Duration::from_secs(3600);
/// Bytes of one chunk of a large content.
const CHUNK: u64 = 1 << 20;
/// Contents up to this size travel inside a unit.
const INLINE: u64 = 64 << 10;

/// What went wrong between here and the node.
#[derive(Debug)]
pub struct Trouble(Box<Diagnostic>);

impl Trouble {
    /// As a problem to show.
    pub fn into_problem(self) -> Diagnostic {
        *self.0
    }
}

/// How beginning a run went.
#[derive(Debug)]
pub enum Begun {
    /// The node is ours.
    Yes,
    /// Somebody else's run holds it.
    Locked {
        /// Who.
        who: String,
        /// Since when.
        since: String,
    },
}

/// What came of an op.
#[derive(Debug, Clone)]
pub enum Done {
    /// It ran; a command's result.
    Ok(Option<Ran>),
    /// It failed; in the node's words.
    Failed(String),
}

/// The program on a node.
#[derive(Debug)]
pub struct Wire {
    session: Option<Session>,
    target: Target,
    nonce: String,
    decoder: Decoder,
    seq: u32,
    looked: bool,
    acting: bool,
}

/// A nonce for a session: tells its frames from anything else that a login may print.
pub fn nonce() -> String {
    use std::io::Read;
    let mut bytes = [0u8; 12];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes.copy_from_slice(&now.as_nanos().to_le_bytes()[..12]);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Wire {
    /// The program that `session` has started with `nonce`.
    pub fn new(session: Session, target: Target, nonce: String) -> Self {
        let decoder = Decoder::new(&nonce);
        Wire { session: Some(session), target, nonce, decoder, seq: 0, looked: false, acting: false }
    }

    /// Ends the conversation.
    pub async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    fn next(&mut self) -> u32 {
        self.seq += 1;
        self.seq
    }

    /// The runtime's functions, ahead of their first use.
    fn functions(&mut self, acting: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        if !std::mem::replace(&mut self.looked, true) {
            let seq = self.next();
            parts.push(self.part(&runtime::preamble(seq)));
        }
        if acting && !std::mem::replace(&mut self.acting, true) {
            let seq = self.next();
            parts.push(self.part(&runtime::acts(seq)));
        }
        parts
    }

    fn part(&self, unit: &Unit) -> Part {
        Part::Bytes(Bytes::from(unit.wire(&self.nonce)))
    }

    /// Sends `parts` and gathers frames until unit `last` has ended.
    async fn exchange(&mut self, parts: Vec<Part>, last: u32, silence: Duration) -> Result<Vec<Frame>, Trouble> {
        let Some(session) = &mut self.session else {
            return Err(Trouble(Box::new(Diagnostic::new(Kind::Failed, "the line was closed").hint("run it again"))));
        };
        let decoder = &mut self.decoder;
        let mut frames = Vec::new();
        let answer = |bytes: &[u8]| {
            for frame in decoder.push(bytes).map_err(|error| error.to_string())? {
                let ended = frame.ends(last).is_some();
                frames.push(frame);
                if ended {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        };
        match session.exchange(parts, silence, answer).await {
            Ok(()) => Ok(frames),
            Err(lost) => Err(self.lost(&lost)),
        }
    }

    fn lost(&self, lost: &Lost) -> Trouble {
        Trouble(Box::new(lost.diagnostic(&self.target)))
    }

    fn nonsense(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble(Box::new(
            Diagnostic::new(Kind::Failed, format!("the node's answer makes no sense: {error}")).hint("is something writing to the session, such as a login script?"),
        ))
    }

    /// Asks.
    pub async fn look(&mut self, probes: &[Probe], facts: bool) -> Result<Look, Trouble> {
        let mut parts = self.functions(false);
        let seq = self.next();
        parts.push(self.part(&program::look(seq, probes, facts)));
        let frames = self.exchange(parts, seq, PATIENCE).await?;
        program::read_look(&own(&frames, seq), probes).map_err(|error| self.nonsense(&error))
    }
}

/// The frames of unit `seq`: those after the end of the unit before it.
fn own(frames: &[Frame], seq: u32) -> Vec<Frame> {
    let start = frames.iter().rposition(|frame| frame.tag == "end" && frame.ends(seq).is_none()).map_or(0, |at| at + 1);
    frames[start..].to_vec()
}
