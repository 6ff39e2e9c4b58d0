//! `on_failure:`: whom it tells what, when, and that it changes nothing else.

use crate::site::{Ended, Site};

/// Two steps, and one that fails with words of its own.
const TASKS: &str = "\
- name: Place
  file: {path: /srv/place, state: directory}
- name: Break
  command: {shell: true, cmd: \"echo out; echo no licence >&2; exit 7\"}
- name: Never
  copy: {dest: /srv/never, content: x}";

/// Writes what it is told of, and whether the undo is over.
const TELL: &str = "\
on_failure:
  - name: Tell
    command:
      shell: true
      cmd: 'printf \"%s|%s|%s|%s|\" \"$TASK\" \"$HOST\" \"$BACK\" \"$WHY\" >/var/told; test -e /srv/place && echo early >>/var/told || echo after >>/var/told'
      environment: {TASK: \"{{ failed.task }}\", HOST: \"{{ failed.host }}\", BACK: \"{{ failed.taken_back }}\", WHY: \"{{ failed.message }}\"}";

fn apply(site: &Site, code: i32) -> Ended {
    site.expect(code, &["apply", "inventory.yaml", "--yes"])
}

#[test]
fn it_runs_after_the_last_undo_and_knows_what_failed() {
    let site = Site::new(TASKS);
    site.play(TELL, TASKS);
    let ended = apply(&site, 3);
    assert!(ended.out.contains("failed and taken back"), "{}{}", ended.out, ended.err);
    assert_eq!(site.text("/var/told"), "Break|pi|true|`Break` failed: it ended with status 7: no licence|after\n");
    // It belongs to no run: nothing of it is left with homelab, nor is a run open.
    for left in ["aside", "open", "lock"] {
        assert!(!site.inside("pi", "/var/lib/homelab").join(left).exists(), "{left} is left over");
    }
    let runs = std::fs::read_dir(site.inside("pi", "/var/lib/homelab/runs")).unwrap().count();
    assert_eq!(runs, 1, "the failed run only");
    let journal = std::fs::read_dir(site.inside("pi", "/var/lib/homelab/runs")).unwrap().next().unwrap().unwrap().path().join("journal");
    let journal = homelab::node::journal::Journal::read(&std::fs::read_to_string(journal).unwrap()).unwrap();
    assert!(journal.closed && journal.ops.len() == 2, "{journal:?}");
}

#[test]
fn nothing_failed_and_nobody_is_told() {
    let site = Site::new(TASKS);
    site.play(TELL, "- copy: {dest: /srv/fine, content: x}");
    apply(&site, 0);
    assert!(!site.inside("pi", "/var/told").exists());
}

#[test]
fn what_fails_in_it_is_reported_and_hides_nothing() {
    let site = Site::new(TASKS);
    let head = "\
on_failure:
  - name: Mail
    command: {shell: true, cmd: \"echo no mail here >&2; exit 9\"}
  - name: Note
    copy: {dest: /var/note, content: \"{{ failed.task }}\\n\"}";
    site.play(head, TASKS);
    site.expect(0, &["facts", "inventory.yaml"]);
    let before = site.snapshot("pi");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json"]);
    assert!(ended.err.contains("`Break` failed") && ended.err.contains("in `on_failure`: `Mail` failed: it ended with status 9"), "{}", ended.err);
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let run = &document["runs"][0];
    assert_eq!(run["end"], "taken_back");
    let told: Vec<String> = run["on_failure"].as_array().unwrap().iter().map(|step| format!("{} {}", step["label"].as_str().unwrap(), step["end"].as_str().unwrap())).collect();
    assert_eq!(told, ["Mail failed", "Note done"], "the next one is tried all the same: {document}");
    assert_eq!(run["on_failure"][0]["data"]["stderr"], "no mail here");
    assert_eq!(site.text("/var/note"), "Break\n");
    std::fs::remove_file(site.inside("pi", "/var/note")).unwrap();
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn it_is_checked_like_any_other_task_and_shown_by_the_plan() {
    let site = Site::new(TASKS);
    site.play(TELL, TASKS);
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.err.contains("if a step of `Site` fails, then at last: `Tell`"), "{}", plan.err);
    site.expect(0, &["check", "inventory.yaml"]);
    for (task, says) in [
        ("- command: {argv: [echo, \"{{ failed.tsk }}\"]}", "tsk"),
        ("- command: {cmd: echo, nonsense: 1}", "nonsense"),
        ("- copy: {dest: /x, content: \"{{ undefined_thing }}\"}", "undefined_thing"),
        ("- {copy: {dest: /x, content: x}, notify: Handle}", "handlers do not run after a failure"),
    ] {
        site.play(&format!("handlers:\n  - name: Handle\n    command: echo\non_failure:\n  {task}"), TASKS);
        let ended = site.expect(1, &["check", "inventory.yaml"]);
        assert!(ended.err.contains(says) && ended.err.contains("site.yaml:"), "{task}: {}", ended.err);
    }
}

#[test]
fn whichever_tasks_are_chosen_it_runs() {
    let site = Site::new(TASKS);
    site.play(TELL, &format!("{}\n  tags: [some]", TASKS.split("\n- name: Never").next().unwrap()));
    site.expect(3, &["apply", "inventory.yaml", "--yes", "--tags", "some"]);
    assert!(site.text("/var/told").starts_with("Break|"));
}

#[test]
fn with_rollback_none_it_says_that_nothing_was_taken_back() {
    let site = Site::new(TASKS);
    site.play(&format!("rollback: none\n{TELL}"), TASKS);
    apply(&site, 1);
    assert_eq!(site.text("/var/told"), "Break|pi|false|`Break` failed: it ended with status 7: no licence|early\n");
    // The run is still there to go on from.
    let next = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert!(next.err.contains("was interrupted here"), "{}", next.err);
}

#[test]
fn a_stuck_host_tells_that_it_is_not_taken_back() {
    let site = Site::new(TASKS);
    site.play(TELL, &format!("- name: Stubborn\n  command: {{cmd: touch /srv/stubborn, creates: /srv/stubborn, undo: \"false\"}}\n{TASKS}"));
    let ended = apply(&site, 5);
    assert!(ended.out.contains("stuck") && !ended.out.contains("taken back"), "{}", ended.out);
    assert!(site.text("/var/told").starts_with("Break|pi|false|"), "{}", site.text("/var/told"));
}

#[test]
fn with_rollback_play_every_host_that_was_taken_back_is_told_who_failed() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  good: {sandbox: true, become: true}\n  bad: {sandbox: true, become: true}\n");
    let tasks = TASKS.replace("exit 7\"}", "exit 7\"}\n  when: host.name == \"bad\"");
    let once = "\n  - name: Once\n    run_once: true\n    copy: {dest: /var/once, content: x}";
    site.play(&format!("rollback: play\n{TELL}{once}"), &tasks);
    apply(&site, 3);
    for host in ["good", "bad"] {
        let told = std::fs::read_to_string(site.inside(host, "/var/told")).unwrap();
        assert_eq!(told, "Break|bad|true|`Break` failed: it ended with status 7: no licence|after\n", "{host}");
    }
    assert!(site.inside("good", "/var/once").exists() && !site.inside("bad", "/var/once").exists());
    // With the play's first host in good health, what runs once runs on one that failed.
    site.play(&format!("{TELL}{once}"), &tasks);
    for host in ["good", "bad"] {
        let _ = std::fs::remove_file(site.inside(host, "/var/once"));
        std::fs::remove_file(site.inside(host, "/var/told")).unwrap();
    }
    apply(&site, 3);
    assert!(!site.inside("good", "/var/told").exists() && !site.inside("good", "/var/once").exists());
    assert!(site.inside("bad", "/var/told").exists() && site.inside("bad", "/var/once").exists());
}

#[test]
fn a_secret_does_not_leave_with_the_message() {
    let site = Site::new(TASKS);
    site.expect(0, &["secret", "keygen", "--identity", "id"]);
    site.write("plain", "grizzly-lantern");
    site.expect(0, &["secret", "encrypt", "plain", "--identity", "id"]);
    let sealed: String = std::fs::read_to_string(site.path("plain")).unwrap().lines().map(|line| format!("  {line}\n")).collect();
    site.write("sealed.yaml", &format!("password: |\n{sealed}"));
    // One that has it by right, and one that found it on the node. What `validate` says is part of the message.
    for task in [
        "- name: Own\n  copy: {dest: /srv/own, content: \"{{ password }}\\n\", validate: \"cat %s; false\"}",
        "- name: Found\n  copy: {dest: /srv/found, content: \"x\\n\", validate: \"test -f %s; cat /srv/secret; false\"}",
    ] {
        site.play(&format!("vars_files: [sealed.yaml]\n{TELL}"), &format!("- copy: {{dest: /srv/secret, content: \"{{{{ password }}}}\\n\"}}\n{task}"));
        let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "-vv", "--identity", "id"]);
        let told = site.text("/var/told");
        for text in [&ended.out, &ended.err, &told] {
            assert!(!text.contains("grizzly"), "{text}");
        }
        assert!(told.contains("failed"), "{told}");
    }
}
