//! Whose key a file holds: the fingerprints of OpenPGP public keys, armored or not. It judges nothing else: signatures are for apt.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The fingerprints of the primary keys in `bytes`, as upper-case hex; empty where there is none of version 4.
pub(super) fn fingerprints(bytes: &[u8]) -> Vec<String> {
    let binary = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") => unarmored(text),
        _ => bytes.to_vec(),
    };
    let (mut rest, mut found) = (&binary[..], Vec::new());
    while let Some((tag, body, after)) = packet(rest) {
        if tag == 6 && body.first() == Some(&4) {
            let length = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
            let hash = Sha1::new().chain_update([0x99]).chain_update(length).chain_update(body).finalize();
            found.push(hash.iter().map(|byte| format!("{byte:02X}")).collect());
        }
        rest = after;
    }
    found
}

fn unarmored(text: &str) -> Vec<u8> {
    let mut inside = false;
    let mut headers = false;
    let mut body = String::new();
    for line in text.lines().map(str::trim) {
        match line {
            _ if line.starts_with("-----BEGIN") => (inside, headers) = (true, true),
            _ if line.starts_with("-----END") => inside = false,
            "" => headers = false,
            // An armor without headers may come without the empty line, too.
            _ if inside && headers && line.contains(": ") => {}
            _ if inside && !line.starts_with('=') => {
                headers = false;
                body += line;
            }
            _ => {}
        }
    }
    STANDARD.decode(body).unwrap_or_default()
}

/// The first packet: its tag, its body, and what follows.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let number = |at: usize, count: usize| Some(rest.get(at..at + count)?.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)));
    let (tag, skip, length) = if first & 0x40 == 0 {
        let count = 1 << (first & 3);
        (first >> 2 & 0xf, count, number(0, count).filter(|_| first & 3 != 3)?)
    } else {
        match *rest.first()? {
            short @ 0..=191 => (first & 0x3f, 1, usize::from(short)),
            two @ 192..=223 => (first & 0x3f, 2, ((usize::from(two) - 192) << 8) + number(1, 1)? + 192),
            255 => (first & 0x3f, 5, number(1, 4)?),
            _ => return None,
        }
    };
    let end = skip.checked_add(length)?;
    Some((tag, rest.get(skip..end)?, rest.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key made for this test alone, and thrown away.
    const KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEawdU6xYJKwYBBAHaRw8BAQdABRiY7UDObXpEDo7CLK76c4X2OE3/SWoX0q/4\nMo573b20DHRlc3RAZXhhbXBsZYiQBBMWCAA4FiEEWFBo4LRaNI704dr4p6klVGtF\nY1wFAmsHVOsCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQp6klVGtFY1w9\nSAD+J7dR7SCxZB6lamOlW2jSmAXA49DqCBKn/5Pg+xNWm0AA/16tmtpE0ABsu9Im\nbDcAGGWUrOWirwo5HbuoF3ZRyygG\n=R0Om\n-----END PGP PUBLIC KEY BLOCK-----\n";

    #[test]
    fn a_key_is_told_by_its_fingerprint() {
        assert_eq!(fingerprints(KEY.as_bytes()), ["585068E0B45A348EF4E1DAF8A7A925546B45635C"]);
        assert_eq!(fingerprints(&unarmored(KEY)), ["585068E0B45A348EF4E1DAF8A7A925546B45635C"]);
        assert_eq!(fingerprints(&KEY.as_bytes()[..80]), Vec::<String>::new());
        for none in [&b""[..], b"<html>", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnot base64!", &[0x99, 0xff], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(fingerprints(none), Vec::<String>::new(), "{none:?}");
        }
    }
}
