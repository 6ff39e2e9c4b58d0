//! Changing one value of a YAML text and no other byte of it: what a vendor's tool prints stays as it was printed.

use super::{text_of, wrong};
use crate::lang::source::Source;
use crate::lang::template::from_mini;
use crate::lang::value::{Data, Value as Ours};
use crate::lang::yaml;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use std::ops::Range;
use std::sync::Arc;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("yaml_set", yaml_set);
}

/// `text | yaml_set("spec.containers[0].image", "nginx:1", kind="Pod", name="web")`: in every document that is of this kind and name
/// (where these are given), of which there must be one.
fn yaml_set(value: &Value, path: &str, new: &Value, options: Kwargs) -> Result<String, Error> {
    let text = text_of("yaml_set", value)?;
    let (kind, name): (Option<String>, Option<String>) = (options.get("kind")?, options.get("name")?);
    options.assert_all_used()?;
    let steps = steps(path)?;
    let new = scalar(&from_mini(new)?)?;
    let mut edits = Vec::new();
    let mut seen = Vec::new();
    for range in documents(&text) {
        let source = Arc::new(Source { name: "yaml_set".into(), text: text[range.clone()].to_owned() });
        let document = yaml::parse(&source).map_err(|problems| wrong(format!("`yaml_set` cannot read the text: {}", problems.0.first().map(|p| p.message.clone()).unwrap_or_default())))?;
        let named = |value: Option<&Ours>| value.and_then(Ours::as_str).unwrap_or_default().to_owned();
        let is = (named(document.get("kind")), named(document.get("metadata").and_then(|meta| meta.get("name"))));
        if kind.as_ref().is_some_and(|kind| *kind != is.0) || name.as_ref().is_some_and(|name| *name != is.1) {
            seen.push(format!("{} {}", is.0, is.1));
            continue;
        }
        let (at, with) = edit(&source.text, &document, &steps, &new)?;
        edits.push((range.start + at.start..range.start + at.end, with));
    }
    if edits.is_empty() {
        return Err(wrong(format!("`yaml_set` finds no document of that kind and name; there are: {}", seen.join(", "))));
    }
    let mut out = text;
    for (range, with) in edits.into_iter().rev() {
        out.replace_range(range, &with);
    }
    Ok(out)
}

/// The documents of a stream that are not empty.
fn documents(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut from, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == "---" || bare == "..." || bare.starts_with("--- ") {
            out.push(from..at);
            from = at + if bare == "---" || bare == "..." { line.len() } else { 4 };
        }
        at += line.len();
    }
    out.push(from..text.len());
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%']);
    out.retain(|range| text[range.clone()].lines().any(says));
    out
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// The first item whose field says this.
    Where(String, String),
}

/// `a.b[0].c["x.y/z"].d[name=web]`
fn steps(path: &str) -> Result<Vec<Step>, Error> {
    let bad = || wrong(format!("`{path}` is not a path: write it as `spec.containers[0].image`, `labels[\"a/b\"]` or `containers[name=web].image`"));
    let (mut out, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let quoted = inside.strip_prefix('"').and_then(|text| text.split_once("\"]"));
            let (step, after) = match quoted {
                Some((key, after)) => (Step::Key(key.to_owned()), after),
                None => {
                    let (word, after) = inside.split_once(']').ok_or_else(bad)?;
                    let step = match (word.parse(), word.split_once('=')) {
                        (Ok(index), _) => Step::Index(index),
                        (_, Some((field, value))) => Step::Where(field.to_owned(), value.to_owned()),
                        _ => return Err(bad()),
                    };
                    (step, after)
                }
            };
            out.push(step);
            rest = after;
        } else {
            let word = if out.is_empty() { rest } else { rest.strip_prefix('.').ok_or_else(bad)? };
            let end = word.find(['.', '[']).unwrap_or(word.len());
            if end == 0 {
                return Err(bad());
            }
            out.push(Step::Key(word[..end].to_owned()));
            rest = &word[end..];
        }
    }
    if out.is_empty() { Err(bad()) } else { Ok(out) }
}

/// A scalar as it can stand anywhere in YAML.
fn scalar(value: &Ours) -> Result<String, Error> {
    match &value.data {
        Data::Seq(_) | Data::Map(_) => Err(wrong("`yaml_set` sets a text, a number or a truth value, not a list or map")),
        Data::Str(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ':');
            let starts = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
            // What could be read as something else than a text is quoted.
            let word = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
            if starts && !word && text.chars().all(plain) && !text.ends_with(':') { Ok(text.clone()) } else { serde_json::to_string(text).map_err(|error| wrong(error.to_string())) }
        }
        _ => serde_json::to_string(value).map_err(|error| wrong(error.to_string())),
    }
}

/// What to put where.
fn edit(text: &str, document: &Ours, steps: &[Step], new: &str) -> Result<(Range<usize>, String), Error> {
    let mut at = document;
    let mut key = 0..0;
    for (i, step) in steps.iter().enumerate() {
        let so_far = || shown(&steps[..=i]);
        let next = match step {
            Step::Key(name) => {
                let Some(map) = at.as_map() else { return Err(wrong(format!("`{}` cannot be: what is above it is {}", so_far(), at.type_name()))) };
                let Some(next) = map.get(name) else {
                    if i + 1 == steps.len() {
                        return insert(text, at, name, new).ok_or_else(|| wrong(format!("`{}` is not there, and there is no line to put it before", so_far())));
                    }
                    return Err(wrong(format!("`{}` is not there; there are: {}", so_far(), map.keys().cloned().collect::<Vec<_>>().join(", "))));
                };
                key = at.key_origin(name).map(|span| span.range.clone()).unwrap_or_default();
                next
            }
            Step::Index(index) => at.as_seq().and_then(|items| items.get(*index)).ok_or_else(|| wrong(format!("`{}` is not there", so_far())))?,
            Step::Where(field, value) => {
                let fits = |item: &&Ours| item.get(field).and_then(Ours::as_str) == Some(value);
                at.as_seq().and_then(|items| items.iter().find(fits)).ok_or_else(|| wrong(format!("`{}` is not there", so_far())))?
            }
        };
        at = next;
    }
    let whole = shown(steps);
    if matches!(at.data, Data::Seq(_) | Data::Map(_)) {
        return Err(wrong(format!("`{whole}` is {}: `yaml_set` sets a text, a number or a truth value", at.type_name())));
    }
    let range = at.origin.as_ref().map(|span| span.range.clone()).filter(|range| !range.is_empty());
    let Some(range) = range else {
        // `key:` alone.
        let colon = text[key.end..].find(':').filter(|_| !key.is_empty()).ok_or_else(|| wrong(format!("`{whole}` has no place in the text")))?;
        let end = key.end + colon + 1;
        return Ok((end..end, format!(" {new}")));
    };
    // An alias stands for what is written elsewhere; a text over several lines has no one token.
    if range.start < key.end || text[range.clone()].contains('\n') || text[key.end..range.start].contains('*') {
        return Err(wrong(format!("`{whole}` is an alias or a text of several lines: that is not changed")));
    }
    Ok((range, new.to_owned()))
}

/// A key that is not there is put before the first one of its map, at the same depth.
fn insert(text: &str, map: &Ours, name: &str, new: &str) -> Option<(Range<usize>, String)> {
    let keys = map.as_map()?.keys().filter_map(|key| map.key_origin(key));
    let first = keys.map(|span| span.range.start).min()?;
    let name = scalar(&Ours::from(name)).ok()?;
    let line = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let flow = text[..first].trim_end().ends_with('{');
    let with = if flow { format!("{name}: {new}, ") } else { format!("{name}: {new}\n{}", " ".repeat(text[line..first].chars().count())) };
    Some((first..first, with))
}

fn shown(steps: &[Step]) -> String {
    steps.iter().enumerate().fold(String::new(), |mut out, (i, step)| {
        match step {
            Step::Key(key) if key.contains(['.', '[']) => out.push_str(&format!("[\"{key}\"]")),
            Step::Key(key) => out.push_str(&format!("{}{key}", if i > 0 { "." } else { "" })),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Where(field, value) => out.push_str(&format!("[{field}={value}]")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VENDOR: &str = "\
# as the vendor's tool prints it
apiVersion: v1
kind: Service
metadata: {name:   web,  labels: {\"a.b/c\": x}}
---
kind: StatefulSet   # comment
metadata:
    name: 'web'
spec:
    empty:
    template:
        spec:
            containers:
            -   image: \"old:1\"   # pinned
                name: web
            - name: side
              image: busybox
    text: |
        several
        lines
    shared: &s here
    again: *s
";

    fn set(path: &str, value: &str, options: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        add(&mut environment);
        let expression = format!("text | yaml_set('{path}', {value}{options})");
        let done = environment.compile_expression(&expression).unwrap().eval(minijinja::context! { text => VENDOR });
        done.map(|value| value.to_string()).map_err(|error| error.to_string())
    }

    /// Only this differs.
    fn differs(path: &str, value: &str, options: &str, old: &str, new: &str) {
        assert_eq!(set(path, value, options).unwrap(), VENDOR.replacen(old, new, 1), "{path}");
    }

    #[test]
    fn one_value_changes_and_no_other_byte() {
        let set_ = ", kind='StatefulSet', name='web'";
        differs("spec.template.spec.containers[0].image", "'new:2'", set_, "\"old:1\"", "new:2");
        differs("spec.template.spec.containers[name=side].image", "'a b'", set_, "busybox", "\"a b\"");
        differs("spec.replicas", "3", set_, "    empty:", "    replicas: 3\n    empty:");
        differs("spec.template.spec.containers[0].imagePullPolicy", "'Always'", set_, "image: \"old", "imagePullPolicy: Always\n                image: \"old");
        differs("spec.empty", "'yes'", set_, "empty:", "empty: \"yes\"");
        differs("metadata.labels[\"a.b/c\"]", "true", ", kind='Service'", "c\": x", "c\": true");
        differs("metadata.namespace", "'home'", ", kind='Service'", "{name: ", "{namespace: home, name: ");
    }

    #[test]
    fn what_cannot_be_is_said() {
        let set_ = ", kind='StatefulSet'";
        for (path, value, options, says) in [
            ("spec.template", "'x'", set_, "sets a text"),
            ("spec.nothing.there", "'x'", set_, "there are: empty, template"),
            ("spec.template.spec.containers[7].image", "'x'", set_, "containers[7]` is not there"),
            ("spec.text", "'x'", set_, "several lines"),
            ("spec.again", "'x'", set_, "alias"),
            ("spec..x", "'x'", set_, "is not a path"),
            ("kind", "[1]", set_, "not a list"),
            ("kind", "'x'", ", kind='Job'", "there are: Service web, StatefulSet web"),
        ] {
            let error = set(path, value, options).unwrap_err();
            assert!(error.contains(says), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        proptest::proptest!(|(text in "\\PC{0,12}", number in proptest::num::i64::ANY)| {
            for value in [Ours::from(text.as_str()), Ours::from(number)] {
                let written = format!("a: {}\n", scalar(&value).unwrap());
                let read = yaml::parse(&Arc::new(Source { name: "x".into(), text: written.clone() })).unwrap();
                assert_eq!(read.get("a").unwrap(), &value, "{written}");
            }
        });
    }
}
