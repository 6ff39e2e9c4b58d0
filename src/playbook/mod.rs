//! What is wished: playbooks, plays, tasks, roles; and their compilation, for one host, into steps that hold typed
//! resources. Reads files through [`Files`](crate::lang::Files) only and never touches a network.

pub mod args;
pub mod keys;
mod load;
pub mod local;
pub mod model;
mod role;

pub use model::{Assert, Body, Play, Playbook, Register, Role, RoleParam, Rollback, Serial, Task, Tolerance};
