//! Files on the controller that tasks name: where they are looked for, and what is loaded of them.

use super::model::Home;
use crate::inventory::join;
use crate::inventory::reading::unreadable;
use crate::lang::secret::{self, Identities, SecretError};
use crate::lang::suggest::did_you_mean;
use crate::lang::{Diagnostic, Diagnostics, Files, Span};
use crate::node::op::Body;
use crate::node::Content;
use crate::resource::Loaded;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The largest file, in bytes, that is held in memory; larger ones are streamed when they are sent.
pub const INLINE: u64 = 1 << 20;

/// How deep a directory that is copied may nest, links followed.
const DEEPEST: usize = 64;

/// What was loaded, so that many hosts share it.
pub type Cache = Mutex<BTreeMap<PathBuf, Content>>;

/// Loads what tasks name.
pub struct Local<'a> {
    /// The door to texts.
    pub files: &'a Files,
    /// What was loaded before.
    pub cache: &'a Cache,
    /// Who can read encrypted files.
    pub identities: &'a Identities,
}

impl Local<'_> {
    /// Where the template called `name` is; it can be read.
    pub fn template(&self, name: &str, home: &Home, from: Option<&Span>) -> Result<PathBuf, Diagnostics> {
        let path = self.find(name, home, "templates", "template", from)?;
        let source = self.files.read(&path).map_err(|error| unreadable(&path, from, "template", &error))?;
        if secret::is_encrypted(&source.text) {
            let problem = Diagnostic::config(format!("the template {} is encrypted", path.display())).maybe_at(from);
            return Err(problem.hint("encrypt only its secrets, as variables; `copy` takes encrypted files").into());
        }
        Ok(path)
    }

    /// The file or directory called `name`.
    pub fn load(&self, name: &str, home: &Home, from: Option<&Span>) -> Result<Loaded, Diagnostics> {
        let path = self.find(name, home, "files", "file", from)?;
        if path.is_dir() {
            let mut entries = Vec::new();
            self.walk(&path, "", 0, from, &mut entries)?;
            return Ok(Loaded::Dir(entries));
        }
        self.content(&path).map(Loaded::File).map_err(|error| match error.get_ref().and_then(|e| e.downcast_ref::<SecretError>()) {
            Some(secret) => Diagnostic::config(format!("the file {}: {secret}", path.display())).maybe_at(from).hint(secret.hint()).into(),
            None => unreadable(&path, from, "file", &error).into(),
        })
    }

    fn walk(&self, dir: &Path, below: &str, depth: usize, from: Option<&Span>, out: &mut Vec<(String, Option<Content>)>) -> Result<(), Diagnostics> {
        if depth > DEEPEST {
            let message = format!("the directory {} is nested more than {DEEPEST} deep", dir.display());
            return Err(Diagnostic::config(message).maybe_at(from).hint("does a link in it point back up?").into());
        }
        let fail = |path: &Path, error: std::io::Error| Diagnostics::from(unreadable(path, from, "file", &error));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|error| fail(dir, error))? {
            let entry = entry.map_err(|error| fail(dir, error))?;
            match entry.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => {
                    let message = format!("the name of a file in {} is not UTF-8: {}", dir.display(), name.to_string_lossy());
                    return Err(Diagnostic::config(message).maybe_at(from).hint("rename it").into());
                }
            }
        }
        names.sort();
        for name in names {
            let path = dir.join(&name);
            let relative = if below.is_empty() { name } else { format!("{below}/{name}") };
            let meta = std::fs::metadata(&path).map_err(|error| fail(&path, error))?;
            if meta.is_dir() {
                out.push((relative.clone(), None));
                self.walk(&path, &relative, depth + 1, from, out)?;
            } else if meta.is_file() {
                let content = self.content(&path).map_err(|error| fail(&path, error))?;
                out.push((relative, Some(content)));
            } else {
                let message = format!("{} is neither a file nor a directory", path.display());
                return Err(Diagnostic::config(message).maybe_at(from).hint("take it out of the directory").into());
            }
        }
        Ok(())
    }

    fn content(&self, path: &Path) -> std::io::Result<Content> {
        let mut cache = self.cache.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(content) = cache.get(path) {
            return Ok(content.clone());
        }
        let meta = std::fs::metadata(path);
        let content = match &meta {
            Ok(meta) if meta.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            // A FIFO would wait for ever.
            Ok(meta) if !meta.is_file() => return Err(std::io::Error::other("not a regular file")),
            Ok(meta) if meta.len() > INLINE => streamed(path)?,
            // Texts go through the one door, so that a saved plan has them.
            _ => match self.files.read(path) {
                Ok(source) if secret::is_encrypted(&source.text) => {
                    let plain = secret::decrypt(&source.text, self.identities).map_err(std::io::Error::other)?;
                    self.identities.masker().add(&plain);
                    Content::inline(plain.as_bytes(), true)
                }
                Ok(source) => Content::inline(source.text.as_bytes(), false),
                Err(error) if error.kind() == ErrorKind::InvalidData => Content::inline(std::fs::read(path)?, false),
                Err(error) => return Err(error),
            },
        };
        cache.insert(path.to_owned(), content.clone());
        Ok(content)
    }

    /// Where `name` is: in the role's own directories, beside the file that names it, in the playbook's directory, in
    /// the project's `templates/`.
    fn find(&self, name: &str, home: &Home, sub: &str, what: &str, from: Option<&Span>) -> Result<PathBuf, Diagnostics> {
        let mut places: Vec<PathBuf> = Vec::new();
        let mut add = |dir: PathBuf| {
            let path = join(&dir, name);
            if !places.contains(&path) {
                places.push(path);
            }
        };
        if let Some(role) = &home.role {
            add(role.join(sub));
        }
        for dir in [Some(&home.dir), home.role.as_ref(), Some(&home.playbook)].into_iter().flatten() {
            add(dir.clone());
            add(dir.join(sub));
        }
        add(home.project.join(sub));
        add(home.project.join("templates"));
        if let Some(path) = places.iter().find(|path| path.exists() || self.files.read(path).is_ok()) {
            return Ok(path.clone());
        }
        let mut problem = Diagnostic::config(format!("there is no {what} `{name}`")).maybe_at(from).label("not found");
        for path in &places {
            problem = problem.note(format!("looked for {}", path.display()), None);
        }
        Err(problem.hint(near(name, &places)).into())
    }
}

/// A file with nearly that name in one of the places.
fn near(name: &str, places: &[PathBuf]) -> String {
    let last = Path::new(name).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    for dir in places.iter().filter_map(|path| path.parent()) {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        let with_suffix = format!("{last}.j2");
        if let Some(found) = names.iter().find(|n| **n == with_suffix).cloned().or_else(|| did_you_mean(&last, names.iter().map(String::as_str))) {
            return format!("did you mean `{}`?", Path::new(name).with_file_name(found).display());
        }
    }
    "put it into one of these places, or correct the name".to_owned()
}

/// A large file's digest, without holding it.
fn streamed(path: &Path) -> std::io::Result<Content> {
    let mut file = std::fs::File::open(path)?;
    let (mut digest, mut size, mut buffer) = (Sha256::new(), 0u64, vec![0u8; 1 << 16]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        digest.update(&buffer[..n]);
        size += n as u64;
    }
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Content { body: Body::Local(path.to_owned()), size, sha256, secret: false, own: false })
}
