//! The shipped roles of Waypoint, on two nodes with stand-ins for kubectl, the cluster and Waypoint: its server is bootstrapped once, and the
//! token is where it must be and nowhere else.

use crate::shown::{control, shown};
use crate::site::Site;
use std::path::Path;

const TOKEN: &str = "3Fhushy-Token0123456789";
const PLAYS: &str = "\
- name: The server
  hosts: router
  become: true
  tasks:
    - role: waypoint_server
      with: {platform: linux/arm/v7, image: \"registry.example/waypoint:0.1.3\", address: 10.23.220.90}
- name: Who speaks to it
  hosts: pi
  become: true
  tasks:
    - role: waypoint_context
      with: {address: 10.23.220.90, token: \"{{ hosts['router'].kept.waypoint_token }}\"}
";

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copied(&entry.path(), &to) } else { assert!(std::fs::copy(entry.path(), to).is_ok()) }
    }
}

fn site() -> Site {
    let site = Site::bare();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    copied(&here.join("playbooks/roles"), &site.path("roles"));
    copied(&here.join("templates"), &site.path("templates"));
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  router: {sandbox: true}\n  pi: {sandbox: true}\n");
    for (name, text) in [("kubectl", include_str!("stand_ins/kubectl")), ("curl", include_str!("stand_ins/curl")), ("waypoint-0.1.3", include_str!("stand_ins/waypoint"))] {
        site.write(name, text);
    }
    site.tasks("- copy: {dest: \"/usr/local/bin/{{ item }}\", src: \"{{ item }}\", mode: 0755}\n  loop: [kubectl, curl, waypoint-0.1.3]");
    site.apply();
    site.write("site.yaml", PLAYS);
    site
}

fn bootstraps(site: &Site) -> usize {
    std::fs::read_to_string(site.inside("router", "/srv/waypoint.log")).unwrap_or_default().lines().filter(|line| line.starts_with("server bootstrap")).count()
}

#[test]
fn it_is_bootstrapped_once_and_its_token_shows_nowhere() {
    let site = site();
    control();

    let mut said = String::new();
    let mut run = |args: &[&str]| {
        let ended = site.expect(0, args);
        said += &ended.out;
        said += &ended.err;
    };
    let leaked = shown(TOKEN, || {
        run(&["plan", "inventory.yaml", "-vv"]);
        run(&["apply", "inventory.yaml", "--yes", "-vv"]);
        run(&["apply", "inventory.yaml", "--yes", "-vv"]);
        run(&["plan", "inventory.yaml", "--detailed-exitcode", "--json"]);
        run(&["drift", "inventory.yaml"]);
        run(&["history", "inventory.yaml", "-v"]);
        run(&["history", "inventory.yaml", "--json"]);
    });
    assert!(!leaked, "the token was in the process list");
    assert!(!said.contains(TOKEN), "{said}");
    assert_eq!(bootstraps(&site), 1);
    let context = std::fs::read_to_string(site.inside("pi", "/root/.config/waypoint/context/home.hcl")).unwrap();
    assert!(context.contains(TOKEN), "{context}");

    // Where it lies on the nodes: for nobody but root to read, and in no journal.
    for host in ["router", "pi"] {
        let found = std::process::Command::new("grep").args(["-rlI", TOKEN]).arg(site.inside(host, "/")).output().unwrap();
        let root = site.inside(host, "/").display().to_string();
        for path in String::from_utf8(found.stdout).unwrap().lines() {
            use std::os::unix::fs::PermissionsExt;
            let name = path.strip_prefix(&root).unwrap();
            assert!(!name.ends_with("journal"), "the token is in {name}");
            let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "others can read {name}");
        }
    }
}

#[test]
fn a_token_survives_that_its_run_is_taken_back() {
    let site = site();
    site.write("site.yaml", &PLAYS.replace("- name: Who", "    - name: Break\n      command: {argv: [\"false\"]}\n- name: Who"));
    site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(!site.inside("router", "/var/lib/waypoint-token").exists());
    site.write("site.yaml", PLAYS);
    site.apply();
    // The server would not have said it again.
    assert_eq!(bootstraps(&site), 1);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

/// As `waypoint install -show-yaml` of 0.1 prints it, and with what others put into theirs: comments, quotes of each kind, anchors, flow
/// and block style, blanks at a line's end, documents that are not the one that is meant, and values that look like it.
const VENDORS: &str = r#"# Rendered by the vendor's tool; "image: hashicorp/waypoint:latest" is set below.
---
apiVersion: v1
kind: Service
metadata: {name: waypoint, labels: &labels {"app": 'waypoint-server'}}   # two blanks, and a comment
spec:
    type:   LoadBalancer
    ports: [{name: grpc, port: 9701}, {name: "http", port: 0x25E6}]
    selector: *labels
--- # the one that is patched
apiVersion: apps/v1
kind: "StatefulSet"
metadata:
  name: waypoint-server
  annotations:
    note: |
      image: hashicorp/waypoint:latest
      storageClassName: standard

    folded: >-
      one
      two
spec:
  serviceName: waypoint
  template:
    spec:
      containers:
      # The first one.
      - name: 'server'
        image: "hashicorp/waypoint:latest" # pinned by nobody
        imagePullPolicy: Always
        args: ['server',  "run", -vvv,
               "-db=/alloc/data.db"]
      - {name: side, image: hashicorp/waypoint:latest}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: ["ReadWriteOnce"]
      storageClassName:   standard
      resources: {requests: {storage: 1Gi}}
...
---
apiVersion: v1
kind: ConfigMap
metadata: {name: after}
data: {image: hashicorp/waypoint:latest, on: "yes", empty: , tilde: ~}
"#;

#[test]
fn a_vendors_manifest_is_patched_and_no_other_byte_of_it() {
    let site = site();
    let play = PLAYS.split("- name: Who").next().unwrap().replace("address: 10.23.220.90", "address: 10.23.220.90, apply: false, manifest: \"{{ vendors }}\"");
    let indented: String = VENDORS.lines().map(|line| format!("      {line}\n")).collect();
    site.write("site.yaml", &play.replace("  become: true\n", &format!("  become: true\n  vars:\n    vendors: |\n{indented}")));
    site.apply();
    let written = std::fs::read_to_string(site.inside("router", "/srv/waypoint/manifest.yaml")).unwrap();
    let expected = VENDORS.replace("image: \"hashicorp/waypoint:latest\" #", "image: registry.example/waypoint:0.1.3 #").replace("storageClassName:   standard\n", "storageClassName:   nfs-storage\n");
    assert_eq!(expected.matches("hashicorp/waypoint:latest").count(), VENDORS.matches("hashicorp/waypoint:latest").count() - 1);
    assert_eq!(written, expected);
}
