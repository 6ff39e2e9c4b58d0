//! The `homelab` command.

use homelab::transport::sandbox;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Entering a sandbox must happen before there is a second thread.
    if let Some(code) = sandbox::enter(std::env::args_os().skip(1)) {
        return code;
    }
    ExitCode::from(homelab::cli::run())
}
