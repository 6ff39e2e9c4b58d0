//! What is on a node's disk, read from outside: every path with all that an undo could get wrong.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// How much of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Modification times of files and links: what an exact undo gives back.
    OfFiles,
    /// Those of regular files, without fractions of a second.
    OfFilesInSeconds,
    /// All of them, directories and change times included: nothing at all has been touched.
    All,
    /// None: the scripts of packages write anew what stays the same.
    #[allow(dead_code, reason = "only the lab's nodes install packages from a distribution")]
    None,
}

impl Times {
    /// Those of `meta` that count.
    pub fn of(self, meta: &Metadata) -> String {
        match self {
            Times::All => format!(" m {}.{:09} c {}.{:09}", meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()),
            Times::OfFiles if !meta.is_dir() => format!(" m {}.{:09}", meta.mtime(), meta.mtime_nsec()),
            Times::OfFilesInSeconds if meta.is_file() => format!(" m {}", meta.mtime()),
            _ => String::new(),
        }
    }
}

/// Every path below `root` but those that `but` names (with all below them): its type, mode, owners, content or target, times.
pub fn tree(root: &Path, times: Times, but: &[&str]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    walk(root, root, times, but, &mut out);
    out
}

fn walk(root: &Path, dir: &Path, times: Times, but: &[&str], out: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())).map(Result::unwrap) {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if but.contains(&name.as_str()) {
            continue;
        }
        let meta = path.symlink_metadata().unwrap();
        let kind = meta.file_type();
        let what = if kind.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if kind.is_file() {
            homelab::node::op::sha256(&std::fs::read(&path).unwrap())
        } else if kind.is_dir() {
            "directory".to_owned()
        } else {
            format!("special {} {}", kind.is_fifo(), meta.rdev())
        };
        out.insert(name, format!("{:o} {}:{} {what}{}", meta.mode(), meta.uid(), meta.gid(), times.of(&meta)));
        if kind.is_dir() {
            walk(root, &path, times, but, out);
        }
    }
}

/// Panics with the paths that differ, both ways.
pub fn same(what: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let mut lines = Vec::new();
    for (path, was) in before {
        match after.get(path) {
            None => lines.push(format!("gone:    {path}: {was}")),
            Some(is) if is != was => lines.push(format!("changed: {path}:\n    was {was}\n    is  {is}")),
            Some(_) => {}
        }
    }
    lines.extend(after.iter().filter(|(path, _)| !before.contains_key(*path)).map(|(path, is)| format!("new:     {path}: {is}")));
    assert!(lines.is_empty(), "{what}:\n{}", lines.join("\n"));
}
