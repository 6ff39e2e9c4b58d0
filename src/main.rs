//! The `homelab` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any thread exists: a process with threads cannot enter a sandbox.
    if let Some(code) = homelab::transport::sandbox::enter(std::env::args_os().skip(1)) {
        return code;
    }
    ExitCode::SUCCESS
}
