//! Texts of `name = value` lines in sections: edits of one setting or one section, from text to text. All other lines stay byte for byte.

use crate::resource::shared::edit::Lines;
use std::ops::Range;

/// One setting of one section.
#[derive(Debug)]
pub(super) struct Setting {
    /// `None`: before the first header.
    pub section: Option<String>,
    /// `None`: the section itself.
    pub option: Option<String>,
    /// Its values, trimmed; `None` among them is a name alone.
    pub values: Vec<Option<String>>,
    /// It has these values and no others.
    pub exclusive: bool,
    /// A line that is commented out may become it.
    pub uncomment: bool,
    /// No blanks around `=`; `None`: as the file's first setting has it.
    pub tight: Option<bool>,
}

/// That many sections have the name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous(pub usize);

/// A setting as a file has it: its first line, and those that go on with its value.
struct Entry<'a> {
    lines: Range<usize>,
    name: &'a str,
    value: Option<String>,
}

struct Section<'a> {
    name: Option<&'a str>,
    /// Behind its header, to the next one.
    body: Range<usize>,
    entries: Vec<Entry<'a>>,
}

fn header(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix('[')?.split_once(']')?.0.trim())
}

fn blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// Whether `line` goes on with the value of a setting that has this indent, right above.
fn goes_on(line: &str, above: &str) -> bool {
    !blank(line) && !comment(line) && indent(line).len() > above.len()
}

fn sections<'a>(lines: &[&'a str]) -> Vec<Section<'a>> {
    let mut found = vec![Section { name: None, body: 0..lines.len(), entries: Vec::new() }];
    let mut at = 0;
    while at < lines.len() {
        let (line, start) = (lines[at], at);
        at += 1;
        let Some(last) = found.last_mut() else { break };
        if let Some(name) = header(line) {
            last.body.end = start;
            found.push(Section { name: Some(name), body: at..lines.len(), entries: Vec::new() });
        } else if !blank(line) && !comment(line) {
            // A value goes on behind a backslash, or on lines that are further in.
            let more = |next: &str, before: &str| before.ends_with('\\') || goes_on(next, indent(line));
            while at < lines.len() && more(lines[at], lines[at - 1]) {
                at += 1;
            }
            let (name, first) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value.trim())));
            let value = first.map(|first| [first].iter().chain(&lines[start + 1..at]).copied().collect::<Vec<_>>().join("\n"));
            last.entries.push(Entry { lines: start..at, name: name.trim(), value });
        }
    }
    found
}

/// Where `section` ends: a comment right above the next header, with nothing above itself, is about what follows.
fn end(section: &Section<'_>, lines: &[&str]) -> usize {
    let Range { start, end } = section.body;
    if end == lines.len() {
        return end;
    }
    let above = (start..end).rev().take_while(|at| comment(lines[*at])).last().unwrap_or(end);
    let free = above == start && section.name.is_none() || above > start && blank(lines[above - 1]);
    if free { above } else { end }
}

/// Where a new line of `section` goes: behind its last setting, else behind its header or the comments at the file's beginning.
fn place(section: &Section<'_>, lines: &[&str]) -> usize {
    match (section.entries.last(), section.name) {
        (Some(entry), _) => entry.lines.end,
        (None, Some(_)) => section.body.start,
        (None, None) => (0..end(section, lines)).rev().find(|at| !blank(lines[*at])).map_or(0, |at| at + 1),
    }
}

/// The line that gives `value` to `name` in the place of `line`, whose indent and blanks around `=` it keeps.
fn renewed(line: &str, name: &str, value: Option<&str>, tight: bool) -> String {
    let (Some(value), Some((before, rest))) = (value, line.split_once('=')) else { return new_line(indent(line), name, value, tight) };
    let gap = match (rest.trim().is_empty(), before.ends_with([' ', '\t'])) {
        (true, true) => " ",
        (true, false) => "",
        (false, _) => indent(rest),
    };
    format!("{before}={gap}{value}").trim_end().to_owned()
}

fn new_line(indent: &str, name: &str, value: Option<&str>, tight: bool) -> String {
    match value {
        None => format!("{indent}{name}"),
        Some(value) if tight => format!("{indent}{name}={value}"),
        Some(value) => format!("{indent}{name} = {value}").trim_end().to_owned(),
    }
}

impl Setting {
    /// What is left of `line` when it is `option`, commented out, and can carry the first value.
    fn inactive<'a>(&self, line: &'a str, option: &str) -> Option<&'a str> {
        let rest = line.trim_start().strip_prefix(['#', ';'])?.trim_start();
        let (name, valued) = rest.split_once('=').map_or((rest, false), |(name, _)| (name, true));
        let fits = self.uncomment && name.trim() == option && self.values.first().is_some_and(|value| value.is_some() == valued);
        fits.then_some(rest)
    }

    fn only<'a, 's>(&self, found: &'s [Section<'a>]) -> Result<Option<&'s Section<'a>>, Ambiguous> {
        let mut named = found.iter().filter(|section| section.name == self.section.as_deref());
        match (named.next(), named.count()) {
            (Some(_), more @ 1..) => Err(Ambiguous(more + 1)),
            (section, _) => Ok(section),
        }
    }

    fn ours(&self, entry: &Entry<'_>) -> bool {
        let among = || self.values.contains(&entry.value);
        Some(entry.name) == self.option.as_deref() && (self.exclusive || among())
    }

    /// `text` with it.
    pub fn present(&self, text: &str) -> Result<String, Ambiguous> {
        let lines = Lines::new(text);
        let all = &lines.lines;
        let found = sections(all);
        let mut first = found.iter().flat_map(|section| &section.entries).filter_map(|entry| all[entry.lines.start].split_once('='));
        let tight = self.tight.unwrap_or_else(|| first.next().is_some_and(|(before, _)| !before.ends_with([' ', '\t'])));
        let new = |indent: &str, option: &str, value: &Option<String>| new_line(indent, option, value.as_deref(), tight);
        let Some(section) = self.only(&found)? else {
            let mut add = if all.last().is_some_and(|line| !blank(line)) { vec![String::new()] } else { Vec::new() };
            add.push(format!("[{}]", self.section.as_deref().unwrap_or_default()));
            add.extend(self.option.iter().flat_map(|option| self.values.iter().map(|value| new("", option, value))));
            return Ok(spliced(text, vec![(all.len()..all.len(), add)]));
        };
        let Some(option) = &self.option else { return Ok(text.to_owned()) };
        let there: Vec<&Entry<'_>> = section.entries.iter().filter(|entry| entry.name == option).collect();
        let wished: Vec<&Option<String>> = match self.exclusive {
            true => self.values.iter().collect(),
            false => self.values.iter().filter(|value| !there.iter().any(|entry| entry.value == **value)).collect(),
        };
        let kept = if self.exclusive { there.as_slice() } else { &[] };
        let mut edits = Vec::new();
        for (entry, value) in kept.iter().zip(&wished) {
            if entry.value != **value {
                let line = all[entry.lines.start];
                edits.push((entry.lines.clone(), vec![renewed(line, option, value.as_deref(), tight)]));
            }
        }
        edits.extend(kept.iter().skip(wished.len()).map(|entry| (entry.lines.clone(), Vec::new())));
        let mut missing = wished.into_iter().skip(kept.len()).peekable();
        if missing.peek().is_some() {
            // Further in than the setting before it, a line would be that one's value; and what is behind it must not become its own.
            let base = section.entries.iter().map(|entry| indent(all[entry.lines.start])).min_by_key(|indent| indent.len());
            let hidden = section.body.clone().rev().filter(|_| there.is_empty()).find_map(|at| {
                let (rest, indent) = (self.inactive(all[at], option)?, base.unwrap_or(indent(all[at])));
                all.get(at + 1).is_none_or(|next| !goes_on(next, indent)).then_some((at, rest, indent))
            });
            let mut add = Vec::new();
            let range = match (hidden, there.last()) {
                (Some((at, rest, indent)), _) => {
                    let value = missing.next().and_then(Option::as_deref);
                    add.push(format!("{indent}{}", renewed(rest, option, value, tight)));
                    at..at + 1
                }
                (None, Some(last)) => last.lines.end..last.lines.end,
                (None, None) => {
                    let at = place(section, all);
                    at..at
                }
            };
            let like = there.last().map_or(base.unwrap_or_default(), |entry| indent(all[entry.lines.start]));
            add.extend(missing.map(|value| new(like, option, value)));
            edits.push((range, add));
        }
        Ok(spliced(text, edits))
    }

    /// `text` without it.
    pub fn absent(&self, text: &str) -> Result<String, Ambiguous> {
        let lines = Lines::new(text);
        let found = sections(&lines.lines);
        let Some(section) = self.only(&found)? else { return Ok(text.to_owned()) };
        Ok(match &self.option {
            None => spliced(text, vec![(section.body.start.saturating_sub(1)..end(section, &lines.lines), Vec::new())]),
            Some(_) => spliced(text, section.entries.iter().filter(|entry| self.ours(entry)).map(|entry| (entry.lines.clone(), Vec::new())).collect()),
        })
    }

    /// What of `text` it is about: its values, or the lines of its section.
    pub fn slice(&self, text: &str) -> String {
        let lines = Lines::new(text);
        let found = sections(&lines.lines);
        let named = found.iter().filter(|section| section.name == self.section.as_deref());
        let said: Vec<String> = match self.option {
            Some(_) => named.flat_map(|section| &section.entries).filter(|entry| self.ours(entry)).map(|entry| entry.value.clone().unwrap_or_default()).collect(),
            None => named.map(|section| lines.lines[section.body.start.saturating_sub(1)..end(section, &lines.lines)].join("\n")).collect(),
        };
        said.join("\n")
    }
}

/// `text` with each range of lines replaced; ranges do not overlap and are in order.
fn spliced(text: &str, edits: Vec<(Range<usize>, Vec<String>)>) -> String {
    edits.into_iter().rev().fold(text.to_owned(), |out, (range, new)| {
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        Lines::new(&out).splice(range, &new)
    })
}
