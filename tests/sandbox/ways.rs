//! The same tests once more, as the users and with the rights that people have. Needs root to put them on.

use crate::client::binary;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A container's default capabilities that matter here; `setfcap` allows a user namespace with all ids.
const CHROOT: &str = "-all,+sys_chroot,+chown,+setuid,+setgid,+dac_override,+fowner,+fsetid,+mknod,+kill";

#[test]
fn as_nobody() {
    again(&["--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all"], "single");
}

#[test]
fn as_root_without_mounts() {
    again(&["--bounding-set", CHROOT, "--inh-caps", "-all"], "chroot");
}

#[test]
fn as_root_who_may_map_users() {
    again(&["--bounding-set", &format!("{CHROOT},+setfcap"), "--inh-caps", "-all"], "mapped");
}

/// Runs the other tests this way, and says which way in they must have found.
fn again(how: &[&str], rung: &str) {
    let can = Command::new("setpriv").args(how).arg("true").output().is_ok_and(|out| out.status.success());
    if !nix::unistd::geteuid().is_root() || !can {
        return crate::untested::untested("it takes root to put on other rights");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let (tests, homelab) = (dir.path().join("tests"), dir.path().join("homelab"));
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    fs::copy(binary(), &homelab).unwrap();
    let out = Command::new("setpriv")
        .args(how)
        .arg(&tests)
        .args(["--skip", "ways::", "--skip", "hundred"])
        .env("SANDBOX_TEST_BINARY", &homelab)
        .env("SANDBOX_TEST_RUNG", rung)
        .env("TMPDIR", dir.path())
        // What these users cannot do, the tests of root have checked.
        .env_remove("CI")
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("test result: ok"), "{text}");
}
