//! The ops that are not about files: each is captured, journalled and done alone.

use super::Unit;
use crate::node::op::Op;

pub(super) fn op(unit: &mut Unit, number: u32, op: &Op) {
    let _ = op;
    unit.push(format!("h_fail {number} 'not made yet'\n"));
}
