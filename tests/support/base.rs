//! The Debian root that tests share: made once by debootstrap, kept below `target/nodes`, never changed.

use crate::untested::untested;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SUITE: &str = "trixie";
/// A node that one can log in to, with cron, and with an init system that a container can boot.
const INCLUDE: &str = "openssh-server,cron,systemd-sysv,dbus";
const NAME: &str = "debian-13";
/// What some resources tell, and no minimal Debian has.
pub const TOOLS: Option<(&str, &str)> = Some(("tools", "git,unzip,xz-utils,zstd,curl,ca-certificates,gpg,gpg-agent,busybox"));
/// What generates locales.
#[allow(dead_code)] // not in every binary
pub const LOCALES: Option<(&str, &str)> = Some(("locales", "locales"));
/// Another package manager, with what makes its packages.
#[allow(dead_code)] // not in every binary
pub const DNF: Option<(&str, &str)> = Some(("dnf", "dnf,rpm,createrepo-c"));

/// What is missing here, if these tests cannot run.
fn missing() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("it takes root");
    }
    if !["/usr/sbin/debootstrap", "/sbin/debootstrap"].iter().any(|path| Path::new(path).exists()) {
        return Some("debootstrap is not installed");
    }
    None
}

/// The root; with `more`, another one that has these packages too. None, with a line that says so, where it cannot be had or was not asked for.
pub fn base(more: Option<(&str, &str)>) -> Option<PathBuf> {
    if std::env::var_os("HOMELAB_TEST_QUICK").is_some_and(|value| value == "1") {
        eprintln!("NOT TESTED: HOMELAB_TEST_QUICK=1");
        return None;
    }
    if let Some(why) = missing() {
        untested(why);
        return None;
    }
    // `target/debug/homelab` → `target/nodes`
    let nodes = Path::new(env!("CARGO_BIN_EXE_homelab")).ancestors().nth(2).unwrap().join("nodes");
    std::fs::create_dir_all(&nodes).unwrap();
    let lock = File::create(nodes.join("lock")).unwrap();
    lock.lock().unwrap();
    let (name, include) = match more {
        Some((name, packages)) => (format!("{NAME}-{name}"), format!("{INCLUDE},{packages}")),
        None => (NAME.to_owned(), INCLUDE.to_owned()),
    };
    let (root, part) = (nodes.join(&name), nodes.join(format!("{name}.part")));
    if !root.exists() {
        let _ = std::fs::remove_dir_all(&part);
        eprintln!("making {}: about a minute, once", root.display());
        let log = File::create(nodes.join("log")).unwrap();
        let mirror = std::env::var("HOMELAB_TEST_MIRROR").unwrap_or_else(|_| "http://deb.debian.org/debian".to_owned());
        let done = Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={include}"), SUITE])
            .arg(&part)
            .arg(mirror)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        let said = std::fs::read_to_string(nodes.join("log")).unwrap();
        assert!(done.success(), "debootstrap failed: {}", said.lines().rev().take(5).collect::<Vec<_>>().join("\n"));
        std::fs::rename(&part, &root).unwrap();
    }
    Some(root)
}
