//! Several nodes and the words for them: `serial`, `max_failures`, `rollback: play`, `run_once`, `kept`, tags, handlers of
//! roles, and tasks that run as the login.

use crate::site::Site;

const THREE: &str = "playbooks: [site.yaml]\nsandbox: true\nbecome: true\nhosts:\n  a: {}\n  b: {}\n  c: {}\n";

fn three(head: &str, tasks: &str) -> Site {
    let site = Site::bare();
    site.write("inventory.yaml", THREE);
    site.play(head, tasks);
    site
}

fn there(site: &Site, path: &str) -> String {
    ["a", "b", "c"].into_iter().filter(|host| site.inside(host, path).exists()).collect()
}

const FAILS_ON_B: &str = "- copy: {dest: /srv/page, content: \"x\\n\"}\n- command: {cmd: \"false\", creates: /nowhere}\n  when: host.name == \"b\"\n";

#[test]
fn rollback_play_takes_all_of_them_back() {
    let site = three("rollback: play", FAILS_ON_B);
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "", "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("taken back because b failed"), "{}", ended.err);
}

#[test]
fn rollback_host_takes_back_the_one_that_failed() {
    let site = three("", FAILS_ON_B);
    site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "ac");
}

#[test]
fn rollback_none_leaves_it_and_the_next_apply_goes_on() {
    let site = three("rollback: none", FAILS_ON_B);
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "abc");
    site.play("rollback: none", "- copy: {dest: /srv/page, content: \"x\\n\"}\n");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn serial_stops_before_the_next_batch_unless_failures_are_tolerated() {
    let site = three("serial: 1", FAILS_ON_B);
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "a", "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("c: not begun"), "{}", ended.err);
    site.play("serial: 1\nmax_failures: 1", FAILS_ON_B);
    site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "ac");
}

#[test]
fn rollback_play_in_batches_takes_back_the_batches_before() {
    let site = three("serial: 1\nrollback: play", FAILS_ON_B);
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/page"), "", "{}{}", ended.out, ended.err);
}

#[test]
fn run_once_runs_on_one_host() {
    let site = three("", "- command: {cmd: touch /srv/once, creates: /srv/once}\n  run_once: true\n- copy: {dest: /srv/all, content: \"x\\n\"}\n");
    site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/once"), "a");
    assert_eq!(there(&site, "/srv/all"), "abc");
}

#[test]
fn what_one_host_keeps_another_reads() {
    let site = Site::bare();
    site.write("inventory.yaml", THREE);
    site.write(
        "site.yaml",
        "- name: First\n  hosts: a\n  become: true\n  tasks:\n    - command: {cmd: \"echo token-of-a; touch /srv/made\", shell: true, creates: /srv/made}\n      register: {name: token, keep: true}\n\
         - name: Second\n  hosts: b:c\n  become: true\n  tasks:\n    - copy: {dest: /srv/token, content: \"{{ hosts['a'].kept.token }}\"}\n",
    );
    let first = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    for host in ["b", "c"] {
        let text = std::fs::read_to_string(site.inside(host, "/srv/token")).unwrap_or_else(|error| panic!("{host}: {error}\n{}{}", first.out, first.err));
        assert!(text.contains("token-of-a"), "{text}");
    }
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn register_in_a_loop_is_a_list() {
    let site = three(
        "",
        "- command: {cmd: \"echo out-{{ item }}\", shell: true, read_only: true}\n  loop: [one, two]\n  register: outs\n\
         - copy: {dest: \"/srv/outs\", content: \"{% for r in outs.results %}{{ r.stdout }};{% endfor %}\"}\n",
    );
    let ended = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let text = std::fs::read_to_string(site.inside("a", "/srv/outs")).unwrap();
    assert!(text.contains("out-one") && text.contains("out-two"), "{text}");
}

#[test]
fn a_role_notifies_its_play() {
    let site = three("handlers:\n  - name: Ring\n    command: {cmd: touch /srv/rung, creates: /srv/rung}\n", "- role: bell\n  with: {text: hi}\n");
    site.write("roles/bell/role.yaml", "params:\n  text: {type: text}\ntasks:\n  - copy: {dest: /srv/bell, content: \"{{ text }}\"}\n    notify: [Ring]\n");
    let ended = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(there(&site, "/srv/rung"), "abc");
}

#[test]
fn tags_limit_and_start_at_narrow() {
    let site = three(
        "",
        "- {name: One, copy: {dest: /srv/one, content: x}, tags: [first]}\n- {name: Two, copy: {dest: /srv/two, content: x}}\n- {name: Three, copy: {dest: /srv/three, content: x}, tags: [last]}\n",
    );
    site.expect(0, &["apply", "inventory.yaml", "--yes", "--tags", "first", "--limit", "a"]);
    assert_eq!((there(&site, "/srv/one"), there(&site, "/srv/two")), ("a".into(), String::new()));
    site.expect(0, &["apply", "inventory.yaml", "--yes", "--start-at", "Three", "--limit", "all:!c"]);
    assert_eq!((there(&site, "/srv/three"), there(&site, "/srv/two")), ("ab".into(), String::new()));
    site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(there(&site, "/srv/two"), "abc");
}

#[test]
fn without_become_a_task_runs_as_the_login() {
    let site = three(
        "",
        "- command: {cmd: \"id -un > /home/pi/who\", shell: true, creates: /home/pi/who}\n  become: false\n- command: {cmd: \"id -un > /srv/who\", shell: true, creates: /srv/who}\n\
         - copy: {dest: /home/pi/file, content: x}\n  become: false\n",
    );
    let ended = site.run(&["apply", "inventory.yaml", "--yes", "--limit", "a"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let text = |path: &str| std::fs::read_to_string(site.inside("a", path)).unwrap();
    assert_eq!(text("/srv/who"), "root\n");
    if std::fs::read_to_string(site.inside("a", "/etc/homelab-sandbox")).unwrap().contains("uids=all") {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(text("/home/pi/who"), "pi\n");
        let owner = |path: &str| site.inside("a", path).metadata().unwrap().uid();
        assert_ne!(owner("/home/pi/file"), owner("/srv/who"), "a file made without `become` is root's");
    }
}
