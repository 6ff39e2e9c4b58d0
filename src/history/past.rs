//! The past of one node: its runs, and which of them is to be taken back.

use crate::node::journal::{Journal, State};
use crate::node::program::NodeState;
use serde::Serialize;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Under way: somebody alive holds the lock for it.
    Open,
    /// It stopped in the middle; what was done is there.
    Interrupted,
    /// It ended as it should.
    Done,
    /// And it will be taken back by the node, unless somebody keeps it.
    OnTrial,
    /// Everything it did was taken back.
    TakenBack,
    /// Taking it back began and did not end.
    Stuck,
}

/// What a node keeps of its runs.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The runs, oldest first.
    pub runs: Vec<Journal>,
    /// Names of runs whose journals cannot be read here: another version of homelab wrote them.
    pub unread: Vec<String>,
    /// What else it keeps: who holds it, which run is open.
    pub state: NodeState,
}

/// Which run is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This one.
    Back(&'a Journal),
    /// Nothing is left of `run` to take back; an older one that could be is `next`.
    Nothing {
        /// It was taken back already; `None`: there is no run at all.
        run: Option<&'a str>,
        /// The newest one before it of which something is left.
        next: Option<&'a str>,
    },
    /// The node keeps no run of this name.
    Missing,
    /// The node keeps it, and it cannot be read here.
    Unread(&'a str),
}

impl Past {
    /// Of the journals that a node sent, by run.
    pub fn new(journals: Vec<(String, Option<Journal>)>, state: NodeState) -> Self {
        let mut past = Past { state, ..Past::default() };
        for (run, journal) in journals {
            match journal {
                // The node goes by the name of the directory.
                Some(journal) => past.runs.push(Journal { run, ..journal }),
                None => past.unread.push(run),
            }
        }
        past.runs.sort_by(|a, b| (a.number, &a.run).cmp(&(b.number, &b.run)));
        past
    }

    /// How a run stands.
    pub fn standing(&self, journal: &Journal) -> Standing {
        let open = self.state.locked_by.is_some() && self.state.interrupted.as_deref() == Some(&journal.run);
        match journal.state {
            _ if open => Standing::Open,
            State::Unended => Standing::Interrupted,
            State::Done if self.state.guard.as_ref().is_some_and(|armed| armed.run == journal.run) => Standing::OnTrial,
            State::Done => Standing::Done,
            State::TakenBack => Standing::TakenBack,
            State::Stuck => Standing::Stuck,
        }
    }

    /// The run called `name`, or whose name begins so if there is but one; without a name the last one.
    pub fn choose(&self, name: Option<&str>) -> Choice<'_> {
        let found = match name {
            None => match (self.runs.last(), self.unread.iter().max()) {
                (last, Some(unread)) if last.is_none_or(|last| last.run < *unread) => return Choice::Unread(unread),
                (None, _) => return Choice::Nothing { run: None, next: None },
                (Some(last), _) => last,
            },
            Some(name) => match self.called(name)[..] {
                [one] => match self.runs.iter().find(|run| run.run == one) {
                    Some(run) => run,
                    None => return Choice::Unread(one),
                },
                _ => return Choice::Missing,
            },
        };
        if found.state != State::TakenBack {
            return Choice::Back(found);
        }
        let older = self.runs.iter().take_while(|run| run.run != found.run).filter(|run| run.state != State::TakenBack).last();
        Choice::Nothing { run: Some(&found.run), next: older.map(|run| run.run.as_str()) }
    }

    /// The names of runs that `name` may mean: the one that is called so, or all that begin so.
    pub fn called(&self, name: &str) -> Vec<&str> {
        let all = self.runs.iter().map(|run| &run.run).chain(&self.unread);
        let alike: Vec<&str> = all.filter(|run| run.starts_with(name)).map(String::as_str).collect();
        if alike.contains(&name) { alike.into_iter().filter(|run| *run == name).collect() } else { alike }
    }

    /// The runs after `run`, oldest first.
    pub fn after(&self, run: &Journal) -> impl Iterator<Item = &Journal> {
        let at = self.runs.iter().position(|one| one.run == run.run).map_or(self.runs.len(), |at| at + 1);
        self.runs[at..].iter()
    }

    /// The run that was interrupted and can be resumed: the last one, if nobody has begun to take it back.
    pub fn resumable(&self) -> Option<&Journal> {
        let open = self.state.interrupted.as_ref()?;
        self.runs.iter().find(|run| run.run == *open && run.state == State::Unended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(states: &[State]) -> Past {
        let runs = states.iter().enumerate().map(|(at, state)| (format!("{}-a", at + 10), Some(Journal { state: *state, ..Journal::default() })));
        Past::new(runs.collect(), NodeState::default())
    }

    #[test]
    fn the_last_run_is_meant_and_never_silently_the_one_before() {
        let all = past(&[State::TakenBack, State::Done, State::Stuck, State::TakenBack]);
        assert_eq!(all.choose(None), Choice::Nothing { run: Some("13-a"), next: Some("12-a") });
        assert!(matches!(all.choose(Some("12")), Choice::Back(run) if run.run == "12-a"));
        assert_eq!(all.choose(Some("10-a")), Choice::Nothing { run: Some("10-a"), next: None });
        // A name that several begin with is none; who asks is told of them.
        assert_eq!((all.choose(Some("1")), all.choose(Some("9"))), (Choice::Missing, Choice::Missing));
        assert_eq!((all.called("1"), all.called("13-a"), all.called("9")), (vec!["10-a", "11-a", "12-a", "13-a"], vec!["13-a"], vec![]));
        assert_eq!(past(&[]).choose(None), Choice::Nothing { run: None, next: None });
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_over() {
        let mut all = past(&[State::Done]);
        all.unread.push("99-z".into());
        assert_eq!((all.choose(None), all.choose(Some("99"))), (Choice::Unread("99-z"), Choice::Unread("99-z")));
        assert!(matches!(all.choose(Some("10-a")), Choice::Back(_)));
    }

    #[test]
    fn only_a_run_that_nobody_takes_back_is_resumed() {
        let mut all = past(&[State::Unended, State::Stuck]);
        assert!(all.resumable().is_none(), "no run is open");
        all.state.interrupted = Some("11-a".into());
        assert!(all.resumable().is_none(), "it is stuck");
        all.state.interrupted = Some("10-a".into());
        assert_eq!(all.resumable().map(|run| run.run.as_str()), Some("10-a"));
    }
}
