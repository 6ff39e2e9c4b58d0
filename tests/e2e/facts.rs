//! Facts that cost the node a process are found when somebody reads them.

use crate::site::Site;
use std::os::unix::fs::PermissionsExt;

/// Two nodes; the one called `b` notes how often it was asked for its kernel's architecture, and says what the test likes.
fn site(tasks_of_a: &str) -> Site {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  a: {sandbox: true, become: true}\n  b: {sandbox: true, become: true}\n");
    plays(&site, tasks_of_a);
    site.apply();
    let uname = site.inside("b", "/usr/local/sbin/uname");
    std::fs::create_dir_all(uname.parent().unwrap()).unwrap();
    std::fs::write(&uname, "#!/bin/sh\necho asked >>/tmp/asked\nexec cat /tmp/machine\n").unwrap();
    std::fs::set_permissions(&uname, std::fs::Permissions::from_mode(0o755)).unwrap();
    says(&site, "armv6l");
    site
}

fn plays(site: &Site, tasks_of_a: &str) {
    site.write(
        "site.yaml",
        &format!("- name: One\n  hosts: a\n  become: true\n  tasks:\n    - {tasks_of_a}\n- name: Other\n  hosts: b\n  become: true\n  tasks:\n    - copy: {{dest: /srv/b, content: b}}\n"),
    );
}

fn says(site: &Site, machine: &str) {
    std::fs::write(site.inside("b", "/tmp/machine"), machine).unwrap();
}

fn asked(site: &Site) -> usize {
    std::fs::read_to_string(site.inside("b", "/tmp/asked")).unwrap_or_default().lines().count()
}

#[test]
fn an_architecture_is_asked_for_where_another_host_reads_them_and_not_before() {
    let site = site("copy: {dest: /srv/a, content: a}");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert_eq!(asked(&site), 0);
    site.expect(0, &["facts", "inventory.yaml"]);
    assert_eq!(asked(&site), 1);
    // Read from now on: what was last seen is not believed, however it came to be known.
    says(&site, "armv7l");
    plays(&site, "copy: {dest: /srv/a, content: \"{{ hosts['b'].facts.kernel_arch }}\"}");
    let plan = site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert!(plan.out.contains("+armv7l"), "{}", plan.out);
    // And from the second time on it is asked for in the one look that there is.
    says(&site, "aarch64");
    let before = asked(&site);
    let plan = site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode", "-v"]);
    assert!(plan.out.contains("+aarch64"), "{}", plan.out);
    assert_eq!(asked(&site), before + 1);
    assert!(plan.err.contains("2 connections"), "{}", plan.err);
}
