//! Asking a person; only at a terminal.

use crate::transport::{Prompt, Secret};
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Mutex;

/// The terminal, one question at a time.
#[derive(Debug, Default)]
pub struct Terminal {
    asking: Mutex<()>,
}

impl Terminal {
    /// The terminal of this process.
    pub fn new() -> Self {
        Terminal::default()
    }

    /// Whether a person can be asked.
    pub fn present() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks for something that must not be seen.
    pub fn password(&self, question: &str) -> Result<String, String> {
        let _turn = self.asking.lock().unwrap_or_else(|e| e.into_inner());
        if !Terminal::present() {
            return Err("there is no terminal".into());
        }
        rpassword::prompt_password(question).map_err(|error| error.to_string())
    }
}

impl Prompt for Terminal {
    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret> {
        let wrong = if again { "That was not it. " } else { "" };
        self.password(&format!("{wrong}Passphrase of {}: ", key.display())).ok().map(Secret::new)
    }
}

/// Asks a yes-or-no question on standard error; anything but yes is no.
pub fn confirm(printer: &super::Printer, question: &str) -> bool {
    printer.err(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
