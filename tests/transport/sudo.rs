//! Real sudo with a real password, without touching this machine: sshd runs in a mount namespace that has its own /etc.

use crate::sshd::{Sshd, keygen, pool, run, text};
use crate::talk::facts;
use homelab::lang::Kind;
use homelab::transport::{Become, Method, Secret, Target};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const ENTER: &str = "mount --bind \"$0\" /etc && mkdir -p /run/sudo && mount -t tmpfs none /run/sudo && exec \"$@\"";

/// A node with the users `asked` (sudo asks for `open sesame`), `free` (it does not ask) and `nosudo`.
fn node() -> Option<(Sshd, tempfile::TempDir)> {
    let can = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs none /mnt"]).output().is_ok_and(|out| out.status.success());
    if !can || !Path::new("/usr/bin/sudo").exists() {
        crate::untested::untested("it takes root with mount namespaces, and sudo");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let etc = dir.path().join("etc");
    run("cp", &["-a", "/etc", etc.to_str().unwrap()]);
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let append = |file: &str, text: &str| fs::OpenOptions::new().append(true).open(etc.join(file)).unwrap().write_all(text.as_bytes()).unwrap();
    let hash = run("openssl", &["passwd", "-6", "open sesame"]);
    for (name, id) in [("asked", 54321), ("free", 54322), ("nosudo", 54323)] {
        append("passwd", &format!("{name}:x:{id}:{id}::/:/bin/sh\n"));
        append("group", &format!("{name}:x:{id}:\n"));
        append("shadow", &format!("{name}:{}:20000:0:99999:7:::\n", hash.trim()));
    }
    let _ = fs::remove_dir_all(etc.join("sudoers.d"));
    fs::write(etc.join("sudoers"), "Defaults !lecture\nroot ALL=(ALL:ALL) ALL\nasked ALL=(ALL:ALL) ALL\nfree ALL=(ALL:ALL) NOPASSWD: ALL\n").unwrap();
    let sshd = Sshd::start_under(&["unshare", "-m", "--propagation", "private", "sh", "-c", ENTER, etc.to_str().unwrap()], "")?;
    Some((sshd, dir))
}

fn target(sshd: &Sshd, user: &str, password: Option<&str>) -> Target {
    let key = sshd.path("key");
    if !key.exists() {
        keygen(sshd.dir.path(), "key", &["-t", "ed25519"]);
        sshd.authorize(&key);
        sshd.trust(&sshd.path("known_hosts"));
    }
    let mut target = sshd.target_with("pi", &key);
    target.user = user.into();
    target.privilege = Some(Become { method: Method::Sudo, user: "root".into(), password: password.map(Secret::new) });
    target
}

#[tokio::test]
async fn sudo_with_and_without_a_password() {
    let Some((sshd, _dir)) = node() else { return };
    for (user, password) in [("asked", Some("open sesame")), ("free", None), ("free", Some("not asked for"))] {
        let target = target(&sshd, user, password);
        let pool = pool(&sshd.path("known_hosts"));
        let (frames, _) = facts(&pool, &target).await.map_err(|d| format!("{user} {password:?}: {}{}", text(&d), sshd.log())).unwrap();
        assert!(!frames.is_empty());
        assert_eq!((pool.cost().spent().channels, pool.cost().spent().round_trips), (1, 8));
    }
}

#[tokio::test]
async fn what_sudo_refuses_is_recognised() {
    let Some((sshd, _dir)) = node() else { return };
    for (user, password, message, hint) in [
        ("asked", None, "sudo asks for a password", "--ask-become-pass"),
        ("asked", Some("wrong"), "the password for sudo was not accepted", "become.password"),
        ("nosudo", Some("open sesame"), "nosudo may not become root by sudo", "sudoers"),
    ] {
        let target = target(&sshd, user, password);
        let diagnostic = facts(&pool(&sshd.path("known_hosts")), &target).await.unwrap_err();
        let said = text(&diagnostic);
        assert!(diagnostic.kind == Kind::Refused && said.contains(message) && said.contains(hint), "{said}");
        assert!(!password.is_some_and(|password| said.contains(password)), "{said}");
    }
    let mut odd = target(&sshd, "asked", None);
    odd.privilege = Some(Become { method: Method::Doas, user: "root".into(), password: None });
    let said = text(&facts(&pool(&sshd.path("known_hosts")), &odd).await.unwrap_err());
    assert!(Path::new("/usr/bin/doas").exists() || said.contains("doas is not installed"), "{said}");
    odd.privilege = Some(Become { method: Method::Sudo, user: "-x".into(), password: None });
    let said = text(&facts(&pool(&sshd.path("known_hosts")), &odd).await.unwrap_err());
    assert!(said.contains("is not a name"), "{said}");
}
