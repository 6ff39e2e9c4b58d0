//! Diagnostics as a person reads them: the message, the place with its line and a caret, other places, the hint.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::sync::Arc;

impl Diagnostics {
    /// All of them, a blank line between; `color` for a terminal.
    pub fn render(&self, color: bool) -> String {
        let told: Vec<_> = self.0.iter().map(|problem| problem.render(color)).collect();
        told.join("\n\n")
    }
}

impl Diagnostic {
    /// This one, without a last newline.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut first = Group::with_title(title);
        if let Some(span) = &self.span {
            first = first.element(snippet(span, &self.label, AnnotationKind::Primary));
        }
        let mut groups = Vec::new();
        for note in &self.notes {
            match &note.span {
                None => first = first.element(Level::NOTE.message(note.message.as_str())),
                Some(span) => groups.push(
                    Group::with_title(Level::NOTE.secondary_title(note.message.as_str()))
                        .element(snippet(span, "", AnnotationKind::Primary)),
                ),
            }
        }
        if let Some(hint) = &self.hint {
            groups.push(Group::with_title(Level::HELP.with_name("hint").secondary_title(hint.as_str())));
        }
        groups.insert(0, first);
        renderer.render(&groups)
    }
}

fn snippet<'a>(span: &'a Span, label: &'a str, kind: AnnotationKind) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let label = (!label.is_empty()).then_some(label);
    let range = visible(&span.source, span.range.clone());
    Snippet::source(span.source.text.as_str())
        .path(span.source.name.as_str())
        .fold(true)
        .annotation(kind.span(range).label(label))
}

/// The part of a place to underline: a map's or block's first line is enough to find it.
fn visible(source: &Arc<Source>, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = source.text.get(range.clone()).unwrap_or_default();
    match text.find('\n') {
        Some(end) => range.start..range.start + text[..end].trim_end().len().max(1).min(end.max(1)),
        None => range,
    }
}
