//! What YAML's own errors mean to a person: the message, the place, and what to do.

use super::diagnostic::Diagnostic;
use super::source::{Source, Span};
use serde_saphyr::granit_parser::{ErrorKind, ScanError};
use std::sync::Arc;

/// A syntax error of the YAML reader.
pub(super) fn syntax(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(source.text.len()).min(source.text.len());
    let span = Span::new(source, at..at + source.text.get(at..).and_then(|t| t.chars().next()).map_or(0, char::len_utf8));
    if let Some(found) = braces(source, at) {
        return found;
    }
    if let Some(found) = missing_space(source, at) {
        return found;
    }
    let (mut message, mut hint) = words(error.kind());
    // The reader says the same of a second `: ` in a line and of a line that is indented too far.
    let (start, line) = line_at(&source.text, at);
    if matches!(error.kind(), ErrorKind::MappingValueNotAllowed) && !line[..at - start].contains(": ") {
        (message, hint) = words(&ErrorKind::InvalidIndentation);
    }
    let message = if message.is_empty() { error.kind().to_string() } else { message.to_owned() };
    Diagnostic::config(format!("this is not YAML: {message}")).at(&span).hint(hint)
}

/// A key that is a list or a map; nearly always `{{ }}` without quotes.
pub(super) fn odd_key(source: &Arc<Source>, key: &Span) -> Diagnostic {
    braces(source, key.range.start).unwrap_or_else(|| {
        Diagnostic::config("a key must be a text")
            .at(key)
            .hint("write `key: value` with a plain or quoted key")
    })
}

fn words(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as K;
    match kind {
        K::TabNotAllowed | K::TabInBlockIndentation | K::TabInIndentation | K::TabInPlainScalar | K::TabAtBlockScalarStart => {
            ("a tab", "indent with spaces; YAML does not take tabs there")
        }
        K::MappingValueNotAllowed => {
            ("a second `: ` in one line", "quote the text that holds the colon: `key: \"a: b\"`")
        }
        K::UnclosedQuotedScalar => ("a quote that is never closed", "close it with the same quote"),
        K::UnclosedFlowCollection { .. } | K::UnexpectedEofFlowSequence | K::UnexpectedEofFlowMapping => {
            ("a bracket that is never closed", "close it, or write the list or map on several lines without brackets")
        }
        K::MismatchedFlowCollectionEnd { .. } | K::MisplacedFlowCollectionEnd => {
            ("a bracket that closes nothing", "remove it, or close the bracket that is open")
        }
        K::ExpectedFlowSequenceSeparator => ("a `,` or `]` is missing", "separate the items of `[ ]` by commas"),
        K::ExpectedFlowMappingSeparator => ("a `,` or `}` is missing", "separate the entries of `{ }` by commas"),
        K::SimpleKeyExpected | K::InvalidSimpleKey => ("a key without its colon", "write `key: value`"),
        K::ExpectedBlockMappingKey | K::ExpectedBlockSequenceEntry | K::InvalidIndentation | K::BlockSequenceEntryNotAllowed => {
            ("this line does not fit the ones above it", "indent it as its neighbours are")
        }
        K::InvalidColonPlacement => ("a `:` that cannot stand here", "is a bracket or a quote above it never closed?"),
        K::UnknownAnchor => ("an alias without its anchor", "define it before its use: `&name`; quote a text that begins with `*`"),
        K::UnknownQuotedScalarEscape => {
            ("an unknown escape", "in double quotes write `\\\\` for a backslash, or use single quotes")
        }
        K::RecursionLimitExceeded => ("lists and maps are nested too deep", "flatten the structure"),
        K::UnexpectedCharacter { .. } => ("a character that cannot stand here", "quote the text"),
        K::InvalidTrailingDoubleQuotedScalar | K::InvalidTrailingSingleQuotedScalar => {
            ("text after the closing quote", "quote all of it, or none")
        }
        _ => ("", "quote the text if it is meant as one"),
    }
}

/// `key: {{ x }}`: a template that begins a value must be quoted. Looks at the line of `at`.
fn braces(source: &Arc<Source>, at: usize) -> Option<Diagnostic> {
    let (start, line) = line_at(&source.text, at);
    let open = line.match_indices("{{").map(|(at, _)| at).find(|&at| {
        let before = line[..at].trim_end();
        before.is_empty() || before.ends_with([':', '-'])
    })?;
    let end = line.rfind("}}").map_or(line.trim_end().len(), |end| end + 2).max(open);
    let span = Span::new(source, start + open..start + end);
    let quoted = line[open..].trim_end().replace('"', "'");
    Some(
        Diagnostic::config("a value that begins with `{{` must be quoted")
            .at(&span)
            .label("YAML reads this as a map")
            .hint(format!("quote it: \"{quoted}\"")),
    )
}

/// `key:value`: looks at the line of `at` and at the one before it, for the reader stumbles late.
fn missing_space(source: &Arc<Source>, at: usize) -> Option<Diagnostic> {
    let (start, line) = line_at(&source.text, at);
    let before = start.checked_sub(1).map(|end| line_at(&source.text, end));
    [Some((start, line)), before].into_iter().flatten().find_map(|(start, line)| {
        let key = line.trim_start().trim_start_matches("- ");
        let colon = key.find(':')?;
        let (word, rest) = (&key[..colon], &key[colon + 1..]);
        let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let next = rest.chars().next()?;
        // `http://` and `a: b` are no such mistake.
        if !plain || next.is_whitespace() || next == '/' || key.contains(": ") {
            return None;
        }
        let offset = start + (line.len() - key.len());
        let span = Span::new(source, offset + colon..offset + colon + 1);
        Some(
            Diagnostic::config("a space is missing after the colon")
                .at(&span)
                .hint(format!("write `{word}: {}`", rest.trim_end())),
        )
    })
}

fn line_at(text: &str, at: usize) -> (usize, &str) {
    let at = at.min(text.len());
    let at = (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    (start, &text[start..end])
}
