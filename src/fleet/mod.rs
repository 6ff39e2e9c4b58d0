//! Hosts under way: logged in, looked at, compiled and planned, all at once. Changes nothing.

mod acts;
pub mod cache;
pub mod event;
pub mod guard;
pub mod keep;
pub mod memory;
pub mod open;
mod past;
mod reads;
pub mod survey;
pub mod surveyed;
pub mod target;
pub mod visit;
pub mod wire;

pub use event::{Event, Events, What};
pub use survey::{Survey, survey};
pub use surveyed::Surveyed;
pub use visit::{Visit, Visited, visit};
pub use wire::Wire;
