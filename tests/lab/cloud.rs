//! Scenario E: a web host of a cloud's, by the shipped inventory and playbooks, on a whole machine that has a kernel of its own: its storage is
//! mounted, the real Traefik stands before a site, and the machine is thrown away and replaced by an empty one.

use crate::nodes::{Lab, by_hand, container, does, repo, until};
use crate::registry;
use crate::site::Ended;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The machine; who manages it, which is here; somebody else in its network; and what it mounts. Other tests run meanwhile: these nodes are none
/// of theirs.
const CLOUD: &str = "10.207.1.22";
const HERE: &str = "10.207.1.1";
const ELSEWHERE: &str = "registry";
const EXPORT: &str = "export";
const STORAGE: &str = "10.207.1.18:/srv/nfs";
const PASSWORD: &str = "it's \"d\" $ecret";
const INVENTORY: &str = "inventories/cloud.yaml";

/// The machine `cloud`, for as long as this lives.
struct Machine;

fn cloud(word: &str) {
    let done = Command::new(repo().join("tests/lab/cloud")).arg(word).stdin(Stdio::null()).status().unwrap();
    assert!(done.success(), "tests/lab/cloud {word}");
}

impl Machine {
    /// An empty one, in place of the one that was there.
    fn new() -> Machine {
        cloud("new");
        registry::site();
        Machine
    }

    /// What root says there.
    fn says(&self, script: &str) -> String {
        let config = repo().join("inventories/.lab/ssh_config");
        let words = format!("sudo sh -ec '{}'", script.replace('\'', r"'\''"));
        let output = Command::new("ssh").arg("-F").arg(config).args(["cloud", &words]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{script}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            cloud("off");
        }
    }
}

/// The shipped inventory with what is the lab's own, its playbooks, and an empty export.
fn site(lab: &Lab) {
    for dir in ["playbooks", "templates"] {
        assert!(Command::new("cp").arg("-r").arg(repo().join(dir)).arg(lab.site.path(dir)).status().unwrap().success());
    }
    let mut inventory = std::fs::read_to_string(repo().join(INVENTORY)).unwrap();
    let key = format!("key: {}", repo().join("inventories/.lab/key").display());
    let sites = format!("sites: [{{name: blog, domain: blog.example.org, database_password: '{}', root_password: hush-hush, adminer: true}}]", PASSWORD.replace('\'', "''"));
    let password = format!("web_dashboard_password: '{}'", PASSWORD.replace('\'', "''"));
    let storage = format!("acme_email: webmaster@example.org\n      acme_server: https://127.0.0.1:9/directory\n      web_storage: {STORAGE}\n      docker_daemon: {{registry-mirrors: [\"http://10.207.1.2:5000\"], log-driver: local, live-restore: true}}");
    for (shipped, own) in [
        ("  - ../playbooks/base.yaml\n", ""),
        ("address: web.example.org", "address: 10.207.1.22"),
        ("key: ~/.ssh/id_ed25519", &key),
        ("acme_email: webmaster@example.org", &storage),
        ("management_cidr: 203.0.113.0/24", "management_cidr: 10.207.1.1/32"),
        ("web_dashboard: false", "web_dashboard: true"),
        ("web_dashboard_password: \"\"", &password),
        ("sites: []", &sites),
    ] {
        assert_eq!(inventory.matches(shipped).count(), 1, "{INVENTORY} has no `{shipped}` any more");
        inventory = inventory.replace(shipped, own);
    }
    lab.site.write(INVENTORY, &inventory);
    by_hand(EXPORT, "rm -rf /srv/nfs/traefik /srv/nfs/blog");
}

/// What curl says, from here or from within a node's network.
fn curl(from: &str, words: &[&str]) -> String {
    let mut command = if from == HERE {
        Command::new("curl")
    } else {
        let pid = does(&["container", "inspect", "--format", "{{.State.Pid}}", &container(from)]);
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", pid.trim(), "curl"]);
        command
    };
    command.args(["-sk", "--noproxy", "*", "--max-time", "10"]).args(words).stdin(Stdio::null());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The status that a site answers with, and what it says.
fn visit(from: &str, domain: &str) -> String {
    curl(from, &["-w", "%{http_code}", "--resolve", &format!("{domain}:443:{CLOUD}"), &format!("https://{domain}/")])
}

fn dashboard(from: &str, user: &str) -> String {
    curl(from, &["-o", "/dev/null", "-w", "%{http_code}", "-u", user, &format!("http://{CLOUD}:8080/api/overview")])
}

/// Whether a TCP connection is taken.
fn open(from: &str, port: u16) -> bool {
    let pid = does(&["container", "inspect", "--format", "{{.State.Pid}}", &container(from)]);
    let script = format!("exec 3<>/dev/tcp/{CLOUD}/{port}");
    Command::new("nsenter").args(["--net", "--target", pid.trim(), "timeout", "5", "bash", "-c", &script]).stderr(Stdio::null()).status().unwrap().success()
}

/// The site is there, and nothing is open that should not be.
fn holds(machine: &Machine) {
    until("the site answers", Duration::from_secs(120), || visit(HERE, "blog.example.org") == "wordpress:6\n200");
    let here = |user: &str| dashboard(HERE, user);
    assert_eq!(visit(ELSEWHERE, "blog.example.org"), "wordpress:6\n200");
    assert_eq!(visit(ELSEWHERE, "other.example.org"), "404 page not found\n404");
    // Plain HTTP leads to the other door, for good.
    let redirected = curl(ELSEWHERE, &["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "-H", "Host: blog.example.org", &format!("http://{CLOUD}/a?b=c")]);
    assert_eq!(redirected, "301 https://blog.example.org/a?b=c");
    // Adminer and the dashboard are for who manages it; the latter with its password.
    until("adminer answers", Duration::from_secs(120), || visit(HERE, "db.blog.example.org") == "adminer:5\n200");
    assert_eq!(visit(ELSEWHERE, "db.blog.example.org"), "Forbidden403");
    let right = format!("admin:{PASSWORD}");
    assert_eq!([&*right, "admin:wrong", "root:wrong", "admin:"].map(here), ["200", "401", "401", "401"]);
    assert_eq!(dashboard(ELSEWHERE, &right), "403");
    let overview = curl(HERE, &["-u", &right, &format!("http://{CLOUD}:8080/api/overview")]);
    let overview: serde_json::Value = serde_json::from_str(&overview).unwrap();
    for kind in ["routers", "services", "middlewares"] {
        assert_eq!((&overview["http"][kind]["errors"], &overview["http"][kind]["warnings"]), (&0.into(), &0.into()), "{overview}");
    }
    // Logins only from here; of what else listens, nothing.
    assert!(open(ELSEWHERE, 80) && open(ELSEWHERE, 443));
    assert!(!open(ELSEWHERE, 22), "everybody may try to log in");
    assert!(machine.says("ss -Hlnt sport = :111").contains(":111"), "nothing listens at 111, which proves nothing");
    assert!(!open(ELSEWHERE, 111));
    // What must outlive the machine is not on its disk.
    assert_eq!(machine.says("findmnt -no FSTYPE,SOURCE /data; stat -c '%a %U' /data/traefik/acme.json").trim(), format!("nfs4 {STORAGE}\n600 root"));
    assert!(machine.says("cat /etc/fstab").contains(&format!("{STORAGE} /data nfs4 ")));
}

fn apply(lab: &Lab) -> Ended {
    let ended = lab.site.expect(0, &["apply", INVENTORY, "--yes"]);
    for secret in ["$ecret", "hush-hush"] {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "a secret is shown");
    }
    ended
}

#[test]
fn a_web_host_that_is_thrown_away_is_back_with_its_data() {
    let Some(lab) = Lab::up() else { return };
    site(&lab);
    let machine = Machine::new();
    lab.site.expect(0, &["trust", INVENTORY, "--yes"]);
    apply(&lab);
    lab.has_nothing_to_do(INVENTORY, &["graviton"]);
    holds(&machine);
    // What visitors and Let's Encrypt leave to the next machine.
    let certificates = "{\n \"letsencrypt\": {\"Account\": null,  \"Certificates\": null}\n}\n";
    by_hand(EXPORT, "cd /srv/nfs; umask 077; mkdir -p -m 755 traefik blog blog/html blog/db; touch traefik/acme.json; echo hello >blog/html/hello; echo rows >blog/db/rows");
    by_hand(EXPORT, &format!("printf %s '{certificates}' >/srv/nfs/traefik/acme.json"));
    lab.has_nothing_to_do(INVENTORY, &["graviton"]);

    // Another machine at the same address.
    drop(machine);
    let machine = Machine::new();
    for command in ["apply", "trust"] {
        let refused = lab.site.expect(1, &[command, INVENTORY, "--yes"]);
        assert!(refused.err.contains("the host key has changed") && refused.err.contains("homelab trust") && refused.err.contains("--replace"), "{}", refused.err);
    }
    lab.site.expect(0, &["trust", INVENTORY, "--replace", "--limit", "graviton", "--yes"]);
    apply(&lab);
    let is_back = || {
        holds(&machine);
        assert_eq!(by_hand(EXPORT, "cat /srv/nfs/traefik/acme.json"), certificates);
        assert_eq!(machine.says("docker exec blog-site-1 busybox cat /var/www/html/hello; docker exec blog-database-1 busybox cat /var/lib/mysql/rows"), "hello\nrows\n");
        lab.has_nothing_to_do(INVENTORY, &["graviton"]);
    };
    is_back();
    // Not at once, or the answer would not come.
    machine.says("systemd-run --on-active=1 systemctl reboot");
    until("it goes down", Duration::from_secs(120), || visit(HERE, "blog.example.org") == "000");
    is_back();
    // Taken back, the machine is bare again, but for the chains and the bridge that docker leaves until the next boot; the export keeps its data.
    lab.site.expect(0, &["rollback", INVENTORY, "--yes"]);
    let left = machine.says("grep -c /data /proc/mounts /etc/fstab || true; ls /srv; iptables-save | grep HL_ || true; dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -E '^(docker|containerd|nfs-common).* installed' || true");
    assert_eq!(left, "/proc/mounts:0\n/etc/fstab:0\n");
    assert_eq!(by_hand(EXPORT, "cat /srv/nfs/traefik/acme.json /srv/nfs/blog/db/rows"), format!("{certificates}rows\n"));
}
