//! What is wished: playbooks, plays, tasks, roles; and their compilation, for one host, into steps that hold typed
//! resources. Reads files through [`Files`](crate::lang::Files) only and never touches a network.

pub mod args;
mod check;
mod compile;
mod config;
mod context;
pub mod docs;
mod failed;
mod forms;
mod hosts;
pub mod keys;
mod known;
pub mod label;
mod leaf;
mod load;
pub mod local;
pub mod model;
pub mod order;
pub mod ownership;
mod params;
mod render;
mod role;
pub mod schema;
pub mod select;
pub mod step;

pub use compile::compile;
pub use config::{Config, Keep, Options, load, load_hosts, once};
pub use failed::Failed;
pub use hosts::limited;
pub use known::{HostKnown, Hosts, Known, facts_value, from_json};
pub use model::{Assert, Play, Playbook, Register, Role, RoleParam, Rollback, Serial, Task, Tolerance};
pub use step::{Body, Compiled, Step};

#[cfg(test)]
mod tests;
