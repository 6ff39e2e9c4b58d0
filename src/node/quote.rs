//! The one quoting function: a value becomes a shell word that every POSIX shell reads back as that value.

/// `text` as one shell word. Total for every text without NUL; a NUL, which no shell can hold, is left out.
pub fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_./-+,:@%".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("'\\''"),
            '\0' => {}
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The same for bytes (file contents).
pub fn quote_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'\'');
    for &b in bytes {
        match b {
            b'\'' => out.extend_from_slice(b"'\\''"),
            0 => {}
            b => out.push(b),
        }
    }
    out.push(b'\'');
    out
}

/// Several words, with a space before each.
pub fn words<I: IntoIterator<Item = S>, S: AsRef<str>>(items: I) -> String {
    items.into_iter().fold(String::new(), |mut out, item| {
        out.push(' ');
        out.push_str(&quote(item.as_ref()));
        out
    })
}
