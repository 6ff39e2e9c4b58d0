//! The disk is full: the node lives on a small file system of its own, and something else fills it.

use crate::node::{Node, WAYS_OUT, tried};
use crate::site::Site;
use crate::tasks;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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

/// Takes all that is left of the disk.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 16, 512, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

#[test]
fn the_disk_is_full_from_a_boundary_on() {
    let site = Site::bare();
    let disk = if nix::unistd::geteuid().is_root() { Disk::at(site.path(".sandbox/pi")).ok() } else { None };
    let Some(disk) = disk else {
        return crate::untested::untested("a full disk needs one that can be mounted, which takes root");
    };
    let mut node = Node::new(site);
    // It goes before the directory that it is mounted at.
    let _disk = disk;
    let ballast = node.remote.site.path(".sandbox/pi/ballast");
    let (mut back, mut stuck, mut through) = (0, 0, 0);
    for at in tried(1) {
        let (when, before) = (format!("full at {at}"), node.state());
        let (child, mut gate) = node.stopped_at(at);
        fill(&ballast);
        gate.write_all(b"on\n").unwrap();
        drop(gate);
        let output = child.wait_with_output().unwrap();
        std::fs::remove_file(&ballast).unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let thoroughly = (back + stuck) % 3 == 0;
        match output.status.code() {
            Some(3) => {
                back += 1;
                node.is_before(&when, &before, thoroughly);
            }
            // What it says is true: a person is needed, here to free the disk.
            Some(5) => {
                assert!(said.contains("stuck") && !said.contains("and taken back"), "{when}\n{said}");
                said.lines().filter(|line| line.contains("could not be undone") || line.contains("cannot be")).for_each(|line| eprintln!("{when}: {}", line.trim()));
                stuck += 1;
                node.finish_by(WAYS_OUT[stuck % WAYS_OUT.len()], &before, &format!("{when}, stuck"), thoroughly);
            }
            // All is done, and only that cannot be recorded; or what failed was left.
            Some(1) => {
                assert!(!said.contains("taken back"), "{when}\n{said}");
                stuck += 1;
                node.finish_by(WAYS_OUT[stuck % WAYS_OUT.len()], &before, &when, thoroughly);
            }
            // Nothing that came after needed any room.
            Some(0) => {
                through += 1;
                let _ = std::fs::remove_file(node.remote.site.inside("pi", "/var/gated"));
                node.is_after(&when, thoroughly);
            }
            code => panic!("{when}: {code:?}\n{said}"),
        }
    }
    eprintln!("chaos: the disk was full at {} of {} boundaries of {} ops: {back} as before, {stuck} stuck and then finished, {through} done", back + stuck + through, tasks::boundaries(), tasks::count());
}
