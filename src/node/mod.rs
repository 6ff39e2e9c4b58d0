//! What can be asked of a node and done to it: the closed vocabularies [`Probe`] and [`Op`], the model of a node's
//! state ([`World`]), and the fixed shell runtime that carries both out. Knows nothing of what a resource means.

mod cuts;
mod effect;
pub mod facts;
pub mod frame;
pub mod journal;
pub mod need;
pub mod op;
pub mod probe;
pub mod program;
pub mod quote;
pub mod runtime;
pub mod world;

pub use cuts::back_cuts_line;
pub use facts::{Costly, Facts};
pub use op::{Content, Grade, Op};
pub use probe::{Answer, Answers, Command, Probe};
pub use need::{Cause, Need, Standing};
pub use world::World;
