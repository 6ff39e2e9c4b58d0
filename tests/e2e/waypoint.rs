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
    for (name, text) in [("kubectl", include_str!("stand_ins/kubectl")), ("curl", include_str!("stand_ins/curl")), ("waypoint", include_str!("stand_ins/waypoint"))] {
        site.write(name, text);
    }
    site.tasks("- copy: {dest: \"/usr/local/bin/{{ item }}\", src: \"{{ item }}\", mode: 0755}\n  loop: [kubectl, curl, waypoint]");
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

#[test]
fn a_vendors_manifest_is_patched_and_no_other_byte_of_it() {
    let site = site();
    let vendors = "# As a vendor prints it.\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: waypoint-server}   # two blanks\nspec:\n  serviceName: waypoint\n  template:\n    spec:\n      containers:\n      - name: server\n        image: hashicorp/waypoint:latest\n        args: ['server',  'run']\n  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec:\n      storageClassName: standard\n";
    site.write("vendor.yaml", vendors);
    let play = PLAYS.split("- name: Who").next().unwrap().replace("address: 10.23.220.90", "address: 10.23.220.90, apply: false, manifest: \"{{ lookup }}\"");
    let indented: String = vendors.lines().map(|line| format!("      {line}\n")).collect();
    site.write("site.yaml", &play.replace("  become: true\n", &format!("  become: true\n  vars:\n    lookup: |\n{indented}")));
    site.apply();
    let written = std::fs::read_to_string(site.inside("router", "/srv/waypoint/manifest.yaml")).unwrap();
    let expected = vendors.replace("hashicorp/waypoint:latest", "registry.example/waypoint:0.1.3").replace("standard", "nfs-storage");
    assert_eq!(written.trim_end(), expected.trim_end());
}
