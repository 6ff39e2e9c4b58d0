//! What the tasks of `on_failure` are told: the variable `failed`.

use crate::lang::{Data, Scope, Value};
use std::collections::BTreeMap;

/// What failed, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failed {
    /// The task; empty where none failed by itself, like when the line was lost.
    pub task: String,
    /// What was said of it. It goes to other people's eyes: no secret is in it.
    pub message: String,
    /// The host on which it failed.
    pub host: String,
    /// Everything was taken back here, and verified.
    pub taken_back: bool,
    /// Tasks that run once run on this host: the play's first one may be none of those that failed.
    pub once: bool,
}

/// The parts of `failed`.
const PARTS: [&str; 4] = ["task", "message", "host", "taken_back"];

/// `scope` with `failed` in it: its parts are known once something has failed.
pub(super) fn scope(scope: &Scope, failed: Option<&Failed>) -> Scope {
    let whole = |map: Vec<(String, Value)>| [("failed".to_owned(), Value::from(Data::Map(map.into_iter().collect())))];
    match failed {
        Some(failed) => {
            let text = |text: &String| Value::from(text.as_str());
            let values = [text(&failed.task), text(&failed.message), text(&failed.host), Data::Bool(failed.taken_back).into()];
            scope.data(whole(PARTS.iter().map(|part| (*part).to_owned()).zip(values).collect()))
        }
        None => {
            let late: BTreeMap<String, String> = PARTS.iter().map(|part| (format!("failed.{part}"), "what failed".to_owned())).collect();
            scope.data(whole(Vec::new())).late(late)
        }
    }
}
