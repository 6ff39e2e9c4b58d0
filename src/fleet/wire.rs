//! What is said to a node, in words of the run: look, begin, stage, act, unwind, finish. Each is one exchange over the
//! one exec channel; units that need no answer in between travel together.

use crate::lang::{Diagnostic, Kind};
use crate::node::{Answers, Costly, Probe};
use crate::node::frame::Frame;
use crate::node::probe::Ran;
use crate::node::program::{self, Armed, Look, Sums, Unit, guard};
use crate::transport::sandbox::Server;
use crate::transport::{Lost, Pool, Talk, Target};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may be silent while looking.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a line that is let go may take to end.
const GOODBYE: Duration = Duration::from_secs(10);

/// What went wrong between here and the node, which its message names.
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
    /// The node is ours, and this is what was asked.
    Yes(Answers),
    /// Somebody else's run holds it.
    Locked {
        /// Who.
        who: String,
        /// Since when.
        since: String,
    },
    /// A guard watches it for another run.
    Guarded(Armed),
}

/// What came of an op.
#[derive(Debug, Clone)]
pub enum Done {
    /// It ran; a command's result.
    Ok(Option<Ran>),
    /// It failed; in the node's words, and a command's result.
    Failed(String, Option<Ran>),
}

/// What came of taking a run back.
#[derive(Debug, Default)]
pub struct Unwound {
    /// By op: undone, left because nothing can undo it, or stuck with the reason.
    pub ops: BTreeMap<u32, Result<bool, String>>,
    /// What else the node says: residue.
    pub notes: Vec<String>,
    /// The node says that it came to the end.
    pub whole: bool,
}

/// The program on a node.
pub struct Wire {
    talk: Option<Talk>,
    pub(super) target: Target,
    /// How it was opened.
    pub(super) pool: Pool,
    /// The guard is armed: it is told of each exchange.
    pub(super) guarded: bool,
    /// The functions of the guard have been sent.
    pub(super) guarding: bool,
    /// The functions that act have been sent.
    pub(super) acting: bool,
    /// And those about runs of the past.
    pub(super) past: bool,
    /// Digests that earlier runs recorded are not believed.
    pub(super) paranoid: bool,
    /// Who holds the node loses it to this run.
    pub break_lock: bool,
    /// What the run that was taken over has under way, in words.
    pub still: Option<String>,
    /// Of large files that were looked at, for the node to record.
    pub(super) sums: Sums,
    /// A sandbox lives as long as the line to it.
    pub(super) sandbox: Option<Server>,
}

impl Wire {
    /// Over `talk`, which has just been opened.
    pub fn new(talk: Talk, target: Target, pool: Pool, sandbox: Option<Server>) -> Self {
        Wire {
            talk: Some(talk),
            target,
            pool,
            guarded: false,
            guarding: false,
            acting: false,
            past: false,
            break_lock: false,
            still: None,
            paranoid: false,
            sums: Sums::new(),
            sandbox,
        }
    }

    /// Ends the conversation.
    pub async fn close(&mut self) {
        if let Some(talk) = self.talk.take() {
            talk.close().await;
        }
        self.sandbox = None;
    }

    /// Lets go of the line, which is dead or about to be. Nothing is waited for.
    pub(super) fn hang_up(&mut self) {
        if let Some(talk) = self.talk.take() {
            tokio::spawn(tokio::time::timeout(GOODBYE, talk.close()));
        }
    }

    /// Takes on what `other` knew of the same node.
    pub fn take_on(&mut self, other: &mut Wire) {
        self.sums.append(&mut other.sums);
        self.paranoid = other.paranoid;
    }

    pub(super) fn talk(&mut self) -> Result<&mut Talk, Trouble> {
        let closed = || Trouble(Box::new(Diagnostic::new(Kind::Failed, format!("{}: the line was closed", self.target.name)).hint("run it again")));
        self.talk.as_mut().ok_or_else(closed)
    }

    /// Sends units made by `make` from their sequence numbers, and gives the frames of each.
    pub(super) async fn call(&mut self, mut make: Vec<Make<'_>>, silence: Duration) -> Result<Vec<Vec<Frame>>, Trouble> {
        let guarded = self.guarded;
        if guarded {
            make.insert(0, Box::new(guard::busy));
            make.push(Box::new(guard::idle));
        }
        let units: Vec<Unit> = {
            let talk = self.talk()?;
            make.into_iter().map(|make| make(talk.next_seq())).collect()
        };
        let frames = self.talk()?.call(&units, silence, |_| {}).await;
        let frames = frames.map_err(|lost| self.lost(&lost))?;
        self.still_ours(&frames)?;
        let mut answers = split(frames, &units);
        if guarded && answers.len() > 1 {
            answers.pop();
            answers.remove(0);
        }
        Ok(answers)
    }

    pub(super) fn lost(&self, lost: &Lost) -> Trouble {
        Trouble(Box::new(lost.diagnostic(&self.target)))
    }

    pub(super) fn refused(&self, why: &str) -> Trouble {
        let why = format!("{}: {}", self.target.name, why.replace(char::is_control, " "));
        Trouble(Box::new(Diagnostic::new(Kind::Failed, why).hint("is its disk full, or not writable?")))
    }

    /// Whether somebody has taken the node over.
    fn still_ours(&self, frames: &[Frame]) -> Result<(), Trouble> {
        let Some(taken) = frames.iter().find(|frame| frame.tag == "taken") else { return Ok(()) };
        let who = match taken.text().replace(char::is_control, " ") {
            // Whoever it was has let go of it again.
            who if who.is_empty() => "another controller has taken this node over (`--break-lock`) and is done with it".to_owned(),
            who => format!("{who} has taken this node over (`--break-lock`), since {}", since(taken.number(0).unwrap_or(0))),
        };
        let why = format!("{}: {who}; this run stopped there and changes nothing more", self.target.name);
        Err(Trouble(Box::new(Diagnostic::new(Kind::Failed, why).hint("`homelab history` tells how far it came"))))
    }

    pub(super) fn nonsense(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble(Box::new(
            Diagnostic::new(Kind::Failed, format!("{}: the node's answer makes no sense: {error}", self.target.name)).hint("is something writing to the session, such as a login script?"),
        ))
    }

    /// Asks; with `facts`, for facts too, and for those of the costly ones.
    pub async fn look(&mut self, probes: &[Probe], facts: Option<Costly>) -> Result<Look, Trouble> {
        let paranoid = self.paranoid;
        let answers = self.call(vec![Box::new(move |seq| program::look(seq, probes, facts, paranoid))], PATIENCE).await?;
        self.seen(answers.last().map(Vec::as_slice).unwrap_or_default(), probes)
    }

    /// Reads what a look is answered by.
    pub(super) fn seen(&mut self, frames: &[Frame], probes: &[Probe]) -> Result<Look, Trouble> {
        let mut look = program::read_look(frames, probes).map_err(|error| self.nonsense(&error))?;
        self.sums.append(&mut look.sums);
        Ok(look)
    }
}

/// Makes a unit of a sequence number.
pub(super) type Make<'a> = Box<dyn FnOnce(u32) -> Unit + Send + 'a>;

/// Seconds since 1970 as a time that people read, in UTC.
pub fn since(seconds: u64) -> String {
    // Years after 9999 have no such form; a node may say anything.
    let at = std::time::UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799));
    humantime::format_rfc3339_seconds(at).to_string()
}

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
