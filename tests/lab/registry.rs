//! Images in the lab's registry, for any machine.

use crate::nodes::repo;
use std::path::Path;
use std::process::Command;

/// Pushes what is below `dir` as `name`, for `platform`; `config` is how it runs, as JSON.
pub fn push(dir: &Path, name: &str, platform: &str, config: &str) {
    let name = if name.contains('/') { name.to_owned() } else { format!("library/{name}") };
    let push = repo().join("tests/lab/push");
    let script = r#"tar -C "$1" --owner 0 --group 0 -c . | gzip -n -1 >"$1.tar.gz" && "$2" "$3" "$4" "$5" "$1.tar.gz""#;
    sh(script, dir, &[push.to_str().unwrap(), &name, platform, config]);
}

/// Runs a script with `dir` and these words.
pub fn sh(script: &str, dir: &Path, words: &[&str]) {
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(dir).args(words).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
