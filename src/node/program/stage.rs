//! Staging: every content that a run needs is on the node, and its digest checked, before the first act.

use super::Unit;
use crate::node::op::{Body, Content, Op};
use crate::node::quote::{quote, quote_bytes};
use std::path::PathBuf;

/// A content up to this many bytes travels inside a unit, without a process; a larger one in chunks of its own.
const INLINE: usize = 64 << 10;
/// Contents in one unit, in bytes.
const UNIT: usize = 512 << 10;
/// The largest chunk of a streamed content, in bytes.
pub const CHUNK: usize = 1 << 20;

/// What is to be sent for staging, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A unit; answered.
    Unit(Unit),
    /// A content, in chunks of at most [`CHUNK`] bytes, each after its [`chunk_header`]; not answered.
    Stream {
        /// The op that it is for.
        op: u32,
        /// Its bytes, or where they are.
        body: Body,
    },
}

impl Part {
    /// The file that is streamed, if it is one.
    pub fn local(&self) -> Option<&PathBuf> {
        match self {
            Part::Stream { body: Body::Local(path), .. } => Some(path),
            _ => None,
        }
    }
}

/// The header before a chunk of `length` bytes for op number `op`.
pub fn chunk_header(op: u32, length: usize) -> Vec<u8> {
    format!("D {op}.p {length}\n").into_bytes()
}

/// A content in memory with its chunk headers, as it travels.
pub fn chunks(op: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 32);
    for chunk in bytes.chunks(CHUNK) {
        out.extend(chunk_header(op, chunk.len()));
        out.extend_from_slice(chunk);
    }
    out
}

/// Where an op's content is staged, as shell text.
pub(super) fn place(op: u32, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    format!("\"$R/s/{op}/\"{}", quote(name))
}

/// Whether a content can travel as a word of the shell's.
fn inline(content: &Content) -> bool {
    matches!(&content.body, Body::Inline(bytes) if bytes.len() <= INLINE && !bytes.contains(&0))
}

/// The parts that stage the contents of these ops. `seq` is counted on for each unit. A frame `unstaged OP` and a status
/// other than 0 mean that what arrived is not what was sent.
pub fn stage(seq: &mut u32, ops: &[(u32, &Op)]) -> Vec<Part> {
    let mut puts: Vec<(u32, &str, &Content)> = Vec::new();
    for (number, op) in ops {
        if let Op::Put { path, content, .. } = op {
            puts.push((*number, path, content));
        }
    }
    if puts.is_empty() {
        return Vec::new();
    }
    let mut next = || {
        *seq = seq.saturating_add(1);
        Unit::new(*seq)
    };
    let mut parts = Vec::new();
    let mut unit = next();
    unit.push("mkdir -p --");
    for (number, ..) in &puts {
        unit.push(format!(" \"$R/s/{number}\""));
    }
    unit.push("\n");
    // A run that is carried on may have half of a stream already, and chunks are appended.
    let streamed: Vec<String> = puts.iter().filter(|(_, _, content)| !inline(content)).map(|(op, ..)| format!(" \"$R/s/{op}.p\"")).collect();
    if !streamed.is_empty() {
        unit.push(format!("rm -f --{}\n", streamed.concat()));
    }
    let mut size = 0;
    for (number, path, content) in &puts {
        match &content.body {
            Body::Inline(bytes) if inline(content) => {
                if size > UNIT {
                    unit.push("true");
                    parts.push(Part::Unit(std::mem::replace(&mut unit, next())));
                    size = 0;
                }
                unit.push("printf %s ");
                unit.push(quote_bytes(bytes));
                unit.push(format!(" >{}\n", place(*number, path)));
                size += bytes.len();
            }
            _ => {}
        }
    }
    unit.push("true");
    parts.push(Part::Unit(unit));
    let mut check = next();
    for (number, path, content) in &puts {
        if inline(content) {
            continue;
        }
        // An empty one has no chunk.
        check.push(format!("[ -e \"$R/s/{number}.p\" ] || : >\"$R/s/{number}.p\"\nmv -f -- \"$R/s/{number}.p\" {}\n", place(*number, path)));
        parts.push(Part::Stream { op: *number, body: content.body.clone() });
    }
    // Several lines of `sha256sum` are told apart by newlines, so odd names are asked about alone.
    let odd = |path: &str| path.rsplit('/').next().unwrap_or_default().contains(['\n', '\\']);
    for (number, path, content) in puts.iter().filter(|(_, path, _)| odd(path)) {
        check.push(format!("h_verify1 {number} {} {} &&\n", content.sha256, place(*number, path)));
    }
    let plain: Vec<_> = puts.iter().filter(|(_, path, _)| !odd(path)).collect();
    for some in plain.chunks(500) {
        let spec: Vec<String> = some.iter().map(|(number, _, content)| format!("{number}:{}", content.sha256)).collect();
        let places: Vec<String> = some.iter().map(|(number, path, _)| place(*number, path)).collect();
        check.push(format!("h_verify '{}' {} &&\n", spec.join(" "), places.join(" ")));
    }
    check.push("{ sync -f \"$R/s\" 2>/dev/null || sync; }");
    parts.push(Part::Unit(check));
    parts
}
