//! The net below the taint: every secret text that was seen is replaced wherever it would be printed.
//!
//! Masked are the text itself, each of its lines, and their base64 (at all three alignments), URL, shell, JSON and
//! YAML forms. Texts of fewer than [`SHORTEST`] characters are not masked by value: they are in everything. Base64
//! that is broken into lines is not found.

use super::filters::shell_quote;
use super::value::{Data, Value};
use aho_corasick::AhoCorasick;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};
use zeroize::{Zeroize, Zeroizing};

/// What stands for a secret.
pub const MASK: &str = "‹masked›";
/// The fewest characters of a text that is masked by value.
pub const SHORTEST: usize = 4;

/// All secrets seen so far. Clones share them.
#[derive(Clone, Default)]
pub struct Masker {
    inner: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    forms: BTreeSet<String>,
    finder: Option<Arc<AhoCorasick>>,
}

impl Drop for Known {
    fn drop(&mut self) {
        for mut form in std::mem::take(&mut self.forms) {
            form.zeroize();
        }
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker")
    }
}

impl Masker {
    /// None seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a secret text.
    pub fn add(&self, secret: &str) {
        let mut forms = Vec::new();
        for part in std::iter::once(secret).chain([secret.trim()]).chain(secret.lines().map(str::trim)) {
            if part.chars().count() >= SHORTEST && part.chars().any(char::is_alphanumeric) {
                all_forms(part, &mut forms);
            }
        }
        let mut known = self.inner.write().unwrap_or_else(|e| e.into_inner());
        let before = known.forms.len();
        known.forms.extend(forms.into_iter().filter(|form| form.chars().count() >= SHORTEST));
        if known.forms.len() != before {
            known.finder = None;
        }
    }

    /// Registers every secret text in a value.
    pub fn add_value(&self, value: &Value) {
        self.walk(value, false);
    }

    fn walk(&self, value: &Value, secret: bool) {
        let secret = secret || value.secret;
        match &value.data {
            Data::Str(text) if secret => self.add(text),
            Data::Int(number) if secret => self.add(&number.to_string()),
            Data::Float(number) if secret => self.add(&number.to_string()),
            Data::Seq(items) => items.iter().for_each(|item| self.walk(item, secret)),
            Data::Map(map) => map.values().for_each(|value| self.walk(value, secret)),
            _ => {}
        }
    }

    /// `text` with every secret replaced by [`MASK`]; overlapping ones by one.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(finder) = self.finder() else { return Cow::Borrowed(text) };
        let mut ranges: Vec<_> = finder.find_overlapping_iter(text).map(|found| found.range()).collect();
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        let mut masked_to = None;
        for range in ranges {
            match masked_to {
                Some(end) if range.start < end => {}
                _ => {
                    out.push_str(text.get(done..range.start).unwrap_or_default());
                    out.push_str(MASK);
                }
            }
            done = done.max(range.end);
            masked_to = Some(done);
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn finder(&self) -> Option<Arc<AhoCorasick>> {
        {
            let known = self.inner.read().unwrap_or_else(|e| e.into_inner());
            if known.forms.is_empty() || known.finder.is_some() {
                return known.finder.clone();
            }
        }
        let mut known = self.inner.write().unwrap_or_else(|e| e.into_inner());
        let finder = AhoCorasick::new(known.forms.iter().map(|form| form.as_bytes())).ok().map(Arc::new);
        known.finder = finder.clone();
        finder
    }
}

fn all_forms(text: &str, forms: &mut Vec<String>) {
    forms.push(text.to_owned());
    forms.push(shell_quote(text));
    forms.push(text.replace('\'', "'\\''"));
    forms.push(text.replace('\'', "''"));
    forms.push(format!("{text:?}").trim_matches('"').to_owned());
    if let Ok(json) = serde_json::to_string(text) {
        let inner = json.get(1..json.len() - 1).unwrap_or_default().to_owned();
        forms.push(inner.replace('/', "\\/"));
        forms.push(inner);
    }
    for upper in [true, false] {
        let url = url(text, upper);
        forms.push(url.replace("%20", "+"));
        forms.push(url);
    }
    for shift in 0..3 {
        forms.push(base64_part(&STANDARD_NO_PAD, text, shift));
        forms.push(base64_part(&URL_SAFE_NO_PAD, text, shift));
    }
}

fn url(text: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ if upper => out.push_str(&format!("%{byte:02X}")),
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// What of the base64 of a longer text is this text's alone, if `shift` bytes (mod 3) stand before it.
fn base64_part(engine: &impl base64::Engine, text: &str, shift: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0; shift]);
    bytes.extend_from_slice(text.as_bytes());
    let encoded = engine.encode(&*bytes);
    let start = [0, 2, 3].get(shift).copied().unwrap_or(0);
    let end = encoded.len() - usize::from(bytes.len() % 3 != 0);
    encoded.get(start..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_form_is_masked() {
        let masker = Masker::new();
        let secret = "p'ss w\"rd/\\ü";
        masker.add(secret);
        for form in [
            secret.to_owned(),
            shell_quote(secret),
            serde_json::to_string(secret).unwrap(),
            secret.replace('\'', "''"),
            url(secret, true),
            url(secret, false),
            url(secret, true).replace("%20", "+"),
        ] {
            let told = masker.mask(&format!("<{form}>")).into_owned();
            assert!(told.contains(MASK) && !told.contains("ss w") && !told.contains("rd"), "{form}: {told}");
        }
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "z", "zz"] {
                let encoded = STANDARD.encode(format!("{before}{secret}{after}"));
                let told = masker.mask(&encoded).into_owned();
                assert!(told.contains(MASK), "{before} {after}");
                assert!(told.replace(MASK, "").len() <= 4 * (before.len().div_ceil(3) + 2), "{told}");
            }
        }
    }

    #[test]
    fn lines_overlaps_and_short_texts() {
        let masker = Masker::new();
        assert!(matches!(masker.mask("nothing known"), Cow::Borrowed(_)));
        masker.add("first line\n  second line\n-----\nabc\n");
        assert_eq!(masker.mask("+  second line here, abc -----"), "+  ‹masked› here, abc -----");
        masker.add("abcdef");
        masker.add("defghi");
        assert_eq!(masker.mask("xabcdefghiy abcdefabcdef"), "x‹masked›y ‹masked›‹masked›");
        masker.clone().add("later!");
        assert_eq!(masker.mask("later!"), MASK, "clones share what they know");
    }

    #[test]
    fn secrets_in_values_are_found() {
        let masker = Masker::new();
        let list = Value::from(vec![Value::from("open text"), Value::from(123_456).tainted(true)]);
        masker.add_value(&list);
        assert_eq!(masker.mask("open text 123456"), "open text ‹masked›");
        masker.add_value(&list.tainted(true));
        assert_eq!(masker.mask("open text"), MASK);
    }
}
