//! homelab: sets up and keeps small ARM machines over SSH.
//!
//! The modules are layers; each may use those above it in this list and none below (`tests/layers.rs` holds them to it).

pub mod lang;
pub mod node;
pub mod inventory;
pub mod resource;
pub mod playbook;
pub mod plan;
pub mod transport;
pub mod fleet;
pub mod history;
pub mod saga;
pub mod cli;
