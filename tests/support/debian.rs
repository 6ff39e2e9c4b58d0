//! One Debian node: its own processes and files over the shared root, an sshd, and a site that has it as `pi`. Its network is this
//! machine's, of which it uses one port of 127.0.0.1.

use crate::site::{Ended, Site};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "base.rs"]
mod base;

pub struct Debian {
    pub site: Site,
    /// The first process, whose root is the node's.
    init: u32,
    child: Child,
    /// Its control group, if it has one of its own.
    group: Option<PathBuf>,
}

impl Drop for Debian {
    fn drop(&mut self) {
        // With `--kill-child`, all that runs in the node ends with this one.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let Some(group) = &self.group else { return };
        // It can go when the last process in it has.
        for _ in 0..250 {
            if remove_group(group).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("the control group {} is left over", group.display());
    }
}

/// Starts the rest in a control group of its own, which an init system may divide further: its name, then as below.
const GROUPED: &str = r#"
g=/sys/fs/cgroup
[ -d "$g/systemd" ] && g=$g/systemd
mkdir "$g/$1" && echo $$ >"$g/$1/cgroup.procs" || exit
shift
exec unshare -mupfC --kill-child /bin/sh -c "$@"
"#;

/// Makes the node's file system and becomes its sshd or its init: where, the shared root, what is copied into the node, which.
const ENTER: &str = r#"
set -e
c=$1
mount --make-rprivate /
mount -t tmpfs none "$c"
mkdir "$c/up" "$c/work" "$c/root"
mount -t overlay none -o "lowerdir=$2,upperdir=$c/up,workdir=$c/work" "$c/root"
cp -r "$3/." "$c/root/"
cd "$c/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t tmpfs -o mode=755 none dev
mkdir dev/pts dev/shm
for d in null zero full random urandom tty; do : >"dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 none run
mkdir run/sshd
hostname pi
echo pi >etc/hostname
chroot . apt-get -qq update
if [ "$4" = sshd ]; then exec chroot . /usr/sbin/sshd -D -e -f /etc/ssh/test_config; fi
mount -t sysfs -o ro none sys
if [ -d /sys/fs/cgroup/systemd ]; then
  mount -t tmpfs none sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd none sys/fs/cgroup/systemd
else mount -t cgroup2 none sys/fs/cgroup
fi
# Its own sshd would take this machine's port 22.
for u in ssh.service ssh.socket sshd.service console-getty.service systemd-modules-load.service; do ln -sf /dev/null "etc/systemd/system/$u"; done
mkdir -p etc/systemd/system/multi-user.target.wants
cat >etc/systemd/system/test-sshd.service <<END
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/test_config
KillMode=process
END
ln -s ../test-sshd.service etc/systemd/system/multi-user.target.wants/
exec env -i container=other SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 \
  SYSTEMD_PROC_CMDLINE='SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1' \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /sbin/init
"#;

fn remove_group(group: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_group(&entry.path())?;
        }
    }
    std::fs::remove_dir(group)
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).stdin(Stdio::null()).status().unwrap();
    assert!(made.success());
}

impl Debian {
    /// A node without an init system. None where there can be none and none is demanded.
    pub fn start() -> Option<Debian> {
        Self::enter("sshd", None)
    }

    /// The same with git and other tools that a minimal Debian lacks.
    pub fn with_tools() -> Option<Debian> {
        Self::enter("sshd", base::TOOLS)
    }

    /// The same with what generates locales.
    pub fn with_locales() -> Option<Debian> {
        Self::enter("sshd", base::LOCALES)
    }

    /// A node on which dnf is the package manager, not apt.
    pub fn with_dnf() -> Option<Debian> {
        let node = Self::enter("sshd", base::DNF)?;
        node.by_hand("cd /usr/bin && rm apt-get apt-cache dpkg-query dpkg; echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros; rpm --initdb; rm -f /etc/yum.repos.d/*; mkdir -p /etc/yum.repos.d");
        Some(node)
    }

    /// A node on which systemd runs.
    pub fn boot() -> Option<Debian> {
        Self::booted(None)
    }

    /// The same with git and other tools that a minimal Debian lacks.
    pub fn boot_with_tools() -> Option<Debian> {
        Self::booted(base::TOOLS)
    }

    fn booted(more: Option<(&str, &str)>) -> Option<Debian> {
        let node = Self::enter("init", more)?;
        // Not `running` but `degraded` is well enough; it is over with starting in either case.
        let _ = node.command("systemctl is-system-running --wait").output();
        Some(node)
    }

    fn enter(how: &str, more: Option<(&str, &str)>) -> Option<Debian> {
        let base = base::base(more)?;
        let site = Site::bare();
        let overlay = site.path("overlay");
        std::fs::create_dir_all(overlay.join("etc/ssh")).unwrap();
        std::fs::create_dir_all(overlay.join("etc/apt")).unwrap();
        crate::repo::make(&overlay.join("srv/repo"));
        site.write("overlay/etc/apt/sources.list", "deb [trusted=yes] file:/srv/repo ./\n");
        keygen(&overlay.join("etc/ssh/test_host_key"));
        keygen(&site.path("key"));
        std::fs::copy(site.path("key.pub"), overlay.join("etc/ssh/test_keys")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        site.write(
            "overlay/etc/ssh/test_config",
            &format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey /etc/ssh/test_host_key\nPidFile none\nUsePAM no\nPasswordAuthentication no\n\
                 PermitRootLogin yes\nStrictModes no\nAuthorizedKeysFile /etc/ssh/test_keys\nUseDNS no\n"
            ),
        );
        let print = Command::new("ssh-keygen").arg("-lf").arg(overlay.join("etc/ssh/test_host_key.pub")).output().unwrap();
        let print = String::from_utf8(print.stdout).unwrap().split(' ').nth(1).unwrap().to_owned();
        site.write(
            "inventory.yaml",
            &format!(
                "playbooks: [site.yaml]\nhosts:\n  pi: {{address: 127.0.0.1, port: {port}, user: root, key: key, host_key: \"{print}\"}}\n"
            ),
        );
        std::fs::create_dir(site.path("node")).unwrap();
        let log = std::fs::File::create(site.path("log")).unwrap();
        let (mut command, group) = if how == "init" {
            let name = format!("homelab-test-{}-{port}", std::process::id());
            let mut command = Command::new("/bin/sh");
            command.args(["-c", GROUPED, "sh", &name, ENTER, "sh"]);
            let groups = [Path::new("/sys/fs/cgroup/systemd"), Path::new("/sys/fs/cgroup")];
            (command, groups.into_iter().find(|path| path.is_dir()).map(|path| path.join(name)))
        } else {
            let mut command = Command::new("unshare");
            command.args(["-mupf", "--kill-child", "/bin/sh", "-c", ENTER, "sh"]);
            (command, None)
        };
        let child = command
            .args([site.path("node"), base, overlay])
            .arg(how)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut node = Debian { site, init: 0, child, group };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(node.site.path("log")).unwrap();
            assert!(node.child.try_wait().unwrap().is_none(), "the node ended: {log}");
            assert!(start.elapsed() < Duration::from_secs(60), "the node's sshd does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let children = format!("/proc/{0}/task/{0}/children", node.child.id());
        node.init = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
        Some(node)
    }

    /// Has the directory `from` of this machine at `to` in the node.
    pub fn lend(&self, from: &Path, to: &str) {
        std::fs::create_dir_all(self.inside(to)).unwrap();
        let to = format!("{}/root{to}", self.site.path("node").display());
        let done = Command::new("nsenter").args(["-t", &self.init.to_string(), "-m", "mount", "--bind"]).arg(from).arg(to).status().unwrap();
        assert!(done.success());
    }

    /// A path of the node, as seen from here.
    pub fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.inside(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A command by hand, in the node.
    pub fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-m", "-p", "-u", "-r", "-w", "/bin/sh", "-c", script]).stdin(Stdio::null());
        command
    }

    pub fn by_hand(&self, script: &str) -> String {
        let out = self.command(script).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// What is installed, in which version, and in what state.
    pub fn packages(&self) -> String {
        self.by_hand("dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'")
    }

    /// Whether a process of this name runs in the node.
    pub fn runs(&self, name: &str) -> bool {
        let space = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = space(&self.init.to_string());
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok()).any(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name) && space(&pid) == ours
        })
    }

    pub fn apply(&self, tasks: &str) -> Ended {
        self.site.tasks(tasks);
        self.site.apply()
    }

    pub fn has_nothing_to_do(&self) {
        let plan = self.site.run(&["plan", "inventory.yaml", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
        let again = self.site.apply();
        assert!(again.out.contains("nothing to do"), "{}", again.out);
    }

    /// `tasks`, then a step that fails; exit 3.
    pub fn fails(&self, tasks: &str) -> Ended {
        self.site.tasks(&format!("{tasks}\n- name: Break\n  command: {{argv: [\"false\"]}}"));
        let ended = self.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(ended.err.contains("Break"), "another step failed:\n{}{}", ended.out, ended.err);
        ended
    }
}
