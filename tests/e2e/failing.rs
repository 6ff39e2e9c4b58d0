//! Failing in the middle: everything is taken back, handlers included, and the exit code says so.

use crate::site::Site;

#[test]
fn a_failed_apply_leaves_the_node_as_before_and_exits_3() {
    let site = Site::new("- copy: {dest: /etc/motd, content: \"one\\n\"}\n- file: {path: /srv/d, state: directory}");
    site.apply();
    let before = site.snapshot("pi");
    site.play(
        "handlers:\n  - name: Mark\n    command: {argv: [touch, /srv/marked], creates: /srv/marked}",
        "\
- name: Change a file
  copy: {dest: /etc/motd, content: \"two\\n\", mode: 0600}
  notify: [Mark]
- name: Make a file
  copy: {dest: /srv/d/new, content: \"new\\n\"}
- name: Change a mode
  file: {path: /srv/d, state: directory, mode: 0700}
- name: Link
  file: {path: /srv/link, src: /srv/d, state: link}
- name: Break
  command: {argv: [\"false\"]}
- name: Never
  copy: {dest: /srv/never, content: never}",
    );
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("Break"), "{}", ended.err);
    assert!(ended.out.contains("taken back"), "{}", ended.out);
    assert_eq!(site.snapshot("pi"), before);
    // A failed run does not hold the node, and leaves no handler pending: what notified it was undone.
    site.tasks("- copy: {dest: /etc/motd, content: \"one\\n\"}");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    // Nor is it an open one: the next has nothing to go on from.
    site.tasks("- copy: {dest: /srv/next, content: next}");
    let next = site.apply();
    assert!(!next.err.contains("interrupted") && !next.out.contains("interrupted"), "{}{}", next.out, next.err);
}

#[test]
fn rollback_none_leaves_what_was_done() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.play("rollback: none", "- copy: {dest: /srv/kept, content: kept}\n- name: Break\n  command: {argv: [\"false\"]}");
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(site.text("/srv/kept"), "kept");
    site.tasks("- copy: {dest: /srv/kept, content: more}");
    site.apply();
    assert_eq!(site.text("/srv/kept"), "more");
}

#[test]
fn a_handler_runs_once_and_only_after_a_change() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.play(
        "handlers:\n  - name: Count\n    command: {shell: true, cmd: \"echo x >>/srv/count\"}",
        "- copy: {dest: /srv/a, content: a}\n  notify: [Count]\n- copy: {dest: /srv/b, content: b}\n  notify: [Count]",
    );
    site.apply();
    assert_eq!(site.text("/srv/count"), "x\n");
    site.apply();
    assert_eq!(site.text("/srv/count"), "x\n");
}

#[test]
fn a_handler_that_failed_is_not_forgotten() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.play(
        "rollback: none\nhandlers:\n  - name: Tell\n    command: {shell: true, cmd: \"test -e /srv/ready && echo told >/srv/told\"}",
        "- copy: {dest: /srv/a, content: a}\n  notify: [Tell]",
    );
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    std::fs::write(site.inside("pi", "/srv/ready"), "").unwrap();
    let again = site.apply();
    assert!(again.out.contains("Tell"), "{}", again.out);
    assert_eq!(site.text("/srv/told"), "told\n");
    let third = site.apply();
    assert!(third.out.contains("nothing to do"), "{}", third.out);
}

#[test]
fn a_command_that_does_not_do_what_it_says_fails() {
    let site = Site::new("- command: {argv: [\"true\"], creates: /srv/promised}");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("/srv/promised"), "{}", ended.err);
}
