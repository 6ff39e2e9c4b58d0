//! Docker on a bare node, and projects of compose on it: installed, brought up, drifted in each way, taken back; and images that are for
//! other machines.

use crate::disk::disk;
use crate::kinds::BUT;
use crate::nodes::{Lab, by_hand, repo, root, until};
use crate::registry;
use crate::site::Ended;
use crate::tree::{Times, same};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A Debian without docker, whose containers have a place of their own.
const BARE: &str = "aptlock";
/// One that has it.
pub const DOCKER: &str = "trixie";

/// Pushes an image that answers with `says` to the registry of the lab, as `name`, for `platform`. It is healthy until `/sick` is there.
pub fn image(lab: &Lab, name: &str, platform: &str, says: &str) {
    let script = r#"set -e
        rm -rf "$1"; mkdir -p "$1/bin" "$1/usr/bin" "$1/www"; cp /run/homelab-lab/busybox "$1/bin/busybox"; ln -s busybox "$1/bin/sh"
        echo "$2" >"$1/www/index.html"; printf '#!/bin/sh\n[ ! -e /sick ]\n' >"$1/usr/bin/mysqladmin"; chmod 755 "$1/usr/bin/mysqladmin""#;
    let dir = lab.site.path("image");
    registry::sh(script, &dir, &[says]);
    registry::push(&dir, name, platform, r#"{"Entrypoint":["/bin/busybox","httpd","-f","-h","/www","-p","80"],"StopSignal":"SIGKILL"}"#);
}

/// A site of `node` only, with the shipped roles.
pub fn site(lab: &Lab, node: &str, tasks: &str) {
    for dir in ["playbooks/roles", "templates"] {
        let to = lab.site.path(dir);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        if !Path::exists(&to) {
            assert!(Command::new("cp").arg("-r").arg(repo().join(dir)).arg(&to).status().unwrap().success());
        }
    }
    let body: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    lab.site.write("site.yaml", &format!("- name: Docker\n  hosts: {node}\n  become: true\n  tasks:\n{body}"));
}

pub fn run(lab: &Lab, code: i32, words: &[&str], node: &str) -> Ended {
    let words: Vec<&str> = words.iter().copied().chain(["--limit", node]).collect();
    lab.site.expect(code, &words)
}

pub fn apply(lab: &Lab, node: &str) {
    run(lab, 0, &["apply", "inventory.yaml", "--yes"], node);
}

/// What the next plan shows is this and nothing else; then it is made so.
fn plans(lab: &Lab, node: &str, what: &str) {
    let plan = run(lab, 2, &["plan", "inventory.yaml", "--detailed-exitcode"], node).out;
    let changes: Vec<&str> = plan.lines().filter(|line| line.starts_with("  ~ ") || line.starts_with("  + ") || line.starts_with("  - ") || line.starts_with("  ! ")).collect();
    assert_eq!(changes.len(), 1, "{plan}");
    let says: Vec<&str> = plan.lines().filter(|line| line.starts_with("      ")).map(str::trim).collect();
    assert_eq!(says, [what], "{plan}");
    apply(lab, node);
    lab.has_nothing_to_do("inventory.yaml", &[node]);
}

fn image_of(node: &str, container: &str) -> String {
    by_hand(node, &format!("docker inspect --format '{{{{.Image}}}}' {container}")).trim().to_owned()
}

const PROJECT: &str = "- file: {path: /srv/wiki, state: directory}
- name: Run the wiki
  docker_compose:
    project_src: /srv/wiki
    definition:
      services:
        web:
          image: lab-web:${TAG}
          environment: {COLOUR: \"${COLOUR}\"}
          healthcheck: {test: [CMD, /bin/sh, -c, \"[ ! -e /sick ]\"], interval: 1s, retries: 2}
    env: {TAG: \"@TAG@\", COLOUR: \"@COLOUR@\"}
";

fn project(tag: &str, colour: &str) -> String {
    PROJECT.replace("@TAG@", tag).replace("@COLOUR@", colour)
}

/// What an earlier run of the tests may have left.
fn clean() {
    by_hand(
        DOCKER,
        "docker compose --project-name wiki down 2>/dev/null; rm -rf /srv/wiki /var/lib/homelab/compose; docker image ls --format '{{.Repository}}:{{.Tag}}' | grep '^lab-' | xargs -r docker image rm --force >/dev/null",
    );
}

#[test]
fn each_way_in_which_a_project_drifts_is_what_the_next_plan_shows() {
    let Some(lab) = Lab::up() else { return };
    clean();
    image(&lab, "lab-web:1", "linux/amd64", "one");
    image(&lab, "lab-web:2", "linux/amd64", "two");
    site(&lab, DOCKER, &project("1", "red"));
    apply(&lab, DOCKER);
    lab.has_nothing_to_do("inventory.yaml", &[DOCKER]);
    let one = image_of(DOCKER, "wiki-web-1");

    by_hand(DOCKER, "docker rm --force wiki-web-1");
    plans(&lab, DOCKER, "make web-1, which is gone");

    by_hand(DOCKER, "docker stop wiki-web-1");
    plans(&lab, DOCKER, "start web-1, which has ended with status 137");

    by_hand(DOCKER, "docker exec wiki-web-1 busybox touch /sick");
    until("it is unhealthy", Duration::from_secs(30), || by_hand(DOCKER, "docker inspect --format '{{.State.Health.Status}}' wiki-web-1").trim() == "unhealthy");
    plans(&lab, DOCKER, "make web-1 anew, which is unhealthy");

    by_hand(DOCKER, "docker pull --quiet lab-web:2 && docker tag lab-web:2 lab-web:1");
    let two = by_hand(DOCKER, "docker image inspect --format '{{.Id}}' lab-web:2").trim().to_owned();
    assert_ne!(one, two);
    let short = |id: &str| id["sha256:".len()..][..12].to_owned();
    plans(&lab, DOCKER, &format!("make web-1 anew: lab-web:1 is another image now, {} → {}", short(&one), short(&two)));
    assert_eq!(image_of(DOCKER, "wiki-web-1"), two);
    by_hand(DOCKER, &format!("docker tag {one} lab-web:1"));
    apply(&lab, DOCKER);

    // An environment value: the file's line, and who takes it up.
    site(&lab, DOCKER, &project("1", "blue"));
    let plan = run(&lab, 2, &["plan", "inventory.yaml", "--detailed-exitcode"], DOCKER).out;
    for line in ["-COLOUR=red", "+COLOUR=blue", "take up /srv/wiki/.env, which is another than when it was last brought up"] {
        assert!(plan.contains(line), "{line}: {plan}");
    }

    // A newer version, and a step after it that fails: the older one is up again, with its files and its image.
    site(&lab, DOCKER, &(project("2", "blue") + "- name: Break\n  command: {argv: [\"false\"]}\n"));
    run(&lab, 3, &["apply", "inventory.yaml", "--yes"], DOCKER);
    assert_eq!(image_of(DOCKER, "wiki-web-1"), one);
    let environment = by_hand(DOCKER, "docker inspect --format '{{.Config.Env}} {{.State.Status}}' wiki-web-1; cat /srv/wiki/.env");
    assert!(environment.contains("COLOUR=red]") || environment.contains("COLOUR=red "), "{environment}");
    assert!(environment.contains(" running") && environment.ends_with("COLOUR=red\nTAG=1\n"), "{environment}");
    site(&lab, DOCKER, &project("1", "red"));
    lab.has_nothing_to_do("inventory.yaml", &[DOCKER]);

    // The same for a run that is over.
    site(&lab, DOCKER, &project("2", "blue"));
    apply(&lab, DOCKER);
    assert_eq!(image_of(DOCKER, "wiki-web-1"), two);
    run(&lab, 0, &["rollback", "inventory.yaml", "--yes"], DOCKER);
    assert_eq!(image_of(DOCKER, "wiki-web-1"), one);
    site(&lab, DOCKER, &project("1", "red"));
    lab.has_nothing_to_do("inventory.yaml", &[DOCKER]);
    clean();
}

#[test]
fn an_image_for_other_machines_is_refused_before_anything_changes() {
    let Some(lab) = Lab::up() else { return };
    clean();
    image(&lab, "lab-arm:1", "linux/arm64", "arm");
    let task = |image: &str| format!("- file: {{path: /srv/wiki, state: directory}}\n- docker_compose: {{project_src: /srv/wiki, definition: {{services: {{web: {{image: \"{image}\"}}}}}}}}\n- docker_image: \"{image}\"");
    site(&lab, DOCKER, &task("lab-arm:1"));
    let refused = run(&lab, 1, &["apply", "inventory.yaml", "--yes"], DOCKER);
    assert_eq!(refused.err.matches("lab-arm:1 has nothing for linux/amd64: it offers linux/arm64").count(), 2, "{}", refused.err);
    assert_eq!(by_hand(DOCKER, "ls /srv | grep -c wiki || true").trim(), "0", "something was done");
    // What cannot be asked is said, and is no refusal.
    site(&lab, DOCKER, &task("10.207.1.99:5000/lab-none:1"));
    let doubt = run(&lab, 2, &["plan", "inventory.yaml", "--detailed-exitcode"], DOCKER);
    assert!(doubt.out.contains("could not ask whether 10.207.1.99:5000/lab-none:1 is there for linux/amd64: "), "{}{}", doubt.out, doubt.err);
    clean();
}

#[test]
fn docker_on_a_bare_node_and_a_site_by_the_shipped_roles() {
    let Some(lab) = Lab::up() else { return };
    registry::site();
    // containerd makes a directory of its own.
    let but: Vec<&str> = BUT.iter().copied().chain(["etc/cni"]).collect();
    let disk = || disk(&root(BARE), Times::None, &but);
    let files = disk();
    let before = by_hand(BARE, "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' | sort; ls /srv /etc/docker 2>&1; id pi");
    assert!(!before.contains("docker.io"), "{BARE} is not bare");
    let roles = "- role: docker
  with:
    users: [pi]
    networks: [web]
    daemon: {registry-mirrors: [\"http://10.207.1.2:5000\"], log-driver: local, live-restore: true}
- role: compose_site
  with: {name: blog, domain: blog.example.org, directory: /srv/blog, data: /srv/blog-data, database_password: \"it's \\\"d\\\" $ecret\", root_password: hush-hush, adminer: true}
";
    site(&lab, BARE, roles);
    let done = run(&lab, 0, &["apply", "inventory.yaml", "--yes"], BARE);
    for secret in ["$ecret", "hush-hush"] {
        assert!(!done.out.contains(secret) && !done.err.contains(secret), "a secret is shown");
        assert_eq!(by_hand(BARE, &format!("grep -rlF '{secret}' /var/lib/homelab/runs/*/journal /var/lib/homelab/compose || true")), "");
    }
    lab.has_nothing_to_do("inventory.yaml", &[BARE]);
    let up = by_hand(BARE, "docker ps --format '{{.Names}} {{.State}}' | sort; id -nG pi; stat -c %a /srv/blog/.env; docker exec blog-site-1 busybox wget -qO- http://127.0.0.1/; docker exec blog-site-1 busybox env");
    for line in ["blog-adminer-1 running\nblog-database-1 running\nblog-site-1 running\n", " docker", "\n600\n", "wordpress:6\n", "WORDPRESS_DB_PASSWORD=it's \"d\" $ecret\n"] {
        assert!(up.contains(line), "{line:?} in {up}");
    }
    run(&lab, 0, &["rollback", "inventory.yaml", "--yes"], BARE);
    let after = by_hand(BARE, "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' | sort; ls /srv /etc/docker 2>&1; id pi");
    assert_eq!(before, after);
    same("not taken back", &files, &disk());
}
