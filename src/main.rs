//! The `homelab` command.

fn main() {}
