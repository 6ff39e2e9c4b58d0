//! Swap, which is the kernel's and so this machine's: a few MiB of it, for as long as the test runs.

use crate::debian::Debian;
use crate::untested::untested;
use std::process::Command;

fn does(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).status().unwrap().success()
}

#[test]
fn a_swap_file_comes_grows_goes_and_comes_back() {
    let Some(node) = Debian::boot() else { return };
    // The node's own root is an overlay, on which nothing can swap.
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = disk.path().display();
    if !does(&format!("exec 2>/dev/null; cd {at} && dd if=/dev/zero of=try bs=1M count=1 && chmod 600 try && mkswap try >/dev/null && swapon try && swapoff try && rm try")) {
        return untested("this machine cannot swap to a file here");
    }
    node.lend(disk.path(), "/srv/disk");
    let swaps = || node.by_hand("sed -n 's/^[^ ]*disk.file[ \t]*file[ \t]*\\([0-9]*\\).*/\\1/p' /proc/swaps").trim().to_owned();
    let task = |size: &str| format!("- swap: {{path: /srv/disk/file, size: {size}}}");
    let fstab = node.text("/etc/fstab");

    node.fails(&task("3M"));
    assert!(swaps().is_empty() && !node.inside("/srv/disk/file").exists() && node.text("/etc/fstab") == fstab);
    node.apply(&task("3M"));
    assert_eq!(swaps(), "3068");
    assert_eq!(node.by_hand("stat -c %a:%s /srv/disk/file").trim(), "600:3145728");
    node.has_nothing_to_do();
    // A swap file that cannot be made anew leaves the old one.
    node.site.tasks(&task("900G"));
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("no room"), "{}", failed.err);
    assert_eq!((swaps().as_str(), node.by_hand("ls /srv/disk").trim()), ("3068", "file"));

    node.fails(&task("5M"));
    assert_eq!(swaps(), "3068");
    node.apply(&task("5M"));
    assert_eq!(swaps(), "5116");
    node.by_hand("swapoff /srv/disk/file");
    let drift = node.site.run(&["drift", "inventory.yaml"]);
    assert!(drift.code == 2 && drift.out.contains("/srv/disk/file"), "{}{}", drift.out, drift.err);
    node.site.apply();
    assert_eq!(swaps(), "5116");

    let gone = "- swap: {path: /srv/disk/file, state: absent}";
    node.fails(gone);
    assert_eq!(swaps(), "5116");
    node.apply(gone);
    assert!(swaps().is_empty() && !node.inside("/srv/disk/file").exists());
    assert_eq!(node.text("/etc/fstab"), fstab);
    node.has_nothing_to_do();
}
