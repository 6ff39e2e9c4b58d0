//! Performing a plan: run by run, step by step, and backwards when one fails. Prints nothing.

mod adopt;
mod aftermath;
mod attempt;
pub mod back;
pub mod failure;
mod guard;
pub mod host;
mod reboot;
mod leave;
pub mod report;
pub mod practice;
mod reported;
mod results;
pub mod run;
mod steps;
mod unwind;
mod verified;

pub use back::{Back, BackEnd, BackOrders, BackReport, Found};
pub use failure::Failure;
pub use practice::Simulate;
pub use report::{End, HostReport, Said, StepEnd, StepReport};
pub use run::{Orders, perform};
