//! `homelab plan --against …`: a plan that contacts nobody.

use crate::lan::{Lan, Node};

const TASKS: &str = "\
- name: A directory
  file: {path: /srv/pages, state: directory}
- name: A page
  copy: {dest: /srv/pages/index.html, content: \"hello\\n\"}
- name: A line
  lineinfile: {path: /etc/hosts, line: 10.0.0.1 router}
- name: A secret
  copy: {dest: /srv/token, content: \"{{ token }}\", mode: '0600'}
- name: A setting of a service that its package brings
  copy: {dest: /etc/nginx/conf.d/site.conf, content: \"x\\n\"}";

fn lan() -> (Lan, Node) {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("become: true")]);
    lan.tasks(TASKS);
    lan.trust();
    lan.expect(0, &["secret", "keygen", "--identity", "id"]);
    lan.write("plain", "s3cr3t-token");
    lan.expect(0, &["secret", "encrypt", "plain", "--identity", "id"]);
    let sealed: String = std::fs::read_to_string(lan.path("plain")).unwrap().lines().map(|line| format!("      {line}\n")).collect();
    lan.write("inventory.yaml", &format!("{}vars:\n  token: |\n{sealed}", std::fs::read_to_string(lan.path("inventory.yaml")).unwrap()));
    (lan, node)
}

#[test]
fn a_blank_system_is_planned_for_without_contact() {
    let (lan, node) = lan();
    let contacts = node.connections();
    let plan = lan.expect(0, &["plan", "inventory.yaml", "--against", "blank", "--identity", "id"]);
    assert_eq!(node.connections(), contacts);
    assert!(plan.err.contains("pi-1: as if it were freshly installed"), "{}", plan.err);
    let lines: Vec<&str> = plan.out.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert_eq!(
        lines,
        [
            "  + A directory  file:/srv/pages",
            "  + A page  copy:/srv/pages/index.html",
            "  ? A line  lineinfile:/etc/hosts#10.0.0.1 router  known after apply (what the installed system brings)",
            "  + A secret  copy:/srv/token",
            "  + A setting of a service that its package brings  copy:/etc/nginx/conf.d/site.conf  known after apply (what the installed system brings)",
        ]
    );
    let usage = lan.expect(64, &["plan", "inventory.yaml", "--against", "blank", "--out", "p"]);
    assert!(usage.err.contains("--against"), "{}", usage.err);
}

#[test]
fn a_node_is_planned_for_as_it_was_last_seen() {
    let (lan, node) = lan();
    lan.tasks(&TASKS[..TASKS.find("- name: A setting").unwrap()]);
    let token = ["--identity", "id"];
    let seen = [&["plan", "inventory.yaml", "--against", "last-seen", "--detailed-exitcode"], &token[..]].concat();
    let never = lan.expect(1, &seen);
    assert!(never.err.contains("pi-1: it has not been seen from here yet"), "{}", never.err);

    lan.expect(0, &[&["apply", "inventory.yaml", "--yes"], &token[..]].concat());
    let contacts = node.connections();
    let plan = lan.expect(2, &seen);
    assert!(plan.err.contains("pi-1: as it was seen on 20"), "{}", plan.err);
    // Of what is secret nothing is kept, so nothing is known.
    let after = |out: &str| out.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).map(str::to_owned).collect::<Vec<_>>();
    let secret = "  ? A secret  known after apply (what is not kept of the node here)";
    assert_eq!(after(&plan.out), [secret]);

    lan.tasks(&TASKS[..TASKS.find("- name: A setting").unwrap()].replace("hello", "welcome").replace("10.0.0.1 router", "10.0.0.2 router"));
    let plan = lan.expect(2, &seen);
    assert_eq!(after(&plan.out), ["  ~ A page  copy:/srv/pages/index.html", "  ? A line  known after apply (what is not kept of the node here)", secret]);
    assert!(plan.out.starts_with("pi-1  1 to change, 2 known after apply; 1 as wished\n"), "{}", plan.out);
    assert_eq!(node.connections(), contacts);

    // Nothing of what was said or written is in what is kept.
    for entry in walk(&lan.path("cache")) {
        let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
        assert!(!text.contains("s3cr3t") && !text.contains("hello") && !text.contains("/srv/token"), "{}: {text}", entry.display());
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&entry).unwrap().permissions()) & 0o777, 0o600);
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
