//! The shape of the house, held to: layers call downward only, one place prints, files stay small.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From the ground up: a layer may use itself and those before it.
const LAYERS: &[&str] = &["lang", "node", "inventory", "resource", "playbook", "plan", "transport", "fleet", "history", "saga", "cli"];

/// Past this, a file is asking to be two.
const LONGEST: usize = 400;

/// Files that are longer still, and how long they may be. The list only ever shrinks.
const LONG: &[(&str, usize)] = &[];

struct File {
    /// Relative to `src/`.
    path: PathBuf,
    text: String,
}

impl File {
    fn layer(&self) -> String {
        let first = self.path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Its lines without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()))
    }
}

fn files() -> Vec<File> {
    fn walk(dir: &Path, root: &Path, out: &mut Vec<File>) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, out);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                out.push(File { path: path.strip_prefix(root).unwrap().to_owned(), text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    walk(&root, &root, &mut out);
    out.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(out.len() > 50, "the walk over src/ found only {} files", out.len());
    out
}

/// The modules that a line names after `crate::`, groups in braces included.
fn named(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for after in line.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(group) => {
                let (mut depth, mut start) = (0, true);
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.push(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
            None => found.push(word(after)),
        }
    }
    found
}

#[test]
fn names_after_crate_are_found() {
    assert_eq!(named("use crate::lang::Value;"), ["lang"]);
    assert_eq!(named("use crate::{node::{Op, Probe}, lang};"), ["node", "lang"]);
    assert_eq!(named("f(crate::plan::x, crate::saga::y)"), ["plan", "saga"]);
    assert!(named("use super::lang;").is_empty());
}

#[test]
fn layers_call_downward_only() {
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let mut wrong = Vec::new();
    for file in files() {
        let layer = file.layer();
        if layer == "lib" || layer == "main" {
            continue;
        }
        let Some(own) = rank(&layer) else {
            wrong.push(format!("src/{}: `{layer}` has no place among the layers", file.path.display()));
            continue;
        };
        for (line, code) in file.code() {
            for name in named(code) {
                if rank(&name).is_some_and(|other| other > own) {
                    wrong.push(format!("src/{}:{line}: `{layer}` uses `{name}`, which is above it", file.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_is_a_module_and_every_module_a_layer() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared: BTreeSet<&str> = lib.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, LAYERS.iter().copied().collect());
}

#[test]
fn only_the_command_line_prints_or_exits() {
    let acts = ["println!", "eprintln!", "print!(", "eprint!(", "process::exit"];
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| file.layer() != "cli") {
        for (line, code) in file.code() {
            wrong.extend(acts.iter().filter(|act| code.contains(**act)).map(|act| format!("src/{}:{line}: {act}", file.path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn main_is_small() {
    let main = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 30, "main.rs has {} lines", main.lines().count());
}

#[test]
fn files_stay_small() {
    let mut wrong = Vec::new();
    for file in files() {
        let (name, lines) = (file.path.to_string_lossy().into_owned(), file.text.lines().count());
        let excused = LONG.iter().find(|(path, _)| *path == name).map(|(_, most)| *most);
        match excused {
            None if lines > LONGEST => wrong.push(format!("src/{name} has {lines} lines; {LONGEST} are asking to be two files")),
            Some(most) if lines > most => wrong.push(format!("src/{name} has grown from {most} to {lines} lines")),
            Some(_) if lines <= LONGEST => wrong.push(format!("src/{name} has {lines} lines now: take it out of LONG")),
            _ => {}
        }
    }
    wrong.extend(LONG.iter().filter(|(path, _)| !Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path).exists()).map(|(path, _)| format!("src/{path} is gone: take it out of LONG")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
