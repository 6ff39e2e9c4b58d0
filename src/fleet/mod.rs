//! Hosts under way: logged in, looked at, compiled and planned, all at once. Changes nothing.

mod acts;
pub mod cache;
pub mod event;
pub mod open;
pub mod survey;
pub mod target;
pub mod wire;

pub use event::{Event, Events, What};
pub use survey::{Survey, Surveyed, survey};
pub use wire::Wire;
