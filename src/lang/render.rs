//! Diagnostics as a person reads them: the message, the place with its line and a caret, other places, the hint.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::borrow::Cow;
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
        let message = printable(&self.message);
        let notes: Vec<_> = self.notes.iter().map(|note| (printable(&note.message), &note.span)).collect();
        let mut first = Group::with_title(Level::ERROR.primary_title(&*message));
        if let Some(span) = &self.span {
            first = first.element(snippet(span, &self.label));
        }
        let mut groups = Vec::new();
        for (message, span) in &notes {
            match span {
                None => first = first.element(Level::NOTE.message(&**message)),
                Some(span) => groups.push(
                    Group::with_title(Level::NOTE.secondary_title(&**message)).element(snippet(span, "")),
                ),
            }
        }
        groups.insert(0, first);
        let mut told = renderer.render(&groups);
        if let Some(hint) = &self.hint {
            let hint = printable(hint);
            let hint = Group::with_title(Level::HELP.with_name("hint").secondary_title(&*hint));
            told = format!("{}\n{}", told.trim_end(), renderer.render(&[hint]));
        }
        told
    }
}

/// Without control characters: a text may quote what a node answered, which must not steer the terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    match text.contains(control) {
        true => Cow::Owned(text.replace(control, "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

fn snippet<'a>(span: &'a Span, label: &'a str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let label = (!label.is_empty()).then_some(label);
    let range = visible(&span.source, span.range.clone());
    Snippet::source(span.source.text.as_str())
        .path(span.source.name.as_str())
        .fold(true)
        .annotation(AnnotationKind::Primary.span(range).label(label))
}

/// The part of a place to underline: a map's or block's first line is enough to find it.
fn visible(source: &Arc<Source>, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = source.text.get(range.clone()).unwrap_or_default();
    match text.find('\n') {
        Some(end) => range.start..range.start + text[..end].trim_end().len().max(1).min(end.max(1)),
        None => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_told_with_places_notes_and_hints() {
        let source = Arc::new(Source { name: "a.yaml".into(), text: "one: 1\ntwo: |\n  x\n  y\n".into() });
        let mut all = Diagnostics::new();
        all.push(
            Diagnostic::config("first")
                .at(&Span::new(&source, 5..6))
                .label("here")
                .note("a plain line", None)
                .note("a block", Some(&Span::new(&source, 15..20)))
                .hint("do this"),
        );
        all.push(Diagnostic::config("nowhere \u{1b}[31mred").hint("do that"));
        all.push(Diagnostic::config("at the end").at(&Span::new(&source, 999..1000)));
        insta::assert_snapshot!(all.render(false), @r##"
        error: first
         --> a.yaml:1:6
          |
        1 | one: 1
          |      ^ here
          |
          = note: a plain line
        note: a block
         --> a.yaml:3:2
          |
        3 |   x
          |  ^^
        hint: do this

        error: nowhere �[31mred
        hint: do that

        error: at the end
         --> a.yaml:4:5
          |
        4 |   y
          |    ^
        "##);
        assert!(all.render(true).contains("\u{1b}["));
    }
}
