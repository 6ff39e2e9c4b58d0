//! OpenSSH's known_hosts files: finding a host's keys, and recording one.
//!
//! Read as `ssh` reads them. A `@cert-authority` line is found and reported but trusts nothing: homelab does not check host certificates.

pub use crate::inventory::known_line::Mark;
use crate::inventory::known_line::{concerns, fields, hashed_name, without};
use russh::keys::{PublicKey, parse_public_key_base64};
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files that say which host has which key.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    /// All that are read; a missing one is an empty one. [`record`] writes to the first.
    pub files: Vec<PathBuf>,
    /// As they were read; clones share it.
    read: Arc<Mutex<Read>>,
}

/// What was read, by file.
type Read = HashMap<PathBuf, (Stamp, Arc<Lines>)>;

/// Device, inode, size and time of change: a file that still has them is not read again.
type Stamp = (u64, u64, u64, i64, i64);

/// The lines of a file. Those with plain names are found by them: a thousand hosts do not read a thousand lines each.
#[derive(Debug, Default)]
struct Lines {
    all: Vec<Line>,
    plain: HashMap<String, Vec<usize>>,
    /// Hashed names, wildcards, negations: each has to be tried.
    others: Vec<usize>,
}

#[derive(Debug)]
struct Line {
    mark: Mark,
    names: String,
    key: String,
    /// From 1.
    number: usize,
}

/// A line that concerns a host.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its key.
    pub key: PublicKey,
    /// What it says of it.
    pub mark: Mark,
    /// Where it is.
    pub file: PathBuf,
    /// Line number, from 1.
    pub line: usize,
}

impl KnownHosts {
    /// `~/.ssh/known_hosts` and the machine's own, as `ssh` has it. Without a home directory only the latter.
    pub fn of_user() -> Self {
        let own = std::env::home_dir().map(|home| home.join(".ssh/known_hosts"));
        KnownHosts { files: own.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect(), read: Arc::default() }
    }

    /// One file and no other.
    pub fn at(file: impl Into<PathBuf>) -> Self {
        KnownHosts { files: vec![file.into()], read: Arc::default() }
    }

    /// Every line that concerns `name` (see [`Target::known_as`](super::Target::known_as)), in order.
    /// Lines that cannot be read are passed over, as `ssh` does.
    pub fn find(&self, name: &str) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        for file in &self.files {
            let lines = self.lines(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
            for line in lines.concerning(name) {
                if let Ok(key) = parse_public_key_base64(&line.key) {
                    found.push(Entry { key, mark: line.mark, file: file.clone(), line: line.number });
                }
            }
        }
        Ok(found)
    }

    /// The lines of `file`, read again only when it has changed: `trust` writes to it while a run goes on.
    fn lines(&self, file: &Path) -> io::Result<Arc<Lines>> {
        let meta = match std::fs::metadata(file) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(error),
        };
        let stamp = (meta.dev(), meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lines)) = read.get(file).filter(|(known, _)| *known == stamp) {
            return Ok(lines.clone());
        }
        let lines = Arc::new(Lines::of(&String::from_utf8_lossy(&std::fs::read(file)?)));
        read.insert(file.to_owned(), (stamp, lines.clone()));
        Ok(lines)
    }
}

impl Lines {
    fn of(text: &str) -> Lines {
        let mut lines = Lines::default();
        for (index, line) in text.lines().enumerate() {
            let Some((mark, names, key)) = fields(line) else { continue };
            let at = lines.all.len();
            if names.contains(['*', '?', '!', '|']) {
                lines.others.push(at);
            } else {
                names.split(',').for_each(|name| lines.plain.entry(name.to_lowercase()).or_default().push(at));
            }
            lines.all.push(Line { mark, names: names.to_owned(), key: key.to_owned(), number: index + 1 });
        }
        lines
    }

    /// Those that concern `host`, in order.
    fn concerning(&self, host: &str) -> impl Iterator<Item = &Line> {
        let others = self.others.iter().filter(|at| concerns(&self.all[**at].names, host));
        let mut found: Vec<usize> = self.plain.get(host).into_iter().flatten().chain(others).copied().collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| &self.all[at])
    }
}

/// Records that `name` has `key`, in `file`: appended, or with `replace` in place of what the file said of `name`.
/// The file is replaced in one step, keeps its mode (0600 when new), and a name is hashed where the file's other names
/// are. Lines with a mark, and wildcard names, are left alone.
pub fn record(file: &Path, name: &str, key: &PublicKey, replace: bool) -> io::Result<()> {
    // A symbolic link (to a synced home, say) stays one.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let (old, mode) = match std::fs::read(&file) {
        Ok(old) => (old, std::fs::metadata(&file)?.permissions().mode() & 0o7777),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), 0o600),
        Err(error) => return Err(error),
    };
    let mut new = Vec::with_capacity(old.len() + 256);
    let mut hash = false;
    for line in old.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        match fields(&text) {
            Some((Mark::Trusted, names, _)) => {
                hash |= names.starts_with("|1|");
                if replace {
                    new.extend(without(&text, names, name).as_deref().unwrap_or(line));
                } else {
                    new.extend(line);
                }
            }
            _ => new.extend(line),
        }
    }
    if new.last().is_some_and(|byte| *byte != b'\n') {
        new.push(b'\n');
    }
    let shown = if hash { hashed_name(name, &super::random::bytes()?) } else { name.to_owned() };
    let key = PublicKey::from(key.key_data().clone()).to_openssh().map_err(io::Error::other)?;
    writeln!(new, "{shown} {}", key.trim_end())?;
    let mut fresh = tempfile::NamedTempFile::new_in(dir)?;
    fresh.write_all(&new)?;
    fresh.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    fresh.as_file().sync_all()?;
    fresh.persist(&file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
