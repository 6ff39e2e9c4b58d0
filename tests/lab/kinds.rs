//! Every kind of resource on every node that can carry it: made, held, and taken back from a change that fails at its end.

use crate::disk::disk;
use crate::nodes::{Lab, by_hand, docker, container, members, root};
use crate::tree::{Times, same};
use homelab::resource::KINDS;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! key {
    () => {
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f one@example"
    };
}

/// A kind, the group of nodes that can carry it, a task, and a task that changes or removes what the first one made.
type Row = (&'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    ("file", "all", "{path: /srv/lab, state: directory, mode: 0750}", "{path: /srv/lab, state: directory, mode: 0700}"),
    ("file", "all", "{path: /etc/cron.d, state: directory}", "{path: /srv/lab/link, state: absent}"),
    ("file", "all", "{path: /srv/lab/link, src: copied, state: link}", "{path: /srv/lab/doomed, state: absent}"),
    ("copy", "all", "{dest: /srv/lab/doomed, content: \"will go\\n\"}", "{dest: /srv/lab/new, content: \"came\\n\"}"),
    ("copy", "all", "{dest: /srv/lab/copied, content: \"one\\n\", mode: 0640}", "{dest: /srv/lab/copied, content: \"two\\n\", mode: 0600}"),
    ("template", "all", "{dest: /srv/lab/rendered, src: page.j2}", "{dest: /srv/lab/rendered, src: page.j2, mode: 0600}"),
    ("lineinfile", "all", "{path: /etc/hosts, line: 10.207.9.9 lab-line}", "{path: /etc/hosts, regexp: ' lab-line$', line: 10.207.9.8 lab-line}"),
    ("blockinfile", "all", "{path: /etc/hosts, marker: \"# {mark} lab\", block: \"10.207.9.7 lab-block\\n\"}", "{path: /etc/hosts, marker: \"# {mark} lab\", state: absent}"),
    ("copy", "all", "{dest: /srv/lab/edited, content: \"one\\none\\n\", force: false}", "{dest: /srv/lab/edited, content: \"one\\n\", force: false, mode: 0600}"),
    ("replace", "all", "{path: /srv/lab/edited, regexp: ^one$, replace: two}", "{path: /srv/lab/edited, regexp: \"^(two)$\", replace: \"\\\\1 and three\"}"),
    ("ini_file", "all", "{path: /srv/lab/settings, section: one, option: a, value: 1}", "{path: /srv/lab/settings, section: one, option: a, value: 2, mode: 0600}"),
    ("group", "debian", "{name: labgroup, gid: 4700}", "{name: labgroup, state: absent}"),
    ("file", "all", "{path: /home, state: directory}", "{path: /home, mode: 0711}"),
    ("user", "debian", "{name: labuser, uid: 4701, group: labgroup, shell: /bin/sh, password: \"!\"}", "{name: labuser, state: absent, remove: true}"),
    ("authorized_key", "debian", concat!("{user: labuser, key: \"", key!(), "\"}"), concat!("{user: labuser, state: absent, key: \"", key!(), "\"}")),
    ("authorized_key", "all", concat!("{user: root, key: \"", key!(), "\"}"), concat!("{user: root, state: absent, key: \"", key!(), "\"}")),
    ("known_hosts", "all", concat!("{user: root, name: \"[lab.example]:2222\", key: \"", key!(), "\"}"), "{user: root, name: \"[lab.example]:2222\", state: absent}"),
    ("cron", "all", "{name: lab, cron_file: lab, user: root, job: /bin/true, minute: \"3\"}", "{name: lab, cron_file: lab, user: root, job: /bin/false, special_time: daily}"),
    ("file", "all", "{path: /etc/sysctl.d, state: directory}", "{path: /etc/sysctl.d, state: directory}"),
    ("sysctl", "all", "{name: net.ipv4.ip_default_ttl, value: 65}", "{name: net.ipv4.ip_default_ttl, value: 66}"),
    ("file", "all", "{path: /etc/modules-load.d, state: directory}", "{path: /etc/modules-load.d, state: directory}"),
    // The lab's kernel has it built in or loaded, for docker needs it; what it offers beside that differs by machine.
    ("modprobe", "all", "overlay", "{name: overlay, persistent: absent}"),
    ("timezone", "debian", "Europe/Berlin", "Etc/UTC"),
    ("hostname", "all", "\"{{ host.name }}-lab\"", "\"{{ host.name }}\""),
    ("command", "all", "{cmd: touch -d @1 /srv/lab/ran, creates: /srv/lab/ran, undo: rm /srv/lab/ran}", "{cmd: rm /srv/lab/ran, removes: /srv/lab/ran, undo: touch -d @1 /srv/lab/ran}"),
    ("apt_repository", "debian", "{name: lab, uris: \"file:/srv/packages\", suites: ./, trusted: true}", "{name: lab, state: absent}"),
    ("alternatives", "debian", "{name: lab-tool, link: /usr/local/bin/lab-tool, path: /bin/true}", "{name: lab-tool, path: /bin/true, state: absent}"),
    ("package", "debian", "greeter", "{name: greeter, state: absent}"),
    ("systemd_unit", "systemd", "{name: lab-unit.service, content: \"[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n\"}", "{name: lab-unit.service, state: absent}"),
    ("service", "systemd", "{name: lab-unit, state: started, enabled: true}", "{name: lab-unit, state: stopped, enabled: false}"),
    ("iptables", "systemd", "{name: lab, rules: [\"-A INPUT -p tcp --dport 4711 -j DROP\", \"-t nat -A PREROUTING -p tcp --dport 4712 -j DNAT --to-destination 10.207.9.9:80\"]}", "{name: lab, rules: [\"-A INPUT -p tcp --dport 4713 -j DROP\"]}"),
    // The lab's kernel has no NFS: what is mounted here stands for it.
    ("mount", "all", "{path: /srv/lab-ram, src: tmpfs, fstype: tmpfs, opts: \"size=1m,mode=0750\"}", "{path: /srv/lab-ram, src: tmpfs, fstype: tmpfs, opts: \"size=2m,nosuid,mode=0750\"}"),
    ("wait_for", "all", "{path: /srv/lab/copied}", "{path: /srv/lab/nothing, state: absent}"),
    // Docker itself is not needed for it.
    ("docker_login", "all", "{registry_url: lab.home, username: lab, password: one, config_path: /srv/lab/logins.json}", "{registry_url: lab.home, username: lab, password: two, config_path: /srv/lab/logins.json}"),
    ("docker_network", "docker", "{name: lab-net, subnet: 172.30.7.0/24}", "{name: lab-net, state: absent}"),
    ("docker_image", "docker", "\"traefik:v3\"", "\"traefik:v3\""),
    ("docker_image", "docker", "\"verdaccio/verdaccio:6\"", "\"verdaccio/verdaccio:6\""),
    ("docker_image", "docker", "{name: \"lab-also:1\", source: \"traefik:v3\"}", "{name: \"lab-also:1\", source: \"verdaccio/verdaccio:6\"}"),
    // Debian 12 has compose 1.
    ("docker_compose", "compose", "{project_src: /srv/lab, definition: {services: {web: {image: \"traefik:v3\", stop_signal: SIGKILL, environment: {A: \"${A}\"}}}}, env: {A: one}}",
     "{project_src: /srv/lab, definition: {services: {web: {image: \"traefik:v3\", stop_signal: SIGKILL, environment: {A: \"${A}\"}}}}, env: {A: two}}"),
];

/// Where a node cannot carry a kind, the plan says this.
const REFUSED: &[(&str, &str)] = &[("alternatives", "`update-alternatives`"), ("apt_repository", "`apt-get`"), ("timezone", "time zone"), ("group", "groups"), ("user", "accounts"), ("package", "package manager"), ("service", "systemd"), ("systemd_unit", "systemd"), ("docker_network", "`docker`"), ("docker_compose", "on the node"), ("docker_image", "`docker`"), ("iptables", "`iptables`")];

/// What is not compared, since the undo of accounts and packages is equivalent, not exact: see [`state`] for how it is.
pub const BUT: &[&str] = &[
    "proc", "sys", "dev", "run", "tmp", "var/tmp", "var/log", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/lib/ucf", "var/lib/systemd", "var/lib/containerd", "var/lib/docker",
    "var/lib/lastlog", "var/lib/wtmpdb", "var/lib/sudo", "var/lib/homelab", "var/lib/nfs",
    "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid",
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock",
];

/// Accounts by their fields, packages by their versions, units and the kernel by what they say.
const SAYS: &str = r"
sort /etc/passwd /etc/shadow /etc/group
hostname; cat /proc/sys/net/ipv4/ip_default_ttl; grep ' /srv/lab' /proc/mounts
[ ! -x /usr/bin/dpkg-query ] || dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n'
[ ! -d /run/systemd/system ] || systemctl show -p LoadState -p ActiveState -p UnitFileState lab-unit
! command -v iptables-save >/dev/null || iptables-save | grep -e '^\*' -e HL_lab
! command -v docker >/dev/null || { docker network ls --format '{{.Name}} {{.Driver}} {{.Internal}}'; docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'; docker ps --all --format '{{.Names}} {{.State}} {{.Image}}'; docker ps --all --quiet | xargs -r docker inspect --format '{{.Name}} {{.Config.Env}} {{.Image}}'; } | sort
";

pub enum Playbook {
    Made,
    Changed,
}
pub const MADE: Playbook = Playbook::Made;

impl Playbook {
    /// Makes it the site's playbook: a play for each group of nodes, and then `last`.
    pub fn write(&self, lab: &Lab, last: &str) {
        lab.site.write("page.j2", "{{ facts.arch }} {{ facts.os.id }}\n");
        let mut text = String::new();
        for group in ["all", "debian", "systemd", "docker", "compose"] {
            text += &format!("- name: What {group} can carry\n  hosts: {group}\n  become: true\n  tasks:\n");
            let rows = ROWS.iter().filter(|row| row.1 == group);
            match self {
                Playbook::Made => rows.for_each(|(kind, _, made, _)| text += &format!("    - {kind}: {made}\n")),
                Playbook::Changed => rows.rev().for_each(|(kind, _, _, changed)| text += &format!("    - {kind}: {changed}\n")),
            }
        }
        lab.site.write("site.yaml", &(text + last));
    }
}

/// What is on `nodes`, and what runs there.
pub fn state(nodes: &[&str]) -> BTreeMap<String, String> {
    state_of(nodes, Times::OfFilesInSeconds, SAYS)
}

/// The same with these times, and with what `says` says.
pub fn state_of(nodes: &[&str], times: Times, says: &str) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for node in nodes {
        state.extend(disk(&root(node), times, BUT).into_iter().map(|(path, is)| (format!("{node}:/{path}"), is)));
        for line in by_hand(node, says).lines() {
            state.insert(format!("{node} says {line}"), String::new());
        }
    }
    state
}

/// What an earlier test run may have left.
fn clean() {
    for node in members("all") {
        docker(&["exec", &container(node), "sh", "-c",
            "systemctl disable --now lab-unit; update-alternatives --remove lab-tool /bin/true; umount /srv/lab-ram; docker compose --project-name lab down; docker network rm lab-net; docker image rm lab-also:1 traefik:v3 verdaccio/verdaccio:6; rm -rf /srv/lab /srv/lab-ram /etc/modules-load.d/homelab-overlay.conf /etc/apt/sources.list.d/lab.sources /etc/cron.d/lab /etc/sysctl.d/*ip_default_ttl* /etc/systemd/system/lab-unit.service; echo 64 >/proc/sys/net/ipv4/ip_default_ttl; \
             sed '/lab-line$/d' /etc/hosts >/tmp/hosts && cat /tmp/hosts >/etc/hosts; sed '/lab-ram/d' /etc/fstab >/tmp/hosts && cat /tmp/hosts >/etc/fstab; rm -f /tmp/hosts; chmod 755 /home; systemctl daemon-reload"]);
    }
}

#[test]
fn every_kind_is_here() {
    // A reboot keeps no state to compare; it is tried by itself, in guard.rs. Docker is installed on a bare node in docker.rs. Nodes have
    // no git, no locales, and nothing to download from; all share what the kernel swaps to; none is a Pi: these are tried in tests/apt and tests/systemd.
    // A cluster is not on a node: kube.rs.
    let here: BTreeSet<&str> = ROWS.iter().map(|row| row.0).chain(["docker_engine", "reboot", "boot_config", "get_url", "git", "kubernetes", "locale_gen", "swap", "unarchive", "uri"]).collect();
    assert_eq!(here, KINDS.iter().map(|kind| kind.name).collect(), "a kind has no row in tests/lab/kinds.rs, or a row no kind");
}

#[test]
fn every_kind_on_every_node_that_can_carry_it() {
    let Some(lab) = Lab::up() else { return };
    let everyone = members("all");
    let apt = members("debian");
    clean();
    lab.offers_packages(&apt);

    MADE.write(&lab, "");
    lab.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    lab.site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    lab.has_nothing_to_do("inventory.yaml", &everyone);

    let before = state(&everyone);
    Playbook::Changed.write(&lab, "- name: Last\n  hosts: all\n  tasks:\n    - name: Break\n      command: {argv: [\"false\"]}\n");
    let failed = lab.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    for node in &everyone {
        assert!(failed.err.contains(&format!("{node}: `Break` failed")), "{node}: another step failed:\n{}{}", failed.out, failed.err);
    }
    same("not taken back", &before, &state(&everyone));

    Playbook::Changed.write(&lab, "");
    lab.site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    lab.has_nothing_to_do("inventory.yaml", &everyone);

    // A run that is over goes back just so.
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    same("not rolled back", &before, &state(&everyone));
    lab.site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    lab.has_nothing_to_do("inventory.yaml", &everyone);
    // The run upon which that one built stays, and it is said what has been built upon it.
    let last = state(&everyone);
    let refused = lab.site.expect(1, &["rollback", "inventory.yaml", "--yes", &run_that_made(&lab)]);
    for node in &everyone {
        assert!(refused.err.contains(&format!("{node}: run ")), "{node}: {}{}", refused.out, refused.err);
    }
    assert_eq!(refused.out.matches("conflict: /srv/lab/copied: run ").count(), everyone.len(), "{}", refused.out);
    same("a refused rollback did something", &last, &state(&everyone));
    lab.withdraws_packages(&apt);
    clean();
}

/// The oldest finished run of the site's own: the one that made everything.
fn run_that_made(lab: &Lab) -> String {
    let history: serde_json::Value = serde_json::from_str(&lab.site.expect(0, &["history", "inventory.yaml", "--json", "--limit", "trixie"]).out).unwrap();
    let runs = history["hosts"][0]["runs"].as_array().unwrap();
    let made = |run: &&serde_json::Value| {
        let steps = run["steps"].as_array().unwrap();
        run["state"] == "done" && steps.iter().any(|step| step["label"].as_str().is_some_and(|label| label.contains("/srv/lab/doomed")))
    };
    runs.iter().rev().find(made).unwrap_or_else(|| panic!("{history}"))["run"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_node_cannot_carry_is_refused_by_the_plan() {
    let Some(lab) = Lab::up() else { return };
    let somewhere: BTreeSet<&str> = ROWS.iter().filter(|row| row.1 == "all").map(|row| row.0).collect();
    let nowhere: BTreeSet<&str> = ROWS.iter().map(|row| row.0).filter(|kind| !somewhere.contains(kind)).collect();
    assert_eq!(nowhere, REFUSED.iter().map(|(kind, _)| *kind).collect(), "who cannot carry what must be said");
    for (refused, says) in REFUSED {
        for (kind, group, made, _) in ROWS.iter().filter(|row| row.0 == *refused) {
            let others: Vec<&str> = members("all").into_iter().filter(|node| !members(group).contains(node)).collect();
            assert!(!others.is_empty(), "all can carry what {group} can");
            lab.site.tasks(&format!("- copy: {{dest: /srv/lab-first, content: x}}\n- name: Too much\n  {kind}: {made}"));
            for node in &others {
                let ended = lab.site.expect(1, &["apply", "inventory.yaml", "--yes", "--limit", node]);
                assert!(ended.err.contains(says) && ended.err.contains("site.yaml:"), "{kind} on {node}: {}", ended.err);
                assert!(!root(node).join("srv/lab-first").exists(), "{kind} on {node}: something was done");
            }
        }
    }
}
