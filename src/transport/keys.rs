//! Private key files: read once a run, unlocked once a run.

use super::{Secret, Target, hostkey};
use crate::lang::{Diagnostic, Kind};
use russh::keys::{Error, PrivateKey, PublicKey, decode_secret_key, load_public_key};
use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Asks the person at the terminal; the command line implements it. Called on a thread that may block, never twice at
/// once, and at most three times a file.
pub trait Prompt: Send + Sync + 'static {
    /// The passphrase of `key`; `again` after a wrong one. None: there is nobody to ask, or they would not say.
    fn passphrase(&self, key: &Path, again: bool) -> Option<Secret>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrompt;

impl Prompt for NoPrompt {
    fn passphrase(&self, _: &Path, _: bool) -> Option<Secret> {
        None
    }
}

/// A key file.
#[derive(Clone)]
pub(super) enum KeyFile {
    /// Can sign.
    Open(Arc<PrivateKey>),
    /// Needs its passphrase. The public half is there where the file, or the one beside it, tells.
    Locked(Option<PublicKey>),
    /// The file holds a public key only: the agent must have the other half.
    PublicOnly(PublicKey),
}

impl KeyFile {
    pub(super) fn public(&self) -> Option<&PublicKey> {
        match self {
            KeyFile::Open(key) => Some(key.public_key()),
            KeyFile::Locked(public) => public.as_ref(),
            KeyFile::PublicOnly(public) => Some(public),
        }
    }
}

/// Why a key file cannot be used.
#[derive(Debug, Clone)]
pub(super) enum Unusable {
    Missing,
    Because { why: String, hint: String },
}

/// The key files of a run.
pub(super) struct KeyRing {
    prompt: Arc<dyn Prompt>,
    read: Mutex<HashMap<PathBuf, Result<KeyFile, Unusable>>>,
    /// Held while a person is asked: one question at a time.
    asking: tokio::sync::Mutex<HashMap<PathBuf, Result<Arc<PrivateKey>, Unusable>>>,
    answered: Mutex<Option<Instant>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

impl KeyRing {
    pub(super) fn new(prompt: Arc<dyn Prompt>) -> Self {
        KeyRing { prompt, read: Mutex::default(), asking: tokio::sync::Mutex::default(), answered: Mutex::default() }
    }

    /// When a person was last busy with a question: now, where one is open. Their time is not the host's.
    pub(super) fn attended(&self) -> Option<Instant> {
        match self.asking.try_lock() {
            Ok(_) => *self.answered.lock().unwrap_or_else(PoisonError::into_inner),
            Err(_) => Some(Instant::now()),
        }
    }

    /// The key in `path`, as far as it can be read without asking anyone.
    pub(super) fn load(&self, path: &Path) -> Result<KeyFile, Unusable> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(path.to_owned()).or_insert_with(|| load(path)).clone()
    }

    /// Whether `path` has been unlocked (or will not be): using it asks nobody.
    pub(super) fn is_unlocked(&self, path: &Path) -> bool {
        self.asking.try_lock().is_ok_and(|asked| asked.contains_key(path))
    }

    /// The key in `path`, unlocked; asks for the passphrase the first time.
    pub(super) async fn unlock(&self, path: &Path) -> Result<Arc<PrivateKey>, Unusable> {
        let mut asked = self.asking.lock().await;
        if let Some(known) = asked.get(path) {
            return known.clone();
        }
        let (prompt, file) = (self.prompt.clone(), path.to_owned());
        let result = tokio::task::spawn_blocking(move || unlock(prompt.as_ref(), &file)).await.unwrap_or_else(|_| {
            Err(Unusable::Because { why: "asking for its passphrase failed".into(), hint: "load the key into the agent: `ssh-add`".into() })
        });
        asked.insert(path.to_owned(), result.clone());
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        result
    }
}

fn unlock(prompt: &dyn Prompt, path: &Path) -> Result<Arc<PrivateKey>, Unusable> {
    let text = read_text(path)?;
    for turn in 0..3 {
        let Some(passphrase) = prompt.passphrase(path, turn > 0) else {
            let hint = format!("load it into the agent first: `ssh-add {}`; or run homelab in a terminal", path.display());
            let why = if turn == 0 { "it is encrypted and there is nobody to ask for its passphrase" } else { "its passphrase was not given" };
            return Err(Unusable::Because { why: why.into(), hint });
        };
        if let Ok(key) = decode_secret_key(&text, Some(passphrase.expose())) {
            return Ok(Arc::new(key));
        }
    }
    Err(Unusable::Because { why: "the passphrase was wrong three times".into(), hint: format!("check it with `ssh-keygen -y -f {}`", path.display()) })
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, Unusable> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Unusable::Missing),
        Err(error) => Err(Unusable::Because { why: format!("it cannot be read: {error}"), hint: "make it readable for this user".into() }),
    }
}

fn load(path: &Path) -> Result<KeyFile, Unusable> {
    let text = read_text(path)?;
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(KeyFile::PublicOnly(public));
    }
    // ssh refuses a key that others can read; so do we, or the same file would work here and not there.
    if let Ok(meta) = std::fs::metadata(path)
        && meta.mode() & 0o077 != 0
        && meta.uid() == nix::unistd::getuid().as_raw()
    {
        let why = format!("its mode is {:04o}: other users could read it", meta.mode() & 0o7777);
        return Err(Unusable::Because { why, hint: format!("`chmod 600 {}`", path.display()) });
    }
    let beside = || {
        let mut name = path.as_os_str().to_owned();
        name.push(".pub");
        load_public_key(PathBuf::from(name)).ok()
    };
    if text.contains("BEGIN OPENSSH PRIVATE KEY")
        && let Ok(key) = PrivateKey::from_openssh(text.as_bytes())
    {
        return Ok(if key.is_encrypted() { KeyFile::Locked(Some(key.public_key().clone())) } else { KeyFile::Open(Arc::new(key)) });
    }
    match decode_secret_key(&text, None) {
        Ok(key) => Ok(KeyFile::Open(Arc::new(key))),
        Err(Error::KeyIsEncrypted) => Ok(KeyFile::Locked(beside())),
        Err(_) if text.contains("ENCRYPTED") && !text.contains("DEK-Info") => Ok(KeyFile::Locked(beside())),
        Err(_) if text.contains("DEK-Info: AES-128-CBC") => Ok(KeyFile::Locked(beside())),
        Err(error) => {
            let why = format!("it is not a private key that homelab can read: {error}");
            Err(Unusable::Because { why, hint: format!("`ssh-keygen -p -f {}` writes it anew in OpenSSH's own format", path.display()) })
        }
    }
}

/// The public key in `path`.
pub fn public(path: &Path) -> Result<PublicKey, String> {
    load_public_key(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A key file named in the inventory cannot be used.
pub(super) fn unusable(target: &Target, path: &Path, unusable: &Unusable) -> Diagnostic {
    let (why, hint) = match unusable {
        Unusable::Missing => ("there is no such file", "check `key:` of the host; `ssh-keygen -t ed25519` makes a new pair"),
        Unusable::Because { why, hint } => (why.as_str(), hint.as_str()),
    };
    let mut diagnostic = hostkey::refused(target, format!("the key {} cannot be used: {why}", path.display())).hint(hint);
    diagnostic.kind = Kind::Config;
    diagnostic
}

/// The files `ssh` would try, of `home`.
pub(super) fn defaults(home: Option<&Path>) -> Vec<PathBuf> {
    let names = ["id_ed25519", "id_ecdsa", "id_rsa"];
    home.map(|home| names.iter().map(|name| home.join(".ssh").join(name)).collect()).unwrap_or_default()
}

/// `path` with a leading `~` resolved.
pub(super) fn at_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
