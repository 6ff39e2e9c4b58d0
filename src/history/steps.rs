//! The steps of a run, and what came of each.

use crate::node::{Grade, back_cuts_line};
use crate::node::journal::{Journal, Stage, Touch};
use serde::Serialize;
use std::collections::BTreeMap;

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// Done.
    Done,
    /// Done or begun, then undone.
    Undone,
    /// The rest of the run was taken back, and this stays: nothing can undo it.
    Left,
    /// Failed.
    Failed,
    /// Begun, and the node did not get to note what came of it: it may have happened by half.
    Half,
}

/// A step as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What people call it.
    pub label: String,
    /// When it was begun, in seconds since 1970 by the controller's clock; unknown of old runs.
    pub since: Option<u64>,
    /// What came of it.
    pub came: Came,
    /// How exactly it can be undone, by the weakest of its ops.
    pub grade: Grade,
    /// Undoing it may keep everybody out; known only where that was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cuts: bool,
}

/// The steps of `journal`, in the order in which they were begun. Those never begun a node does not know.
pub fn steps(journal: &Journal) -> Vec<Told> {
    told(journal, |_| false)
}

/// The same, with whether undoing each may keep out whoever logs in as `login`. What a command's undo does nobody can tell: it
/// may, where the run was guarded.
pub fn steps_back(journal: &Journal, login: &str) -> Vec<Told> {
    told(journal, |touch| back_cuts_line(touch, login) || journal.guarded && touch.kind == "run" && matches!(touch.class.as_str(), "y" | "h" | "t"))
}

fn told(journal: &Journal, cuts: impl Fn(&Touch) -> bool) -> Vec<Told> {
    let mut ops: BTreeMap<(Option<usize>, u32), Vec<u32>> = BTreeMap::new();
    for op in journal.ops.keys() {
        let step = journal.step_of(*op);
        // Of old runs each op is told by itself.
        ops.entry((step, if step.is_none() { *op } else { 0 })).or_default().push(*op);
    }
    ops.into_iter()
        .map(|((step, _), ops)| {
            let named = step.and_then(|step| journal.steps.get(step));
            let touches = || ops.iter().filter_map(|op| journal.touched.get(op));
            Told {
                label: named.map_or_else(|| touches().map(words).collect(), |step| step.label.clone()),
                since: named.map(|step| step.since),
                came: came(ops.iter().filter_map(|op| journal.ops.get(op)).copied()),
                grade: touches().map(grade).max().unwrap_or(Grade::Exact),
                cuts: touches().any(&cuts),
            }
        })
        .collect()
}

fn came(stages: impl Iterator<Item = Stage>) -> Came {
    let stages: Vec<Stage> = stages.collect();
    let any = |stage| stages.contains(&stage);
    match () {
        () if any(Stage::Begun) => Came::Half,
        () if any(Stage::Failed) => Came::Failed,
        () if any(Stage::Done) => Came::Done,
        () if any(Stage::Left) => Came::Left,
        () => Came::Undone,
    }
}

/// An op of a run that does not name its steps.
fn words(touch: &Touch) -> String {
    format!("{} {}", touch.kind, touch.name).trim_end_matches([' ', '-']).to_owned()
}

/// How exactly an op is undone, as the runtime derives it from the before-image.
pub fn grade(touch: &Touch) -> Grade {
    match (touch.kind.as_str(), touch.class.as_str()) {
        ("packages" | "group" | "user", _) | ("unit", "restart" | "reload") | ("run", "h" | "t") => Grade::Equivalent,
        ("run", "y") => Grade::Named,
        ("run", _) => Grade::None,
        _ => Grade::Exact,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_came_of_each_step_is_told_of_all_its_ops() {
        let journal = "homelab-journal 1\nR r 1 me\nS 1 5 Two files\nB 1 put a 0 0 0 1_0 /a\nB 2 put a 0 0 0 1_0 /b\nD 1\nD 2\n\
            S 3 6 Say it\nB 3 run - - - - - -\nD 3\nS 4 7 Cut off\nB 4 group - - - - - staff\nS 5 8 Wrong\nB 5 run y - - - - -\nF 5\n";
        let told = |text: &str| steps(&Journal::read(text).unwrap()).into_iter().map(|step| (step.came, step.grade)).collect::<Vec<_>>();
        assert_eq!(told(journal), [(Came::Done, Grade::Exact), (Came::Done, Grade::None), (Came::Half, Grade::Equivalent), (Came::Failed, Grade::Named)]);
        let back = format!("{journal}W\nU 5\nU 4\nU 3\nU 2\nU 1\nX\n");
        assert_eq!(told(&back).into_iter().map(|(came, _)| came).collect::<Vec<_>>(), [Came::Undone, Came::Left, Came::Undone, Came::Undone]);
    }

    #[test]
    fn an_old_journal_without_steps_tells_its_ops() {
        let journal = Journal::read("homelab-journal 1\nR r 1 me\nB 1 put a 0 0 0 1_0 /etc/motd\nD 1\nB 2 run - - - - - -\nD 2\n").unwrap();
        assert_eq!(steps(&journal).iter().map(|step| step.label.as_str()).collect::<Vec<_>>(), ["put /etc/motd", "run"]);
    }
}
