//! YAML 1.2 to [`Value`]s that know their places, and back. The only module that names the YAML library.
//!
//! The tree is built from the parser's events rather than through serde, so that every value *and key* keeps its bytes.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::{Source, Span};
use super::value::{Data, Value};
use super::yaml_hint;
use indexmap::IndexMap;
use serde_saphyr::granit_parser::{self as granit, Event, Parser, ScalarStyle, StrInput, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// How deep lists and maps may nest, aliases followed. Keeps every recursive walk of a value within its stack.
const MAX_DEPTH: usize = 100;
/// How many values aliases may add to a document: far above honest use, far below a bomb.
const MAX_ALIASED: usize = 100_000;

/// Reads one document. Nothing at all is `Null`.
///
/// # Errors
/// All duplicate keys, keys that are not scalars and unknown tags; the first syntax error.
pub fn parse(source: &Arc<Source>) -> Result<Value, Diagnostics> {
    let mut options = granit::Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        source,
        events: Parser::new_from_str_with_options(&source.text, options),
        anchors: HashMap::new(),
        aliased: 0,
        problems: Diagnostics::new(),
    };
    match reader.document() {
        Ok(value) => reader.problems.into_result(value),
        Err(problem) => {
            // `{{ x }}` makes a map as a key first, and a syntax error of the same line then.
            if !reader.problems.0.contains(&problem) {
                reader.problems.push(*problem);
            }
            Err(reader.problems)
        }
    }
}

/// The value as a YAML document, for the `to_yaml` filter and for files that we write. Secrets are written out.
pub fn to_yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

/// Where a map's key was written.
pub fn key_span<'a>(map: &'a Value, key: &str) -> Option<&'a Span> {
    map.key_origin(key)
}

/// A syntax error ends the reading; boxed, for it is the rare way out.
type Step<T> = Result<T, Box<Diagnostic>>;

/// What an alias stands for, with its cost.
struct Anchor {
    value: Value,
    nodes: usize,
    depth: usize,
}

/// A finished value with what an anchor on it would have to know.
struct Built {
    value: Value,
    nodes: usize,
    depth: usize,
}

struct Reader<'s> {
    source: &'s Arc<Source>,
    events: Parser<'s, StrInput<'s>>,
    anchors: HashMap<usize, Anchor>,
    aliased: usize,
    problems: Diagnostics,
}

impl<'s> Reader<'s> {
    fn next(&mut self) -> Step<(Event<'s>, Range<usize>)> {
        match self.events.next_event() {
            None => Ok((Event::StreamEnd, self.source.text.len()..self.source.text.len())),
            Some(Ok((event, span))) => Ok((event, span.byte_range().unwrap_or(0..0))),
            Some(Err(error)) => Err(Box::new(yaml_hint::syntax(self.source, &error))),
        }
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.source, range)
    }

    fn document(&mut self) -> Step<Value> {
        let mut root = None;
        loop {
            let (event, range) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Box::new(
                        Diagnostic::config("this file holds a second document")
                            .at(&self.span(range))
                            .label("it begins here")
                            .hint("keep one document in a file: remove the `---` or split the file"),
                    ));
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, range, 0)?.value),
            }
        }
        Ok(root.unwrap_or_else(|| Value::null().at(&self.span(0..0))))
    }

    fn node(&mut self, event: Event<'s>, range: Range<usize>, depth: usize) -> Step<Built> {
        if depth > MAX_DEPTH {
            return Err(Box::new(self.too_deep(range)));
        }
        let (anchor, built) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let data = self.scalar(text, style, tag.as_deref(), &range);
                let range = self.token(range, style);
                (anchor, Built { value: Value::from(data).at(&self.span(range)), nodes: 1, depth: 0 })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", &range);
                (anchor, self.sequence(range, depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", &range);
                (anchor, self.mapping(range, depth)?)
            }
            Event::Alias(id) => return self.alias(id, range, depth),
            // Nothing else begins a node; were it otherwise, nothing is what it is.
            _ => (0, Built { value: Value::null().at(&self.span(range)), nodes: 1, depth: 0 }),
        };
        if anchor != 0 {
            let copy = Anchor { value: built.value.clone(), nodes: built.nodes, depth: built.depth };
            self.anchors.insert(anchor, copy);
        }
        Ok(built)
    }

    fn alias(&mut self, id: usize, range: Range<usize>, depth: usize) -> Step<Built> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(Box::new(
                Diagnostic::config("an alias to the value that holds it")
                    .at(&self.span(range))
                    .hint("a value cannot contain itself: name another anchor"),
            ));
        };
        if depth + anchor.depth > MAX_DEPTH {
            return Err(Box::new(self.too_deep(range)));
        }
        self.aliased += anchor.nodes;
        if self.aliased > MAX_ALIASED {
            return Err(Box::new(
                Diagnostic::config(format!("the aliases of this file make more than {MAX_ALIASED} values"))
                    .at(&self.span(range))
                    .hint("write the values out, or keep them in a variable"),
            ));
        }
        Ok(Built { value: anchor.value.clone(), nodes: anchor.nodes, depth: anchor.depth })
    }

    fn too_deep(&self, range: Range<usize>) -> Diagnostic {
        Diagnostic::config(format!("lists and maps are nested more than {MAX_DEPTH} deep"))
            .at(&self.span(range))
            .hint("flatten the structure")
    }

    fn sequence(&mut self, start: Range<usize>, depth: usize) -> Step<Built> {
        let (mut items, mut nodes, mut deepest, mut end) = (Vec::new(), 1, 0, start.end);
        loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                end = end.max(closing(&self.source.text, &range, ']'));
                break;
            }
            let item = self.node(event, range.clone(), depth + 1)?;
            end = end.max(range.end).max(item_end(&item.value, &range));
            nodes += item.nodes;
            deepest = deepest.max(item.depth + 1);
            items.push(item.value);
        }
        Ok(Built { value: Value::from(items).at(&self.span(start.start..end)), nodes, depth: deepest })
    }

    fn mapping(&mut self, start: Range<usize>, depth: usize) -> Step<Built> {
        let mut map: IndexMap<String, Value> = IndexMap::new();
        let mut keys: BTreeMap<String, Span> = BTreeMap::new();
        let mut merges = Vec::new();
        let (mut nodes, mut deepest, mut end) = (1, 0, start.end);
        loop {
            let (event, range) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                end = end.max(closing(&self.source.text, &range, '}'));
                break;
            }
            let key = self.key(event, range.clone(), depth)?;
            let (event, value_range) = self.next()?;
            let built = self.node(event, value_range.clone(), depth + 1)?;
            end = end.max(range.end).max(item_end(&built.value, &value_range));
            nodes += built.nodes;
            deepest = deepest.max(built.depth + 1);
            let Some((key, place)) = key else { continue };
            if key == "<<" && place.text() == "<<" {
                merges.push((built.value, place));
            } else if let Some(first) = keys.get(&key) {
                self.problems.push(
                    Diagnostic::config(format!("the key `{key}` stands twice in this map"))
                        .at(&place)
                        .label("again here")
                        .note("first here", Some(first))
                        .hint("remove one of the two"),
                );
            } else {
                keys.insert(key.clone(), place);
                map.insert(key, built.value);
            }
        }
        for (value, place) in merges {
            self.merge(&mut map, &mut keys, value, &place);
        }
        let mut value = Value::from(map).at(&self.span(start.start..end));
        value.keys = Some(Arc::new(keys));
        Ok(Built { value, nodes, depth: deepest })
    }

    /// `<<: *other`: what `other` has and the map has not. Keys that are written win.
    fn merge(&mut self, map: &mut IndexMap<String, Value>, keys: &mut BTreeMap<String, Span>, value: Value, at: &Span) {
        let parts = match value.data {
            Data::Seq(items) => items,
            _ => vec![value],
        };
        for part in parts {
            let (data, places) = (part.data, part.keys);
            let Data::Map(other) = data else {
                self.problems.push(
                    Diagnostic::config("`<<` wants a map, or a list of maps")
                        .at(at)
                        .hint("write `<<: *anchor`, where the anchor is on a map"),
                );
                continue;
            };
            for (key, value) in other {
                if let (false, Some(place)) = (map.contains_key(&key), places.as_ref().and_then(|p| p.get(&key))) {
                    keys.insert(key.clone(), place.clone());
                }
                map.entry(key).or_insert(value);
            }
        }
    }

    /// A key's text and place; `None` (and a problem) where it is not a scalar.
    fn key(&mut self, event: Event<'s>, range: Range<usize>, depth: usize) -> Step<Option<(String, Span)>> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let place = self.span(range.clone());
                if anchor != 0 {
                    let value = Value::from(text.to_string()).at(&place);
                    self.anchors.insert(anchor, Anchor { value, nodes: 1, depth: 0 });
                }
                if range.is_empty() && style == ScalarStyle::Plain {
                    self.problems.push(
                        Diagnostic::config("a key is missing before the colon")
                            .at(&place)
                            .hint("write `key: value`; quote a text that begins with a colon"),
                    );
                    return Ok(None);
                }
                Ok(Some((text.into_owned(), place)))
            }
            event => {
                let start = range.start;
                let built = self.node(event, range.clone(), depth + 1)?;
                let end = item_end(&built.value, &range);
                let key = match built.value.data {
                    Data::Str(text) => return Ok(Some((text, self.span(range)))),
                    _ => self.span(start..end),
                };
                self.problems.push(yaml_hint::odd_key(self.source, &key));
                Ok(None)
            }
        }
    }

    fn scalar(&mut self, text: Cow<'s, str>, style: ScalarStyle, tag: Option<&Tag>, range: &Range<usize>) -> Data {
        match tag {
            // The reader calls nothing `~`.
            Some(tag) if tag.is_yaml_core_schema_tag("str") && range.is_empty() => return Data::Str(String::new()),
            Some(tag) if tag.is_yaml_core_schema_tag("str") => return Data::Str(text.into_owned()),
            Some(tag) if ["int", "float", "bool", "null"].iter().any(|name| tag.is_yaml_core_schema_tag(name)) => {
                return plain(&text);
            }
            // `!` alone says "not to be resolved": a text.
            Some(tag) if tag.original() == "!" => return Data::Str(text.into_owned()),
            other => self.check_tag(other, "str", range),
        }
        if style == ScalarStyle::Plain { plain(&text) } else { Data::Str(text.into_owned()) }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, range: &Range<usize>) {
        let Some(tag) = tag else { return };
        if tag.is_yaml_core_schema_tag(expected) || tag.original() == "!" {
            return;
        }
        let hint = match tag.suffix() {
            "vault" => "values encrypted by others cannot be read here: encrypt it with `homelab secret encrypt`",
            _ => "remove the tag",
        };
        self.problems.push(
            Diagnostic::config(format!("the tag `{}` means nothing here", tag.original()))
                .at(&self.span(range.clone()))
                .hint(hint),
        );
    }

    /// The token's bytes: a block scalar's end at its last line, without what is blank after it.
    fn token(&self, range: Range<usize>, style: ScalarStyle) -> Range<usize> {
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let text = self.source.text.get(range.clone()).unwrap_or_default();
                range.start..range.start + text.trim_end().len()
            }
            _ => range,
        }
    }
}

/// The end of a child, for its parent's extent. An alias's value stands elsewhere: then the alias itself counts.
fn item_end(value: &Value, range: &Range<usize>) -> usize {
    match &value.origin {
        Some(origin) if origin.range.start == range.start => origin.range.end,
        _ => range.end,
    }
}

/// The end of a flow collection's closing bracket; a block collection's end event stands at the next token.
fn closing(text: &str, range: &Range<usize>, bracket: char) -> usize {
    match text.get(range.clone()) {
        Some(token) if token.starts_with(bracket) => range.end,
        _ => 0,
    }
}

/// The core schema's reading of a plain scalar. `yes` and `no` are texts; a number too large for us stays a text.
fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Data::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Data::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']));
    let number = match (text.strip_prefix("0o"), text.strip_prefix("0x")) {
        (Some(octal), _) => radix(octal, 8),
        (_, Some(hex)) => radix(hex, 16),
        _ => text.parse().ok(),
    };
    if let Some(number) = number {
        return Data::Int(number);
    }
    let digits = text.trim_start_matches(['+', '-']);
    let looks = digits.len() + 1 >= text.len()
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.contains(['.', 'e', 'E'])
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match text.parse::<f64>() {
        Ok(number) if looks && number.is_finite() => Data::Float(number),
        _ => Data::Str(text.to_owned()),
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
