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
    unit(seq, format!("h_begin {} {} {since}", quote(&name(run)), quote(&line(owner))))
}

/// As [`begin`], but whoever holds the lock loses it: its program stops at its next boundary and answers `taken SINCE`.
pub fn take_over(seq: u32, run: &str, owner: &str, since: u64) -> Unit {
    unit(seq, format!("h_begin {} {} {since} y", quote(&name(run)), quote(&line(owner))))
}

/// The journals of all runs that the node keeps, oldest first, as frames `journal RUN` whose body ends with a dot.
pub fn history(seq: u32) -> Unit {
    unit(seq, "h_history".into())
}

/// What became of what `run` touched: frames `after` and `now`, lines of [`stamps`](crate::node::journal::stamps), where the run was
/// ended by a version that notes it; and `foreign` for each directory that the run made and that holds something not of its making.
pub fn changed(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_changed {}", quote(&name(run))))
}

/// Takes the lock and opens a run of the past; answered as [`begin`] is. `over`: takes the lock over from whoever holds it.
pub fn reopen(seq: u32, run: &str, owner: &str, since: u64, over: bool) -> Unit {
    unit(seq, format!("h_reopen {} {} {since} {}", quote(&name(run)), quote(&line(owner)), if over { "y" } else { "''" }))
}

/// Takes back the run that was opened again; answered as [`unwind`] is. `force`: what came into the way since is put aside,
/// and receipts that later runs have changed are put back too.
pub fn take_back(seq: u32, run: &str, force: bool) -> Unit {
    unit(seq, format!("h_takeback {} {}", quote(&name(run)), if force { "y" } else { "''" }))
}

/// Takes back what the open run `run` did, last first; begin it again before. Answered by `undone N` and `stuck N` (with
/// the reason) and `left N` (it has no undo), and by `unwound RUN` if nothing is stuck. May be sent again.
pub fn unwind(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_unwind {}", quote(&name(run))))
}

/// A handler that is to run later (`true`), or has run (`false`). In a run it is journalled: unwinding takes it back.
pub fn pending(seq: u32, handler: &str, set: bool) -> Unit {
    unit(seq, format!("h_ours && h_pending {} {}", if set { "set" } else { "clear" }, quote(&escape(handler))))
}

/// Keeps a value under a name, readable by this identity only.
pub fn keep(seq: u32, name: &str, value: &[u8]) -> Unit {
    use ::base64::Engine;
    let value = ::base64::engine::general_purpose::STANDARD.encode(value);
    unit(seq, format!("h_ours && h_keep {} '{value}'", quote(&escape(name))))
}

/// Ends the run: writes all receipts of the node (id → digests of what was desired and of what was observed), records the
/// digests of large files, removes the stage, forgets all but the last runs, gives the lock back. Answered by `finished`.
pub fn finish(seq: u32, receipts: &BTreeMap<String, (String, String)>, sums: &Sums) -> Unit {
    finish_at(seq, receipts, sums, None)
}

/// The same, with the time at which it ended by the controller's clock.
pub fn finish_at(seq: u32, receipts: &BTreeMap<String, (String, String)>, sums: &Sums, at: Option<u64>) -> Unit {
    let mut text = String::new();
    for (id, (desired, observed)) in receipts {
        text.push_str(&format!("{} {} {}\n", escape(id), escape(desired), escape(observed)));
    }
    // No path has two slashes in a row, so a shell can find its line as it is.
    let sums: String = sums.iter().map(|(path, stamped)| format!("{path}// {stamped}\n")).collect();
    let at = at.map(|at| at.to_string()).unwrap_or_default();
    unit(seq, format!("h_finish {} {} {at}", quote(&text), quote(&sums)))
}

/// Between this and [`back`], acts belong to no run: they are in no journal, nothing takes them back, and no later run is kept
/// out by them. The lock stays held. Answered by `failed aside` with the reason if that cannot be.
pub fn aside(seq: u32) -> Unit {
    // Whatever run this was, nothing more comes in it.
    let text = r#"[ -z "$run" ] || h_note I
h_wr=$run h_wR=$R h_wc=$h_cut h_cut=
run=aside R=$S/aside
e=$({ rm -rf "$R" && mkdir -p "$R/before" "$R/s" && printf 'homelab-journal 1\n' >"$R/journal"; } 2>&1) || {
run=$h_wr R=$h_wR h_cut=$h_wc
h_f failed aside "$e"
}"#;
    unit(seq, text.into())
}

/// Goes back to the run that [`aside`] left.
pub fn back(seq: u32) -> Unit {
    unit(seq, r#"if [ "$run" = aside ]; then rm -rf "$R"; run=$h_wr R=$h_wR h_cut=$h_wc; fi"#.into())
}

/// Leaves the run as it is, interrupted, and gives the lock back. Answered by `abandoned`.
pub fn abandon(seq: u32) -> Unit {
    unit(seq, "h_abandon".into())
}

/// A text as one line.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A run's name is a directory's.
pub(super) fn name(run: &str) -> String {
    run.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}
