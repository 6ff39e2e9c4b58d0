//! The `homelab` command.

use homelab::transport::sandbox;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Entering a sandbox must happen before there is a second thread.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == sandbox::SUBCOMMAND) {
        return ExitCode::from(sandbox::enter(args));
    }
    ExitCode::from(homelab::cli::run())
}
