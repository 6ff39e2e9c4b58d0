//! Replacement texts that take groups of a regular expression, in Python's notation: `\1`, `\g<1>`, `\g<name>`.

use super::attrs::wrong;
use crate::lang::Diagnostic;
use crate::resource::Args;
use regex::{Captures, Regex};

/// The parts of a replacement: text, and groups by number or name.
enum Part<'a> {
    Text(char),
    Group(&'a str),
}

fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if c == '\\' && digits > 0 {
            let digits = digits.min(2);
            parts.push(Part::Group(&after[..digits]));
            rest = &after[digits..];
        } else if let (true, Some(named)) = (c == '\\', after.strip_prefix("g<")) {
            let Some((name, behind)) = named.split_once('>') else {
                parts.push(Part::Text(c));
                rest = after;
                continue;
            };
            parts.push(Part::Group(name));
            rest = behind;
        } else if let (true, Some(escaped)) = (c == '\\', after.chars().next()) {
            match escaped {
                '\\' => parts.push(Part::Text('\\')),
                't' => parts.push(Part::Text('\t')),
                'n' => parts.push(Part::Text('\n')),
                other => parts.extend([Part::Text('\\'), Part::Text(other)]),
            }
            rest = &after[escaped.len_utf8()..];
        } else {
            parts.push(Part::Text(c));
            rest = after;
        }
    }
    parts
}

/// `template` with the groups of a match; without one, they are empty.
pub fn expand(template: &str, captures: Option<&Captures<'_>>) -> String {
    let mut out = String::new();
    for part in parts(template) {
        match part {
            Part::Text(c) => out.push(c),
            Part::Group(name) => {
                let group = captures.and_then(|found| name.parse().map_or_else(|_| found.name(name), |number: usize| found.get(number)));
                out.push_str(group.map_or("", |group| group.as_str()));
            }
        }
    }
    out
}

/// Says which group of `template`, the value of `param`, is the first that `regexp` does not have.
pub fn bad_group(args: &Args, param: &str, regexp: &Regex, template: &str) -> Option<Diagnostic> {
    let bad = parts(template).into_iter().find_map(|part| match part {
        Part::Group(name) => {
            let known = name.parse().map_or_else(|_| regexp.capture_names().flatten().any(|known| known == name), |number: usize| number < regexp.captures_len());
            (!known).then_some(name)
        }
        Part::Text(_) => None,
    })?;
    Some(wrong(args, param, format!("`regexp` has no group `{bad}`"), "", "groups are numbered from 1 by their `(`, or named by `(?P<name>…)`"))
}
