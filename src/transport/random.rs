//! Random bytes from the system.

use std::io::{self, Read};

/// `N` bytes.
pub(super) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// 32 hexadecimal digits that nobody can guess: what marks a session's frames.
pub(super) fn nonce() -> io::Result<String> {
    Ok(format!("{:032x}", u128::from_be_bytes(bytes()?)))
}
