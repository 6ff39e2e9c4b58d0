//! Reading YAML files that other files name: what cannot be read is told at the place that names it.

use crate::lang::secret::{self, Identities};
use crate::lang::{Data, Diagnostic, Diagnostics, Files, Source, Span, Value, yaml};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// What is needed to read configuration.
pub struct Reading<'a> {
    /// The door to the files.
    pub files: &'a Files,
    /// Who can read secrets.
    pub identities: &'a Identities,
}

impl Reading<'_> {
    /// The text at `path`, a `what`, which `from` names.
    pub fn text(&self, path: &Path, from: Option<&Span>, what: &str) -> Result<Arc<Source>, Diagnostics> {
        self.files.read(path).map_err(|error| unreadable(path, from, what, &error).into())
    }

    /// The YAML document at `path`. Encrypted texts in it are opened; where the whole file is encrypted, all that is in
    /// it is secret.
    pub fn yaml(&self, path: &Path, from: Option<&Span>, what: &str) -> Result<Value, Diagnostics> {
        let source = self.text(path, from, what)?;
        if !secret::is_encrypted(&source.text) {
            return secret::reveal(yaml::parse(&source)?, self.identities);
        }
        let shown = path.display();
        let plain = secret::decrypt(&source.text, self.identities).map_err(|error| {
            Diagnostic::config(format!("the {what} {shown} is encrypted: {error}")).maybe_at(from).hint(error.hint())
        })?;
        // Its places would show its text.
        let hidden = Arc::new(Source { name: source.name.clone(), text: plain.to_string() });
        match yaml::parse(&hidden) {
            Ok(value) => {
                let value = sealed(value);
                self.identities.masker().add_value(&value);
                Ok(value)
            }
            Err(_) => Err(Diagnostic::config(format!("the {what} {shown}, once decrypted, is not YAML"))
                .maybe_at(from)
                .hint(format!("`homelab secret edit {shown}` opens it"))
                .into()),
        }
    }
}

/// All of it secret, and without places.
fn sealed(value: Value) -> Value {
    let data = match value.data {
        Data::Seq(items) => Data::Seq(items.into_iter().map(sealed).collect()),
        Data::Map(map) => Data::Map(map.into_iter().map(|(key, value)| (key, sealed(value))).collect()),
        other => other,
    };
    Value::from(data).tainted(true)
}

/// Why a file that `from` names could not be read, and what to do.
pub fn unreadable(path: &Path, from: Option<&Span>, what: &str, error: &std::io::Error) -> Diagnostic {
    let shown = path.display();
    let (message, hint) = match error.kind() {
        ErrorKind::NotFound => (format!("the {what} {shown} does not exist"), near(path)),
        ErrorKind::PermissionDenied => (format!("the {what} {shown} may not be read"), format!("`ls -l {shown}` shows whose it is")),
        ErrorKind::InvalidData => (format!("the {what} {shown} is not a UTF-8 text"), "save it as UTF-8".to_owned()),
        ErrorKind::IsADirectory => (format!("the {what} {shown} is a directory"), "name a file in it".to_owned()),
        _ => (format!("the {what} {shown} cannot be read: {error}"), "check the path and its permissions".to_owned()),
    };
    Diagnostic::config(message).maybe_at(from).hint(hint)
}

/// A file beside the missing one with nearly its name.
fn near(path: &Path) -> String {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return format!("there is no directory {} either; check the path", dir.display());
    };
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    match crate::lang::suggest::did_you_mean(&name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "paths are relative to the file that names them".to_owned(),
    }
}
