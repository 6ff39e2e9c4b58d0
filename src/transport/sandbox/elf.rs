//! What a program of this machine needs to run: its dynamic loader and its shared libraries, read from the ELF
//! headers themselves (running `ldd` on a hundred tools would take longer than all the rest).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The part of an ELF file that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// Class and machine: a library must have the same ones as its user.
    pub kind: (u8, u16),
    /// The dynamic loader, for a program.
    pub interpreter: Option<String>,
    /// Names of the libraries it names.
    pub needed: Vec<String>,
    /// Extra directories to look for them.
    pub runpath: Vec<String>,
}

impl Elf {
    /// Reads the headers; `None` for anything that is not a little-endian ELF file (a script, say).
    pub fn parse(bytes: &[u8]) -> Option<Elf> {
        if bytes.get(..4)? != b"\x7fELF" || bytes.get(5)? != &1 {
            return None;
        }
        let wide = *bytes.get(4)? == 2;
        let word = |at: usize| if wide { int(bytes, at, 8) } else { int(bytes, at, 4) };
        let mut elf = Elf { kind: (*bytes.get(4)?, int(bytes, 18, 2)? as u16), ..Elf::default() };
        let headers = word(if wide { 32 } else { 28 })?;
        let size = int(bytes, if wide { 54 } else { 42 }, 2)?;
        let count = int(bytes, if wide { 56 } else { 44 }, 2)?;
        let mut loads = Vec::new();
        let mut dynamic = None;
        for n in 0..count {
            let at = headers.checked_add(n * size)?;
            let places = if wide { [8, 16, 32] } else { [4, 8, 16] };
            let [offset, address, length] = places.map(|place| at.checked_add(place).and_then(word));
            let (offset, address, length) = (offset?, address?, length?);
            match int(bytes, at, 4)? {
                1 => loads.push((address, offset, length)),
                2 => dynamic = Some((offset, length)),
                3 => elf.interpreter = text(bytes, offset),
                _ => {}
            }
        }
        let Some((offset, length)) = dynamic else { return Some(elf) };
        let step = if wide { 16 } else { 8 };
        let entries: Vec<(usize, usize)> = (0..length / step)
            .map_while(|n| {
                let at = offset.checked_add(n * step)?;
                Some((word(at)?, word(at.checked_add(step / 2)?)?))
            })
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        let strings = entries.iter().find(|(tag, _)| *tag == 5).and_then(|(_, address)| {
            loads.iter().find(|(from, _, length)| (*from..from.saturating_add(*length)).contains(address)).and_then(|(from, offset, _)| (address - from).checked_add(*offset))
        });
        for (tag, value) in entries {
            let Some(text) = strings.and_then(|at| text(bytes, at.checked_add(value)?)) else { continue };
            match tag {
                1 => elf.needed.push(text),
                15 | 29 => elf.runpath.extend(text.split(':').map(str::to_owned)),
                _ => {}
            }
        }
        Some(elf)
    }
}

fn int(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    usize::try_from(field.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))).ok()
}

fn text(bytes: &[u8], at: usize) -> Option<String> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

/// Finds libraries as the dynamic loader of this machine does.
#[derive(Debug)]
pub struct Loader {
    dirs: Vec<PathBuf>,
    found: BTreeMap<((u8, u16), String), Option<PathBuf>>,
}

impl Loader {
    /// Knows the directories of `ld.so.conf` and the built-in ones.
    pub fn new() -> Self {
        let mut dirs = Vec::new();
        configured(Path::new("/etc/ld.so.conf"), &mut dirs, 0);
        for base in ["/usr/lib", "/lib"] {
            // Debian keeps libraries in a directory named after the architecture; it is built into its loader.
            let mut inner: Vec<PathBuf> = fs::read_dir(base).into_iter().flatten().flatten().map(|e| e.path()).collect();
            inner.sort();
            dirs.extend(inner.into_iter().filter(|p| p.to_string_lossy().contains("-linux-") && p.is_dir()));
        }
        dirs.extend(["/usr/lib64", "/lib64", "/usr/lib", "/lib"].map(PathBuf::from));
        Loader { dirs, found: BTreeMap::new() }
    }

    /// Where the library `name` for a user like `elf`, which is at `user`, is; `None` if nowhere.
    pub fn find(&mut self, name: &str, elf: &Elf, user: &Path) -> Option<PathBuf> {
        let origin = user.parent().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        for dir in &elf.runpath {
            let path = PathBuf::from(dir.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin)).join(name);
            if fits(&path, elf.kind) {
                return Some(path);
            }
        }
        let dirs = &self.dirs;
        let key = (elf.kind, name.to_owned());
        self.found.entry(key).or_insert_with(|| dirs.iter().map(|d| d.join(name)).find(|p| fits(p, elf.kind))).clone()
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

fn fits(path: &Path, kind: (u8, u16)) -> bool {
    use std::io::Read;
    let mut head = [0u8; 20];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head[..4] == *b"\x7fELF" && (head[4], u16::from_le_bytes([head[18], head[19]])) == kind
}

/// The directories that `ld.so.conf` at `path` names, its includes followed.
fn configured(path: &Path, dirs: &mut Vec<PathBuf>, depth: usize) {
    let Ok(text) = fs::read_to_string(path) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
        if let Some(pattern) = line.strip_prefix("include ") {
            let Some(dir) = Path::new(pattern.trim()).parent().filter(|_| depth < 4) else { continue };
            let mut files: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "conf")) {
                configured(file, dirs, depth + 1);
            }
        } else if line.starts_with('/') {
            dirs.push(PathBuf::from(line));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_program_of_this_machine_names_its_loader_and_libraries() {
        let path = fs::canonicalize("/bin/cat").unwrap();
        let elf = Elf::parse(&fs::read(&path).unwrap()).unwrap();
        let libc = elf.needed.iter().find(|name| name.contains("libc")).expect("cat needs a libc");
        assert!(Path::new(elf.interpreter.as_deref().unwrap()).exists());
        assert!(Loader::new().find(libc, &elf, &path).unwrap().exists());
    }

    #[test]
    fn truncated_and_foreign_files_are_no_panic() {
        assert_eq!(Elf::parse(b"#!/bin/sh\n"), None);
        let whole = fs::read(fs::canonicalize("/bin/cat").unwrap()).unwrap();
        for cut in (0..whole.len().min(4096)).step_by(7) {
            let _ = Elf::parse(&whole[..cut]);
        }
        let mut wild = whole;
        for at in 16..64 {
            wild[at] = 0xff;
            let _ = Elf::parse(&wild);
        }
    }
}
