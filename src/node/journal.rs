//! The journal of a run, as the runtime writes it into `STATE/runs/RUN/journal` on the node.
//!
//! Text, only ever appended to, one record a line; a line without its newline was cut off and counts for nothing. The
//! node alone can unwind from it and the before-images beside it. It begins with `homelab-journal 1`, its version.
//!
//! | record | meaning |
//! |---|---|
//! | `R run since owner` | the run begins |
//! | `B op kind class mode uid gid group path` | a file op is about to be done. `class` is what was there: `a` nothing, `f` file, `d` directory, `l` link, `o` other; its copy is `before/GROUP/NAME`. On disk before the act |
//! | `B op kind …` | another op is about to be done, with what was there in the same number of fields (`-` where there is nothing to say), and in `before/OP.*` |
//! | `P set\|clear handler` | a handler's pending marker changed |
//! | `D op` / `F op` | the op was done / failed. An op with `B` and neither may have happened by half |
//! | `U record` | the record of this number (counting `B` and `P` from 1) has been taken back |
//! | `G seconds` / `g` | the guard was armed / disarmed |
//! | `N` | the guard on the node began to unwind by itself |
//! | `I` | the program stopped here: the line dropped, or the controller abandoned the run |
//! | `X` / `E` | everything was taken back / the run ended |
//!
//! In paths `%` and newline are `%25` and `%0A`.

use std::collections::BTreeMap;

/// How far an op of a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Announced; it may have happened, or by half.
    Begun,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Taken back.
    Undone,
}

/// A journal, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// The run's name.
    pub run: String,
    /// Who began it.
    pub owner: String,
    /// When, in seconds since 1970 by the controller's clock.
    pub since: u64,
    /// Ops by number, and how far each got.
    pub ops: BTreeMap<u32, Stage>,
    /// It ended, or was taken back as a whole.
    pub closed: bool,
}

impl Journal {
    /// Reads a journal's text; `None` if it is of another version. Untrusted: what is odd is skipped.
    pub fn read(text: &str) -> Option<Self> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines();
        if lines.next() != Some("homelab-journal 1") {
            return None;
        }
        let mut journal = Journal::default();
        let mut records: Vec<Option<u32>> = Vec::new();
        for line in lines {
            let mut words = line.split(' ');
            let kind = words.next().unwrap_or_default();
            let number = words.clone().next().and_then(|word| word.parse::<u32>().ok());
            match (kind, number) {
                ("R", _) => {
                    journal.run = words.next().unwrap_or_default().to_owned();
                    journal.since = words.next().and_then(|since| since.parse().ok()).unwrap_or(0);
                    journal.owner = words.collect::<Vec<_>>().join(" ");
                }
                ("B", Some(op)) => {
                    records.push(Some(op));
                    journal.ops.insert(op, Stage::Begun);
                }
                ("P", _) => records.push(None),
                ("D", Some(op)) => {
                    journal.ops.insert(op, Stage::Done);
                }
                ("F", Some(op)) => {
                    journal.ops.insert(op, Stage::Failed);
                }
                ("U", Some(record)) => {
                    let op = (record as usize).checked_sub(1).and_then(|at| records.get(at).copied().flatten());
                    if let Some(op) = op {
                        journal.ops.insert(op, Stage::Undone);
                    }
                }
                ("X" | "E", _) => journal.closed = true,
                _ => {}
            }
        }
        Some(journal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_off_line_counts_for_nothing() {
        let text = "homelab-journal 1\nR r1 7 me at home\nB 1 put f 644 0 0 1_0 /a b\nP set h\nB 2 mkdir a 0 0 0 1_0 /c\nD 1\nU 3\nD 2";
        let journal = Journal::read(text).unwrap();
        assert_eq!((journal.run.as_str(), journal.since, journal.owner.as_str()), ("r1", 7, "me at home"));
        assert_eq!(journal.ops, [(1, Stage::Done), (2, Stage::Undone)].into());
    }

    proptest! {
        #[test]
        fn any_text_does_not_panic(text in "(homelab-journal 1\n)?([BPDFUXERI] |[0-9]{1,10}|\n|.){0,60}") {
            let _ = Journal::read(&text);
        }
    }
}
