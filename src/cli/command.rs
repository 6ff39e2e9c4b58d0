//! The command line: what can be typed. The arguments of a command are in its own file.

use super::args::Output;
use clap::{Parser, Subcommand};

/// Sets up and keeps small ARM machines over SSH: plans first, applies as a saga.
#[derive(Debug, Parser)]
#[command(name = "homelab", version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to show it.
    #[command(flatten)]
    pub output: Output,
}

const EXIT_CODES: &str = "\
Exit codes: 0 as wished · 1 an error · 2 changes pending (plan --detailed-exitcode) or drift ·
3 failed and taken back · 4 a host could not be reached · 5 stuck: a person is needed · 64 usage";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Parse, resolve, type-check and render everything; contacts nobody.
    Check(super::check::Args),
    /// Show what apply would change.
    Plan(super::plan::Args),
    /// Plan, ask, perform, verify.
    Apply(super::apply::Args),
    /// Tell the runs that the nodes have had.
    History(super::history::Args),
    /// Take a run back, be it finished, interrupted or stuck.
    Rollback(super::rollback::Args),
    /// Go on with an apply that was interrupted.
    Resume(super::resume::Args),
    /// Keep what a run on trial did, after a new login.
    Keep(super::keep::Args),
    /// Say what differs from what is wished; for cron: read-only, quiet when all is well.
    Drift(super::drift::Args),
    /// Meet the host keys of new hosts and record them.
    Trust(super::trust::Args),
    /// Encrypt, decrypt and edit age-encrypted values and files.
    Secret(super::secret::Args),
    /// Show what the nodes are.
    Facts(super::facts::Args),
    /// The reference of a resource.
    Docs(super::docs::Args),
    /// JSON Schema of inventories and playbooks, for editors.
    Schema(super::schema::Args),
    /// Start a new directory with an inventory and a playbook.
    Init(super::init::Args),
    /// Completions for a shell.
    Completions(super::completions::Args),
}
