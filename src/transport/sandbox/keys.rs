//! The sandbox's two keys, the host's and the client's; and those that its login accepts, which are files on it.

use super::{trouble, trouble_at};
use crate::lang::diagnostic::Diagnostic;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The ed25519 key at `path`, made (mode 0600) when there is none.
pub fn load_or_make(path: &Path) -> Result<PrivateKey, Diagnostic> {
    match fs::read(path) {
        Ok(text) => PrivateKey::from_openssh(&text).map_err(|e| {
            trouble(format_args!("sandbox: the key {} cannot be used", path.display()), e).hint("remove it to have a new one made")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)
                .map_err(|e| trouble("sandbox: cannot make a key", e))?;
            let text = key.to_openssh(LineEnding::LF).map_err(|e| trouble("sandbox: cannot write a key", e))?;
            // Renamed into place: a controller killed here must not leave half a key.
            let fresh = path.with_extension("new");
            let _ = fs::remove_file(&fresh);
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&fresh)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .and_then(|()| fs::rename(&fresh, path))
                .map_err(|e| trouble_at("write", path, e))?;
            Ok(key)
        }
        Err(error) => Err(trouble_at("read", path, error)),
    }
}

/// Where the controller's own key is accepted by, below the root. A playbook may take it away, as on any machine.
pub fn place(user: &str) -> String {
    format!("etc/ssh/authorized_keys.d/{user}")
}

/// The keys that `user` may log in with, by the files in the sandbox at `root`: as sshd does with
/// `AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u`.
pub fn authorized(root: &Path, user: &str) -> Vec<PublicKey> {
    let files = [root.join(place(user)), root.join("home").join(user).join(".ssh/authorized_keys")];
    files
        .iter()
        // A link would lead into the machine's own files.
        .filter(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_file()))
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().filter_map(|line| PublicKey::from_openssh(line.trim()).ok()).collect::<Vec<_>>())
        .collect()
}
