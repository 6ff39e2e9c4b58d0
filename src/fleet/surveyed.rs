//! A host that was looked at: the line to it, what was seen, and what would change.

use super::memory::Seen;
use super::survey::Purpose;
use super::wire::Wire;
use crate::node::{Answers, Costly, World};
use crate::node::program::NodeState;
use crate::plan::divergence::{self, Receipt};
use crate::plan::{HostPlan, Line};
use crate::playbook::{Compiled, Known, Step};
use std::collections::{BTreeMap, BTreeSet};

/// A host that was looked at.
pub struct Surveyed {
    /// Its name.
    pub host: String,
    /// The open program on it.
    pub wire: Wire,
    /// What is known for compiling its tasks.
    pub known: Known,
    /// What was seen, and nothing else; see [`Purpose`].
    pub world: World,
    /// Its tasks, play by play.
    pub plays: Vec<(usize, Compiled)>,
    /// What would change.
    pub plan: HostPlan,
    /// What the node keeps of earlier runs.
    pub state: NodeState,
    /// The costly facts that were asked for. The others are those last seen.
    pub asked: Costly,
}

impl Surveyed {
    /// Lets go of what `purpose` does not need.
    pub(super) async fn settle(&mut self, purpose: Purpose) {
        let needed = match purpose {
            Purpose::Show | Purpose::Save => false,
            Purpose::Apply => self.has_work(),
            Purpose::Resume => self.state.interrupted.is_some(),
        };
        if !needed {
            self.wire.close().await;
        }
        if purpose == Purpose::Show {
            self.plays.clear();
            self.world = World::new(std::mem::take(&mut self.world.facts), Answers::new());
        }
    }

    /// Whether anything of the plan is to be done.
    pub fn acts(&self) -> bool {
        self.plan.lines.iter().any(Line::acts)
    }

    /// The node's receipts, with those of the lines whose keys are in `held`: what is as wished, by whomever, is ours from
    /// now on, and a change of it by hand is drift.
    pub fn receipts(&self, held: &BTreeSet<String>) -> BTreeMap<String, Receipt> {
        let mut receipts = self.state.receipts.clone();
        receipts.extend(divergence::receipts(held, all_steps(&self.plays), self.world.seen()));
        receipts
    }

    /// What is kept here of the node, of which the lines in `held` are as wished.
    pub fn seen(&self, held: &BTreeSet<String>) -> Seen {
        let receipts = divergence::receipts(held, all_steps(&self.plays), self.world.seen());
        Seen::of(all_steps(&self.plays), self.world.seen(), &receipts)
    }

    /// Whether apply has something to do here, be it only to note what is as wished already.
    pub fn has_work(&self) -> bool {
        self.acts() || self.receipts(&divergence::held(&self.plan)) != self.state.receipts
    }
}

/// Tasks and handlers, play by play.
pub(super) fn all_steps(plays: &[(usize, Compiled)]) -> impl Iterator<Item = &Step> {
    plays.iter().flat_map(|(_, compiled)| compiled.steps.iter().chain(&compiled.handlers))
}
