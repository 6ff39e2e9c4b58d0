//! The way to a node: SSH connections through jump hosts, host keys, logins, and the one channel that a run talks over.
//!
//! ```text
//! Target ─▶ Pool ─▶ connect (tcp, or a channel of a jump host) ─▶ host key ─▶ login ─▶ Session (one exec channel)
//! ```
//!
//! Nothing here knows what a plan is, and nothing touches a terminal: what must be asked is asked through [`Prompt`].

mod agent;
pub mod auth;
mod connect;
pub mod cost;
pub mod hostkey;
pub mod keys;
pub mod known_hosts;
pub mod limits;
pub mod pool;
pub mod privilege;
mod pump;
mod random;
pub mod resolve;
pub mod runtime;
pub mod sandbox;
pub mod session;
pub mod target;
mod verifier;
mod wire;

pub use connect::Connection;
pub use cost::{Cost, Spent};
pub use hostkey::HostKey;
pub use keys::{NoPrompt, Prompt};
pub use known_hosts::KnownHosts;
pub use pool::Pool;
pub use resolve::Defaults;
pub use runtime::{Talk, payload};
pub use session::{Ended, Lost, Part, Program, Session};
pub use target::{Become, Method, Secret, Target};
