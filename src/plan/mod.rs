//! From tasks and observations to changes: pure. Plans, their diffs, and saved plans. Performs nothing.

pub mod detail;
pub mod digest;
pub mod divergence;
pub mod line;
pub mod planner;
pub mod saved;

pub use detail::Detail;
pub use divergence::Divergence;
pub use line::{Change, Line, Mark, Outcome};
pub use planner::{HostPlan, plan_host};
