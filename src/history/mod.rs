//! The runs that a node has had, judged by their journals: what came of their steps, which one can be taken back, and what
//! stands against that. Pure: nothing here speaks to a node.

pub mod conflict;
pub mod past;
pub mod steps;
pub mod thing;

pub use conflict::{Changed, Conflict, conflicts};
pub use past::{Choice, Past, Standing};
pub use steps::{Came, Told, steps, steps_back};
