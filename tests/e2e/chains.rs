//! Tasks that need each other, on an empty node.

use crate::site::Site;

#[test]
fn three_lines_make_one_file() {
    let site = Site::new(
        "- lineinfile: {path: /etc/app.conf, line: a=1, create: true}\n\
         - lineinfile: {path: /etc/app.conf, line: b=2, create: true}\n\
         - lineinfile: {path: /etc/app.conf, line: c=3, create: true}",
    );
    site.expect(0, &["plan", "inventory.yaml"]);
    site.apply();
    assert_eq!(site.text("/etc/app.conf"), "a=1\nb=2\nc=3\n");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_need_that_nothing_meets_names_the_task() {
    let site = Site::new("- name: Orphan\n  copy: {dest: /nowhere/at/all, content: x}");
    let ended = site.expect(1, &["plan", "inventory.yaml"]);
    assert!(ended.err.contains("Orphan") && ended.err.contains("/nowhere/at") && ended.err.contains("site.yaml:"), "{}", ended.err);
}

#[test]
fn a_registered_result_is_known_after_apply_and_used() {
    let site = Site::new(
        "- name: Ask\n  command: {argv: [sh, -c, \"echo 42 >/srv/asked; cat /srv/asked\"], creates: /srv/asked}\n  register: answer\n\
         - name: Write\n  copy: {dest: /srv/answer, content: \"{{ answer.stdout }}\\n\"}",
    );
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("? Write") && plan.out.contains("known after apply"), "{}", plan.out);
    site.apply();
    assert_eq!(site.text("/srv/answer"), "42\n");
}

#[test]
fn a_read_only_command_is_known_when_planning() {
    let site = Site::new(
        "- name: Ask\n  command: {argv: [echo, seen], read_only: true}\n  register: answer\n\
         - name: Write\n  copy: {dest: /srv/answer, content: \"{{ answer.stdout }}\\n\"}",
    );
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("+seen"), "{}", plan.out);
    site.apply();
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}
