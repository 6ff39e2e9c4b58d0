//! From a byte of a template's text to the byte of the file in which the text was written.

use crate::lang::source::Span;
use std::ops::Range;

/// A text to render, and where it was written.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) span: Option<&'t Span>,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str, span: Option<&'t Span>) -> Self {
        Text { text, span }
    }

    /// What the template engine calls it; includes are looked for beside it.
    pub(super) fn name(&self) -> String {
        self.span.map_or_else(|| "a text".to_owned(), |span| span.source.name.clone())
    }

    /// Where `range` of the text was written: exactly where the text stands in its source as it is (plain, quoted
    /// without escapes, a literal block), else the whole token.
    pub(super) fn place(&self, range: Range<usize>) -> Option<Span> {
        let span = self.span?;
        match (self.offset(range.start), self.offset(range.end)) {
            (Some(start), Some(end)) if start <= end => Some(span.part(start..end)),
            _ => Some(span.clone()),
        }
    }

    /// The offset within the token.
    fn offset(&self, at: usize) -> Option<usize> {
        let token = self.span?.text();
        if token == self.text {
            return Some(at);
        }
        let inner = token.len().checked_sub(1).and_then(|end| token.get(1..end));
        if token.starts_with(['"', '\'']) && inner == Some(self.text) {
            return Some(at + 1);
        }
        self.line_offset(token, at)
    }

    /// A literal block has the text's lines, each with its indentation before it.
    fn line_offset(&self, token: &str, at: usize) -> Option<usize> {
        let before = self.text.get(..at)?;
        let line = before.matches('\n').count();
        let column = at - before.rfind('\n').map_or(0, |end| end + 1);
        let mut start = 0;
        for (index, (written, read)) in token.split('\n').zip(self.text.split('\n')).enumerate() {
            if !written.ends_with(read) {
                return None;
            }
            if index == line {
                return Some(start + written.len() - read.len() + column);
            }
            start += written.len() + 1;
        }
        None
    }
}
