//! Scenario D: a private npm registry by the shipped roles: the real Verdaccio in a container, and real npm clients on two other nodes.

use crate::kinds::state;
use crate::nodes::{Lab, by_hand, comes_back, container, does, docker, root, until};
use crate::tree::same;
use std::process::Output;
use std::time::Duration;

const URL: &str = "http://10.207.1.10:4873";
/// Who publishes, and who installs: the latter from behind the router.
const PUBLISHER: &str = "bookworm";
const CLIENT: &str = "inner";

/// A playbook with the shipped roles; `size` is the largest package, where it is said.
fn playbook(size: Option<&str>) -> String {
    let size = size.map_or_else(String::new, |size| format!(", max_body_size: {size}"));
    format!(
        "- name: Registry\n  hosts: trixie\n  become: true\n  tasks:\n    - role: verdaccio\n      with: {{version: \"6\", scopes: [\"@lab\"], registration: open{size}}}\n\
         - name: Clients\n  hosts: {PUBLISHER},{CLIENT}\n  become: true\n  tasks:\n    - role: npm_client\n      with: {{file: /root/.npmrc, scope: \"@lab\", registry: \"{URL}\", owner: root, token: \"{{{{ npm_token if host.name == '{PUBLISHER}' else '' }}}}\"}}\n"
    )
}

/// npm and what runs it, as this machine has them: nodes need none of their own.
fn has_npm(node: &str) {
    by_hand(node, "mkdir -p /opt/npm/bin /opt/npm/lib");
    for (what, to) in [("node", "bin/node"), ("npm", "lib")] {
        let found = std::process::Command::new("sh").args(["-c", &format!("readlink -f \"$(command -v {what})\"")]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap().trim().to_owned();
        let from = if what == "npm" { found.strip_suffix("/bin/npm-cli.js").unwrap_or_else(|| panic!("npm is at {found}")).to_owned() } else { found };
        assert!(std::process::Command::new("cp").arg("-rL").arg(from).arg(root(node).join("opt/npm").join(to)).status().unwrap().success());
    }
}

fn npm(node: &str, script: &str) -> Output {
    let script = format!("export HOME=/root PATH=/opt/npm/bin:$PATH; npm() {{ node /opt/npm/lib/npm/bin/npm-cli.js --no-update-notifier --no-audit --no-fund \"$@\"; }}\nset -e\n{script}");
    docker(&["exec", &container(node), "sh", "-c", &script])
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn does_npm(node: &str, script: &str) -> String {
    let output = npm(node, script);
    assert!(output.status.success(), "{node}: {script}\n{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What `npm adduser` asks the registry for.
const ADDUSER: &str = "node -e '
fetch(process.argv[1] + \"/-/user/org.couchdb.user:lab\", {method: \"PUT\", headers: {\"content-type\": \"application/json\"}, body: JSON.stringify({name: \"lab\", password: \"long enough for it\"})})
  .then(answer => answer.json()).then(answer => { if (!answer.token) throw new Error(JSON.stringify(answer)); console.log(answer.token); })' ";

#[test]
fn the_roles_are_taken_back() {
    let Some(lab) = Lab::up() else { return };
    lab.has_roles();
    let nodes = ["trixie", PUBLISHER, CLIENT];
    // Images that were pulled stay: it is there before.
    by_hand("trixie", "docker rm -f verdaccio >/dev/null 2>&1; rm -rf /srv/verdaccio; docker pull --quiet verdaccio/verdaccio:6");
    for node in [PUBLISHER, CLIENT] {
        by_hand(node, "rm -f /root/.npmrc");
    }
    let limit = nodes.join(",");
    lab.site.write("secrets.yaml", "npm_token: a-token\n");
    let play = playbook(None).replace("registration: open", "registration: closed, users: {ann: her-password}").replace("  become: true\n", "  become: true\n  vars_files: [secrets.yaml]\n");
    let before = state(&nodes);
    // What the registry has written by the time that a first apply fails is in nobody's way.
    lab.site.write("site.yaml", &format!("{play}- name: Fail\n  hosts: trixie\n  become: true\n  tasks:\n    - command: \"false\"\n"));
    let failed = lab.site.expect(3, &["apply", "inventory.yaml", "--yes", "--limit", "trixie"]);
    assert!(format!("{}{}", failed.out, failed.err).contains("what was in /srv/verdaccio/storage is kept on the node"), "{}{}", failed.out, failed.err);
    same("not taken back", &before, &state(&nodes));
    lab.site.write("site.yaml", &play);
    let ended = lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", &limit]);
    for secret in ["a-token", "her-password", "$2b$"] {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{secret} is shown");
    }
    assert_eq!(by_hand("trixie", "stat -c '%u %a' /srv/verdaccio/storage/htpasswd").trim(), "10001 600");
    lab.has_nothing_to_do("inventory.yaml", &nodes);
    assert!(does_npm_login("ann", "her-password") && !does_npm_login("ann", "another") && !does_npm_login("eve", "her-password"));

    // What the registry has stored is nobody's to remove: that is said, and `--force` puts it aside.
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", &format!("{PUBLISHER},{CLIENT}")]);
    let refused = lab.site.expect(1, &["rollback", "inventory.yaml", "--yes", "--limit", "trixie"]);
    assert!(format!("{}{}", refused.out, refused.err).contains("/srv/verdaccio/storage"), "{}{}", refused.out, refused.err);
    let back = lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", "trixie", "--force"]);
    assert!(format!("{}{}", back.out, back.err).contains("is kept on the node"), "{}{}", back.out, back.err);
    same("not taken back", &before, &state(&nodes));
}

/// Whether the registry lets them in, as `npm login` asks it.
fn does_npm_login(name: &str, password: &str) -> bool {
    let body = format!("{{\"name\": \"{name}\", \"password\": \"{password}\"}}");
    let asks = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "-u", &format!("{name}:{password}"), "-H", "content-type: application/json", "-d", &body];
    let said = std::process::Command::new("curl").args(asks).arg(format!("{URL}/-/user/org.couchdb.user:{name}")).output().unwrap();
    String::from_utf8_lossy(&said.stdout).trim() == "201"
}

#[test]
fn a_package_of_more_than_ten_megabytes_is_published_and_installed() {
    let Some(lab) = Lab::up() else { return };
    lab.has_roles();
    let nodes = ["trixie", PUBLISHER, CLIENT];
    by_hand("trixie", "docker rm -f verdaccio >/dev/null 2>&1; rm -rf /srv/verdaccio");
    for node in [PUBLISHER, CLIENT] {
        by_hand(node, "rm -rf /root/.npmrc /root/big /root/user");
        has_npm(node);
    }
    let limit = nodes.join(",");
    let with = |token: &str| lab.site.write("secrets.yaml", &format!("npm_token: \"{token}\"\n"));
    let play = |size: Option<&str>| lab.site.write("site.yaml", &playbook(size).replace("  become: true\n", "  become: true\n  vars_files: [secrets.yaml]\n"));
    let apply = || lab.site.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", &limit]);

    with("");
    play(Some("500mb"));
    apply();
    assert!(by_hand("trixie", "docker inspect --format '{{.State.Health.Status}} {{.Config.User}}' verdaccio").starts_with("healthy 10001"));
    assert_eq!(by_hand("trixie", "stat -c '%u %a' /srv/verdaccio/storage").trim(), "10001 750");
    let token = does_npm(PUBLISHER, &format!("{ADDUSER} {URL}")).trim().to_owned();
    with(&token);
    let ended = apply();
    assert!(!ended.out.contains(&token) && !ended.err.contains(&token));
    assert_eq!(by_hand(PUBLISHER, "stat -c %a /root/.npmrc").trim(), "600");
    lab.has_nothing_to_do("inventory.yaml", &nodes);

    let publish = |version: &str| {
        npm(PUBLISHER, &format!("mkdir -p ~/big && cd ~/big && [ -e data ] || head -c 12000000 /dev/urandom >data\nprintf '{{\"name\": \"@lab/big\", \"version\": \"{version}\"}}' >package.json && npm publish"))
    };
    let published = publish("1.0.0");
    assert!(published.status.success(), "{}", said(&published));
    let sum = by_hand(PUBLISHER, "sha256sum </root/big/data");
    let install = |version: &str| {
        does_npm(CLIENT, &format!("rm -rf ~/user ~/.npm && mkdir ~/user && cd ~/user && npm install @lab/big@{version}"));
        assert_eq!(by_hand(CLIENT, "sha256sum </root/user/node_modules/@lab/big/data"), sum);
    };
    install("1.0.0");

    // Data survives another apply and a restart of the node.
    lab.has_nothing_to_do("inventory.yaml", &nodes);
    does(&["restart", "--time", "5", &container("trixie")]);
    comes_back("trixie");
    until("the registry is up again", Duration::from_secs(90), || npm(CLIENT, &format!("node -e 'fetch(\"{URL}/-/ping\").catch(() => process.exit(1))'")).status.success());
    install("1.0.0");

    // With the size that Verdaccio has by itself, it is refused.
    play(None);
    let plan = lab.site.expect(0, &["plan", "inventory.yaml", "--limit", "trixie"]);
    assert!(plan.out.contains("-max_body_size: 500mb") && plan.out.contains("+max_body_size: 10mb"), "{}", plan.out);
    apply();
    let refused = publish("1.0.1");
    assert!(!refused.status.success() && said(&refused).contains("413"), "{}", said(&refused));
    install("1.0.0");
    // And taken back, it is not.
    lab.site.expect(0, &["rollback", "inventory.yaml", "--yes", "--limit", "trixie"]);
    let published = publish("1.0.1");
    assert!(published.status.success(), "{}", said(&published));
    install("1.0.1");

    assert!(root("trixie").join("srv/verdaccio/storage/data/@lab/big").exists());
    by_hand("trixie", "docker rm -f verdaccio >/dev/null; docker network rm verdaccio_default >/dev/null 2>&1; rm -rf /srv/verdaccio /var/lib/homelab/compose");
    for node in [PUBLISHER, CLIENT] {
        by_hand(node, "rm -rf /root/.npmrc /root/.npm /root/big /root/user /opt/npm");
    }
}
