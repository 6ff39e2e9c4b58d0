//! The disk is full: the node lives on a small file system of its own, and something else fills it.

use crate::faults::{Full, tried};
use crate::sandbox;
use crate::site::Site;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::PathBuf;

/// What the node's disk holds.
const SIZE: &str = "mode=755,size=64m";

/// A small disk, for this thread and what it starts.
struct Disk(PathBuf);

impl Disk {
    fn at(dir: PathBuf) -> nix::Result<Disk> {
        std::fs::create_dir_all(&dir).unwrap();
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        mount(Some("tmpfs"), &dir, Some("tmpfs"), MsFlags::empty(), Some(SIZE))?;
        Ok(Disk(dir))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn the_disk_is_full_from_a_boundary_on() {
    let site = Site::bare();
    let disk = if nix::unistd::geteuid().is_root() { Disk::at(site.path(".sandbox/pi")).ok() } else { None };
    let Some(disk) = disk else {
        return crate::untested::untested("a full disk needs one that can be mounted, which takes root");
    };
    let ballast = disk.0.join("ballast");
    let mut node = sandbox::node(site);
    // It goes before the directory that it is mounted at.
    let _disk = disk;
    let boundaries = node.tasks.boundaries();
    let came: Vec<Full> = tried(1, boundaries).enumerate().map(|(nth, at)| node.is_full(at, nth, &ballast)).collect();
    eprintln!("chaos: the disk was full at {} of {boundaries} boundaries of {} tasks: {}", came.len(), node.tasks.count(), Full::told(&came));
    assert!(came.iter().any(|came| *came != Full::Through), "no disk was full");
}
