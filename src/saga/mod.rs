//! Performing a plan: run by run, step by step, and backwards when one fails. Prints nothing.

mod adopt;
mod attempt;
pub mod back;
pub mod failure;
pub mod host;
pub mod report;
mod results;
pub mod run;
mod steps;
mod unwind;

pub use back::{Back, BackEnd, BackOrders, BackReport, Found};
pub use failure::Failure;
pub use report::{End, HostReport, StepEnd, StepReport};
pub use run::{Orders, perform};
