//! Source texts and places in them; and the one door through which configuration files are read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// One text that people wrote: a file, or an argument of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What messages call it: the path as the user would type it, or `--set`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// A place in a source: a range of bytes.
#[derive(Clone)]
pub struct Span {
    /// Where it is.
    pub source: Arc<Source>,
    /// The first byte and the one after the last.
    pub range: Range<usize>,
}

impl Span {
    /// A span over `range` of `source`, cut to the text and to character boundaries.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let text = &source.text;
        let snap = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = snap(range.start);
        let end = snap(range.end).max(start);
        Span { source: source.clone(), range: start..end }
    }

    /// The text it covers.
    pub fn text(&self) -> &str {
        &self.source.text[self.range.clone()]
    }

    /// Line and column of its start, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.source.text[..self.range.start];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// A part of it: `range` counts from its own start.
    pub fn part(&self, range: Range<usize>) -> Span {
        Span::new(&self.source, self.range.start + range.start..self.range.start + range.end)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        self.source.name == other.source.name && self.range == other.range
    }
}

impl Eq for Span {}

/// Reads configuration texts, from disk or from the bundle in a saved plan, and remembers what was read,
/// so that a saved plan can carry its own sources.
#[derive(Debug, Default)]
pub struct Files {
    bundle: Option<BTreeMap<PathBuf, String>>,
    read: Mutex<BTreeMap<PathBuf, Arc<Source>>>,
}

impl Files {
    /// Reads from disk.
    pub fn on_disk() -> Self {
        Files::default()
    }

    /// Reads from `bundle` and from nowhere else.
    pub fn bundled(bundle: BTreeMap<PathBuf, String>) -> Self {
        Files { bundle: Some(bundle), read: Mutex::default() }
    }

    /// The text at `path`, which must be UTF-8. A second read answers what the first one saw.
    pub fn read(&self, path: &Path) -> std::io::Result<Arc<Source>> {
        let mut read = self.read.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(source) = read.get(path) {
            return Ok(source.clone());
        }
        let text = match &self.bundle {
            None => String::from_utf8(std::fs::read(path)?)
                .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "not UTF-8 text"))?,
            Some(bundle) => bundle.get(path).cloned().ok_or_else(|| {
                std::io::Error::new(std::io::ErrorKind::NotFound, "not in the saved plan")
            })?,
        };
        let source = Arc::new(Source { name: path.display().to_string(), text });
        read.insert(path.to_owned(), source.clone());
        Ok(source)
    }

    /// Everything read so far, for a saved plan.
    pub fn bundle(&self) -> BTreeMap<PathBuf, String> {
        let read = self.read.lock().unwrap_or_else(|e| e.into_inner());
        read.iter().map(|(path, source)| (path.clone(), source.text.clone())).collect()
    }
}
