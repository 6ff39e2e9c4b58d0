//! A secret is on the node and nowhere else.

use crate::site::Site;

const SECRET: &str = "correct horse battery staple";

fn site() -> Site {
    let site = Site::bare();
    site.expect(0, &["secret", "keygen", "--identity", "id"]);
    site.write("plain", SECRET);
    site.expect(0, &["secret", "encrypt", "plain", "--identity", "id"]);
    let sealed: String = std::fs::read_to_string(site.path("plain")).unwrap().lines().map(|line| format!("      {line}\n")).collect();
    site.write("inventory.yaml", &format!("playbooks: [site.yaml]\nhosts:\n  pi:\n    sandbox: true\n    become: true\n    vars:\n     password: |\n{sealed}"));
    site.write("app.j2", "user=app\npassword={{ password }}\n");
    site.tasks("- name: Configure\n  template: {src: app.j2, dest: /etc/app.conf, mode: 0600}");
    site
}

#[test]
fn it_reaches_the_node_and_no_output() {
    let site = site();
    let mut said = String::new();
    for args in [
        &["plan", "inventory.yaml", "-vv", "--out", "p"][..],
        &["plan", "inventory.yaml", "--json"],
        &["apply", "p", "--yes", "-vv"],
        &["apply", "inventory.yaml", "--yes", "--json"],
        &["check", "inventory.yaml", "-vv"],
        &["check", "inventory.yaml", "--explain", "pi", "password"],
        &["facts", "inventory.yaml"],
    ] {
        let mut args = args.to_vec();
        args.extend(["--identity", "id"]);
        let ended = site.expect(0, &args);
        said += &ended.out;
        said += &ended.err;
    }
    assert_eq!(site.text("/etc/app.conf"), format!("user=app\npassword={SECRET}\n"));
    said += &std::fs::read_to_string(site.path("p")).unwrap();
    assert!(!said.contains(SECRET) && !said.contains("horse"), "{said}");
    assert!(said.contains("‹masked›"), "{said}");
    let journal = std::process::Command::new("grep").args(["-rl", SECRET]).arg(site.inside("pi", "/")).output().unwrap();
    let places = String::from_utf8(journal.stdout).unwrap();
    assert_eq!(places.lines().filter(|line| !line.ends_with("/etc/app.conf")).count(), 0, "{places}");
}

#[test]
fn without_the_identity_it_says_what_to_do() {
    let site = site();
    let ended = site.expect(1, &["check", "inventory.yaml"]);
    assert!(ended.err.contains("identity") && ended.err.contains("inventory.yaml:"), "{}", ended.err);
}
