//! What was last seen of nodes, kept on the controller: facts, so that a steady look needs one round trip, and what
//! [`memory`](super::memory) plans from. Can be lost; is never believed where the node itself is asked.

use super::memory::Seen;
use crate::node::{Costly, Facts};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Where it is kept; nowhere when there is no place (`env -i`).
#[derive(Debug, Clone)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// In the user's cache directory: systemd's, XDG's, or `~/.cache`.
    pub fn open() -> Self {
        let dir = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from).filter(|p| p.is_absolute());
        let base = dir("CACHE_DIRECTORY").or_else(|| dir("XDG_CACHE_HOME")).or_else(|| dir("HOME").map(|home| home.join(".cache")));
        Cache(base.map(|base| base.join("homelab")))
    }

    /// None at all.
    pub fn none() -> Self {
        Cache(None)
    }

    /// The facts last seen. `name` is what tells nodes apart: `user@address:port`.
    pub fn facts(&self, name: &str) -> Option<Facts> {
        self.get("facts", name)
    }

    /// Keeps `facts`; failing to is no error.
    pub fn put_facts(&self, name: &str, facts: &Facts) {
        self.put("facts", name, facts);
    }

    /// The costly facts that other hosts' tasks read.
    pub fn wanted(&self, name: &str) -> Costly {
        self.get("wanted", name).unwrap_or_default()
    }

    /// Keeps which they are; failing to costs a second look each time.
    pub fn put_wanted(&self, name: &str, wanted: Costly) {
        self.put("wanted", name, &wanted);
    }

    /// What else was last seen.
    pub fn seen(&self, name: &str) -> Option<Seen> {
        self.get("seen", name)
    }

    /// Keeps `seen`; failing to is no error.
    pub fn put_seen(&self, name: &str, seen: &Seen) {
        self.put("seen", name, seen);
    }

    fn get<T: DeserializeOwned>(&self, what: &str, name: &str) -> Option<T> {
        let text = std::fs::read(self.path(what, name)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn put<T: Serialize>(&self, what: &str, name: &str, value: &T) {
        let Some(path) = self.path(what, name) else { return };
        let Some(dir) = path.parent() else { return };
        let write = || -> std::io::Result<()> {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            std::io::Write::write_all(&mut file, &serde_json::to_vec(value)?)?;
            file.persist(&path)?;
            Ok(())
        };
        let _ = write();
    }

    fn path(&self, what: &str, name: &str) -> Option<PathBuf> {
        let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "@.-_:".contains(c) { c } else { '_' }).collect();
        // The hash keeps names apart that only differ in what was replaced.
        let tag = &crate::node::op::sha256(name.as_bytes())[..8];
        self.0.as_ref().map(|dir| dir.join(what).join(format!("{safe}-{tag}.json")))
    }
}
