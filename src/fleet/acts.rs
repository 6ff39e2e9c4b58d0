//! The acting half of what is said to a node.

use super::wire::{Begun, Done, Make, Trouble, Unwound, Wire, since};
use crate::node::frame::Frame;
use crate::node::op::Body;
use crate::node::program::{self, Named, Part as Staging, Unit};
use crate::node::{Answers, Op, Probe, runtime};
use crate::transport::{Part, payload};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of one chunk of a large content.
const CHUNK: usize = 1 << 20;
/// How long a node may be silent while an op runs, where its task does not say.
const OP_PATIENCE: Duration = Duration::from_secs(3600);
/// What a node whose time is over may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How long it may be silent over a small act of its own.
const PATIENCE: Duration = Duration::from_secs(120);

impl Wire {
    pub(super) fn functions<'a>(&mut self) -> Vec<Make<'a>> {
        match std::mem::replace(&mut self.acting, true) {
            true => Vec::new(),
            false => vec![Box::new(runtime::apply_preamble)],
        }
    }

    /// Takes the node's lock for `run`, opens its journal, sends the contents that `ops` put, and looks at `probes`: one
    /// turn, unless a content is large.
    pub async fn begin(
        &mut self,
        run: &str,
        owner: &str,
        ops: &[(u32, &Op)],
        probes: &[Probe],
        told: impl Fn(u64, u64),
    ) -> Result<Result<Begun, String>, Trouble> {
        let parts = program::stage(self.talk()?.seqs(), ops);
        let mut staging: Vec<Unit> = Vec::new();
        let mut streams = false;
        for part in &parts {
            match part {
                Staging::Unit(unit) => staging.push(unit.clone()),
                Staging::Stream { .. } => streams = true,
            }
        }
        let now = seconds();
        let over = self.break_lock;
        let mut units = self.functions();
        units.push(Box::new(move |seq| if over { program::take_over(seq, run, owner, now) } else { program::begin(seq, run, owner, now) }));
        if streams {
            let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
            if let Some(refusal) = self.refusal(&frames)? {
                return Ok(Ok(refusal));
            }
            if let Err(why) = self.send(parts, told).await? {
                return Ok(Err(why));
            }
            return Ok(Ok(Begun::Yes(self.look(probes, None).await?.answers)));
        }
        // A unit's number only says which answer is whose: those for staging were given out first.
        let before = units.len();
        for unit in staging {
            units.push(Box::new(move |_| unit));
        }
        let paranoid = self.paranoid;
        units.push(Box::new(move |seq| program::look(seq, probes, None, paranoid)));
        let mut answers = self.call(units, PATIENCE).await?;
        let look = answers.pop().unwrap_or_default();
        let staged = answers.split_off(before.min(answers.len()));
        let begun = answers.pop().unwrap_or_default();
        if let Some(refusal) = self.refusal(&begun)? {
            return Ok(Ok(refusal));
        }
        if let Some(why) = staged.iter().find_map(|frames| unstaged(frames)) {
            return Ok(Err(why));
        }
        Ok(Ok(Begun::Yes(self.seen(&look, probes)?.answers)))
    }

    /// Why a run did not begin, if it did not.
    pub(super) fn refusal(&mut self, frames: &[Frame]) -> Result<Option<Begun>, Trouble> {
        for frame in frames {
            match frame.tag.as_str() {
                "still" => {
                    let text = frame.text();
                    let (processes, label) = text.split_once('\n').unwrap_or((&text, ""));
                    let label = if label.is_empty() { "a step".to_owned() } else { format!("`{label}`") };
                    let begun = since(frame.number(0).unwrap_or(0));
                    let still = format!("{label} of the run that had this node is still going on since {begun} ({processes}): what it does from now on is neither seen nor taken back");
                    self.still = Some(still.replace(char::is_control, " "));
                }
                "begun" => return Ok(None),
                "locked" => return Ok(Some(Begun::Locked { who: frame.text(), since: since(frame.number(0).unwrap_or(0)) })),
                "guarded" => return Ok(Some(Begun::Guarded(program::guard::read_armed(&frame.text()).unwrap_or_default()))),
                "failed" => return Err(self.refused(&format!("a run cannot begin here: {}", frame.text().trim()))),
                _ => {}
            }
        }
        Err(self.refused("a run cannot begin here, and the node does not say why"))
    }

    /// Sends the contents that `ops` put, so that acts are renames. `told` hears of bytes sent, of how many.
    pub async fn stage(&mut self, ops: &[(u32, &Op)], told: impl Fn(u64, u64)) -> Result<Result<(), String>, Trouble> {
        let parts = program::stage(self.talk()?.seqs(), ops);
        self.send(parts, told).await
    }

    async fn send(&mut self, parts: Vec<Staging>, told: impl Fn(u64, u64)) -> Result<Result<(), String>, Trouble> {
        let mut all: u64 = 0;
        let mut send: Vec<Part> = Vec::new();
        let Some(last) = parts.iter().rev().find_map(|part| match part {
            Staging::Unit(unit) => Some(unit.seq()),
            Staging::Stream { .. } => None,
        }) else {
            return Ok(Ok(()));
        };
        let nonce = self.talk()?.nonce().to_owned();
        for part in parts {
            match part {
                Staging::Unit(unit) => send.push(Part::Bytes(Bytes::from(unit.wire(&nonce)))),
                Staging::Stream { op, body } => {
                    let size = match &body {
                        Body::Inline(bytes) => bytes.len() as u64,
                        Body::Local(path) => match std::fs::metadata(path) {
                            Ok(meta) => meta.len(),
                            Err(error) => return Ok(Err(format!("cannot read {}: {error}", path.display()))),
                        },
                    };
                    all += size;
                    for start in (0..size).step_by(CHUNK) {
                        let length = (size - start).min(CHUNK as u64);
                        send.extend(payload(&format!("{op}.p"), slice(&body, start, length)));
                        if self.guarded {
                            let unit = program::guard::idle(self.talk()?.next_seq());
                            send.push(Part::Bytes(Bytes::from(unit.wire(&nonce))));
                        }
                    }
                }
            }
        }
        if all > 0 {
            told(0, all);
        }
        let frames = self.talk()?.send(send, last, PATIENCE, |_| {}).await;
        let frames = frames.map_err(|lost| self.lost(&lost))?;
        Ok(unstaged(&frames).map_or(Ok(()), Err))
    }

    /// Marks `handlers` pending, performs `ops`, which belong to `steps`, and looks at `probes`.
    pub async fn act(
        &mut self,
        handlers: &[String],
        ops: &[(u32, &Op)],
        steps: &[Named<'_>],
        probes: &[Probe],
        silence: Option<Duration>,
    ) -> Result<(BTreeMap<u32, Done>, Answers), Trouble> {
        let mut units: Vec<Make<'_>> = Vec::new();
        for handler in handlers {
            units.push(Box::new(move |seq| program::pending(seq, handler, true)));
        }
        units.push(Box::new(move |seq| program::act_as(seq, ops, steps, seconds())));
        // What was written is read back.
        units.push(Box::new(move |seq| program::look(seq, probes, None, true)));
        let mut answers = self.call(units, silence.map_or(OP_PATIENCE, |silence| silence + LAST_WORDS)).await?;
        let look = answers.pop().unwrap_or_default();
        let acted = answers.pop().unwrap_or_default();
        Ok((read(&acted), self.seen(&look, probes)?.answers))
    }

    /// Forgets that `handler` is pending.
    pub async fn handled(&mut self, handler: &str) -> Result<(), Trouble> {
        self.call(vec![Box::new(move |seq| program::pending(seq, handler, false))], PATIENCE).await.map(drop)
    }

    /// Keeps a value on the node, readable by root only.
    pub async fn keep(&mut self, name: &str, value: &str) -> Result<(), Trouble> {
        self.call(vec![Box::new(move |seq| program::keep(seq, name, value.as_bytes()))], PATIENCE).await.map(drop)
    }

    /// Undoes everything that `run` did here, backwards.
    pub async fn unwind(&mut self, run: &str) -> Result<Unwound, Trouble> {
        let frames = self.call(vec![Box::new(move |seq| program::unwind(seq, run))], OP_PATIENCE).await?.pop().unwrap_or_default();
        Ok(Unwound::read(&frames))
    }

    /// Writes the receipts and the digests of large files, closes the journal, and lets the node go.
    pub async fn finish(&mut self, receipts: &BTreeMap<String, (String, String)>) -> Result<(), Trouble> {
        let sums = std::mem::take(&mut self.sums);
        let frames = self.call(vec![Box::new(|seq| program::finish_at(seq, receipts, &sums, Some(seconds())))], PATIENCE).await?.pop().unwrap_or_default();
        match frames.iter().find(|frame| frame.tag == "failed") {
            Some(frame) => Err(self.refused(&format!("the run is done, but cannot be recorded: {}", frame.text().trim()))),
            None => Ok(()),
        }
    }

    /// Leaves the run where it is, for acts that belong to none (`true`); or goes back to it.
    pub async fn aside(&mut self, begin: bool) -> Result<Result<(), String>, Trouble> {
        let make: Make<'_> = Box::new(move |seq| if begin { program::aside(seq) } else { program::back(seq) });
        let frames = self.call(vec![make], PATIENCE).await?.pop().unwrap_or_default();
        Ok(frames.iter().find(|frame| frame.tag == "failed").map_or(Ok(()), |frame| Err(frame.text())))
    }

    /// Lets the node go in the middle of the run.
    pub async fn abandon(&mut self) -> Result<(), Trouble> {
        self.call(vec![Box::new(program::abandon)], PATIENCE).await.map(drop)
    }
}

/// Seconds since 1970, by this side's clock.
pub(super) fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Unwound {
    /// From the frames of unwinding, whoever did it.
    pub(super) fn read(frames: &[Frame]) -> Self {
        let mut unwound = Unwound::default();
        for frame in frames {
            let op = frame.number(0).and_then(|op| u32::try_from(op).ok());
            match (frame.tag.as_str(), op) {
                ("undone", Some(op)) => drop(unwound.ops.insert(op, Ok(true))),
                ("left", Some(op)) => drop(unwound.ops.insert(op, Ok(false))),
                ("stuck", Some(op)) => drop(unwound.ops.insert(op, Err(frame.text()))),
                ("residue", _) => unwound.notes.push(frame.text()),
                ("unwound", _) => unwound.whole = true,
                ("failed", _) => unwound.notes.push(frame.text()),
                _ => {}
            }
        }
        unwound
    }
}

/// Why contents did not arrive, if they did not.
fn unstaged(frames: &[Frame]) -> Option<String> {
    if let Some(frame) = frames.iter().find(|frame| matches!(frame.tag.as_str(), "unstaged" | "failed")) {
        return Some(format!("a content did not arrive whole: {}", frame.text().trim()));
    }
    let ended = frames.iter().filter(|frame| frame.tag == "end").all(|frame| frame.field(1) == "0");
    (!ended).then(|| "the node could not keep what was sent; is its disk full?".to_owned())
}

/// What came of each op.
pub(super) fn read(frames: &[Frame]) -> BTreeMap<u32, Done> {
    let mut done = BTreeMap::new();
    for frame in frames.iter().filter(|frame| frame.tag == "op") {
        let Some(op) = frame.number(0).and_then(|op| u32::try_from(op).ok()) else { continue };
        let ran = frames.iter().filter_map(program::ran).find(|(number, _)| *number == op).map(|(_, ran)| ran);
        done.insert(op, if frame.field(1) == "done" { Done::Ok(ran) } else { Done::Failed(frame.text(), ran) });
    }
    done
}

fn slice(body: &Body, start: u64, length: u64) -> Part {
    match body {
        Body::Inline(bytes) => {
            let start = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
            let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
            Part::Bytes(Bytes::copy_from_slice(&bytes[start..end]))
        }
        Body::Local(path) => Part::File { path: path.clone(), offset: start, length },
    }
}
