//! Performing a plan: run by run, step by step, and backwards when one fails. Prints nothing.

pub mod host;
pub mod failure;
pub mod report;
pub mod run;

pub use failure::Failure;
pub use report::{End, HostReport, StepEnd, StepReport};
pub use run::{Orders, perform};
