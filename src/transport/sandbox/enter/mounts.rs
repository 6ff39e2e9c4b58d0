//! The sandbox's mounts: its root, a small `/dev`, its own `/proc`.

use super::saying;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

const NONE: Option<&str> = None;
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// What in `/proc` acts on the whole machine.
const READ_ONLY: &[&str] = &["sys", "bus", "fs", "irq", "sysrq-trigger"];
/// What in `/proc` tells of the whole machine, beyond what tools need.
const HIDDEN: &[&str] = &["kcore", "keys", "timer_list", "sched_debug", "kmsg"];

/// Makes `root` the root of this mount namespace, with nothing of the machine left in it.
pub fn enter(root: &Path, boot_id: &str) -> Result<(), String> {
    saying("mount namespace", unshare(CloneFlags::CLONE_NEWNS))?;
    saying("private mounts", mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE))?;
    saying("root", mount(Some(root), root, NONE, MsFlags::MS_BIND, NONE))?;
    // Device files and set-uid programs made in there are nothing but names.
    let _ = remount(root, MsFlags::MS_NODEV | MsFlags::MS_NOSUID);
    device_nodes(&root.join("dev"))?;
    proc(&root.join("proc"), boot_id)?;
    saying("root", nix::unistd::chdir(root))?;
    saying("pivot_root", pivot_root(".", "."))?;
    saying("old root", umount2(".", MntFlags::MNT_DETACH))?;
    saying("/", nix::unistd::chdir("/"))
}

/// Adds flags to a bind mount, keeping those it must not lose.
fn remount(at: &Path, flags: MsFlags) -> nix::Result<()> {
    let now = statvfs(at)?.flags();
    let mut keep = MsFlags::empty();
    for (has, flag) in [
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        keep.set(flag, now.contains(has));
    }
    mount(NONE, at, NONE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | keep | flags, NONE)
}

fn device_nodes(dev: &Path) -> Result<(), String> {
    saying("/dev", mount(Some("tmpfs"), dev, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some("mode=755,size=64k")))?;
    for name in DEVICES {
        let at = dev.join(name);
        saying(at.display(), File::create(&at))?;
        saying(at.display(), mount(Some(&Path::new("/dev").join(name)), &at, NONE, MsFlags::MS_BIND, NONE))?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")] {
        saying(name, symlink(target, dev.join(name)))?;
    }
    let shm = dev.join("shm");
    saying("/dev/shm", fs::create_dir(&shm))?;
    saying("/dev/shm", mount(Some("tmpfs"), &shm, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=1777,size=16m")))
}

fn proc(proc: &Path, boot_id: &str) -> Result<(), String> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    saying("/proc", mount(Some("proc"), proc, Some("proc"), flags, NONE))?;
    for name in READ_ONLY {
        let at = proc.join(name);
        if at.exists() {
            saying(at.display(), mount(Some(&at), &at, NONE, MsFlags::MS_BIND, NONE))?;
            saying(at.display(), remount(&at, flags | MsFlags::MS_RDONLY))?;
        }
    }
    // These two belong to the sandbox's own namespaces, so it may set them.
    for name in ["sys/net", "sys/kernel/hostname"] {
        let at = proc.join(name);
        if at.exists() {
            saying(at.display(), mount(Some(&at), &at, NONE, MsFlags::MS_BIND, NONE))?;
            saying(at.display(), mount(NONE, &at, NONE, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, NONE))?;
        }
    }
    for name in HIDDEN {
        let at = proc.join(name);
        if at.exists() {
            saying(at.display(), mount(Some("/dev/null"), &at, NONE, MsFlags::MS_BIND, NONE))?;
        }
    }
    // Each start of the sandbox is a boot of its own, as a lock's reader must be able to tell. The text lies on the new
    // `/dev` just long enough to be mounted.
    let text = proc.with_file_name("dev").join("boot_id");
    saying("boot id", fs::write(&text, format!("{boot_id}\n")))?;
    let at = proc.join("sys/kernel/random/boot_id");
    let _ = mount(Some(&text), &at, NONE, MsFlags::MS_BIND, NONE);
    saying("boot id", fs::remove_file(&text))
}
