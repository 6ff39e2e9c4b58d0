//! A node's disk, read from outside: nothing is asked of the node, and nothing left on it.

use crate::tree::Times;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Larger contents are known by their size and times.
const SMALL: u64 = 64 << 10;

/// Everything on the disk that holds `root`, mounts left out, but the paths that `but` names: mode, owners, size, times, content.
pub fn disk(root: &Path, times: Times, but: &[&str]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let device = root.metadata().unwrap().dev();
    walk(root, root, device, times, but, &mut out);
    assert!(out.len() > 100, "that is no disk: {}", root.display());
    out
}

fn walk(root: &Path, dir: &Path, device: u64, times: Times, but: &[&str], out: &mut BTreeMap<String, String>) {
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
        } else if meta.is_file() && meta.len() <= SMALL {
            std::fs::read(&path).map(|bytes| homelab::node::op::sha256(&bytes)).unwrap_or_default()
        } else if meta.is_file() {
            format!("{} bytes", meta.len())
        } else {
            String::new()
        };
        let when = match times {
            Times::All => format!(" m {}.{:09} c {}.{:09}", meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()),
            _ if meta.is_file() => format!(" m {}", meta.mtime()),
            _ => String::new(),
        };
        out.insert(name, format!("{:o} {}:{} {what}{when}", meta.mode(), meta.uid(), meta.gid()));
        if meta.is_dir() {
            walk(root, &path, device, times, but, out);
        }
    }
}
