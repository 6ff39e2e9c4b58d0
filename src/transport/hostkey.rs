//! Whether a host is the one it claims to be.
//!
//! Strict, always: a key is pinned in the inventory, or it is known, or the connection ends before anything is sent
//! that could matter. Pins win over known_hosts; a revoked key is refused whatever a pin says.

use super::Target;
use super::known_hosts::{Entry, KnownHosts, Mark};
use crate::lang::{Diagnostic, Kind};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use std::fmt;

/// The key of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(pub PublicKey);

impl HostKey {
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// `ED25519`, `ECDSA`, `RSA`, or the algorithm's own name.
    pub fn kind(&self) -> String {
        match self.0.algorithm() {
            Algorithm::Ed25519 => "ED25519".into(),
            Algorithm::Ecdsa { .. } => "ECDSA".into(),
            Algorithm::Rsa { .. } => "RSA".into(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fingerprint(), self.kind())
    }
}

/// What a key that a host shows is to the one who meets it.
#[derive(Debug, Clone)]
pub enum Standing {
    /// A known_hosts file has it.
    Known,
    /// The inventory has it.
    Pinned,
    /// Nothing is known of the host.
    New,
    /// Another one is known; what a connection would say.
    Changed(Diagnostic),
    /// It is revoked, or not the pinned one: no recording would help.
    Refused(Diagnostic),
}

impl Standing {
    /// What `key` is where `target` shows it, by its pins and by `files`.
    pub fn of(target: &Target, files: &KnownHosts, key: &HostKey) -> Result<Self, Diagnostic> {
        Ok(Known::of(target, files)?.standing(target, key))
    }
}

/// What is known of a host before it is met.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    entries: Vec<Entry>,
    /// Entries for the name without the port; they can vouch for a key, but not contradict one.
    portless: Vec<Entry>,
    /// Pins that are whole keys, whose kind is therefore known too.
    pinned: Vec<PublicKey>,
}

impl Known {
    /// Looks `target` up.
    pub(super) fn of(target: &Target, files: &KnownHosts) -> Result<Self, Diagnostic> {
        let find = |name: &str| {
            files.find(name).map_err(|error| {
                refused(target, format!("cannot read the known host keys: {error}"))
                    .hint("make the file readable, or name another one")
            })
        };
        let portless = match target.host_key_alias.is_none() && target.port != 22 {
            true => find(&target.address.to_lowercase())?,
            false => Vec::new(),
        };
        let pinned = target.pins.iter().filter_map(|pin| PublicKey::from_openssh(pin.trim()).ok()).collect();
        Ok(Known { entries: find(&target.known_as())?, portless, pinned })
    }

    /// Host key algorithms to ask for: the kinds already known first, so that a host with several keys shows that one.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let ecdsa = |curve| Algorithm::Ecdsa { curve };
        let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
        let mut all = vec![
            Algorithm::Ed25519,
            ecdsa(EcdsaCurve::NistP256),
            ecdsa(EcdsaCurve::NistP384),
            ecdsa(EcdsaCurve::NistP521),
            rsa(HashAlg::Sha512),
            rsa(HashAlg::Sha256),
        ];
        let trusted = self.entries.iter().chain(&self.portless).filter(|entry| entry.mark == Mark::Trusted).map(|entry| &entry.key);
        let had: Vec<Algorithm> = match self.pinned.is_empty() {
            true => trusted.map(PublicKey::algorithm).collect(),
            false => self.pinned.iter().map(PublicKey::algorithm).collect(),
        };
        let is_rsa = |algorithm: &Algorithm| matches!(algorithm, Algorithm::Rsa { .. });
        let known = |algorithm: &Algorithm| had.iter().any(|has| has == algorithm || (is_rsa(has) && is_rsa(algorithm)));
        all.sort_by_key(|algorithm| !known(algorithm));
        all
    }

    /// Whether `target` may go on, having shown `key`.
    pub(super) fn judge(&self, target: &Target, key: &HostKey) -> Result<(), Diagnostic> {
        let same = |entry: &&Entry| entry.key.key_data() == key.0.key_data();
        let all = || self.entries.iter().chain(&self.portless);
        if let Some(entry) = all().filter(|entry| entry.mark == Mark::Revoked).find(same) {
            return Err(refused(target, "the host key is revoked")
                .note(format!("shown:   {key}"), None)
                .note(format!("revoked: {}", place(entry)), None)
                .hint("do not log in: the machine may be someone else's; if it is yours, give it new host keys"));
        }
        if !target.pins.is_empty() {
            let shown = key.fingerprint();
            if target.pins.iter().any(|pin| fingerprint(pin) == shown) {
                return Ok(());
            }
            let mut diagnostic = refused(target, "the host key is not the pinned one").note(format!("shown:  {key}"), None);
            for pin in &target.pins {
                diagnostic = diagnostic.note(format!("pinned: {}", fingerprint(pin)), None);
            }
            return Err(diagnostic.hint(format!(
                "find out why before anything else: someone may be in between. If the machine was set up anew, compare with \
                 `ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub` on its console and change `host_key:`",
                key.kind().to_lowercase()
            )));
        }
        let trusted: Vec<&Entry> = self.entries.iter().filter(|entry| entry.mark == Mark::Trusted).collect();
        if trusted.iter().copied().any(|entry| same(&entry)) {
            return Ok(());
        }
        if trusted.is_empty() {
            if self.portless.iter().filter(|entry| entry.mark == Mark::Trusted).any(|entry| same(&entry)) {
                return Ok(());
            }
            return Err(self.unknown(target, key));
        }
        let mut diagnostic = refused(target, "the host key has changed").note(format!("shown: {key}"), None);
        for entry in trusted {
            diagnostic = diagnostic.note(format!("known: {}, {}", HostKey(entry.key.clone()), place(entry)), None);
        }
        Err(diagnostic.hint(format!(
            "find out why before anything else: someone may be in between. If the machine was set up anew: \
             `{} --replace`",
            target.trust_command()
        )))
    }

    /// What recording `key` for `target` would mean.
    fn standing(&self, target: &Target, key: &HostKey) -> Standing {
        let all = self.entries.iter().chain(&self.portless);
        let revoked = all.filter(|entry| entry.mark == Mark::Revoked).any(|entry| entry.key.key_data() == key.0.key_data());
        match self.judge(target, key) {
            Ok(()) if target.pins.is_empty() => Standing::Known,
            Ok(()) => Standing::Pinned,
            Err(why) if revoked || !target.pins.is_empty() => Standing::Refused(why),
            Err(why) if self.entries.iter().any(|entry| entry.mark == Mark::Trusted) => Standing::Changed(why),
            Err(_) => Standing::New,
        }
    }

    fn unknown(&self, target: &Target, key: &HostKey) -> Diagnostic {
        let mut diagnostic = refused(target, "the host key is not known").note(format!("shown: {key}"), None);
        if let Some(entry) = self.entries.iter().find(|entry| entry.mark == Mark::Authority) {
            diagnostic = diagnostic.note(format!("{}: @cert-authority is not used: host certificates are not checked", place(entry)), None);
        }
        diagnostic.hint(format!("compare it with the machine's own, then `{}`", target.trust_command()))
    }
}

/// The fingerprint of a pin, which is one itself or a public key line.
fn fingerprint(pin: &str) -> String {
    match PublicKey::from_openssh(pin.trim()) {
        Ok(key) => key.fingerprint(HashAlg::Sha256).to_string(),
        Err(_) => pin.trim().trim_end_matches('=').to_owned(),
    }
}

fn place(entry: &Entry) -> String {
    format!("{}:{}", entry.file.display(), entry.line)
}

/// A refusal that names the host and where it was written.
pub(super) fn refused(target: &Target, message: impl fmt::Display) -> Diagnostic {
    Diagnostic::new(Kind::Refused, format!("{} ({}): {message}", target.name, target.endpoint())).maybe_at(target.span.as_ref())
}

/// A host that could not be reached.
pub(super) fn unreachable(target: &Target, message: impl fmt::Display) -> Diagnostic {
    Diagnostic::new(Kind::Unreachable, format!("{} ({}): {message}", target.name, target.endpoint())).maybe_at(target.span.as_ref())
}
