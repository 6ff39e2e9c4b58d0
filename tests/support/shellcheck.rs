//! What shellcheck says of shell: the judge of all that homelab sends or ships.

use std::path::Path;
use std::process::Command;

#[path = "untested.rs"]
mod untested;

/// The findings that are meant, for all of it: `a= b=` clears (1007); `a && b || c` where b cannot fail or c is wanted then, too (2015);
/// functions that a unit sent later calls (2317, 2329).
const MEANT: &str = "SC1007,SC2015,SC2317,SC2329";

/// Holds all `scripts`, each under the name that a finding will have, to shellcheck. `also` names what else is meant.
///
/// # Panics
/// With everything that it finds; and under `CI` if there is no shellcheck.
pub fn clean(scripts: &[(String, String)], also: &str) {
    assert!(!scripts.is_empty(), "there is nothing to judge");
    if Command::new("shellcheck").arg("--version").output().is_err() {
        return untested::untested("there is no shellcheck");
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in scripts {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let found = shellcheck(dir.path(), scripts, also);
    assert!(found.is_empty(), "{found}");
    // The judge is awake: it finds a word that would be split.
    std::fs::write(dir.path().join(&scripts[0].0), "cat $1\n").unwrap();
    assert!(shellcheck(dir.path(), &scripts[..1], also).contains("SC2086"));
}

fn shellcheck(dir: &Path, scripts: &[(String, String)], also: &str) -> String {
    let mut command = Command::new("shellcheck");
    command.current_dir(dir).args(["--norc", "--shell=sh", "--format=gcc", "--exclude", MEANT]);
    if !also.is_empty() {
        command.args(["--exclude", also]);
    }
    let output = command.arg("--").args(scripts.iter().map(|(name, _)| name)).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
