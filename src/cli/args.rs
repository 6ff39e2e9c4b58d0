//! The command line: what can be typed. One struct per command, in that command's file; what all share is here.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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

/// How to show it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// One versioned JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more; at the end what it cost. Twice: every step.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which configuration, and which part of it.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// The inventory file.
    #[arg(value_name = "INVENTORY")]
    pub inventory: PathBuf,
    /// Playbooks to use instead of those that the inventory names.
    #[arg(short, long = "playbook", value_name = "FILE")]
    pub playbooks: Vec<PathBuf>,
    /// What narrows and changes it.
    #[command(flatten)]
    pub narrow: Narrow,
}

/// What narrows and changes a configuration.
#[derive(Debug, Clone, Args)]
pub struct Narrow {
    /// Only these hosts: names, groups and globs, `a:b`, `a:&b`, `a:!b`.
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Only tasks with one of these tags.
    #[arg(short, long, value_delimiter = ',', value_name = "TAG")]
    pub tags: Vec<String>,
    /// Set a variable above all others; the value is read as YAML.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// age identity that decrypts secrets. Default: `homelab/identity.txt` in the configuration directory.
    #[arg(short, long, env = "HOMELAB_IDENTITY", value_name = "FILE")]
    pub identity: Vec<PathBuf>,
}

/// How to reach the nodes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct Reach {
    /// Nodes at a time.
    #[arg(short, long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub forks: u16,
    /// Ask for the sudo password once, for all nodes.
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// File with known host keys, instead of OpenSSH's.
    #[arg(long, value_name = "FILE", env = "HOMELAB_KNOWN_HOSTS")]
    pub known_hosts: Option<PathBuf>,
}

/// Whether diffs are shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Diffs {
    /// Show diffs of texts (the default).
    #[arg(long, overrides_with = "no_diff")]
    pub diff: bool,
    /// Do not show diffs.
    #[arg(long)]
    pub no_diff: bool,
}

impl Diffs {
    /// Whether to show them.
    pub fn wanted(&self) -> bool {
        self.diff || !self.no_diff
    }
}
