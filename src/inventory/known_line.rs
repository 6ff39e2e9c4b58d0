//! Lines of OpenSSH's known_hosts files: which hosts they are about, as `ssh` reads them: plain and hashed names, `[host]:port`, wildcards and
//! `!negations`, `@revoked`, `@cert-authority`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The host has it.
    Trusted,
    /// Nobody may have it any more.
    Revoked,
    /// It signs the keys of hosts.
    Authority,
}

/// Mark, names and base64 key of a line; None for comments and what is not a line of the format.
pub fn fields(line: &str) -> Option<(Mark, &str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let mut first = words.next()?;
    if first.starts_with('#') {
        return None;
    }
    let mark = match first {
        "@revoked" => Mark::Revoked,
        "@cert-authority" => Mark::Authority,
        _ if first.starts_with('@') => return None,
        _ => Mark::Trusted,
    };
    if mark != Mark::Trusted {
        first = words.next()?;
    }
    let _algorithm = words.next()?;
    Some((mark, first, words.next()?))
}

/// Whether the first field of a line names `host`.
pub fn concerns(names: &str, host: &str) -> bool {
    let mut yes = false;
    for pattern in names.split(',') {
        if let Some(negated) = pattern.strip_prefix('!') {
            if wild(&negated.to_lowercase(), host) {
                return false;
            }
        } else if pattern.starts_with("|1|") {
            yes |= hashed(pattern, host);
        } else {
            yes |= wild(&pattern.to_lowercase(), host);
        }
    }
    yes
}

/// `*` and `?` matching. Linear in the text for each star, so that no file can make it slow.
fn wild(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || Some(&c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

fn hashed(pattern: &str, host: &str) -> bool {
    let mut parts = pattern.split('|').skip(2);
    let (Some(salt), Some(hash)) = (parts.next(), parts.next()) else { return false };
    let (Ok(salt), Ok(hash)) = (BASE64.decode(salt), BASE64.decode(hash)) else { return false };
    hmac_sha1(&salt, host.as_bytes())[..] == hash[..]
}

/// HMAC-SHA1 (RFC 2104), which is what hashed names are made with.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha1::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Whether `pattern`, one of a line's names, is `host` itself, hashed or not; a wildcard is not.
pub fn is(pattern: &str, host: &str) -> bool {
    if pattern.starts_with("|1|") { hashed(pattern, host) } else { pattern.to_lowercase() == host }
}

/// `line` without `name` among its `names`; empty when no name is left; None when it does not have it.
pub fn without(line: &str, names: &str, name: &str) -> Option<Vec<u8>> {
    if !names.split(',').any(|pattern| is(pattern, name)) {
        return None;
    }
    let kept: Vec<&str> = names.split(',').filter(|pattern| !is(pattern, name)).collect();
    if kept.is_empty() {
        return Some(Vec::new());
    }
    Some(line.replacen(names, &kept.join(","), 1).into_bytes())
}

/// `name` as nobody can read it from the file; `salt` is another for each line.
pub fn hashed_name(name: &str, salt: &[u8; 20]) -> String {
    format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(hmac_sha1(salt, name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, text, yes) in
            [("*", "", true), ("a*b*c", "aXbYbZc", true), ("a*b", "ab", true), ("a?b", "ab", false), ("a*b", "abc", false), ("", "a", false), ("**a", "ba", true)]
        {
            assert_eq!(wild(pattern, text), yes, "{pattern} {text}");
        }
    }
}
