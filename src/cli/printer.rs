//! The one door to the terminal: data to standard output, everything else to standard error, secrets to neither.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use super::Exit;
use super::args::{Color, Output};
use crate::lang::Diagnostics;
use crate::lang::mask::Masker;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::json;
use std::io::{IsTerminal, Write};

/// How things look.
pub mod style {
    use super::{AnsiColor, Style};
    /// New.
    pub const CREATE: Style = AnsiColor::Green.on_default();
    /// Different.
    pub const CHANGE: Style = AnsiColor::Yellow.on_default();
    /// Gone, or wrong.
    pub const REMOVE: Style = AnsiColor::Red.on_default();
    /// An act, or a hint.
    pub const RUN: Style = AnsiColor::Cyan.on_default();
    /// Beside the point.
    pub const DIM: Style = Style::new().dimmed();
    /// A heading.
    pub const BOLD: Style = Style::new().bold();
}

/// Prints. Cheap to clone.
#[derive(Clone)]
pub struct Printer {
    /// One JSON document is wanted: no other data on standard output.
    pub json: bool,
    /// How often `-v` was given.
    pub verbose: u8,
    color: ColorChoice,
    masker: Masker,
}

impl Printer {
    /// A printer for these options that masks what `masker` knows.
    pub fn new(output: &Output, masker: Masker) -> Self {
        let color = match output.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Printer { json: output.json, verbose: output.verbose, color, masker }
    }

    /// The masker, to tell it more secrets.
    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    /// Whether colours reach standard error.
    pub fn color(&self) -> bool {
        match self.color {
            ColorChoice::Never => false,
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Auto => AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
        }
    }

    /// Whether progress can be drawn: standard error is a terminal.
    pub fn interactive(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Data, to standard output. A closed pipe is nobody's error.
    pub fn out(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stdout().lock(), self.color);
        let _ = stream.write_all(self.masker.mask(text).as_bytes()).and_then(|()| stream.flush());
    }

    /// Everything else, to standard error.
    pub fn err(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stderr().lock(), self.color);
        let _ = stream.write_all(self.masker.mask(text).as_bytes());
    }

    /// A line of what people read as the result: data, unless JSON has that place.
    pub fn say(&self, line: &str) {
        if !self.json {
            self.out(&format!("{line}\n"));
        }
    }

    /// A line beside the result.
    pub fn note(&self, line: &str) {
        self.err(&format!("{line}\n"));
    }

    /// The end of a command that came to nothing: its problems, in JSON where that is wanted, and what they mean.
    pub fn fail(&self, command: &str, problems: &Diagnostics) -> Exit {
        self.problems(problems);
        if self.json {
            self.out(&format!("{}\n", json!({"version": 1, "command": command, "problems": super::plan::problems(problems)})));
        }
        Exit::of(problems)
    }

    /// Problems.
    pub fn problems(&self, problems: &Diagnostics) {
        if !problems.is_empty() {
            self.err(&format!("{}\n", problems.render(self.color()).trim_end()));
        }
    }
}

/// `text` of a node without what could steer the terminal; lines stay lines.
pub fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    crate::lang::printable(text)
}

/// `1 host`, `2 hosts`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `text` in `style`.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
