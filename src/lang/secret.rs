//! age-encrypted values: identities, recipients, encrypting, decrypting, and revealing a whole tree of values.
//!
//! Identities and plain texts never become part of a [`super::Source`]: what is in a source can be shown.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::value::{Data, Value};
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::{ExposeSecret, SecretString};
use std::io::{Read, Write};
use super::mask::Masker;
use zeroize::Zeroizing;

const HEADER: &str = "-----BEGIN AGE ENCRYPTED FILE-----";

/// Who can read secrets: the private halves. What they open is told to their masker.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Box<dyn age::Identity + Send + Sync>>,
    masker: Masker,
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({})", self.keys.len())
    }
}

/// Whom a secret is written to: `age1…` public keys, or one passphrase.
pub struct Recipients(Vec<Box<dyn age::Recipient + Send + Sync>>);

/// Why a secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no identity at all.
    #[error("a secret, and no identity to read it with")]
    NoIdentity,
    /// None of the identities is one of its recipients.
    #[error("none of the identities can read this secret")]
    NotForUs,
    /// The armor or its content is damaged.
    #[error("this secret is damaged: {0}")]
    Damaged(String),
    /// It decrypts to something that is not UTF-8.
    #[error("this secret is not UTF-8 text")]
    NotText,
    /// It could not be written.
    #[error("the secret cannot be written: {0}")]
    Unwritable(String),
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            SecretError::NoIdentity => "name an age identity file with --identity or HOMELAB_IDENTITY",
            SecretError::NotForUs => "use the identity that it was encrypted to, or encrypt it again with `homelab secret encrypt`",
            SecretError::Damaged(_) => "restore it, or encrypt it again with `homelab secret encrypt`",
            SecretError::NotText => "only texts can be secrets; encode it, in base64 for instance",
            SecretError::Unwritable(_) => "check the recipients",
        }
    }
}

impl Identities {
    /// None: for configurations without secrets.
    pub fn none() -> Self {
        Self::default()
    }

    /// None yet; secrets that are opened become known to `masker`.
    pub fn telling(masker: Masker) -> Self {
        Identities { keys: Vec::new(), masker }
    }

    /// Who is told what was opened.
    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Reads the text of an age identity file: a key in each line, `#` begins a comment. `name`: what messages
    /// call the file; its lines are never shown.
    ///
    /// # Errors
    /// A line that is no key, or no key at all.
    pub fn parse(text: &str, name: &str) -> Result<Self, Diagnostic> {
        let mut identities = Identities::default();
        identities.add(text, name)?;
        Ok(identities)
    }

    /// Adds the keys of another identity file.
    ///
    /// # Errors
    /// As [`Identities::parse`].
    pub fn add(&mut self, text: &str, name: &str) -> Result<(), Diagnostic> {
        let hint = "an identity file has lines that begin with AGE-SECRET-KEY-1; `age-keygen` makes one";
        let before = self.keys.len();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key: age::x25519::Identity = line.parse().map_err(|_| {
                Diagnostic::config(format!("line {} of {name} is not an age identity", number + 1)).hint(hint)
            })?;
            self.keys.push(Box::new(key));
        }
        match self.keys.len() == before {
            true => Err(Diagnostic::config(format!("{name} holds no age identity")).hint(hint)),
            false => Ok(()),
        }
    }

    /// The public keys of an identity file's keys.
    ///
    /// # Errors
    /// As [`Identities::parse`].
    pub fn recipients_of(text: &str, name: &str) -> Result<Vec<String>, Diagnostic> {
        Identities::parse(text, name)?;
        let keys = text.lines().filter_map(|line| line.trim().parse::<age::x25519::Identity>().ok());
        Ok(keys.map(|key| key.to_public().to_string()).collect())
    }

    /// Adds a passphrase.
    pub fn add_passphrase(&mut self, passphrase: &str) {
        self.keys.push(Box::new(age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()))));
    }

    /// A new key pair: the identity's line for a file, and its recipient.
    pub fn generate() -> (Zeroizing<String>, String) {
        let identity = age::x25519::Identity::generate();
        (Zeroizing::new(identity.to_string().expose_secret().to_owned()), identity.to_public().to_string())
    }
}

impl Recipients {
    /// Public keys: `age1…`.
    ///
    /// # Errors
    /// All that are not keys; no key at all.
    pub fn parse<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::new();
        let mut recipients: Vec<Box<dyn age::Recipient + Send + Sync>> = Vec::new();
        for key in keys {
            match key.trim().parse::<age::x25519::Recipient>() {
                Ok(recipient) => recipients.push(Box::new(recipient)),
                // A private key here must not be shown.
                Err(_) if key.to_ascii_uppercase().contains("SECRET") => problems.push(
                    Diagnostic::config("an age identity stands where a recipient belongs").hint("write the public key: age1…"),
                ),
                Err(_) => problems.push(
                    Diagnostic::config(format!("`{key}` is not an age recipient")).hint("a recipient begins with age1"),
                ),
            }
        }
        if recipients.is_empty() && problems.is_empty() {
            problems.push(Diagnostic::config("a secret without a recipient").hint("name one with --recipient age1…"));
        }
        problems.into_result(Recipients(recipients))
    }

    /// Whoever knows the passphrase.
    pub fn passphrase(passphrase: &str) -> Self {
        Recipients(vec![Box::new(age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned())))])
    }
}

/// Whether a text is one age-armored secret.
pub fn is_encrypted(text: &str) -> bool {
    text.trim_start().starts_with(HEADER)
}

/// Encrypts to an armored text.
///
/// # Errors
/// [`SecretError::Unwritable`].
pub fn encrypt(plain: &str, recipients: &Recipients) -> Result<String, SecretError> {
    let failed = |error: &dyn std::fmt::Display| SecretError::Unwritable(error.to_string());
    let to = recipients.0.iter().map(|recipient| recipient.as_ref() as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(to).map_err(|error| failed(&error))?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(|error| failed(&error))?;
    let mut writer = encryptor.wrap_output(armor).map_err(|error| failed(&error))?;
    writer.write_all(plain.as_bytes()).map_err(|error| failed(&error))?;
    let out = writer.finish().and_then(ArmoredWriter::finish).map_err(|error| failed(&error))?;
    String::from_utf8(out).map_err(|error| failed(&error))
}

/// Decrypts an armored text. Lines may be indented, as in YAML.
///
/// # Errors
/// [`SecretError`].
pub fn decrypt(armored: &str, identities: &Identities) -> Result<Zeroizing<String>, SecretError> {
    if identities.is_empty() {
        return Err(SecretError::NoIdentity);
    }
    let damaged = |error: &dyn std::fmt::Display| SecretError::Damaged(error.to_string());
    let clean: String = armored.trim().lines().flat_map(|line| [line.trim(), "\n"]).collect();
    let decryptor = age::Decryptor::new(ArmoredReader::new(clean.as_bytes())).map_err(|error| damaged(&error))?;
    let keys = identities.keys.iter().map(|identity| identity.as_ref() as &dyn age::Identity);
    let mut reader = decryptor.decrypt(keys).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => SecretError::NotForUs,
        error => damaged(&error),
    })?;
    let mut plain = Zeroizing::new(Vec::new());
    reader.read_to_end(&mut plain).map_err(|error| damaged(&error))?;
    match std::str::from_utf8(&plain) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(SecretError::NotText),
    }
}

/// Decrypts every encrypted text of a value and marks it secret.
///
/// # Errors
/// All texts that cannot be read, placed.
pub fn reveal(value: Value, identities: &Identities) -> Result<Value, Diagnostics> {
    let mut problems = Diagnostics::new();
    let value = walk(value, identities, &mut problems);
    problems.into_result(value)
}

fn walk(mut value: Value, identities: &Identities, problems: &mut Diagnostics) -> Value {
    value.data = match value.data {
        Data::Str(text) if is_encrypted(&text) => match decrypt(&text, identities) {
            Ok(plain) => {
                identities.masker.add(&plain);
                value.secret = true;
                Data::Str(plain.to_string())
            }
            Err(error) => {
                let problem = Diagnostic::config(error.to_string()).maybe_at(value.origin.as_ref()).hint(error.hint());
                problems.push(problem);
                Data::Null
            }
        },
        Data::Seq(items) => Data::Seq(items.into_iter().map(|item| walk(item, identities, problems)).collect()),
        Data::Map(map) => {
            Data::Map(map.into_iter().map(|(key, value)| (key, walk(value, identities, problems))).collect())
        }
        other => other,
    };
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::lang::source::Source;
    use crate::lang::yaml;
    use std::sync::Arc;

    fn pair() -> (Identities, Recipients) {
        let (key, recipient) = Identities::generate();
        let file = format!("# made for a test\n\n{}\n", *key);
        (Identities::parse(&file, "key.txt").unwrap(), Recipients::parse([recipient.as_str()]).unwrap())
    }

    #[test]
    fn what_is_encrypted_can_be_read_by_its_recipient_only() {
        let (identities, recipients) = pair();
        let armored = encrypt("häuser\n", &recipients).unwrap();
        assert!(is_encrypted(&armored) && is_encrypted(&format!("\n  {armored}")) && !is_encrypted("x"));
        assert_eq!(decrypt(&armored, &identities).unwrap().as_str(), "häuser\n");
        let (others, _) = pair();
        assert!(matches!(decrypt(&armored, &others), Err(SecretError::NotForUs)));
        assert!(matches!(decrypt(&armored, &Identities::none()), Err(SecretError::NoIdentity)));
        let cut = &armored[..armored.len() / 2];
        assert!(matches!(decrypt(cut, &identities), Err(SecretError::Damaged(_))));
    }

    #[test]
    fn secrets_in_yaml_are_revealed_and_tainted() {
        let (identities, recipients) = pair();
        let armored = encrypt("hunter2", &recipients).unwrap().replace('\n', "\n      ");
        let text = format!("open: x\nlist:\n  - pin: |\n      {armored}\n");
        let value = yaml::parse(&Arc::new(Source { name: "v.yaml".into(), text })).unwrap();
        let told = reveal(value.clone(), &Identities::none()).unwrap_err().render(false);
        assert!(told.starts_with("error: a secret, and no identity to read it with\n --> v.yaml:4:7"), "{told}");
        assert!(told.ends_with("hint: name an age identity file with --identity or HOMELAB_IDENTITY"), "{told}");
        let value = reveal(value, &identities).unwrap();
        let pin = value.get("list").unwrap().as_seq().unwrap()[0].get("pin").unwrap();
        assert_eq!(pin.as_str(), Some("hunter2"));
        assert!(pin.secret && !value.get("open").unwrap().is_secret());
        assert!(!format!("{value:?}").contains("hunter2"));
    }

    #[test]
    fn wrong_keys_are_told_and_never_shown() {
        let (key, _) = Identities::generate();
        let told = Identities::parse(&format!("{}x\n", *key), "key.txt").unwrap_err();
        assert_eq!(told.message, "line 1 of key.txt is not an age identity");
        assert_eq!(Identities::parse("# nothing\n", "key.txt").unwrap_err().message, "key.txt holds no age identity");
        let told = Recipients::parse([key.as_str(), "age1zzz"]).err().unwrap();
        assert_eq!(told.0[0].message, "an age identity stands where a recipient belongs");
        assert_eq!(told.0[1].message, "`age1zzz` is not an age recipient");
        assert!(!told.render(false).contains(key.as_str()));
    }
}
