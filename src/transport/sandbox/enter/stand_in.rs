//! What stands for `/proc` and `/dev` where nothing can be mounted: plain files, made anew at each start of the sandbox.
//! Values set in them stay until then, and touch nothing of the machine.

use super::saying;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;

/// Files of the machine's `/proc` whose present text is good enough.
const COPIED: &[&str] = &["cpuinfo", "meminfo", "loadavg", "uptime", "version", "filesystems", "stat", "cmdline"];
/// Directories of `/proc/sys` whose values are taken over as the sandbox's first ones.
const SYSCTLS: &[&str] = &[
    "kernel", "vm", "fs", "fs/inotify", "net/core", "net/ipv4", "net/ipv4/conf/all", "net/ipv4/conf/default", "net/ipv4/conf/lo",
    "net/ipv6", "net/ipv6/conf/all", "net/ipv6/conf/default", "net/ipv6/conf/lo",
];
const DEVICES: &[(&str, u64, u64)] =
    &[("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Fills `root/proc` and `root/dev`.
pub fn make(root: &Path, hostname: &str, boot_id: &str) -> Result<(), String> {
    let proc = root.join("proc");
    let _ = fs::remove_dir_all(&proc);
    put(&proc.join(".homelab-stand-in"), "")?;
    for name in COPIED {
        if let Ok(text) = fs::read(Path::new("/proc").join(name)) {
            put(&proc.join(name), &text)?;
        }
    }
    put(&proc.join("mounts"), "sandbox / sandbox rw 0 0\n")?;
    for dir in SYSCTLS {
        for entry in fs::read_dir(Path::new("/proc/sys").join(dir)).into_iter().flatten().flatten() {
            // Only what is a value: some entries can be written alone, some block.
            let value = entry.metadata().ok().filter(|meta| meta.is_file() && meta.permissions().mode() & 0o444 != 0);
            let text = value.and_then(|_| fs::read(entry.path()).ok()).filter(|text| text.len() < 4096);
            if let Some(text) = text {
                put(&proc.join("sys").join(dir).join(entry.file_name()), text)?;
            }
        }
    }
    put(&proc.join("sys/kernel/hostname"), format!("{hostname}\n"))?;
    put(&proc.join("sys/kernel/random/boot_id"), format!("{boot_id}\n"))?;
    devices(&root.join("dev"))
}

fn devices(dev: &Path) -> Result<(), String> {
    for (name, major, minor) in DEVICES {
        let at = dev.join(name);
        if fs::symlink_metadata(&at).is_ok_and(|meta| meta.file_type().is_char_device()) {
            continue;
        }
        let _ = fs::remove_file(&at);
        let made = mknod(&at, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(*major, *minor));
        saying(format_args!("/dev/{name} (this container may not make device files)"), made)?;
        saying(at.display(), fs::set_permissions(&at, Permissions::from_mode(0o666)))?;
    }
    let shm = dev.join("shm");
    saying(shm.display(), fs::create_dir_all(&shm))?;
    saying(shm.display(), fs::set_permissions(&shm, Permissions::from_mode(0o1777)))?;
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")] {
        let _ = symlink(target, dev.join(name));
    }
    Ok(())
}

fn put(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        saying(folder.display(), fs::create_dir_all(folder))?;
    }
    saying(path.display(), fs::write(path, text))?;
    saying(path.display(), fs::set_permissions(path, Permissions::from_mode(0o644)))
}
