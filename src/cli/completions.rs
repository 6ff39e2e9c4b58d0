//! `homelab completions`: for the shell.

use super::{Exit, Printer};
use clap::CommandFactory;
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell.
    pub shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::command::Cli::command(), "homelab", &mut text);
    printer.out(&String::from_utf8_lossy(&text));
    Exit::Ok
}
