//! The journal of a run, as the runtime writes it into `STATE/runs/RUN/journal` on the node.
//!
//! Text, only ever appended to, one record a line; a line without its newline was cut off and counts for nothing. The
//! node alone can unwind from it and the before-images beside it. It begins with `homelab-journal 1`, its version. Readers
//! skip records that they do not know.
//!
//! | record | meaning |
//! |---|---|
//! | `R run since owner` | the run begins |
//! | `Q number` | how many runs the node has had, with this one: they came in this order, whatever the controllers' clocks say |
//! | `O since owner` | the run was opened again, to resume it or to take it back |
//! | `A boot` | from here on the run acts in this boot of the node |
//! | `S op since label` | from this op on, ops belong to the step of this label. Noted just before it, with no sync of its own |
//! | `B op kind class mode uid gid group path` | a file op is about to be done. `class` is what was there: `a` nothing, `f` file, `d` directory, `l` link, `o` other; its copy is `before/GROUP/NAME`. On disk before the act |
//! | `B op kind …` | another op is about to be done, with what was there in the same number of fields (`-` where there is nothing to say), and in `before/OP.*` |
//! | `P set\|clear handler` | a handler's pending marker changed |
//! | `K name` | the kept value of this name is about to be set. What was kept before the first of these is `before/kept`: no value ever stands in the journal |
//! | `D op` / `F op` | the op was done / failed. An op with `B` and neither may have happened by half |
//! | `W` | unwinding begins |
//! | `U record` | the record of this number (counting `B` and `P` from 1) has been taken back |
//! | `G seconds` / `g` | the guard was armed / disarmed |
//! | `N` | the guard on the node began to unwind by itself |
//! | `I` | the program stopped here: the line dropped, or the controller abandoned the run |
//! | `X` / `E since` | everything was taken back / the run ended |
//!
//! In paths and labels `%` and newline are `%25` and `%0A`. Times are the controller's, in seconds since 1970. A line that ends with `%`
//! was cut off and then written on after: it counts for nothing.
//!
//! Beside it, once the run has ended: `receipts` (all of the node's, before it), `wrote` (the same after it) and `after`: what
//! [`Stamp`] reads, for each path of its file ops.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Not taken back when all else was: nothing can undo it.
    Left,
}

/// What a run has come to, by its journal alone: whether one that has not ended is still under way, the node's lock knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It has not ended.
    #[default]
    Unended,
    /// It ended as it should.
    Done,
    /// Everything was taken back.
    TakenBack,
    /// Taking it back began and did not end.
    Stuck,
}

/// What an op was about to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touch {
    /// `put`, `unit`, `packages`, …
    pub kind: String,
    /// What was there; of a command, whether it has an undo (`y`), is a handler's (`h`), or neither (`-`).
    pub class: String,
    /// The path or name; of packages several, with commas. Nothing for a command.
    pub name: String,
}

/// A step that a run began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Its first op.
    pub first: u32,
    /// When.
    pub since: u64,
    /// What people call it.
    pub label: String,
}

/// A journal, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// The run's name.
    pub run: String,
    /// Which of the node's runs it is, counted from 1; 0 in old journals.
    pub number: u64,
    /// Who began it.
    pub owner: String,
    /// When, in seconds since 1970 by the controller's clock.
    pub since: u64,
    /// Ops by number, and how far each got.
    pub ops: BTreeMap<u32, Stage>,
    /// What each op was about to change.
    pub touched: BTreeMap<u32, Touch>,
    /// The steps that the ops belong to, in the order in which they were begun.
    pub steps: Vec<Step>,
    /// Names of kept values that it set.
    pub kept: BTreeSet<String>,
    /// Its guard was armed once: something in it may have cut the line.
    pub guarded: bool,
    /// When and by whom it was opened again, the last time.
    pub reopened: Option<(u64, String)>,
    /// When it ended, if that is known.
    pub ended: Option<u64>,
    /// What it has come to.
    pub state: State,
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
        for line in lines.filter(|line| !line.ends_with('%')) {
            journal.record(line, &mut records);
        }
        journal.closed = matches!(journal.state, State::Done | State::TakenBack);
        Some(journal)
    }

    fn record(&mut self, line: &str, records: &mut Vec<Option<u32>>) {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let number = words.clone().next().and_then(|word| word.parse::<u32>().ok());
        match (kind, number) {
            ("R", _) => {
                self.run = words.next().unwrap_or_default().to_owned();
                (self.since, self.owner) = moment(words);
            }
            ("Q", _) => self.number = words.next().and_then(|number| number.parse().ok()).unwrap_or(0),
            ("O", _) => self.reopened = Some(moment(words)),
            ("S", Some(first)) => {
                words.next();
                let (since, label) = moment(words);
                self.steps.push(Step { first, since, label: decode(&label) });
            }
            ("B", Some(op)) => {
                records.push(Some(op));
                self.ops.insert(op, Stage::Begun);
                let mut fields = line.splitn(9, ' ').skip(2).map(str::to_owned);
                let (kind, class) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
                let name = decode(&fields.nth(4).unwrap_or_default());
                self.touched.insert(op, Touch { kind, class, name });
            }
            ("P", _) => records.push(None),
            ("G", _) => self.guarded = true,
            ("K", _) => self.kept.extend(words.next().map(str::to_owned)),
            ("D", Some(op)) => drop(self.ops.insert(op, Stage::Done)),
            ("F", Some(op)) => drop(self.ops.insert(op, Stage::Failed)),
            ("U", Some(record)) => {
                let op = (record as usize).checked_sub(1).and_then(|at| records.get(at).copied().flatten());
                if let Some(op) = op {
                    let stays = self.touched.get(&op).is_some_and(|touch| touch.kind == "run" && touch.class == "-");
                    self.ops.insert(op, if stays { Stage::Left } else { Stage::Undone });
                }
            }
            ("W", _) => self.state = State::Stuck,
            ("X", _) => self.state = State::TakenBack,
            ("E", _) => {
                self.state = State::Done;
                self.ended = words.next().and_then(|since| since.parse().ok());
            }
            _ => {}
        }
    }

    /// The step that an op belongs to, if the journal says. One that was planned late has higher numbers, and may be begun earlier.
    pub fn step_of(&self, op: u32) -> Option<usize> {
        let first = |at: &usize| self.steps[*at].first;
        (0..self.steps.len()).filter(|at| first(at) <= op).max_by_key(first)
    }
}

/// A time, and the rest of the line.
fn moment<'a>(mut words: impl Iterator<Item = &'a str>) -> (u64, String) {
    let since = words.next().and_then(|since| since.parse().ok()).unwrap_or(0);
    (since, words.collect::<Vec<_>>().join(" "))
}

fn decode(text: &str) -> String {
    text.replace("%0A", "\n").replace("%25", "%")
}

/// What `stat` said of a path, as `after` holds it: `MODE UID GID SIZE MTIME INODE CTIME PATH` with the mode in hex, or
/// `- PATH` of what was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Bytes.
    pub size: u64,
    /// When its content was changed.
    pub mtime: i64,
    /// Which file it is.
    pub inode: u64,
    /// When anything of it was changed.
    pub ctime: i64,
}

/// Reads stamps: path → what was there. What is odd is skipped.
pub fn stamps(text: &str) -> BTreeMap<String, Option<Stamp>> {
    text.lines()
        .filter_map(|line| {
            if let Some(path) = line.strip_prefix("- ") {
                return Some((decode(path), None));
            }
            let mut words = line.splitn(8, ' ');
            let mode = u32::from_str_radix(words.next()?, 16).ok()?;
            let mut number = || words.next()?.parse::<i128>().ok();
            let fields = [number()?, number()?, number()?, number()?, number()?, number()?];
            let [uid, gid, size, mtime, inode, ctime] = fields;
            let plain = |number: i128| u64::try_from(number).ok();
            let stamp = Stamp {
                mode,
                uid: plain(uid)?,
                gid: plain(gid)?,
                size: plain(size)?,
                mtime: i64::try_from(mtime).ok()?,
                inode: plain(inode)?,
                ctime: i64::try_from(ctime).ok()?,
            };
            Some((decode(words.next()?), Some(stamp)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_off_line_counts_for_nothing() {
        let text = "homelab-journal 1\nR r1 7 me at home\nB 1 put f 644 0 0 1_0 /a b\nP set h\nB 2 mkdir a 0 0 0 1_0 /c\nD 1\nU 3\nB 3 put a 0 0 0 3_0 /d%\nD 2";
        let journal = Journal::read(text).unwrap();
        assert_eq!((journal.run.as_str(), journal.since, journal.owner.as_str()), ("r1", 7, "me at home"));
        assert_eq!(journal.ops, [(1, Stage::Done), (2, Stage::Undone)].into());
    }

    #[test]
    fn steps_touched_things_and_what_it_came_to_are_read() {
        let text = "homelab-journal 1\nR r1 7 me\nS 1 8 Say 100%25%0Atwice\nB 1 put f 644 0 0 1_0 /a b%25\nS 2 9 Run\nB 2 run - - - - - -\nK token\n?what now\nD 1\nD 2\nE 11\n";
        let journal = Journal::read(text).unwrap();
        assert_eq!((journal.steps[0].label.as_str(), journal.steps[1].since), ("Say 100%\ntwice", 9));
        assert_eq!((journal.step_of(1), journal.step_of(2), journal.step_of(0)), (Some(0), Some(1), None));
        assert_eq!(journal.touched[&1], Touch { kind: "put".into(), class: "f".into(), name: "/a b%".into() });
        assert_eq!((journal.state, journal.ended, journal.kept.len()), (State::Done, Some(11), 1));
        let late = Journal::read("homelab-journal 1\nR r1 7 me\nS 5 8 late\nB 5 run t - - - - -\nS 1 9 one\nS 2 9 two\n").unwrap();
        assert_eq!([1, 2, 5, 6].map(|op| late.step_of(op)), [Some(1), Some(2), Some(0), Some(0)]);
        let back = Journal::read(&format!("{text}O 20 you\nW\nU 2\n")).unwrap();
        assert_eq!((back.state, back.closed, back.ops[&2], back.reopened), (State::Stuck, false, Stage::Left, Some((20, "you".into()))));
        assert_eq!(Journal::read(&format!("{text}W\nU 2\nU 1\nX\nI\n")).unwrap().state, State::TakenBack);
    }

    #[test]
    fn stamps_are_read_by_path() {
        let read = stamps("81a4 0 1000 12 1600000000 77 1600000001 /a b%25\n- /gone\nnonsense\n");
        assert_eq!(read["/gone"], None);
        assert_eq!(read["/a b%"].map(|stamp| (stamp.mode, stamp.gid, stamp.size, stamp.ctime)), Some((0o100644, 1000, 12, 1_600_000_001)));
        assert_eq!(read.len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_does_not_panic(text in "(homelab-journal 1\n)?([BPDFUXERIOSKWQ] |[0-9]{1,10}|\n|.){0,60}") {
            let _ = (Journal::read(&text), stamps(&text));
        }
    }
}
