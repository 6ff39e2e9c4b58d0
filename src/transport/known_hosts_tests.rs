#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use std::process::Command;

fn keygen(args: &[&str]) -> String {
    let out = Command::new("ssh-keygen").args(args).output().expect("ssh-keygen is installed");
    assert!(out.status.success(), "ssh-keygen {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A fresh public key, as its line without a comment.
fn key(dir: &Path, name: &str) -> PublicKey {
    let path = dir.join(name);
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path.to_str().unwrap()]);
    russh::keys::load_public_key(path.with_extension("pub")).unwrap()
}

fn line(key: &PublicKey) -> String {
    key.to_openssh().unwrap().trim().to_owned()
}

#[test]
fn finds_what_ssh_keygen_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (key(dir.path(), "one"), key(dir.path(), "two"));
    let file = dir.path().join("known_hosts");
    std::fs::write(&file, format!("pi.lan {}\n[pi.lan]:2222 {}\n", line(&one), line(&two))).unwrap();
    keygen(&["-q", "-H", "-f", file.to_str().unwrap()]);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("pi.lan"));
    let known = KnownHosts::at(&file);
    let found = known.find("pi.lan").unwrap();
    assert_eq!(found.iter().map(|e| (e.key.key_data(), e.line)).collect::<Vec<_>>(), [(one.key_data(), 1)]);
    assert_eq!(known.find("[pi.lan]:2222").unwrap()[0].key.key_data(), two.key_data());
    assert!(known.find("pi.lan:2222").unwrap().is_empty());
}

#[test]
fn reads_marks_patterns_and_noise() {
    let dir = tempfile::tempdir().unwrap();
    let key = line(&key(dir.path(), "one"));
    let file = dir.path().join("known_hosts");
    let text = format!(
        "# a comment\n\n@revoked * {key}\n@cert-authority *.lan {key}\n@strange pi.lan {key}\nPI-?.lan,!pi-3.lan {key}\npi-1.lan ssh-ed25519 notbase64\npi-1.lan\n\u{fffd}\n"
    );
    std::fs::write(&file, text).unwrap();
    let marks = |name: &str| KnownHosts::at(&file).find(name).unwrap().iter().map(|e| (e.mark, e.line)).collect::<Vec<_>>();
    assert_eq!(marks("pi-1.lan"), [(Mark::Revoked, 3), (Mark::Authority, 4), (Mark::Trusted, 6)]);
    assert_eq!(marks("pi-3.lan"), [(Mark::Revoked, 3), (Mark::Authority, 4)]);
    assert_eq!(marks("other"), [(Mark::Revoked, 3)]);
    assert!(KnownHosts::at(dir.path().join("missing")).find("x").unwrap().is_empty());
    assert!(KnownHosts::at(dir.path()).find("x").is_err(), "a directory is not an empty file");
}

#[test]
fn what_is_recorded_ssh_keygen_finds() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (key(dir.path(), "one"), key(dir.path(), "two"));
    let file = dir.path().join("new/known_hosts");
    record(&file, "[pi.lan]:2222", &one, false).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let found = keygen(&["-F", "[pi.lan]:2222", "-f", file.to_str().unwrap()]);
    assert!(found.contains(&line(&one)), "{found}");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    record(&file, "[pi.lan]:2222", &two, true).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("[pi.lan]:2222 {}\n", line(&two)));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn replacing_takes_only_the_name_and_hashes_where_the_file_does() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (key(dir.path(), "one"), key(dir.path(), "two"));
    let file = dir.path().join("known_hosts");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    std::fs::write(&file, format!("@revoked pi {0}\npi,other {0}\n# end", line(&one))).unwrap();
    record(&link, "pi", &two, true).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("@revoked pi {0}\nother {0}\n# end\npi {1}\n", line(&one), line(&two))
    );

    keygen(&["-q", "-H", "-f", file.to_str().unwrap()]);
    record(&file, "new.lan", &one, false).unwrap();
    assert!(!std::fs::read_to_string(&file).unwrap().contains("new.lan"));
    assert!(keygen(&["-F", "new.lan", "-f", file.to_str().unwrap()]).contains(&line(&one)));
    record(&file, "pi", &one, true).unwrap();
    let found = KnownHosts::at(&file).find("pi").unwrap();
    let trusted: Vec<_> = found.iter().filter(|e| e.mark == Mark::Trusted).map(|e| e.key.key_data()).collect();
    assert_eq!(trusted, [one.key_data()], "a hashed name is replaced too");
}

#[test]
fn a_file_is_read_again_only_when_it_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let one = key(dir.path(), "one");
    let file = dir.path().join("known_hosts");
    record(&file, "pi-1", &one, false).unwrap();
    let known = KnownHosts::at(&file);
    let first = known.lines(&file).unwrap();
    assert!(known.find("pi-2").unwrap().is_empty());
    assert!(Arc::ptr_eq(&first, &known.clone().lines(&file).unwrap()), "read a second time");
    record(&file, "pi-2", &one, false).unwrap();
    assert_eq!(known.find("pi-2").unwrap().len(), 1, "what is recorded during a run is known to it");
}
