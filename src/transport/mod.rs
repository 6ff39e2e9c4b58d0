//! To come.

pub mod sandbox;
