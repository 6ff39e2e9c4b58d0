//! The fingerprints of an OpenPGP key file, as far as choosing whom to trust needs them: RFC 4880 and 9580 public key packets, armoured
//! or not. Nothing is verified here; that is apt's.

use base64::Engine;

/// A key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Upper-case hex, of primary keys, in the file's order. Whoever has one of them is trusted.
    pub primaries: Vec<String>,
    /// Of these and their subkeys.
    pub fingerprints: Vec<String>,
    /// It is a text.
    pub armoured: bool,
}

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// Reads `bytes`; `None` where they hold no public key, or hold a secret one.
pub fn read(bytes: &[u8]) -> Option<Keys> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains(BEGIN));
    let mut keys = Keys { primaries: Vec::new(), fingerprints: Vec::new(), armoured: text.is_some() };
    match text {
        None => packets(bytes, &mut keys)?,
        Some(text) => {
            for block in text.split(BEGIN).skip(1) {
                packets(&unarmoured(block.split(END).next()?)?, &mut keys)?;
            }
        }
    }
    (!keys.primaries.is_empty()).then_some(keys)
}

/// The bytes of a block: base64 after a blank line, up to a checksum.
fn unarmoured(block: &str) -> Option<Vec<u8>> {
    let lines = block.lines().map(str::trim);
    let body: String = lines.skip(1).skip_while(|line| !line.is_empty()).filter(|line| !line.starts_with('=')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok()
}

fn packets(mut rest: &[u8], keys: &mut Keys) -> Option<()> {
    while let Some((&first, after)) = rest.split_first() {
        if first & 0x80 == 0 {
            return None;
        }
        let (tag, head, length) = if first & 0x40 != 0 {
            let (head, length) = match *after.first()? {
                short @ 0..192 => (1, usize::from(short)),
                two @ 192..224 => (2, ((usize::from(two) - 192) << 8) + usize::from(*after.get(1)?) + 192),
                255 => (5, number(after.get(1..5)?)),
                // In pieces: no key is.
                _ => return None,
            };
            (first & 0x3f, head, length)
        } else {
            let size = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            ((first >> 2) & 0xf, size, number(after.get(..size)?))
        };
        let body = after.get(head..head.checked_add(length)?)?;
        match tag {
            6 | 14 => {
                let found = fingerprint(body)?;
                keys.primaries.extend((tag == 6).then(|| found.clone()));
                keys.fingerprints.push(found);
            }
            5 | 7 => return None,
            _ => {}
        }
        rest = &after[head + length..];
    }
    Some(())
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
}

fn fingerprint(body: &[u8]) -> Option<String> {
    let hex = match *body.first()? {
        4 => {
            let length = u16::try_from(body.len()).ok()?.to_be_bytes();
            let mut hash = <sha1::Sha1 as sha1::Digest>::new();
            sha1::Digest::update(&mut hash, [0x99]);
            sha1::Digest::update(&mut hash, length);
            sha1::Digest::update(&mut hash, body);
            crate::node::op::hex(&sha1::Digest::finalize(hash))
        }
        6 => {
            let length = u32::try_from(body.len()).ok()?.to_be_bytes();
            crate::node::op::sha256(&[&[0x9b], &length[..], body].concat())
        }
        _ => return None,
    };
    Some(hex.to_uppercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Made by gpg 2.2 for this test: `gpg --quick-gen-key 'Tests <tests@example>' ed25519`.
    const KEY: &str = include_str!("../../../tests/support/archive-key.asc");

    #[test]
    fn a_key_of_gpgs() {
        let keys = read(KEY.as_bytes()).unwrap();
        assert_eq!((keys.fingerprints.as_slice(), keys.armoured), (&["7762B0A43F40E3854F0369E460B011E5A5728B37".to_owned()][..], true));
        let bare = unarmoured(KEY.split(BEGIN).nth(1).unwrap().split(END).next().unwrap()).unwrap();
        assert_eq!(read(&bare), Some(Keys { armoured: false, ..keys }));
        assert_eq!(read(&bare[..bare.len() - 1]), None);
    }

    #[test]
    fn what_is_no_key() {
        for bytes in [&b""[..], b"<html>404</html>", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnot base64!\n-----END PGP PUBLIC KEY BLOCK-----\n", &[0x94, 0x01, 0x04]] {
            assert_eq!(read(bytes), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
