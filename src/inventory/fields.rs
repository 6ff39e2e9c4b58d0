//! Reading maps that people wrote: tables of keys that the loader, "did you mean" and the editor's schema share.

use crate::lang::duration::parse_duration;
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value, elsewhere, suggest};
use indexmap::IndexMap;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A text; numbers and truth values are taken as written.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Seconds, or with a unit: `90s`, `5m`, `1h`.
    Seconds,
    /// The same, or `false`.
    SecondsOrNot,
    /// A list of texts; one text alone is a list of one.
    Texts,
    /// A list.
    List,
    /// A map.
    Map,
    /// A bare expression.
    Expression,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of tasks.
    Tasks,
    /// Anything; its reader checks it.
    Any,
}

/// One key of a map.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// What it means, one line of Markdown.
    pub help: &'static str,
}

impl Key {
    /// A row of a table.
    pub const fn new(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Key { name, shape, help }
    }
}

/// The place of the key `key` whose value is `value`: values know their place, keys stand right before them.
pub fn key_span(key: &str, value: &Value) -> Option<Span> {
    let origin = value.origin.as_ref()?;
    let text = &origin.source.text;
    let mut end = origin.range.start.min(text.len());
    while let Some(at) = text.get(..end)?.rfind(key) {
        let after = text.get(at + key.len()..)?.trim_start_matches(['"', '\'', ' ', '\t']);
        let before = text.get(..at)?.chars().next_back();
        if after.starts_with(':') && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            return Some(Span::new(&origin.source, at..at + key.len()));
        }
        end = at;
    }
    Some(origin.clone())
}

/// A hint for an unknown name: the likely one, else all there are (the first dozen).
pub fn hint_names<'a>(name: &str, what: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = suggest::did_you_mean(name, names.clone()) {
        return format!("did you mean `{near}`?");
    }
    let mut all: Vec<&str> = names.into_iter().collect();
    if all.is_empty() {
        return format!("there are no {what}");
    }
    let more = all.len() > 12;
    all.truncate(12);
    format!("{what}: {}{}", all.join(", "), if more { ", …" } else { "" })
}

/// The keys of one map, read one by one; problems are collected.
pub struct Fields<'a, 'p> {
    map: &'a IndexMap<String, Value>,
    /// `a task`, `the host pi-1`: for messages.
    what: String,
    /// Where the map is.
    pub span: Option<Span>,
    /// Keys that unknown ones were probably meant as.
    meant: Vec<String>,
    /// What was wrong so far.
    pub problems: &'p mut Diagnostics,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Reads `value`, which must be a map (`null` is an empty one), with the keys of `table` and no others.
    /// `also` are further names that an unknown key may have been meant as.
    pub fn open(value: &'a Value, what: impl Into<String>, table: &[Key], also: &[&str], problems: &'p mut Diagnostics) -> Option<Self> {
        let what = what.into();
        let map = as_map(value, &what, problems)?;
        let place = |key: &str, v: &Value| value.key_origin(key).cloned().or_else(|| key_span(key, v));
        let mut meant = Vec::new();
        for (key, value) in map {
            if table.iter().any(|k| k.name == key) || also.contains(&key.as_str()) {
                continue;
            }
            let names = table.iter().map(|k| k.name).chain(also.iter().copied());
            meant.extend(suggest::did_you_mean(key, names.clone()));
            problems.push(
                Diagnostic::config(format!("unknown key `{key}` in {what}"))
                    .maybe_at(place(key, value).as_ref())
                    .label("not a key here")
                    .hint(elsewhere::keyword(key).unwrap_or_else(|| hint_names(key, "keys here", names))),
            );
        }
        Some(Fields { map, what, span: value.origin.clone(), meant, problems })
    }

    /// The value of `key`; `null` counts as not given.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| value.data != Data::Null)
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &str, hint: &str) -> Option<&'a Value> {
        let value = self.get(key);
        // A misspelt key was told already.
        if value.is_none() && !self.meant.iter().any(|meant| meant == key) {
            let span = self.span.clone();
            let message = format!("{} has no `{key}`", self.what);
            self.problems.push(Diagnostic::config(message).maybe_at(first_line(span).as_ref()).hint(hint));
        }
        value
    }

    fn wrong(&mut self, key: &str, value: &Value, takes: &str) {
        self.problems.push(wrong_type(key, value, takes));
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        let text = plain_text(value);
        if text.is_none() {
            self.wrong(key, value, "a text");
        }
        text
    }

    /// A truth value.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match truth(value) {
            Some(yes) => Some(yes),
            None => {
                self.wrong(key, value, "true or false");
                None
            }
        }
    }

    /// A whole number in `range`.
    pub fn int(&mut self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key)?;
        match whole(value) {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => {
                let top = if *range.end() == i64::MAX { String::new() } else { format!(" and at most {}", range.end()) };
                self.problems.push(
                    Diagnostic::config(format!("`{key}` must be at least {}{top}, not {number}", range.start()))
                        .maybe_at(value.origin.as_ref())
                        .hint("give a number within those bounds"),
                );
                None
            }
            None => {
                self.wrong(key, value, "a whole number");
                None
            }
        }
    }

    /// Seconds.
    pub fn seconds(&mut self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        match seconds(value) {
            Some(seconds) => Some(seconds),
            None => {
                self.wrong(key, value, "seconds, like `30`, or a time with a unit, like `5m`");
                None
            }
        }
    }

    /// A list of texts, or one text; with their places.
    pub fn texts(&mut self, key: &str) -> Option<Vec<(String, Option<Span>)>> {
        let value = self.get(key)?;
        let items: Vec<&Value> = match &value.data {
            Data::Seq(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for item in items {
            match plain_text(item) {
                Some(text) => texts.push((text, item.origin.clone())),
                None => self.wrong(key, item, "a text or a list of texts"),
            }
        }
        Some(texts)
    }

    /// A list.
    pub fn list(&mut self, key: &str) -> Option<&'a [Value]> {
        let value = self.get(key)?;
        match &value.data {
            Data::Seq(items) => Some(items),
            _ => {
                self.wrong(key, value, "a list");
                None
            }
        }
    }

    /// A map.
    pub fn map(&mut self, key: &str) -> Option<&'a IndexMap<String, Value>> {
        let value = self.get(key)?;
        match &value.data {
            Data::Map(map) => Some(map),
            _ => {
                self.wrong(key, value, "a map");
                None
            }
        }
    }

    /// Variables: a map whose keys are names that a template can read.
    pub fn vars(&mut self, key: &str) -> IndexMap<String, Value> {
        let Some(map) = self.map(key) else { return IndexMap::new() };
        for (name, value) in map {
            if let Some(problem) = bad_name(name, key_span(name, value).as_ref()) {
                self.problems.push(problem);
            }
        }
        map.clone()
    }

    /// One of some words.
    pub fn choice(&mut self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let value = self.get(key)?;
        let text = value.as_str().unwrap_or_default();
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            let shown = value.as_str().filter(|_| !value.secret).map_or_else(|| value.type_name().to_owned(), |t| format!("`{t}`"));
            self.problems.push(
                Diagnostic::config(format!("`{key}` cannot be {shown}"))
                    .maybe_at(value.origin.as_ref())
                    .label(format!("one of: {}", words.join(", ")))
                    .hint(hint_names(text, "choices", words.iter().copied())),
            );
        }
        found
    }
}

/// `value` as a map; `null` is an empty one.
fn as_map<'a>(value: &'a Value, what: &str, problems: &mut Diagnostics) -> Option<&'a IndexMap<String, Value>> {
    static EMPTY: std::sync::OnceLock<IndexMap<String, Value>> = std::sync::OnceLock::new();
    match &value.data {
        Data::Map(map) => Some(map),
        Data::Null => Some(EMPTY.get_or_init(IndexMap::new)),
        _ => {
            problems.push(
                Diagnostic::config(format!("{what} must be a map, not {}", value.type_name()))
                    .maybe_at(value.origin.as_ref())
                    .label(value.type_name())
                    .hint("write it as `key: value` lines"),
            );
            None
        }
    }
}

/// The first line of a place, so that a caret does not run down a page.
pub fn first_line(span: Option<Span>) -> Option<Span> {
    let span = span?;
    let text = span.text();
    let end = text.find('\n').unwrap_or(text.len());
    let end = text[..end].trim_end().len();
    Some(span.part(0..end))
}

/// "`key` takes …, not …".
pub fn wrong_type(key: &str, value: &Value, takes: &str) -> Diagnostic {
    Diagnostic::config(format!("`{key}` takes {takes}, not {}", value.type_name()))
        .maybe_at(first_line(value.origin.clone()).as_ref())
        .label(format!("this is {}", value.type_name()))
        .hint(format!("give `{key}` {takes}"))
}

/// A text; a number or truth value as it was written.
pub fn plain_text(value: &Value) -> Option<String> {
    match &value.data {
        Data::Str(text) => Some(text.clone()),
        Data::Bool(yes) => Some(as_written(value).unwrap_or_else(|| yes.to_string())),
        Data::Int(number) => Some(as_written(value).unwrap_or_else(|| number.to_string())),
        Data::Float(number) => Some(as_written(value).unwrap_or_else(|| number.to_string())),
        Data::Null | Data::Seq(_) | Data::Map(_) => None,
    }
}

/// The token of a scalar; a computed value's place is an expression and no token.
fn as_written(value: &Value) -> Option<String> {
    let text = value.written()?;
    let token = match value.data {
        Data::Bool(yes) => text.eq_ignore_ascii_case(if yes { "true" } else { "false" }),
        _ => text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-')) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_')),
    };
    token.then(|| text.to_owned())
}

/// `true`/`false`, and the words that people write for them.
pub fn truth(value: &Value) -> Option<bool> {
    match &value.data {
        Data::Bool(yes) => Some(*yes),
        Data::Str(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number, or a text that is one.
pub fn whole(value: &Value) -> Option<i64> {
    match &value.data {
        Data::Int(number) => Some(*number),
        Data::Str(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whole seconds, a part of one counted as one.
pub fn seconds(value: &Value) -> Option<u64> {
    let duration = parse_duration(value).ok()?;
    Some(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

/// Names that templates know already; a variable of that name could not be read.
pub const RESERVED: &[&str] = &["facts", "hosts", "host", "groups", "inventory", "kept", "item", "item_index", "vars", "play", "true", "false", "none", "not", "and", "or", "in", "is", "if", "else", "loop"];

/// Why `name` cannot be a variable's.
pub fn bad_name(name: &str, span: Option<&Span>) -> Option<Diagnostic> {
    let mut chars = name.chars();
    let fits = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        let fixed: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        return Some(
            Diagnostic::config(format!("`{name}` cannot be the name of a variable"))
                .maybe_at(span)
                .label("letters, digits and `_` only, and no digit first")
                .hint(format!("call it `{}{fixed}`", if fixed.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" })),
        );
    }
    RESERVED.contains(&name).then(|| {
        Diagnostic::config(format!("`{name}` is a name of its own in templates and cannot be a variable"))
            .maybe_at(span)
            .hint(format!("call it something else, like `my_{name}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_one() {
        for (text, wish) in [("30", Some(30)), ("1h30m", Some(5400)), ("500ms", Some(1)), ("5x", None)] {
            assert_eq!(seconds(&Value::from(text)), wish, "{text}");
        }
    }

    #[test]
    fn names_of_variables() {
        assert!(bad_name("a_1", None).is_none());
        assert!(bad_name("a-1", None).is_some());
        assert!(bad_name("", None).is_some());
        assert!(bad_name("facts", None).is_some());
    }
}
