//! The runtime's side of a session: units go out, frames come back.

use super::session::{Lost, Part, Program, Session};
use super::target::Method;
use super::{Target, random};
use crate::lang::Diagnostic;
use crate::node::frame::{Decoder, Frame};
use crate::node::program::Unit;
use crate::node::runtime::{Become, command, greeting, preamble};
use bytes::Bytes;
use std::time::Duration;

/// The most that one call may answer, in bytes: a node that lies must not use up this machine's memory.
const MOST: usize = 128 << 20;

/// The seq of the unit that every session begins with.
const PREAMBLE: u32 = 0;

/// A session that speaks the runtime's protocol.
#[derive(Debug)]
pub struct Talk {
    session: Session,
    nonce: String,
    decoder: Decoder,
    seq: u32,
    /// The preamble has been answered.
    ready: bool,
}

/// What starts the runtime on `target`, and the nonce of the session.
pub(super) fn program(target: &Target) -> Result<(Program, String), Diagnostic> {
    let nonce = random::nonce()
        .map_err(|error| super::session::failed(target, format!("no random numbers on this machine: {error}")))?;
    let mut password = None;
    let how = match &target.privilege {
        None => Become::No,
        Some(privilege) => {
            password = privilege.password.as_ref();
            match privilege.method {
                Method::Sudo => Become::Sudo { user: privilege.user.clone(), asked: password.is_some() },
                Method::Doas => Become::Doas { user: privilege.user.clone() },
            }
        }
    };
    let mut first = greeting(&nonce, password.map(|secret| secret.expose()));
    first.extend(preamble(PREAMBLE).wire(&nonce));
    Ok((Program { command: command(&how), greeting: Bytes::from(first) }, nonce))
}

impl Talk {
    pub(super) fn new(session: Session, nonce: String) -> Self {
        Talk { session, decoder: Decoder::new(&nonce), nonce, seq: PREAMBLE, ready: false }
    }

    /// The number for the next unit; they count from 1.
    pub fn next_seq(&mut self) -> u32 {
        self.seq += 1;
        self.seq
    }

    /// The number of the last unit; whoever makes several units counts it up.
    pub fn seqs(&mut self) -> &mut u32 {
        &mut self.seq
    }

    /// What marks this session's frames; units are written with it.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// One turn: sends `units`, awaits the end of the last of them, and gives every frame that came, the `end` frames
    /// included. `silence` is how long the node may neither answer nor take anything.
    pub async fn call(&mut self, units: &[Unit], silence: Duration, on_frame: impl FnMut(&Frame) + Send) -> Result<Vec<Frame>, Lost> {
        let parts: Vec<Part> = units.iter().map(|unit| Part::Bytes(Bytes::from(unit.wire(&self.nonce)))).collect();
        let awaited = units.last().map_or(self.seq, Unit::seq);
        self.send(parts, awaited, silence, on_frame).await
    }

    /// One turn of any bytes: units, and payloads that stream from files ([`payload`]), up to the end of unit `awaited`.
    /// `on_frame` sees each frame as it arrives.
    ///
    /// After an `Err`, and when the future is dropped before it is done, the session is over.
    pub async fn send(
        &mut self,
        parts: impl IntoIterator<Item = Part, IntoIter: Send>,
        awaited: u32,
        silence: Duration,
        mut on_frame: impl FnMut(&Frame) + Send,
    ) -> Result<Vec<Frame>, Lost> {
        let Talk { session, decoder, ready, .. } = self;
        let mut frames = Vec::new();
        let mut size = 0;
        let result = session
            .exchange(parts, silence, |bytes| {
                for frame in decoder.push(bytes).map_err(|error| error.to_string())? {
                    if !*ready {
                        match frame.ends(PREAMBLE) {
                            Some(0) => *ready = true,
                            Some(status) => return Err(format!("the runtime did not start (status {status})")),
                            None => {}
                        }
                        continue;
                    }
                    size += frame.body.len() + 64;
                    if size > MOST {
                        return Err(format!("it is larger than {} MiB", MOST >> 20));
                    }
                    on_frame(&frame);
                    let last = frame.ends(awaited).is_some();
                    frames.push(frame);
                    if last {
                        return Ok(Some(()));
                    }
                }
                Ok(None)
            })
            .await;
        match result {
            Ok(()) => Ok(frames),
            Err(mut lost) => {
                lost.early = !decoder.begun();
                if lost.early {
                    // Some say on standard output why there will be no shell.
                    lost.stderr = decoder.noise() + &lost.stderr;
                }
                Err(lost)
            }
        }
    }

    /// The session below.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Ends it; see [`Session::close`].
    pub async fn close(self) -> super::Ended {
        self.session.close().await
    }
}

/// The parts that stage `part` of a payload under `id`: a header and the bytes.
pub fn payload(id: &str, part: Part) -> [Part; 2] {
    let length = match &part {
        Part::Bytes(bytes) => bytes.len() as u64,
        Part::File { length, .. } => *length,
    };
    [Part::Bytes(Bytes::from(format!("D {id} {length}\n"))), part]
}
