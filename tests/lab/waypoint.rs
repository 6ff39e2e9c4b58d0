//! Scenario B, by the shipped roles: an image for ARM is built on a node, its server runs in a cluster by real kubectl and a real API server
//! and is bootstrapped once, and its token is where it must be and nowhere else. What it is the image of is a stand-in.

use crate::disk::disk;
use crate::kinds::BUT;
use crate::kube::{Cluster, rolling_out};
use crate::nodes::{Lab, by_hand, container, docker, root, until};
use crate::registry;
use crate::shown::{control, shown};
use crate::tree::{Times, same};
use crate::web::Web;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// This machine, as nodes see it.
const HERE: &str = "10.207.1.1";
const BUILDER: &str = "trixie";
/// Who has kubectl, and who speaks to the server: from behind it.
const SERVER: &str = "router";
const CLIENT: &str = "inner";
const TOKEN: &str = "3Fhushy-Token0123456789";

/// A platform, Debian's word for it, the role's base image, and the release's word.
const PLATFORMS: [(&str, &str, &str, &str); 3] = [
    ("linux/arm64", "arm64", "arm64v8/alpine:3.20", "arm64"),
    ("linux/arm/v7", "armhf", "arm32v7/alpine:3.20", "arm"),
    ("linux/arm/v6", "armel", "arm32v6/alpine:3.20", "arm"),
];

/// In the image: says what it was told, on what, and as whom, and writes where it may.
const SERVES: &str = "#!/bin/sh\necho \"waypoint $* on $(uname -m) as $(id -u):$(id -g)\"\n>/data/written && ls -ld /data\n";

/// On a node: can be bootstrapped once in its life and then says its token.
const SPEAKS: &str = r#"#!/bin/sh
set -eu
echo "$*" >>/srv/waypoint.log
case "$1 $2" in
'server bootstrap')
  [ ! -e /srv/bootstrapped ] || { echo 'the server is already bootstrapped' >&2; exit 1; }
  touch /srv/bootstrapped
  printf '%s-%s\n' 3Fhushy Token0123456789
  sleep 1 # long enough to be seen in the process list
  ;;
'context verify')
  [ -h "$HOME/.config/waypoint/context/_default.hcl" ]
  grep -q "$(printf 'auth_token *= "%s-%s"' 3Fhushy Token0123456789)" "$HOME/.config/waypoint/context/$3.hcl"
  sleep 1
  ;;
*) exit 64 ;;
esac
"#;

/// Serves a release as its maker would, for ARM and for nodes.
fn releases(lab: &Lab) -> (Web, String) {
    let web = Web::serve_at(HERE);
    let dir = lab.site.path("release");
    std::fs::create_dir_all(&dir).unwrap();
    let mut sums = String::new();
    for (arch, text) in [("arm", SERVES), ("arm64", SERVES), ("amd64", SPEAKS)] {
        let file = format!("waypoint_0.1.3_linux_{arch}.zip");
        std::fs::write(dir.join("waypoint"), text).unwrap();
        std::fs::set_permissions(dir.join("waypoint"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("python3").args(["-m", "zipfile", "-c", &file, "waypoint"]).current_dir(&dir).status().unwrap().success());
        let bytes = std::fs::read(dir.join(&file)).unwrap();
        sums += &format!("{}  {file}\n", homelab::node::op::sha256(&bytes));
        for root in ["waypoint", "mirror"] {
            web.has(&format!("/{root}/0.1.3/{file}"), bytes.clone());
            web.has(&format!("/{root}/0.1.3/waypoint_0.1.3_SHA256SUMS"), sums.clone());
        }
    }
    let url = format!("http://{HERE}:{}", web.port);
    (web, url)
}

/// What has Alpine's programs, as far as the recipe uses them, under the name that the role gives.
fn base(lab: &Lab, arch: &str, name: &str, platform: &str) {
    let dir = lab.site.path(&format!("base-{arch}"));
    let script = "set -e; mkdir -p \"$1/bin\" \"$1/etc\" \"$1/tmp\" \"$1/usr/local/bin\"; cp \"/run/homelab-lab/static-$2\" \"$1/bin/busybox\"; chmod 755 \"$1/bin/busybox\"\n\
                  for tool in sh wget unzip sha256sum grep echo mkdir chown ls uname id; do ln -s busybox \"$1/bin/$tool\"; done\n\
                  echo root:x:0:0::/root:/bin/sh >\"$1/etc/passwd\"; echo root:x:0: >\"$1/etc/group\"";
    registry::sh(script, &dir, &[arch]);
    registry::push(&dir, name, platform, r#"{"Env":["PATH=/usr/local/bin:/bin"],"Cmd":["/bin/sh"]}"#);
}

fn image_of(arch: &str) -> String {
    // The registry as the builder itself has it: docker asks those on 127.0.0.1 without TLS.
    format!("127.0.0.1:5000/waypoint:0.1.3.20201026-{arch}")
}

#[test]
fn an_image_for_each_arm_is_built_sent_run_and_taken_back() {
    let Some(lab) = Lab::up() else { return };
    lab.has_roles();
    let (web, url) = releases(&lab);
    for (platform, arch, name, _) in PLATFORMS {
        base(&lab, arch, name, platform);
    }
    let run = |code: i32, words: &[&str]| lab.site.expect(code, &[words, &["--limit", BUILDER]].concat());
    let play = |from: &str, more: &str| {
        let tasks: String = PLATFORMS.iter().map(|(platform, arch, ..)| {
            format!("- role: waypoint_image\n  with: {{directory: /srv/image-{arch}/recipe, platform: {platform}, releases: \"{url}/{from}\", image: \"{}\"{more}}}\n", image_of(arch))
        }).collect();
        lab.site.tasks(&tasks);
    };
    by_hand(BUILDER, "systemctl stop lab-registry.socket lab-registry.service 2>/dev/null; docker image ls --format '{{.Repository}}:{{.Tag}}' | grep -e /waypoint: -e /alpine: | xargs -r docker image rm --force >/dev/null; rm -rf /srv/image-*
        systemd-run --quiet --collect --unit lab-registry --socket-property ListenStream=127.0.0.1:5000 /usr/lib/systemd/systemd-socket-proxyd 10.207.1.2:5000");
    // But for the base images, which docker keeps, as it keeps what it built on the way.
    let state = || by_hand(BUILDER, "ls /srv; docker image ls --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep -v -e /alpine: -e '<none>' | sort; docker ps --all --format '{{.Names}}'");
    let before = state();

    // Another sum than the file's: the build fails, and nothing of it is left.
    play("waypoint", &format!(", sha256: {}", "0".repeat(64)));
    let failed = run(3, &["apply", "inventory.yaml", "--yes"]);
    // Whichever of the two it said last.
    let why = ["waypoint_0.1.3_linux_arm64.zip: FAILED", "sha256sum: WARNING: 1 of 1 computed checksums did NOT match"];
    assert!(why.iter().any(|why| failed.err.contains(&format!("a command of the recipe failed: {why}"))), "{}{}", failed.out, failed.err);
    assert_eq!(state(), before);

    play("waypoint", "");
    run(0, &["apply", "inventory.yaml", "--yes"]);
    for (platform, arch, ..) in PLATFORMS {
        let image = image_of(arch);
        let is = by_hand(BUILDER, &format!("docker image inspect --format '{{{{.Os}}}}/{{{{.Architecture}}}}{{{{with .Variant}}}}/{{{{.}}}}{{{{end}}}} {{{{.Config.User}}}} {{{{json .Config.Volumes}}}} {{{{json .Config.Entrypoint}}}} {{{{json .Config.ExposedPorts}}}}' {image}"));
        assert_eq!(is.trim(), format!("{platform} 1000:1000 {{\"/data\":{{}}}} [\"/usr/local/bin/waypoint\"] {{\"9701/tcp\":{{}},\"9702/tcp\":{{}}}}"));
        let says = by_hand(BUILDER, &format!("docker run --rm {image} server run 2>/dev/null"));
        let machine = if arch == "arm64" { "aarch64" } else { "armv" };
        assert!(says.starts_with(&format!("waypoint server run on {machine}")) && says.contains(" as 1000:1000\n") && says.contains("waypoint waypoint"), "{arch}: {says}");
    }
    // What each name stands for, on the node and in the registry.
    let ids = || PLATFORMS.map(|(_, arch, ..)| {
        let there = Command::new("curl").args(["-fsS", "-H", "Accept: application/vnd.docker.distribution.manifest.v2+json"])
            .arg(format!("http://127.0.0.1:2250/v2/waypoint/manifests/0.1.3.20201026-{arch}")).output().unwrap();
        let there: serde_json::Value = serde_json::from_slice(&there.stdout).unwrap();
        let id = by_hand(BUILDER, &format!("docker image inspect --format '{{{{.Id}}}}' {}", image_of(arch)));
        assert_eq!(there["config"]["digest"], id.trim(), "{arch}: the registry has another");
        id
    });
    let first = ids();
    web.asked();
    lab.has_nothing_to_do("inventory.yaml", &[BUILDER]);
    assert!(web.asked().is_empty(), "it was built again");
    let history: serde_json::Value = serde_json::from_str(&run(0, &["history", "inventory.yaml", "--json"]).out).unwrap();

    // Another recipe, another image; taken back, the first one has the name again, in the registry too.
    play("mirror", "");
    run(0, &["apply", "inventory.yaml", "--yes"]);
    assert!(ids().iter().zip(&first).all(|(now, before)| now != before));
    run(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(ids(), first);
    play("waypoint", "");
    lab.has_nothing_to_do("inventory.yaml", &[BUILDER]);

    run(0, &["rollback", "inventory.yaml", "--yes", history["hosts"][0]["runs"][0]["run"].as_str().unwrap()]);
    assert_eq!(state(), before);
    by_hand(BUILDER, "systemctl stop lab-registry.socket lab-registry.service; docker image ls --format '{{.Repository}}:{{.Tag}}' | grep /alpine: | xargs -r docker image rm --force >/dev/null; docker image prune --force >/dev/null");
}

/// Waypoint's pages: with a certificate that nobody signed.
struct Pages(Child);

impl Pages {
    fn serve(lab: &Lab) -> Pages {
        let (key, cert) = (lab.site.path("tls.key"), lab.site.path("tls.crt"));
        let made = Command::new("openssl").args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=waypoint", "-days", "1", "-keyout"]).arg(&key).arg("-out").arg(&cert).stderr(Stdio::null()).status();
        assert!(made.unwrap().success());
        let server = Command::new("openssl").args(["s_server", "-accept", &format!("{HERE}:9702"), "-www", "-quiet", "-key"]).arg(&key).arg("-cert").arg(&cert)
            .stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pages = Pages(server.unwrap());
        until("the pages are there", Duration::from_secs(10), || std::net::TcpStream::connect((HERE, 9702)).is_ok());
        pages
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every file of the node that has the token in it, as it is or as base64 wherever that begins, with its permissions.
fn has_token(lab: &Lab, node: &str) -> Vec<String> {
    use base64::Engine as _;
    let encoded = |skipped: usize| {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&TOKEN.as_bytes()[skipped..]);
        text[..text.len() - 4].to_owned()
    };
    lab.site.write("needle", &[TOKEN.to_owned(), encoded(0), encoded(1), encoded(2)].join("\n"));
    let root = root(node);
    let script = "grep -rlaF --devices=skip -f \"$1\" bin boot etc home opt root run srv tmp usr var 2>/dev/null | while read -r f; do [ -h \"$f\" ] || stat -c '%a /%n' \"$f\"; done | sort -u";
    let found = Command::new("sh").args(["-c", script, "sh"]).arg(lab.site.path("needle")).current_dir(&root).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn bootstraps() -> usize {
    std::fs::read_to_string(root(SERVER).join("srv/waypoint.log")).unwrap_or_default().lines().filter(|line| line.starts_with("server bootstrap")).count()
}

#[test]
fn a_server_is_bootstrapped_once_and_its_token_shows_nowhere() {
    let (Some(lab), Some(cluster)) = (Lab::up(), Lab::up().and_then(|_| Cluster::up())) else { return };
    control();
    lab.has_roles();
    let (_web, url) = releases(&lab);
    let nodes = [SERVER, CLIENT];
    let limit = nodes.join(",");
    let run = |code: i32, words: &[&str]| lab.site.expect(code, &[words, &["--limit", &limit]].concat());
    let clean = || {
        cluster.namespace("lab-waypoint");
        by_hand(SERVER, "rm -rf /var/lib/waypoint-token* /srv/waypoint /srv/waypoint.log /srv/bootstrapped /usr/local/bin/waypoint* /var/lib/homelab/kept /var/lib/homelab/kubernetes");
        by_hand(CLIENT, "rm -rf /root/.config /srv/waypoint.log /usr/local/bin/waypoint*");
    };
    clean();
    // What the roles need of Debian is there before: what packages leave behind is not what is asked here.
    lab.site.write("kubeconfig", &cluster.config);
    lab.site.tasks("- package: {name: [ca-certificates, curl, unzip], update_cache: true}\n- package: {name: kubernetes-client, update_cache: true}\n  when: host.name == \"router\"\n- file: {path: /root/.kube, state: directory, mode: 0700}\n- copy: {dest: /root/.kube/config, src: kubeconfig, mode: 0600}");
    run(0, &["apply", "inventory.yaml", "--yes"]);

    let play = |patience: &str| {
        lab.site.write("site.yaml", &format!(
            "- name: The server\n  hosts: {SERVER}\n  become: true\n  tasks:\n    - role: waypoint_server\n      with: {{platform: linux/arm/v7, image: \"registry.example/waypoint:0.1.3\", address: {HERE}, namespace: lab-waypoint, releases: \"{url}/waypoint\", patience: {patience}}}\n\
             - name: Who speaks to it\n  hosts: {CLIENT}\n  become: true\n  tasks:\n    - role: waypoint_context\n      with: {{address: {HERE}, releases: \"{url}/waypoint\", token: \"{{{{ hosts['{SERVER}'].kept.waypoint_token }}}}\"}}\n"
        ));
    };
    let (set, service) = ("/apis/apps/v1/namespaces/lab-waypoint/statefulsets/waypoint-server", "/api/v1/namespaces/lab-waypoint/services/waypoint");
    let but: Vec<&str> = BUT.iter().copied().chain(["root/.kube/cache", "srv/waypoint.log", "srv/bootstrapped", "var/lib/waypoint-token.aside"]).collect();
    let state = || nodes.map(|node| disk(&root(node), Times::OfFilesInSeconds, &but));
    let applied = |code: i32| rolling_out(&cluster, &[(set.to_owned(), 0)], || run(code, &["apply", "inventory.yaml", "--yes", "-vv"]));
    let before = state();

    // Its pods never get ready.
    play("3s");
    let failed = run(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("timed out waiting for the condition"), "{}{}", failed.out, failed.err);
    // They do, and its pages are not there.
    play("8s");
    let failed = applied(3);
    assert!(failed.err.contains("after 8 s it is still so: none"), "{}{}", failed.out, failed.err);
    assert_eq!((bootstraps(), cluster.has(set), cluster.has(service)), (0, false, false));
    nodes.iter().zip(before.iter().zip(&state())).for_each(|(node, (before, after))| same(node, before, after));

    let _pages = Pages::serve(&lab);
    play("60s");
    let mut said = String::new();
    let mut hear = |ended: crate::site::Ended| said += &(ended.out + &ended.err);
    let leaked = shown(TOKEN, || {
        hear(run(0, &["plan", "inventory.yaml", "-vv", "--out", "saved"]));
        hear(rolling_out(&cluster, &[(set.to_owned(), 0)], || lab.site.expect(0, &["apply", "saved", "--yes", "-vv"])));
        hear(run(0, &["apply", "inventory.yaml", "--yes", "-vv"]));
        hear(run(0, &["plan", "inventory.yaml", "--detailed-exitcode", "--json", "--out", "saved"]));
        hear(run(0, &["drift", "inventory.yaml"]));
        hear(run(0, &["history", "inventory.yaml", "-v"]));
        hear(run(0, &["history", "inventory.yaml", "--json"]));
    });
    assert!(!leaked, "the token was among the arguments or in the environment of a process");
    assert!(!said.contains(TOKEN), "the token is in an output:\n{said}");
    assert_eq!(bootstraps(), 1);
    lab.has_nothing_to_do("inventory.yaml", &nodes);
    // As the cluster has it: what the vendor's and the role's manifests have in common.
    let claim = cluster.object(set)["spec"]["volumeClaimTemplates"][0]["spec"].clone();
    assert_eq!((claim["storageClassName"].as_str(), claim["accessModes"][0].as_str(), claim["resources"]["requests"]["storage"].as_str()), (Some("nfs-storage"), Some("ReadWriteOnce"), Some("1Gi")));
    let ports: Vec<i64> = cluster.object(service)["spec"]["ports"].as_array().unwrap().iter().map(|port| port["port"].as_i64().unwrap()).collect();
    assert_eq!(ports, [9701, 9702]);

    // On the nodes: for root's eyes only, and where it must be.
    for node in nodes {
        let found = has_token(&lab, node);
        let expected: &[&str] = if node == SERVER { &["600 /var/lib/homelab/kept", "600 /var/lib/waypoint-token"] } else { &["600 /root/.config/waypoint/context/home.hcl"] };
        assert_eq!(found, expected, "{node}");
        let journal = docker(&["exec", &container(node), "sh", "-c", "! command -v journalctl >/dev/null || journalctl --no-pager --output export --quiet"]);
        assert!(journal.status.success() && !String::from_utf8_lossy(&journal.stdout).contains(TOKEN), "{node}: the token is in its journal");
    }
    // Nor in what the controller keeps.
    let here = Command::new("grep").args(["-rlaF", TOKEN]).arg(lab.site.path("")).output().unwrap();
    let here: Vec<String> = String::from_utf8(here.stdout).unwrap().lines().filter(|line| !line.ends_with("/needle")).map(str::to_owned).collect();
    assert!(here.iter().all(|file| Path::new(file).metadata().unwrap().permissions().mode() & 0o077 == 0), "others can read {here:?}");

    // Somebody else's change is what the plan shows, and is set right.
    by_hand(SERVER, "kubectl -n lab-waypoint set image statefulset/waypoint-server server=example/else:1");
    let plan = run(2, &["plan", "inventory.yaml", "--detailed-exitcode"]).out;
    assert!(plan.contains("image: example/else:1") && plan.contains("image: registry.example/waypoint:0.1.3"), "{plan}");
    let generation = cluster.object(set)["metadata"]["generation"].as_i64().unwrap();
    rolling_out(&cluster, &[(set.to_owned(), generation)], || run(0, &["apply", "inventory.yaml", "--yes"]));
    lab.has_nothing_to_do("inventory.yaml", &nodes);

    // Both runs are taken back, the last one first; what the server said once stays for the next, which does not ask it again.
    let history: serde_json::Value = serde_json::from_str(&lab.site.expect(0, &["history", "inventory.yaml", "--json", "--limit", CLIENT]).out).unwrap();
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", SERVER]);
    run(0, &["rollback", "inventory.yaml", "--yes", history["hosts"][0]["runs"][0]["run"].as_str().unwrap()]);
    assert_eq!((cluster.has(set), cluster.has(service)), (false, false));
    nodes.iter().zip(before.iter().zip(&state())).for_each(|(node, (before, after))| same(node, before, after));
    assert_eq!(has_token(&lab, SERVER), ["600 /var/lib/waypoint-token.aside"]);
    applied(0);
    assert_eq!(bootstraps(), 1);
    lab.has_nothing_to_do("inventory.yaml", &nodes);

    // A newer release is a change of the client, too.
    let playbook = std::fs::read_to_string(lab.site.path("site.yaml")).unwrap();
    lab.site.write("site.yaml", &playbook.replace("releases:", "version: 0.11.4, releases:"));
    let plan = run(2, &["plan", "inventory.yaml", "--detailed-exitcode"]).out;
    assert_eq!(plan.matches("→ /usr/local/bin/waypoint-0.11.4").count(), 2, "{plan}");
    assert!(!plan.contains("conflict"), "{plan}");

    clean();
    by_hand(SERVER, "rm -rf /root/.kube; apt-get -qq -y purge kubernetes-client kubectl >/dev/null 2>&1");
    by_hand(CLIENT, "rm -rf /root/.kube");
}
