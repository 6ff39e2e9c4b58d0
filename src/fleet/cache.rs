//! Facts last seen, kept on the controller so that a steady look needs one round trip. Can be lost; is never believed:
//! the node's own facts, in the same answer, decide.

use crate::node::Facts;
use std::path::PathBuf;

/// Where facts last seen are kept; nowhere when there is no place (`env -i`).
#[derive(Debug, Clone)]
pub struct FactsCache(Option<PathBuf>);

impl FactsCache {
    /// In the user's cache directory: systemd's, XDG's, or `~/.cache`.
    pub fn open() -> Self {
        let dir = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from).filter(|p| p.is_absolute());
        let base = dir("CACHE_DIRECTORY").or_else(|| dir("XDG_CACHE_HOME")).or_else(|| dir("HOME").map(|home| home.join(".cache")));
        FactsCache(base.map(|base| base.join("homelab").join("facts")))
    }

    /// None at all.
    pub fn none() -> Self {
        FactsCache(None)
    }

    /// `name` is what tells nodes apart: `user@address:port`.
    pub fn get(&self, name: &str) -> Option<Facts> {
        let text = std::fs::read(self.path(name)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps `facts`; failing to is no error.
    pub fn put(&self, name: &str, facts: &Facts) {
        let Some(path) = self.path(name) else { return };
        let Some(dir) = path.parent() else { return };
        let write = || -> std::io::Result<()> {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            std::io::Write::write_all(&mut file, &serde_json::to_vec(facts)?)?;
            file.persist(&path)?;
            Ok(())
        };
        let _ = write();
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "@.-_:".contains(c) { c } else { '_' }).collect();
        // The hash keeps names apart that only differ in what was replaced.
        let tag = &crate::node::op::sha256(name.as_bytes())[..8];
        self.0.as_ref().map(|dir| dir.join(format!("{safe}-{tag}.json")))
    }
}
