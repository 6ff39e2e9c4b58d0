//! What stands against taking a run back: later runs that built upon it, and what anybody has touched since.

use super::past::Past;
use super::thing::of_run;
use crate::node::journal::{Journal, Stage, Stamp, State};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What became of what a run touched, as the node answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Paths when the run ended; none of a run that did not end, or of an old one.
    pub after: BTreeMap<String, Option<Stamp>>,
    /// The same paths now.
    pub now: BTreeMap<String, Option<Stamp>>,
    /// Something in each directory that the run made, or the directory itself where something is mounted on it, which is not of its making.
    pub foreign: Vec<String>,
}

/// Something that stands against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "conflict")]
pub enum Conflict {
    /// A later run built upon it.
    Built {
        /// Which run.
        run: String,
        /// What both touched, as this run did.
        what: String,
        /// The later one's step, where it is known.
        step: Option<String>,
    },
    /// Somebody changed what the run left.
    Touched {
        /// Where.
        path: String,
        /// How.
        how: &'static str,
    },
    /// A directory that the run made holds what it did not put there.
    Holds {
        /// What it holds.
        path: String,
    },
    /// It was interrupted, and a later run went on from what it left.
    WentOn {
        /// Which.
        run: String,
    },
    /// A later run that cannot be read here, and may have built upon it.
    Unread {
        /// Which.
        run: String,
    },
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Conflict::Built { run, what, step: Some(step) } => write!(f, "{what}: run {run} built upon it, in `{step}`"),
            Conflict::Built { run, what, step: None } => write!(f, "{what}: run {run} built upon it"),
            Conflict::Touched { path, how } => write!(f, "{path}: {how} since the run ended"),
            Conflict::Holds { path } => write!(f, "{path}: it is in a directory that the run made, or mounted on it, and not by the run"),
            Conflict::WentOn { run } => write!(f, "run {run} went on from what this one left, and counts on it"),
            Conflict::Unread { run } => write!(f, "run {run} came later, and cannot be read by this version of homelab"),
        }
    }
}

/// Everything that stands against taking `run` back.
pub fn conflicts(run: &Journal, past: &Past, changed: &Changed) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = past.unread.iter().filter(|later| **later > run.run).map(|later| Conflict::Unread { run: later.clone() }).collect();
    let ours = of_run(run);
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    for later in past.after(run).filter(|later| later.state != State::TakenBack) {
        for (op, theirs) in of_run(later) {
            let step = op.and_then(|op| later.step_of(op)).and_then(|at| later.steps.get(at)).map(|step| step.label.clone());
            for (_, our) in ours.iter().filter(|(_, our)| our.meets(&theirs)) {
                if told.insert((later.run.clone(), our.to_string())) {
                    found.push(Conflict::Built { run: later.run.clone(), what: our.to_string(), step: step.clone() });
                }
            }
        }
    }
    if run.state == State::Unended && !ours.is_empty() {
        let ended = past.after(run).filter(|later| later.state == State::Done);
        found.extend(ended.map(|later| Conflict::WentOn { run: later.run.clone() }));
    }
    // Taking it back has begun: what it has put back already differs from what the run left.
    if run.state == State::Stuck {
        return found;
    }
    let named: BTreeSet<&str> = told.iter().map(|(_, what)| what.as_str()).collect();
    let mut touched = Vec::new();
    for (path, then) in &changed.after {
        let undone = run.touched.iter().any(|(op, touch)| touch.name == *path && run.ops.get(op) == Some(&Stage::Undone));
        let put_back = past.after(run).any(|later| later.touched.values().any(|touch| touch.name == *path));
        let Some(now) = changed.now.get(path) else { continue };
        if !undone
            && !named.contains(path.as_str())
            && let Some(how) = differs(then.as_ref(), now.as_ref(), put_back)
        {
            touched.push(Conflict::Touched { path: path.clone(), how });
        }
    }
    found.append(&mut touched);
    let theirs = |path: &str| past.after(run).any(|later| later.state != State::TakenBack && later.touched.values().any(|touch| touch.name == path));
    found.extend(changed.foreign.iter().filter(|path| !theirs(path)).map(|path| Conflict::Holds { path: path.clone() }));
    found
}

/// How what is there now differs. What a later run's unwinding `put_back` is a copy: another file with the same content and times.
fn differs(then: Option<&Stamp>, now: Option<&Stamp>, put_back: bool) -> Option<&'static str> {
    const TYPE: u32 = 0o170_000;
    let (then, now) = match (then, now) {
        (None, None) => return None,
        (None, Some(_)) => return Some("it is there again"),
        (Some(_), None) => return Some("it was removed"),
        (Some(then), Some(now)) => (then, now),
    };
    if then.mode & TYPE != now.mode & TYPE {
        return Some("it became something else");
    }
    if (then.mode, then.uid, then.gid) != (now.mode, now.uid, now.gid) {
        return Some("its mode or owner was changed");
    }
    match then.mode & TYPE {
        // What is in it comes and goes.
        0o040_000 => None,
        // busybox does not give a link its time back.
        0o120_000 if put_back && then.size == now.size => None,
        _ if (then.size, then.mtime) != (now.size, now.mtime) => Some("its content was changed"),
        _ if then.inode != now.inode && !put_back => Some("it was replaced"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::node::program::NodeState;

    fn past(runs: &[(&str, &str)]) -> Past {
        let read = |(name, records): &(&str, &str)| ((*name).to_owned(), Journal::read(&format!("homelab-journal 1\nR {name} 1 me\n{records}")));
        Past::new(runs.iter().map(read).collect(), NodeState::default())
    }

    fn words(past: &Past, at: usize, changed: &Changed) -> Vec<String> {
        conflicts(&past.runs[at], past, changed).iter().map(ToString::to_string).collect()
    }

    const FIRST: &str = "B 1 mkdir a 0 0 0 1_0 /srv/d\nB 2 put a 0 0 0 1_0 /etc/motd\nD 1\nD 2\nE 2\n";

    #[test]
    fn later_runs_that_built_upon_it_are_named_with_their_steps() {
        let all = past(&[("r1", FIRST), ("r2", "S 1 5 Put into it\nB 1 put a 0 0 0 1_0 /srv/d/x\nD 1\nB 2 put f 0 0 0 1_0 /etc/other\nD 2\nE\n")]);
        assert_eq!(words(&all, 0, &Changed::default()), ["/srv/d: run r2 built upon it, in `Put into it`"]);
        assert!(words(&all, 1, &Changed::default()).is_empty());
    }

    #[test]
    fn what_was_interrupted_is_counted_on_by_whoever_went_on() {
        let all = past(&[("r1", "B 1 put a 0 0 0 1_0 /a\nD 1\nI\n"), ("r2", "B 1 put a 0 0 0 1_0 /b\nD 1\nE\n")]);
        assert_eq!(words(&all, 0, &Changed::default()), ["run r2 went on from what this one left, and counts on it"]);
        let all = past(&[("r1", "B 1 put a 0 0 0 1_0 /a\nD 1\nI\n"), ("r2", "B 1 put a 0 0 0 1_0 /b\nD 1\nE\nW\nU 1\nX\n")]);
        assert!(words(&all, 0, &Changed::default()).is_empty());
    }

    #[test]
    fn what_was_taken_back_is_built_upon_by_nobody() {
        let all = past(&[("r1", FIRST), ("r2", "B 1 put f 0 0 0 1_0 /etc/motd\nD 1\nE\nW\nU 1\nX\n")]);
        assert!(words(&all, 0, &Changed::default()).is_empty());
        // Its unwinding put a copy there, which is no touch.
        let stamp = Stamp { mode: 0o100_644, size: 3, mtime: 9, inode: 1, ..Stamp::default() };
        let one = |stamp| BTreeMap::from([("/etc/motd".to_owned(), stamp)]);
        let mut changed = Changed { after: one(Some(stamp)), now: one(Some(Stamp { inode: 2, ctime: 8, ..stamp })), foreign: Vec::new() };
        assert!(words(&all, 0, &changed).is_empty());
        changed.now = one(Some(Stamp { mtime: 10, ..stamp }));
        assert_eq!(words(&all, 0, &changed), ["/etc/motd: its content was changed since the run ended"]);
        changed.now = one(None);
        assert_eq!(words(&all, 0, &changed), ["/etc/motd: it was removed since the run ended"]);
    }

    #[test]
    fn what_anybody_touched_or_put_there_is_named_unless_taking_back_has_begun() {
        let stamp = Stamp { mode: 0o100_644, inode: 1, ..Stamp::default() };
        let one = |stamp| BTreeMap::from([("/etc/motd".to_owned(), stamp)]);
        let changed = Changed { after: one(Some(stamp)), now: one(Some(Stamp { inode: 2, ..stamp })), foreign: vec!["/srv/d/mine".into()] };
        let said = words(&past(&[("r1", FIRST)]), 0, &changed);
        assert_eq!(said[0], "/etc/motd: it was replaced since the run ended");
        assert!(said[1].starts_with("/srv/d/mine: "), "{said:?}");
        assert!(words(&past(&[("r1", &format!("{FIRST}W\nU 2\n"))]), 0, &changed).is_empty());
    }

    #[test]
    fn kept_values_packages_and_accounts_meet_by_name() {
        let all = past(&[
            ("r1", "B 1 packages - - - - - nginx,libx_1_arm64\nD 1\nB 2 user - - - - - anna\nD 2\nK token\nE\n"),
            ("r2", "B 1 packages - - - - - nginx_1_arm64\nD 1\nB 2 group - - - - - anna\nD 2\nK token\nE\n"),
        ]);
        let said = words(&all, 0, &Changed::default());
        assert_eq!(said, ["package nginx: run r2 built upon it", "kept value token: run r2 built upon it"]);
    }
}
