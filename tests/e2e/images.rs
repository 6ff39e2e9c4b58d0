//! Whether images have something for the node: asked of a docker that `stand_ins/docker` plays, as the files and logins of the same run will have it.

use crate::site::Site;
use base64::Engine;
use std::fs;

const FITS: &str = r#"{"Platforms":[{"architecture":"amd64","os":"linux"},{"architecture":"arm64","os":"linux"},{"architecture":"arm","os":"linux","variant":"v6"}]}"#;
const FITS_NOT: &str = r#"{"Platforms":[{"architecture":"s390x","os":"linux"},{"architecture":"riscv64","os":"linux"}]}"#;

/// A site whose registries offer `images`, as many files.
fn site(images: &[(&str, &str)]) -> Site {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.write("docker", include_str!("stand_ins/docker"));
    let offers: String = images.iter().map(|(name, offers)| format!("- copy: {{dest: \"/srv/offers/{}\", content: '{offers}'}}\n", name.replace(['/', ':'], "_"))).collect();
    site.tasks(&format!("- file: {{path: /srv/offers, state: directory}}\n{offers}"));
    site.apply();
    site
}

fn has_docker(site: &Site) {
    site.tasks("- copy: {dest: /usr/local/bin/docker, src: docker, mode: 0755}");
    site.apply();
}

/// What has been asked, and with which login.
fn asked(site: &Site) -> Vec<(String, String)> {
    let log = site.inside("pi", "/srv/docker.log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(log);
    let login = |word: &str| match word {
        "without" => word.to_owned(),
        word => String::from_utf8(base64::engine::general_purpose::URL_SAFE.decode(word).unwrap()).unwrap(),
    };
    text.lines().map(|line| line.split_once(' ').unwrap()).map(|(image, word)| (image.to_owned(), login(word))).collect()
}

#[test]
fn a_compose_file_of_the_same_run_is_asked_for_when_planning() {
    let site = site(&[("big:1", FITS_NOT), ("fits:1", FITS)]);
    has_docker(&site);
    let tasks = |image: &str| {
        format!(
            "- file: {{path: /srv/wiki, state: directory}}\n- copy: {{dest: /srv/wiki/compose.yaml, content: \"services: {{web: {{image: '{image}'}}}}\"}}\n\
             - name: Run the wiki\n  docker_compose: /srv/wiki\n"
        )
    };
    site.tasks(&tasks("big:1"));
    let before = site.snapshot("pi");
    let refused = site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("big:1 has nothing for linux/") && refused.err.contains("it offers linux/s390x, linux/riscv64") && refused.err.contains("site.yaml:"), "{}", refused.err);
    assert_eq!(asked(&site), [("big:1".to_owned(), "without".to_owned())]);
    assert_eq!(before, site.snapshot("pi"), "something was done");
    site.tasks(&tasks("fits:1"));
    let plan = site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("bring up the project wiki\n") && !plan.contains("could not ask"), "{plan}");
    // What nobody could answer is said.
    site.tasks(&tasks("nobody:1"));
    let plan = site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("could not ask whether nobody:1 is there for linux/") && plan.contains(": manifest unknown"), "{plan}");
}

#[test]
fn where_docker_comes_with_the_run_it_is_asked_then() {
    let site = site(&[("big:1", FITS_NOT), ("fits:1", FITS)]);
    let tasks = |image: &str| {
        format!("- copy: {{dest: /srv/first, content: x}}\n- command: {{cmd: cp /srv/docker /usr/local/bin/docker, undo: rm /usr/local/bin/docker}}\n- docker_image: \"{image}\"\n")
    };
    fs::write(site.inside("pi", "/srv/docker"), include_str!("stand_ins/docker")).unwrap();
    fs::set_permissions(site.inside("pi", "/srv/docker"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    site.tasks(&tasks("big:1"));
    let refused = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.out.contains("known after apply"), "{}", refused.out);
    assert!(refused.err.contains("big:1 has nothing for linux/"), "{}", refused.err);
    for path in ["/srv/first", "/usr/local/bin/docker", "/srv/images"] {
        assert!(!site.inside("pi", path).exists(), "{path} is left");
    }
    site.tasks(&tasks("fits:1"));
    site.apply();
    assert!(site.inside("pi", "/srv/images/fits_1").exists());
}

#[test]
fn a_registry_is_asked_with_the_login_that_docker_has_there() {
    let site = site(&[("private.home/big:1", FITS_NOT), ("private.home/fits:1", FITS)]);
    has_docker(&site);
    let image = |name: &str| format!("- docker_image: \"private.home/{name}:1\"\n");
    site.tasks(&image("big"));
    let plan = site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("could not ask whether private.home/big:1 is there for linux/") && plan.contains("unauthorized: authentication required"), "{plan}");
    assert_eq!(asked(&site), [("private.home/big:1".to_owned(), "without".to_owned())]);

    // A login of the same run: then when it is there, and before anything is pulled.
    let login = "- docker_login: {registry_url: private.home, username: me, password: 'p\"w\\: hush-hush'}\n";
    site.tasks(&(login.to_owned() + &image("big")));
    let refused = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.out.contains("known after apply (the login in /root/.docker/config.json)"), "{}", refused.out);
    assert!(refused.err.contains("private.home/big:1 has nothing for linux/"), "{}", refused.err);
    assert!(!site.inside("pi", "/root/.docker").exists(), "the login is left");
    let with = r#"{"username":"me","password":"p\"w\\: hush-hush"}"#;
    assert_eq!(asked(&site).last().map(|(_, login)| login.as_str()), Some(with));

    site.tasks(login);
    let done = site.apply();
    assert_eq!(fs::metadata(site.inside("pi", "/root/.docker/config.json")).map(|file| std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777).unwrap(), 0o600);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    // Another one beside it shows neither.
    site.tasks(&(login.to_owned() + "- docker_login: {registry_url: other.home, username: you, password: another-one}\n"));
    let beside = site.expect(2, &["plan", "inventory.yaml", "-vv", "--detailed-exitcode"]).out;
    assert!(beside.contains("other.home") && !beside.contains("bWU6") && !beside.contains("another-one"), "{beside}");
    // And one that is there already: when planning.
    site.tasks(&(login.to_owned() + &image("big")));
    let refused = site.expect(1, &["plan", "inventory.yaml"]);
    assert!(refused.err.contains("private.home/big:1 has nothing for linux/"), "{}", refused.err);
    site.tasks(&(login.to_owned() + &image("fits")));
    let plan = site.expect(0, &["plan", "inventory.yaml", "-vv"]);
    assert!(plan.out.contains("pull private.home/fits:1\n") && !plan.out.contains("could not ask"), "{}", plan.out);
    let pulled = site.expect(0, &["apply", "inventory.yaml", "--yes", "-vv"]);
    for ended in [done, refused, plan, pulled] {
        for secret in ["hush-hush", "bWU6", &base64::engine::general_purpose::STANDARD.encode("p\"w\\: hush-hush")] {
            assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{secret} is shown:\n{}{}", ended.out, ended.err);
        }
    }
    assert!(site.inside("pi", "/srv/images/private.home_fits_1").exists());
    site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    // What a helper keeps is asked of it.
    fs::write(site.inside("pi", "/root/.docker/config.json"), "{\"credHelpers\": {\"private.home\": \"shelf\"}}").unwrap();
    site.tasks(&image("other"));
    let plan = site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("unauthorized: authentication required (docker-credential-shelf gives no login for it)"), "{plan}");
    site.tasks(login);
    let refused = site.expect(1, &["plan", "inventory.yaml"]);
    assert!(refused.err.contains("docker on the node keeps its logins with `docker-credential-shelf`"), "{}", refused.err);
}
