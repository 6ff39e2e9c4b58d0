//! What is said to a node, in words of the run: look, begin, stage, act, unwind, finish. Each is one exchange over the
//! one exec channel; units that need no answer in between travel together.

use crate::lang::{Diagnostic, Kind};
use crate::node::frame::Frame;
use crate::node::op::Body;
use crate::node::probe::Ran;
use crate::node::program::{self, Look, Unit, Unwound};
use crate::node::{Answers, Content, Op, Probe, runtime};
use crate::transport::sandbox::Server;
use crate::transport::{Part, Talk, Target};
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
pub struct Wire {
    talk: Option<Talk>,
    target: Target,
    /// The functions that act have been sent.
    acting: bool,
    /// A sandbox lives as long as the line to it.
    _sandbox: Option<Server>,
}

impl Wire {
    /// Over `talk`, which has just been opened.
    pub fn new(talk: Talk, target: Target, sandbox: Option<Server>) -> Self {
        Wire { talk: Some(talk), target, acting: false, _sandbox: sandbox }
    }

    /// Ends the conversation.
    pub async fn close(&mut self) {
        if let Some(talk) = self.talk.take() {
            talk.close().await;
        }
        self._sandbox = None;
    }

    fn talk(&mut self) -> Result<&mut Talk, Trouble> {
        self.talk.as_mut().ok_or_else(|| Trouble(Box::new(Diagnostic::new(Kind::Failed, "the line was closed").hint("run it again"))))
    }

    /// Sends units made by `make` from their sequence numbers, and gives the frames of each.
    async fn call(&mut self, make: Vec<Make<'_>>, silence: Duration) -> Result<Vec<Vec<Frame>>, Trouble> {
        let units: Vec<Unit> = {
            let talk = self.talk()?;
            make.into_iter().map(|make| make(talk.next_seq())).collect()
        };
        let frames = self.talk()?.call(&units, silence, |_| {}).await;
        let frames = frames.map_err(|lost| Trouble(Box::new(lost.diagnostic(&self.target))))?;
        Ok(split(frames, &units))
    }

    fn nonsense(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble(Box::new(
            Diagnostic::new(Kind::Failed, format!("the node's answer makes no sense: {error}")).hint("is something writing to the session, such as a login script?"),
        ))
    }

    /// Asks.
    pub async fn look(&mut self, probes: &[Probe], facts: bool) -> Result<Look, Trouble> {
        let answers = self.call(vec![Box::new(|seq| program::look(seq, probes, facts))], PATIENCE).await?;
        let frames = answers.last().map(Vec::as_slice).unwrap_or_default();
        program::read_look(frames, probes).map_err(|error| self.nonsense(&error))
    }
}

/// Makes a unit of a sequence number.
type Make<'a> = Box<dyn FnOnce(u32) -> Unit + Send + 'a>;

/// The frames of each unit, its `end` included.
fn split(frames: Vec<Frame>, units: &[Unit]) -> Vec<Vec<Frame>> {
    let mut out: Vec<Vec<Frame>> = vec![Vec::new()];
    for frame in frames {
        let ends = units.iter().any(|unit| frame.ends(unit.seq()).is_some());
        if let Some(last) = out.last_mut() {
            last.push(frame);
        }
        if ends {
            out.push(Vec::new());
        }
    }
    out.pop();
    out
}
