//! Saved plans: exactly the plan, or nothing.

use crate::site::Site;

const TASKS: &str = "- name: One\n  copy: {dest: /srv/one, content: \"1\\n\"}\n- name: Two\n  copy: {dest: /srv/two, content: \"2\\n\"}";

#[test]
fn a_saved_plan_is_performed() {
    let site = Site::new(TASKS);
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(site.path("p").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // The plan is what counts, not what the files say by now.
    site.tasks("- copy: {dest: /srv/other, content: x}");
    site.expect(0, &["apply", "p", "--yes"]);
    assert_eq!(site.text("/srv/one"), "1\n");
    assert_eq!(site.text("/srv/two"), "2\n");
    assert!(!site.inside("pi", "/srv/other").exists());
}

#[test]
fn a_stale_plan_is_refused_and_changes_nothing() {
    let site = Site::new(TASKS);
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    std::fs::write(site.inside("pi", "/srv/two"), "by hand\n").unwrap();
    let before = site.snapshot("pi");
    let ended = site.expect(1, &["apply", "p", "--yes"]);
    assert!(ended.err.contains("stale") && ended.err.contains("copy:/srv/two"), "{}", ended.err);
    assert!(!ended.err.contains("/srv/one"), "{}", ended.err);
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn half_a_plan_is_no_plan() {
    let site = Site::new(TASKS);
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    let text = std::fs::read_to_string(site.path("p")).unwrap();
    std::fs::write(site.path("p"), &text[..text.len() / 2]).unwrap();
    let ended = site.expect(1, &["apply", "p", "--yes"]);
    assert!(ended.err.contains("not a whole plan"), "{}", ended.err);
}

#[test]
fn a_command_may_bring_what_a_later_task_looked_at() {
    let site = Site::new(
        "- name: Install\n  command: {shell: true, cmd: \"mkdir -p /opt/app && echo default >/opt/app/conf\", creates: /opt/app}\n\
         - name: Configure\n  copy: {dest: /opt/app/conf, content: \"ours\\n\"}",
    );
    let plan = site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    assert!(plan.out.contains("known after apply (command"), "{}", plan.out);
    site.expect(0, &["apply", "p", "--yes"]);
    assert_eq!(site.text("/opt/app/conf"), "ours\n");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_script_takes_one_line_of_a_plan() {
    let site = Site::new("- name: Long one\n  command:\n    shell: true\n    undo: \"true\"\n    cmd: |\n      set -e\n      + as a line of a plan begins\n");
    let plan = site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("  ! Long one  command:set -e …  [undo: as named]\n"), "{plan}");
    assert!(!plan.contains("as a line of a plan begins"), "{plan}");
}

#[test]
fn what_is_waited_for_may_come_before_its_turn() {
    let site = Site::new("- copy: {dest: /srv/one, content: \"1\\n\"}\n- wait_for: {path: /srv/flag, timeout: 5}");
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    std::fs::write(site.inside("pi", "/srv/flag"), "").unwrap();
    site.expect(0, &["apply", "p", "--yes"]);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_problem_of_some_hosts_only_names_them() {
    let site = Site::new("- name: One\n  when: host.name != 'c'\n  copy: {dest: \"/nowhere/one\", content: x}\n- copy: {dest: /elsewhere/two, content: x}");
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  a: {sandbox: true, become: true}\n  b: {sandbox: true, become: true}\n  c: {sandbox: true, become: true}\n");
    let refused = site.expect(1, &["plan", "inventory.yaml"]).err;
    assert!(refused.contains("error: a, b: `One` needs the directory /nowhere, which is not there\n"), "{refused}");
    assert!(refused.contains("error: `copy:/elsewhere/two` needs the directory /elsewhere"), "{refused}");
}

#[test]
fn plans_that_read_alike_are_shown_once() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  a: {sandbox: true, become: true, vars: {word: same}}\n  b: {sandbox: true, become: true, vars: {word: other}}\n  c: {sandbox: true, become: true, vars: {word: same}}\n");
    site.tasks("- copy: {dest: /srv/word, content: \"{{ word }}\\n\"}");
    let head = |hosts: &str, word: &str| format!("{hosts}  1 to create; 0 as wished\n  + copy:/srv/word\n      new file, 0644, {} bytes\n      @@ -0,0 +1 @@\n      +{word}\n", word.len() + 1);
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert_eq!(plan.out, format!("{}{}", head("a, c", "same"), head("b", "other")));
    site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(site.expect(0, &["plan", "inventory.yaml"]).out, "a, b, c  nothing to do; 1 as wished\n");
}
