//! Arguments that several commands share.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

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

/// What to do about a run that holds a node.
#[derive(Debug, Clone, Args)]
pub struct Lock {
    /// Take nodes over from a run that holds them.
    ///
    /// That run stops at its next step and changes nothing more. What it has under way is waited for ten seconds; if it is not
    /// over then, it is named, and goes on beside this run. For a controller that hangs or cannot be reached any more: a run whose controller is gone gives its nodes back by itself.
    #[arg(long)]
    pub break_lock: bool,
}

/// How closely to look.
#[derive(Debug, Clone, Args)]
pub struct Care {
    /// Hash every file again, also large ones that seem unchanged.
    ///
    /// Without it, a file of 1 MiB or more is not read if its inode, size and time of change are those with which an
    /// earlier apply recorded its digest on the node.
    #[arg(long)]
    pub paranoid: bool,
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
