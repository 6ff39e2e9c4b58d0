//! Exit codes: part of the contract.

use crate::lang::{Diagnostics, Kind};

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// As wished; nothing to do or all done.
    Ok,
    /// The configuration is wrong, or a step failed and was left as it is.
    Error,
    /// Changes pending, or drift.
    Pending,
    /// A step failed and everything was taken back.
    TakenBack,
    /// Nothing worse than a host that could not be reached.
    Unreachable,
    /// Taking back failed: a person is needed.
    Stuck,
    /// The command line is wrong.
    Usage,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Error => 1,
            Exit::Pending => 2,
            Exit::TakenBack => 3,
            Exit::Unreachable => 4,
            Exit::Stuck => 5,
            Exit::Usage => 64,
        }
    }

    /// Of several, the one that counts: 5, 3, 1, 2, 4, in this order; 64 before all.
    pub fn and(self, other: Exit) -> Exit {
        let rank = |exit: Exit| match exit {
            Exit::Usage => 0,
            Exit::Stuck => 1,
            Exit::TakenBack => 2,
            Exit::Error => 3,
            Exit::Pending => 4,
            Exit::Unreachable => 5,
            Exit::Ok => 6,
        };
        if rank(other) < rank(self) { other } else { self }
    }

    /// What problems mean.
    pub fn of(problems: &Diagnostics) -> Exit {
        problems.0.iter().map(|problem| match problem.kind {
            Kind::Usage => Exit::Usage,
            Kind::Unreachable => Exit::Unreachable,
            Kind::Config | Kind::Refused | Kind::Failed => Exit::Error,
        }).fold(Exit::Ok, Exit::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_in_the_documented_order() {
        let order = [Exit::Stuck, Exit::TakenBack, Exit::Error, Exit::Pending, Exit::Unreachable, Exit::Ok];
        for (i, worse) in order.iter().enumerate() {
            for better in &order[i..] {
                assert_eq!(worse.and(*better), *worse);
                assert_eq!(better.and(*worse), *worse);
            }
        }
    }
}
