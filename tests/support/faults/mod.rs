//! What can go wrong with an apply, at every boundary between two of its tasks, on whatever node: shared by `chaos` (sandboxes) and
//! the lab (real machines).

mod each;
mod node;
mod tasks;

pub use each::Full;
pub use node::{Node, Place, State, accounts, but_accounts};
pub use tasks::Tasks;

/// How a run that was broken off is brought to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the next apply: as after.
    NextApply,
    /// By `homelab resume`: as after.
    Resume,
    /// By `homelab rollback`: as before.
    Rollback,
}

/// The ways that are tried, in turn.
const WAYS: &[Way] = &[Way::Resume, Way::Rollback, Way::NextApply];
/// Those for a run that is stuck: there is no going on with it.
const WAYS_OUT: &[Way] = &[Way::Rollback, Way::NextApply];

/// Whether everything is tried, which takes minutes.
pub fn all() -> bool {
    std::env::var_os("HOMELAB_TEST_SLOW").is_some_and(|value| value == "1")
}

/// Which of `count` are tried: all, or every third from `first` on, so that the faults together meet each.
pub fn tried(first: usize, count: usize) -> impl Iterator<Item = usize> {
    let (first, step) = if all() { (0, 1) } else { (first, 3) };
    (0..count).skip(first).step_by(step)
}
