//! `homelab schema`: JSON Schema, for editors.

use super::{Exit, Printer};
use crate::playbook::schema;
use clap::ValueEnum;

/// Which of the two.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum What {
    /// Inventories.
    Inventory,
    /// Playbooks.
    Playbook,
}

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what.
    pub what: What,
}

/// Prints the schema.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let schema = match args.what {
        What::Inventory => schema::inventory(),
        What::Playbook => schema::playbook(),
    };
    printer.out(&format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default()));
    Exit::Ok
}
