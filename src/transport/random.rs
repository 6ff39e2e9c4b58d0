//! Random bytes from the system.

use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

/// `N` bytes.
pub(super) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    // Stays open: where connections leave no room for another file, that is what is to be said of them.
    static SOURCE: OnceLock<File> = OnceLock::new();
    let source = match SOURCE.get() {
        Some(source) => source,
        None => {
            let opened = File::open("/dev/urandom")?;
            SOURCE.get_or_init(|| opened)
        }
    };
    let mut bytes = [0; N];
    { source }.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// 32 hexadecimal digits that nobody can guess: what marks a session's frames.
pub(super) fn nonce() -> io::Result<String> {
    Ok(format!("{:032x}", u128::from_be_bytes(bytes()?)))
}
