//! Lines of an `authorized_keys` file: options, type, key and comment, as sshd(8) reads them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One key of an `authorized_keys` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What is before the type; empty: none.
    pub options: String,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub kind: String,
    /// The key in base64.
    pub blob: String,
    /// What follows it.
    pub comment: String,
}

/// Why a line is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It begins like a private key.
    Private,
    /// No type is followed by a key.
    Shape,
    /// What follows the type is not base64.
    Base64,
    /// The key inside is of another type than it says, or cut short.
    Mismatch,
    /// The type is one that no sshd accepts any more.
    Obsolete,
}

impl Fault {
    /// A few words for the caret and what to do about it.
    pub fn explain(self) -> (&'static str, &'static str) {
        let paste = "paste the one line of the `.pub` file, whole";
        match self {
            Fault::Private => ("this is a private key", "never give a private key away: use the `.pub` file beside it"),
            Fault::Shape => ("not `[options] type key [comment]`", paste),
            Fault::Base64 => ("the key is not base64", paste),
            Fault::Mismatch => ("the key is cut short, or not of the type it says", paste),
            Fault::Obsolete => ("DSA keys are accepted nowhere any more", "make a new key with `ssh-keygen -t ed25519`"),
        }
    }
}

fn is_kind(word: &str) -> bool {
    let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
    known.iter().any(|start| word.starts_with(start)) && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '@' | '.'))
}

/// Where the first word ends: at a blank outside double quotes.
fn word_end(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(word_end(text));
    (word, rest.trim_start_matches([' ', '\t']))
}

impl Key {
    /// Reads one line that is neither blank nor a comment.
    pub fn parse(line: &str) -> Result<Key, Fault> {
        let line = line.trim();
        if line.contains("PRIVATE KEY") {
            return Err(Fault::Private);
        }
        let (first, rest) = split(line);
        let (options, kind, rest) = if is_kind(first) {
            ("", first, rest)
        } else {
            let (kind, rest) = split(rest);
            (first, kind, rest)
        };
        let (blob, comment) = split(rest);
        if !is_kind(kind) || blob.is_empty() {
            return Err(Fault::Shape);
        }
        if kind == "ssh-dss" {
            return Err(Fault::Obsolete);
        }
        let bytes = STANDARD.decode(blob).map_err(|_| Fault::Base64)?;
        let mut fields = fields(&bytes).ok_or(Fault::Mismatch)?.into_iter();
        // A key says its type again inside, and has at least one number or point after it.
        if fields.next() != Some(kind.as_bytes()) || fields.next().is_none() {
            return Err(Fault::Mismatch);
        }
        let own = |text: &str| text.to_owned();
        Ok(Key { options: own(options), kind: own(kind), blob: own(blob), comment: own(comment) })
    }

    /// Whether both let the same person in; options and comment aside.
    pub fn same(&self, other: &Key) -> bool {
        self.kind == other.kind && self.blob == other.blob
    }

    /// The line.
    pub fn line(&self) -> String {
        let parts = [&self.options, &self.kind, &self.blob, &self.comment];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(STANDARD.decode(&self.blob).unwrap_or_default());
        format!("SHA256:{}", STANDARD.encode(digest).trim_end_matches('='))
    }
}

/// The length-prefixed fields of a key; `None` where they do not fill it exactly.
fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if rest.len() < length {
            return None;
        }
        let (field, rest) = rest.split_at(length);
        fields.push(field);
        bytes = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ED: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn reads_options_with_blanks_and_quotes() {
        let line = format!("from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\"\" ssh-ed25519 {ED} me@home of mine");
        let key = Key::parse(&line).unwrap();
        assert_eq!(key.options, "from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\"\"");
        assert_eq!(key.comment, "me@home of mine");
        assert_eq!(key.line(), line);
    }

    #[test]
    fn says_what_is_wrong() {
        for (line, fault) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), Fault::Private),
            ("hello".to_owned(), Fault::Shape),
            ("ssh-ed25519".to_owned(), Fault::Shape),
            ("ssh-ed25519 not*base64".to_owned(), Fault::Base64),
            (format!("ssh-ed25519 {}", &ED[..40]), Fault::Mismatch),
            (format!("ssh-rsa {ED}"), Fault::Mismatch),
            (format!("ssh-dss {ED}"), Fault::Obsolete),
            (format!("no-pty {ED}"), Fault::Shape),
        ] {
            assert_eq!(Key::parse(&line), Err(fault), "{line}");
        }
    }
}
