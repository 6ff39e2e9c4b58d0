//! Paths, the shell, regular expressions.

use super::{text_of, wrong};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Value};
use regex::RegexBuilder;

/// Bytes that a compiled pattern may take.
const REGEX_SIZE: usize = 1 << 20;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("quote", |value: &Value| text_of("quote", value).map(|text| shell_quote(&text)));
    environment.add_filter("basename", |value: &Value| text_of("basename", value).map(|path| basename(&path)));
    environment.add_filter("dirname", |value: &Value| text_of("dirname", value).map(|path| dirname(&path)));
    environment.add_filter("mandatory", mandatory);
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("regex_search", regex_search);
}

/// One word of a POSIX shell that means exactly `text`; left bare where nothing in it means anything to a shell.
pub fn shell_quote(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn basename(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn dirname(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((dir, _)) => dir.to_owned(),
        None => String::new(),
    }
}

fn mandatory(value: &Value, message: Option<&str>) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Err(wrong(message.unwrap_or("a mandatory value is missing"))),
        _ => Ok(value.clone()),
    }
}

fn compile(pattern: &str) -> Result<regex::Regex, Error> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|_| wrong(format!("`{pattern}` is not a regular expression that can be used here")))
}

/// `\1` in the replacement is the first group, as in Ansible.
fn regex_replace(value: &Value, pattern: &str, replacement: Option<&str>) -> Result<String, Error> {
    let text = text_of("regex_replace", value)?;
    let mut by = String::new();
    let mut chars = replacement.unwrap_or_default().chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                by.push_str(&format!("${{{digit}}}"));
                chars.next();
            }
            ('\\', Some('\\')) => {
                by.push('\\');
                chars.next();
            }
            ('$', _) => by.push_str("$$"),
            (c, _) => by.push(c),
        }
    }
    Ok(compile(pattern)?.replace_all(&text, by.as_str()).into_owned())
}

/// The first match, or nothing.
fn regex_search(value: &Value, pattern: &str) -> Result<Option<String>, Error> {
    let text = text_of("regex_search", value)?;
    Ok(compile(pattern)?.find(&text).map(|found| found.as_str().to_owned()))
}
