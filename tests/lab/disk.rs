//! A node's disk, read from outside: nothing is asked of the node, and nothing left on it.

use crate::tree::Times;
use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger contents are known by their size and times.
const SMALL: u64 = 64 << 10;

/// Everything on the disk that holds `root`, mounts left out, but the paths that `but` names: mode, owners, size, times, content.
pub fn disk(root: &Path, times: Times, but: &[&str]) -> BTreeMap<String, String> {
    Reader { most: SMALL, ..Reader::default() }.disk(root, times, but)
}

/// Reads a disk again and again: contents, of any size, only where the kernel says that something was written.
#[derive(Default)]
pub struct Reader {
    /// The largest content that is read; 0: all are.
    most: u64,
    read: HashMap<[i64; 7], String>,
}

impl Reader {
    pub fn disk(&mut self, root: &Path, times: Times, but: &[&str]) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let device = root.metadata().unwrap().dev();
        self.walk(root, root, device, times, but, &mut out);
        assert!(out.len() > 100, "that is no disk: {}", root.display());
        out
    }

    fn content(&mut self, path: &Path, meta: &Metadata) -> String {
        let key = [meta.dev() as i64, meta.ino() as i64, meta.len() as i64, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        let read = || std::fs::read(path).map(|bytes| homelab::node::op::sha256(&bytes)).unwrap_or_default();
        self.read.entry(key).or_insert_with(read).clone()
    }

    fn walk(&mut self, root: &Path, dir: &Path, device: u64, times: Times, but: &[&str], out: &mut BTreeMap<String, String>) {
        // A running machine's files come and go.
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let Ok(meta) = path.symlink_metadata() else { continue };
            if but.contains(&name.as_str()) || (meta.is_dir() && meta.dev() != device) {
                continue;
            }
            let what = if meta.is_symlink() {
                std::fs::read_link(&path).map(|target| format!("-> {}", target.display())).unwrap_or_default()
            } else if meta.is_file() && (self.most == 0 || meta.len() <= self.most) {
                self.content(&path, &meta)
            } else if meta.is_file() {
                format!("{} bytes", meta.len())
            } else {
                String::new()
            };
            out.insert(name, format!("{:o} {}:{} {what}{}", meta.mode(), meta.uid(), meta.gid(), times.of(&meta)));
            if meta.is_dir() {
                self.walk(root, &path, device, times, but, out);
            }
        }
    }
}
