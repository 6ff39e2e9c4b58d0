//! What is wrong, where, and what to do: the one form of every error that a user can cause.

use super::source::Span;

/// What sort of failure it is; decides the exit code (`cli::exit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The configuration is wrong: exit code 1.
    Config,
    /// The command line is wrong: exit code 64.
    Usage,
    /// A host could not be reached: exit code 4.
    Unreachable,
    /// A host was reached and refused, or its key is not the one known: exit code 1.
    Refused,
    /// A step failed on a node: exit code 1, or 3 when taken back.
    Failed,
}

/// A further place that belongs to the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is to be seen there.
    pub message: String,
    /// Where; a note without a place is a plain line.
    pub span: Option<Span>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What sort.
    pub kind: Kind,
    /// What is wrong, in one line, lower case, no full stop.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// A few words at the caret; may be empty.
    pub label: String,
    /// Other places that matter (where a variable came from, the first of two duplicates).
    pub notes: Vec<Note>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A problem of the configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// A problem of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Diagnostic { kind, message: message.into(), span: None, label: String::new(), notes: Vec::new(), hint: None }
    }

    /// Places it.
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// Places it, where a place is known.
    pub fn maybe_at(mut self, span: Option<&Span>) -> Self {
        self.span = span.cloned().or(self.span);
        self
    }

    /// Words at the caret.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place.
    pub fn note(mut self, message: impl Into<String>, span: Option<&Span>) -> Self {
        self.notes.push(Note { message: message.into(), span: span.cloned() });
        self
    }

    /// What to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All problems found, in the order found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Keeps the value of `result`, or its problems.
    pub fn take<T>(&mut self, result: Result<T, Diagnostics>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problems) => {
                self.0.extend(problems.0);
                None
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if there is no problem, else the problems.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics(vec![diagnostic])
    }
}
