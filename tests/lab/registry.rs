//! Images in the lab's registry, for any machine. Spoken to directly: what docker imports is always for the machine that it runs on.

use std::path::Path;
use std::process::Command;

const PUSH: &str = r#"set -e
d=$1 name=$2 architecture=$3 variant=$4 config=$5
case $name in */*) ;; *) name=library/$name ;; esac
at=http://127.0.0.1:2250/v2/${name%:*}
tar -C "$d" --owner 0 --group 0 -cf "$d.tar" .
sum() { sha256sum <"$1" | cut -d' ' -f1; }
push() {
  curl -fsS -X POST -D "$d.head" -o /dev/null "$at/blobs/uploads/"
  to=$(sed -n 's/^[Ll]ocation: *//p' "$d.head" | tr -d '\r')
  curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data-binary @"$1" "$to&digest=sha256:$(sum "$1")"
}
printf '{"architecture":"%s","variant":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{}]}' \
  "$architecture" "$variant" "$config" "$(sum "$d.tar")" >"$d.json"
gzip -n -1 <"$d.tar" >"$d.tar.gz"
push "$d.json"; push "$d.tar.gz"
printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%s,"digest":"sha256:%s"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%s,"digest":"sha256:%s"}]}' \
  "$(stat -c %s "$d.json")" "$(sum "$d.json")" "$(stat -c %s "$d.tar.gz")" "$(sum "$d.tar.gz")" >"$d.manifest"
curl -fsS -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' --data-binary @"$d.manifest" "$at/manifests/${name#*:}""#;

/// Pushes what is below `dir` as `name`, for `platform`; `config` is how it runs, as JSON.
pub fn push(dir: &Path, name: &str, platform: &str, config: &str) {
    let mut parts = platform.split('/').skip(1);
    let [architecture, variant] = [parts.next().unwrap(), parts.next().unwrap_or_default()];
    sh(PUSH, dir, &[name, architecture, variant, config]);
}

/// Runs a script with `dir` and these words.
pub fn sh(script: &str, dir: &Path, words: &[&str]) {
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(dir).args(words).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
