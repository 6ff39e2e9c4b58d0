//! Programs for the runtime: probes and ops compiled to units, and the frames that answer them read back.
//! Pure: bytes in, bytes out.

mod act;
mod control;
mod facts;
pub mod guard;
mod look;
mod paths;
mod read;
mod stage;
mod state;
mod system;

pub use act::{Named, act, act_as};
pub use control::{abandon, aside, back, begin, changed, finish, finish_at, history, keep, pending, reopen, take_back, take_over, unwind};
pub use guard::{Armed, SCRIPT_END, Verdict};
pub use look::look;
pub use read::{Look, NodeState, Owner, ProtocolError, Sums, ran, read_look};
pub use stage::{CHUNK, Part, chunk_header, chunks, stage};

/// A piece of program that runs as a whole or not at all, and is answered by frames of which the last is
/// `end SEQ STATUS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    seq: u32,
    text: Vec<u8>,
}

impl Unit {
    /// An empty unit.
    pub(in crate::node) fn new(seq: u32) -> Self {
        Unit { seq, text: Vec::new() }
    }

    pub(in crate::node) fn push(&mut self, text: impl AsRef<[u8]>) {
        self.text.extend_from_slice(text.as_ref());
    }

    /// Its number in the session.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// The bytes to send, in the session of `nonce`.
    pub fn wire(&self, nonce: &str) -> Vec<u8> {
        // One group: cut anywhere it does not parse, and all of it has /dev/null for input.
        let mut body = b"{ :\n".to_vec();
        body.extend_from_slice(&self.text);
        body.extend_from_slice(format!("\nh_f end \"{} $?\" ''; }} </dev/null\n#end {nonce}", self.seq).as_bytes());
        let mut out = format!("E {}\n", body.len()).into_bytes();
        out.append(&mut body);
        out
    }
}

/// Bytes from base64, wrapped or not.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    use ::base64::Engine;
    let packed: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    ::base64::engine::general_purpose::STANDARD.decode(packed).ok()
}
