//! What changes the system beneath the services: zones, modules, mounts; by the node's own tools.

use crate::debian::Debian;

/// What the kernel says of the mount at `path`; of several, of the uppermost.
fn mounted(node: &Debian, path: &str) -> String {
    let all = node.by_hand("cat /proc/self/mountinfo");
    let at = |line: &&str| line.split(' ').nth(4) == Some(path);
    all.lines().rev().find(at).map(|line| line.splitn(6, ' ').last().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[test]
fn a_time_zone_comes_and_goes_back() {
    let Some(node) = Debian::boot() else { return };
    node.by_hand("rm -f /etc/localtime; ln -s ../usr/share/zoneinfo/Etc/UTC /etc/localtime; echo Etc/UTC >/etc/timezone");
    node.apply("- timezone: Europe/Berlin");
    assert_eq!(node.by_hand("TZ= date -d 2026-07-01T12:00Z +%H").trim(), "12");
    assert_eq!(node.by_hand("date -d 2026-07-01T12:00Z +%H").trim(), "14");
    assert_eq!(node.by_hand("timedatectl show -p Timezone --value 2>/dev/null || cat /etc/timezone").trim(), "Europe/Berlin");
    node.has_nothing_to_do();
    node.fails("- timezone: America/New_York");
    assert_eq!((node.by_hand("readlink /etc/localtime").trim(), node.text("/etc/timezone").trim()), ("/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"));
    node.site.tasks("- timezone: Europe/Berlim");
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("no time zone `Europe/Berlim`"), "{}", refused.err);
}

/// Containers cannot load modules: what the kernel offers is written for them, and the tool that is missing fails.
#[test]
fn a_module_that_cannot_be_loaded_is_taken_back() {
    let Some(node) = Debian::boot() else { return };
    node.site.tasks("- modprobe: homelab_none");
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("homelab_none"), "{}", refused.err);
    node.by_hand("d=/lib/modules/$(uname -r); mkdir -p $d /etc/modprobe.d; echo 'kernel/drivers/homelab-none.ko.xz: kernel/x.ko' >$d/modules.dep; echo kernel/fs/homelab_fs.ko >$d/modules.builtin");
    let plan = node.site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("load the module homelab_none"), "{}", plan.out);
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("modprobe"), "{}", failed.err);
    assert!(!node.inside("/etc/modules-load.d/homelab-homelab_none.conf").exists());
    node.apply("- modprobe: {name: homelab-fs, params: a=1}");
    assert_eq!(node.text("/etc/modules-load.d/homelab-homelab_fs.conf"), "homelab_fs\n");
    assert_eq!(node.text("/etc/modprobe.d/homelab-homelab_fs.conf"), "options homelab_fs a=1\n");
    node.has_nothing_to_do();
}

#[test]
fn mounts_come_change_go_and_come_back() {
    let Some(node) = Debian::boot() else { return };
    let fstab = "# mine\nproc\t/proc  proc defaults 0 0\n\n#end";
    std::fs::write(node.inside("/etc/fstab"), fstab).unwrap();
    let tasks = |ram: &str, bound: &str| {
        format!(
            "- copy: {{dest: /srv/from/file, content: \"seen\\n\"}}\n- mount: {{path: \"/srv/my ram\", src: tmpfs, fstype: tmpfs, opts: \"{ram}\"}}\n\
             - mount: {{path: /srv/deep/er, src: /srv/from, opts: \"{bound}\"}}\n- copy: {{dest: \"/srv/my ram/in\", content: \"in it\\n\"}}\n"
        )
    };
    node.by_hand("mkdir /srv/from");
    let (small, large) = (tasks("size=1m,nodev,mode=0700", "bind"), tasks("size=2m,nosuid,noexec", "bind,ro"));
    // From nothing, and back.
    node.fails(&small);
    assert_eq!(node.text("/etc/fstab"), fstab);
    assert!(!node.inside("/srv/deep").exists() && !node.inside("/srv/my ram").exists());

    node.apply(&small);
    assert_eq!(node.text("/srv/deep/er/file"), "seen\n");
    assert!(mounted(&node, r"/srv/my\040ram").contains("size=1024k"), "{}", node.by_hand("cat /proc/self/mountinfo"));
    let with = node.text("/etc/fstab");
    assert_eq!(with, format!("{fstab}\ntmpfs /srv/my\\040ram tmpfs size=1m,nodev,mode=0700 0 0\n/srv/from /srv/deep/er none bind 0 0\n"));
    node.has_nothing_to_do();

    let is = node.by_hand("grep /srv /proc/self/mountinfo | cut -d' ' -f4-");
    node.fails(&large);
    assert_eq!(node.text("/etc/fstab"), with);
    assert_eq!(node.by_hand("grep /srv /proc/self/mountinfo | cut -d' ' -f4-"), is);

    node.apply(&large);
    assert!(mounted(&node, "/srv/deep/er").starts_with("ro,"), "{}", mounted(&node, "/srv/deep/er"));
    let ram = mounted(&node, r"/srv/my\040ram");
    assert!(ram.contains("nosuid") && ram.contains("noexec") && ram.contains("size=2048k") && !ram.contains("nodev"), "{ram}");
    assert_eq!(node.text("/srv/my ram/in"), "in it\n", "it was remounted, not mounted anew");
    node.has_nothing_to_do();

    // Drift: somebody unmounts one, and remounts the other.
    node.by_hand("umount /srv/deep/er; mount -o remount,size=4m '/srv/my ram'");
    let drift = node.site.run(&["drift", "inventory.yaml"]);
    assert!(drift.code == 2 && drift.out.contains("/srv/deep/er") && drift.out.contains("/srv/my ram"), "{}{}", drift.out, drift.err);
    node.site.apply();
    node.has_nothing_to_do();

    // What is in use does not go, and nothing is lost by the try.
    let mut user = node.command("cd '/srv/my ram' && exec sleep 4").spawn().unwrap();
    node.by_hand("sleep 0.3");
    let gone = "- mount: {path: /srv/deep/er, state: absent}\n- mount: {path: \"/srv/my ram\", state: absent}\n";
    node.site.tasks(gone);
    let busy = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(busy.err.contains("busy"), "{}", busy.err);
    assert!(mounted(&node, "/srv/deep/er").starts_with("ro,"));
    let _ = user.wait();

    node.fails(gone);
    assert!(mounted(&node, "/srv/deep/er").starts_with("ro,"));
    node.apply(gone);
    assert_eq!((node.text("/etc/fstab"), node.by_hand("grep -c /srv /proc/self/mountinfo || :").trim()), (format!("{fstab}\n"), "0"));
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert!(mounted(&node, "/srv/deep/er").starts_with("ro,") && node.text("/srv/deep/er/file") == "seen\n");

    // A link may not be what it seems, and a handler remounts.
    node.by_hand("ln -s /srv/from /srv/link");
    node.site.tasks("- mount: {path: /srv/link, src: tmpfs, fstype: tmpfs}");
    assert!(node.site.expect(1, &["plan", "inventory.yaml"]).err.contains("not a directory"));
    node.site.tasks("- mount: {path: /srv/deep/er, opts: \"bind,rw\", state: remounted}");
    node.site.apply();
    assert!(mounted(&node, "/srv/deep/er").starts_with("rw,"));
    node.site.tasks("- mount: {path: /mnt, src: \"nas:/x\", fstype: nfs4}");
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("nfs-common"), "{}", refused.err);
}

/// No Pi boots here: its files are, and what they say is the firmware's to judge.
#[test]
fn what_a_pi_is_told_at_boot_wants_a_reboot() {
    let Some(node) = Debian::boot() else { return };
    let (config, cmdline) = ("# mine\ndtparam=audio=on\n[cm4]\notg_mode=1\n", "console=tty1 root=PARTUUID=1-2 rootwait\n");
    let task = "- boot_config: {overlays: [disable-bt], settings: {arm_64bit: 1}, cmdline: [cgroup_enable=memory]}";
    node.site.tasks(task);
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("no config.txt"));
    node.by_hand("mkdir -p /boot/firmware");
    std::fs::write(node.inside("/boot/firmware/config.txt"), config).unwrap();
    std::fs::write(node.inside("/boot/firmware/cmdline.txt"), cmdline).unwrap();
    let wanted = || node.inside("/run/reboot-required").exists();
    let texts = || (node.text("/boot/firmware/config.txt"), node.text("/boot/firmware/cmdline.txt"));

    node.fails(task);
    assert_eq!((texts(), wanted()), ((config.to_owned(), cmdline.to_owned()), false));
    let plan = node.site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("guarded"), "{}", plan.out);
    node.apply(task);
    let after = (config.replace("audio=on\n", "audio=on\narm_64bit=1\ndtoverlay=disable-bt\n"), "console=tty1 root=PARTUUID=1-2 rootwait cgroup_enable=memory\n".to_owned());
    assert_eq!((texts(), wanted()), (after, true));
    node.has_nothing_to_do();
    // Somebody else's line is not ours, ours is.
    node.by_hand("echo gpu_mem=64 >>/boot/firmware/config.txt");
    assert_eq!(node.site.run(&["drift", "inventory.yaml"]).code, 0);
    node.by_hand("sed -i /disable-bt/d /boot/firmware/config.txt");
    let drift = node.site.run(&["drift", "inventory.yaml"]);
    assert!(drift.code == 2, "{}{}", drift.out, drift.err);
}

/// The kernels of test machines have no NFS: a stand-in for its helper says what it is told, and fails.
#[test]
fn the_role_efs_mounts_as_amazon_recommends() {
    let Some(node) = Debian::boot() else { return };
    node.by_hand(
        "mkdir -p /root/deb/DEBIAN /root/deb/sbin && cd /root/deb && printf 'Package: nfs-common\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n' >DEBIAN/control && \
         printf '#!/bin/sh\\necho \"told $*\" >&2\\nexit 32\\n' >/sbin/mount.nfs4 && chmod 755 /sbin/mount.nfs4 && rmdir sbin && dpkg-deb -b . /root/x.deb && dpkg -i /root/x.deb",
    );
    let role = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/playbooks/roles/efs/role.yaml")).unwrap();
    node.site.write("roles/efs/role.yaml", &role);
    let fstab = node.text("/etc/fstab");
    for (with, told) in [
        ("source: fs-0123456789abcdef0, region: eu-central-1", "fs-0123456789abcdef0.efs.eu-central-1.amazonaws.com:/ /data"),
        ("source: \"nas.lan:/export\", path: /srv/data, options: \"soft,ro\"", "nas.lan:/export /srv/data"),
        ("source: nas.lan, directory: /sites", "nas.lan:/sites /data"),
    ] {
        node.site.tasks(&format!("- role: efs\n  with: {{{with}}}"));
        let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        let options = if with.contains("options") { "soft" } else { "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport" };
        assert!(failed.err.contains(told) && failed.err.contains(options), "{with}: {}", failed.err);
        assert_eq!(node.text("/etc/fstab"), fstab);
        assert!(!node.inside("/data").exists() && !node.inside("/srv/data").exists());
    }
    node.site.tasks("- role: efs\n  with: {source: fs-0123456789abcdef0, helper: efs}");
    let refused = node.site.run(&["plan", "inventory.yaml"]);
    assert!(refused.out.contains("package amazon-efs-utils") || refused.err.contains("mount.efs"), "{}{}", refused.out, refused.err);
}
