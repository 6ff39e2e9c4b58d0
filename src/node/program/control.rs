//! The units around the acts: beginning, ending, unwinding, and what is kept on the node between runs.

use super::{Sums, Unit};
use super::state::escape;
use crate::node::quote::quote;
use std::collections::BTreeMap;

pub(super) fn unit(seq: u32, text: String) -> Unit {
    let mut unit = Unit::new(seq);
    unit.push(text);
    unit
}

/// Takes the lock and opens the run: a new one, or one that was interrupted. Answered by `begun RUN`; or by `locked SINCE`
/// with the owner in the body; or by `failed begin` with the reason. `run` must sort by time and be made of
/// letters, digits, `-` and `_`. `owner` is shown to whoever finds the lock held; `since` is seconds since 1970.
pub fn begin(seq: u32, run: &str, owner: &str, since: u64) -> Unit {
    let owner: String = owner.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    unit(seq, format!("h_begin {} {} {since}", quote(&name(run)), quote(&owner)))
}

/// Takes back what the open run `run` did, last first; begin it again before. Answered by `undone N` and `stuck N` (with
/// the reason) and `left N` (it has no undo), and by `unwound RUN` if nothing is stuck. May be sent again.
pub fn unwind(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_unwind {}", quote(&name(run))))
}

/// A handler that is to run later (`true`), or has run (`false`). In a run it is journalled: unwinding takes it back.
pub fn pending(seq: u32, handler: &str, set: bool) -> Unit {
    unit(seq, format!("h_pending {} {}", if set { "set" } else { "clear" }, quote(&escape(handler))))
}

/// Keeps a value under a name, readable by this identity only.
pub fn keep(seq: u32, name: &str, value: &[u8]) -> Unit {
    use ::base64::Engine;
    let value = ::base64::engine::general_purpose::STANDARD.encode(value);
    unit(seq, format!("h_keep {} '{value}'", quote(&escape(name))))
}

/// Ends the run: writes all receipts of the node (id → digests of what was desired and of what was observed), records the
/// digests of large files, removes the stage, forgets all but the last runs, gives the lock back. Answered by `finished`.
pub fn finish(seq: u32, receipts: &BTreeMap<String, (String, String)>, sums: &Sums) -> Unit {
    let mut text = String::new();
    for (id, (desired, observed)) in receipts {
        text.push_str(&format!("{} {} {}\n", escape(id), escape(desired), escape(observed)));
    }
    // No path has two slashes in a row, so a shell can find its line as it is.
    let sums: String = sums.iter().map(|(path, stamped)| format!("{path}// {stamped}\n")).collect();
    unit(seq, format!("h_finish {} {}", quote(&text), quote(&sums)))
}

/// Leaves the run as it is, interrupted, and gives the lock back. Answered by `abandoned`.
pub fn abandon(seq: u32) -> Unit {
    unit(seq, "h_abandon".into())
}

/// A run's name is a directory's.
pub(super) fn name(run: &str) -> String {
    run.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}
