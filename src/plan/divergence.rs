//! Why a node is not as wished: the wish is new, the node was changed by someone else, or both. Told by the receipt that
//! the last apply left on the node for each resource.

use super::{HostPlan, Mark, Outcome, digest};
use crate::node::{Answers, Op};
use crate::playbook::{Body, Step};
use crate::resource::Resource;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What an apply leaves on the node for a resource: the digest of what was desired, and of what was observed after.
pub type Receipt = (String, String);

/// Why a node is not as wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Divergence {
    /// Configured, and not applied yet.
    Pending,
    /// Applied once, and changed since by someone else.
    Drift,
    /// Configured anew, and changed by someone else as well.
    Conflict,
}

/// The receipt of `resource` in the state that was `seen`.
pub fn receipt(resource: &dyn Resource, seen: &Answers) -> Receipt {
    // They travel with every look, and are compared with what we wrote ourselves: 64 bits are enough.
    let short = |digest: String| digest.chars().take(16).collect();
    (short(digest::desired(resource)), short(digest::observed(resource, seen)))
}

/// The keys of the lines of `plan` that are as wished.
pub fn held(plan: &HostPlan) -> BTreeSet<String> {
    plan.lines.iter().filter(|line| matches!(line.outcome, Outcome::AsWished)).map(|line| line.key.clone()).collect()
}

/// The receipts of those of `steps` whose key is among `held`, by resource id.
pub fn receipts<'a>(held: &BTreeSet<String>, steps: impl Iterator<Item = &'a Step>, seen: &Answers) -> BTreeMap<String, Receipt> {
    steps
        .filter_map(|step| match &step.body {
            Body::Resource(resource) if held.contains(&step.key) => Some((resource.id().to_string(), receipt(resource.as_ref(), seen))),
            _ => None,
        })
        .collect()
}

/// Says of each line of `plan` that acts why it does. `steps` are those that it was made from.
pub fn judge<'a>(plan: &mut HostPlan, steps: impl Iterator<Item = &'a Step>, receipts: &BTreeMap<String, Receipt>, seen: &Answers) {
    let steps: HashMap<&str, &Step> = steps.map(|step| (step.key.as_str(), step)).collect();
    for line in plan.lines.iter_mut().filter(|line| line.acts()) {
        let resource = match steps.get(line.key.as_str()).map(|step| &step.body) {
            Some(Body::Resource(resource)) if line.handler.is_none() => resource,
            // What is notified, or not even known yet, is work to do.
            _ => {
                line.divergence = Some(Divergence::Pending);
                continue;
            }
        };
        let before = receipts.get(&resource.id().to_string());
        line.divergence = Some(before.map_or(Divergence::Pending, |before| of(resource.as_ref(), &line.outcome, before, seen)));
    }
}

fn of(resource: &dyn Resource, outcome: &Outcome, before: &Receipt, seen: &Answers) -> Divergence {
    let now = receipt(resource, seen);
    match (now.0 == before.0, now.1 == before.1) {
        (true, true) if by_nature(outcome) => Divergence::Pending,
        (true, _) => Divergence::Drift,
        // What a command that is new answers cannot be compared with what the old one did.
        (false, true) => Divergence::Pending,
        // And what owns nothing looks at another path.
        (false, false) if digest::asks_commands(resource) || resource.claims().is_empty() => Divergence::Pending,
        (false, false) => Divergence::Conflict,
    }
}

/// Acts that an unchanged node and an unchanged wish can ask for: commands, restarts, newer versions, what waits for others, and
/// tools that take up what earlier steps change.
fn by_nature(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Change(change) => change.mark == Mark::Run || change.open.is_some() || change.ops.iter().any(|op| matches!(op, Op::Packages { .. } | Op::Tool(_))),
        _ => true,
    }
}
