//! The command line: one file per command; the only place that prints, prompts or exits.

pub mod apply;
pub mod args;
pub mod check;
pub mod command;
pub mod completions;
pub mod docs;
pub mod drift;
pub mod exit;
pub mod facts;
pub mod history;
pub mod init;
pub mod keep;
mod load;
mod looked;
pub mod plan;
mod practice;
pub mod printer;
mod progress;
mod prompt;
pub mod resume;
pub mod rollback;
mod saved;
pub mod schema;
pub mod secret;
mod show;
mod steps;
pub mod trust;

pub use exit::Exit;
pub use printer::Printer;

use command::{Cli, Command};
use clap::Parser;

/// Reads the command line, does what it says, and answers the exit code.
pub fn run() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.code() } else { 0 };
        }
    };
    let printer = Printer::new(&cli.output, crate::lang::mask::Masker::new());
    perform(&cli.command, &printer).code()
}

fn perform(command: &Command, printer: &Printer) -> Exit {
    match command {
        Command::Check(args) => check::run(args, printer),
        Command::Docs(args) => docs::run(args, printer),
        Command::Schema(args) => schema::run(args, printer),
        Command::Completions(args) => completions::run(args, printer),
        Command::Init(args) => init::run(args, printer),
        Command::Secret(args) => secret::run(args, printer),
        Command::Plan(args) => networked(plan::run(args, printer), printer),
        Command::Apply(args) => networked(apply::run(args, printer), printer),
        Command::Keep(args) => networked(keep::run(args, printer), printer),
        Command::Drift(args) => networked(drift::run(args, printer), printer),
        Command::History(args) => networked(history::run(args, printer), printer),
        Command::Rollback(args) => networked(rollback::run(args, printer), printer),
        Command::Resume(args) => networked(resume::run(args, printer), printer),
        Command::Facts(args) => networked(facts::run(args, printer), printer),
        Command::Trust(args) => networked(trust::run(args, printer), printer),
    }
}

/// Commands that speak to nodes get a runtime; the others start without one.
fn networked(command: impl Future<Output = Exit>, printer: &Printer) -> Exit {
    crate::transport::limits::raise_open_files();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(command);
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            printer.note(&format!("error: cannot start: {error}"));
            Exit::Error
        }
    }
}
