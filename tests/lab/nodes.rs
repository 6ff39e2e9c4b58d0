//! The lab as tests see it: a site with the shipped inventory, and each node from outside.

use crate::site::Site;
use crate::untested::untested;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The nodes, and the groups of the inventory that say what they can carry. A test holds this to the inventory.
pub const NODES: &[(&str, &[&str])] = &[
    ("aptlock", &["debian", "systemd"]),
    ("arm64", &["debian"]),
    ("armhf", &["debian"]),
    ("bookworm", &["debian", "systemd", "docker"]),
    ("busybox", &[]),
    ("inner", &["debian", "systemd"]),
    ("nfs", &["debian", "systemd"]),
    ("router", &["debian", "systemd"]),
    ("trixie", &["debian", "systemd", "docker", "compose"]),
];

/// The names of the nodes in `group`.
pub fn members(group: &str) -> Vec<&'static str> {
    NODES.iter().filter(|(_, groups)| group == "all" || groups.contains(&group)).map(|(name, _)| *name).collect()
}

pub struct Lab {
    /// A directory of the test's own, with the lab's inventory, whose playbook is `site.yaml`.
    pub site: Site,
}

/// Where the lab's inventory and what `tests/lab/up` made of it are.
pub fn repo() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What docker says. The one that `up` started, else this machine's.
pub fn docker(args: &[&str]) -> Output {
    let mut command = Command::new("docker");
    let own = Path::new("/run/homelab-lab/docker.sock");
    if own.exists() {
        command.env("DOCKER_HOST", format!("unix://{}", own.display()));
    }
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

pub fn container(node: &str) -> String {
    format!("homelab-lab-{node}")
}

fn text(output: Output, what: &str) -> String {
    assert!(output.status.success(), "{what}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `docker ARGS`, which must succeed.
pub fn does(args: &[&str]) -> String {
    text(docker(args), &args.join(" "))
}

/// A command by hand, as root, without a login.
pub fn by_hand(node: &str, script: &str) -> String {
    does(&["exec", &container(node), "sh", "-c", script])
}

fn ssh(node: &str, script: &str) -> Output {
    let config = repo().join("inventories/.lab/ssh_config");
    Command::new("ssh").arg("-F").arg(config).args(["-o", "ConnectTimeout=5", node, script]).stdin(Stdio::null()).output().unwrap()
}

/// A command over OpenSSH, as the inventory's login.
pub fn logged_in(node: &str, script: &str) -> String {
    text(ssh(node, script), script)
}

/// The root of a node's file system, as seen from here.
pub fn root(node: &str) -> PathBuf {
    let pid = does(&["container", "inspect", "--format", "{{.State.Pid}}", &container(node)]);
    PathBuf::from(format!("/proc/{}/root", pid.trim()))
}

/// Waits until `node` lets its login in again and is through with starting.
pub fn comes_back(node: &str) {
    until(&format!("{node} comes back"), Duration::from_secs(120), || ssh(node, "true").status.success());
    if members("systemd").contains(&node) {
        docker(&["exec", &container(node), "systemctl", "is-system-running", "--wait"]);
    }
}

/// Waits for `what`.
pub fn until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Lab {
    /// The lab. None where it is not said to be up.
    pub fn up() -> Option<Lab> {
        if std::env::var_os("HOMELAB_LAB").is_none_or(|value| value != "1") {
            untested("the lab: `sudo tests/lab/up` brings it up, HOMELAB_LAB=1 says that it is");
            return None;
        }
        let inventories = repo().join("inventories");
        assert!(inventories.join(".lab/ssh_config").exists(), "the lab is not up: `sudo tests/lab/up`");
        let shipped = std::fs::read_to_string(inventories.join("lab.yaml")).unwrap();
        let made = format!("{}/.lab/", inventories.display());
        let inventory = shipped.replace("../playbooks/base.yaml", "site.yaml").replace(" .lab/", &format!(" {made}")).replace("[.lab/", &format!("[{made}"));
        let site = Site::bare();
        site.write("inventory.yaml", &inventory);
        Some(Lab { site })
    }

    /// The shipped roles and their templates are the site's.
    pub fn has_roles(&self) {
        for (from, to) in [("playbooks/roles", "roles"), ("templates", "templates")] {
            assert!(Command::new("cp").arg("-r").arg(repo().join(from)).arg(self.site.path(to)).status().unwrap().success());
        }
    }

    /// A repository of packages made here, of which the lists are there already; nothing comes from a network.
    pub fn offers_packages(&self, nodes: &[&str]) {
        let dir = self.site.path("packages");
        crate::repo::make(&dir);
        for node in nodes {
            by_hand(node, "rm -rf /srv/packages && mkdir /srv/packages");
            let there = root(node).join("srv/packages");
            for file in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
                std::fs::copy(file.path(), there.join(file.file_name())).unwrap();
            }
            by_hand(
                node,
                "echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list.d/tests.list && apt-get -qq update -o APT::Get::List-Cleanup=0 \
                 -o Dir::Etc::SourceList=/etc/apt/sources.list.d/tests.list -o Dir::Etc::SourceParts=/dev/null",
            );
        }
    }

    /// Takes the repository away again, and what came from it.
    pub fn withdraws_packages(&self, nodes: &[&str]) {
        for node in nodes {
            by_hand(node, "dpkg --purge greeter >/dev/null 2>&1; rm -rf /srv/packages /etc/apt/sources.list.d/tests.list /var/lib/apt/lists/_srv_packages*");
        }
    }

    /// Nothing is left to do on any of `nodes`, and nothing has drifted.
    pub fn has_nothing_to_do(&self, inventory: &str, nodes: &[&str]) {
        let limit = nodes.join(",");
        let again = self.site.expect(0, &["apply", inventory, "--yes", "--limit", &limit]);
        let idle = |node: &&&str| again.out.lines().filter_map(|line| line.split_once("  nothing to do")).any(|(hosts, _)| hosts.trim().split(", ").any(|host| host == **node));
        let busy: Vec<&&str> = nodes.iter().filter(|node| !idle(node)).collect();
        assert!(busy.is_empty(), "the second apply had something to do on {busy:?}:\n{}{}", again.out, again.err);
        let drift = self.site.expect(0, &["drift", inventory, "--limit", &limit]);
        assert_eq!(drift.out + &drift.err, "", "drift is not silent");
    }
}
