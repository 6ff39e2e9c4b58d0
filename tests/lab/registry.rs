//! Images in the lab's registry, for any machine.

use crate::nodes::repo;
use std::path::Path;
use std::process::Command;

/// Pushes what is below `dir` as `name`, for `platform`; `config` is how it runs, as JSON.
pub fn push(dir: &Path, name: &str, platform: &str, config: &str) {
    let name = if name.contains('/') { name.to_owned() } else { format!("library/{name}") };
    let push = repo().join("tests/lab/push");
    let script = r#"tar -C "$1" --owner 0 --group 0 --mtime @0 --sort name -c . | gzip -n -1 >"$1.tar.gz" && "$2" "$3" "$4" "$5" "$1.tar.gz""#;
    sh(script, dir, &[push.to_str().unwrap(), &name, platform, config]);
}

/// Stand-ins for what a site of `compose_site` is made of, under the real names: each answers with its own, at the port of the real one. They are
/// the same whoever asks for them, so a test may while another runs.
pub fn site() {
    let dir = tempfile::tempdir().unwrap();
    for (name, port) in [("wordpress:6", 80), ("mysql:8.4", 3306), ("adminer:5", 8080)] {
        let script = r#"set -e
            rm -rf "$1"; mkdir -p "$1/bin" "$1/usr/bin" "$1/www"
            cp /run/homelab-lab/busybox "$1/bin/busybox"; ln -s busybox "$1/bin/sh"
            echo "$2" >"$1/www/index.html"
            printf '#!/bin/sh\nexit 0\n' >"$1/usr/bin/mysqladmin"; chmod 755 "$1/usr/bin/mysqladmin""#;
        let image = dir.path().join("image");
        sh(script, &image, &[name]);
        push(&image, name, "linux/amd64", &format!(r#"{{"Entrypoint":["/bin/sh","-c","trap exit TERM; /bin/busybox httpd -f -h /www -p {port} & wait"]}}"#));
    }
}

/// Runs a script with `dir` and these words.
pub fn sh(script: &str, dir: &Path, words: &[&str]) {
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(dir).args(words).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
