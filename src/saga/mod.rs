//! Performing a plan: run by run, step by step, and backwards when one fails. Prints nothing.

mod attempt;
pub mod failure;
mod guard;
pub mod host;
mod reboot;
mod leave;
pub mod report;
mod results;
pub mod run;
mod steps;
mod unwind;

pub use failure::Failure;
pub use report::{End, HostReport, StepEnd, StepReport};
pub use run::{Orders, perform};
