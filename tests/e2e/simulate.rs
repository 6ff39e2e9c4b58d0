//! `apply --simulate-fail`: practice.

use crate::site::Site;

const TASKS: &str = "\
- name: First
  copy: {dest: /srv/first, content: one}
- name: Second
  file: {path: /srv/second, state: directory}
- name: Third
  command: {cmd: touch /srv/third, creates: /srv/third, undo: rm /srv/third}
- name: Fourth
  copy: {dest: /srv/second/fourth, content: four}
  notify: Note
- name: Each
  copy: {dest: \"/srv/each-{{ item }}\", content: x}
  loop: [a, b]";
const HEAD: &str = "handlers:\n  - name: Note\n    command: {cmd: touch /srv/noted, creates: /srv/noted, undo: rm /srv/noted}";

/// A site of these tasks, with its node.
fn site() -> Site {
    let site = Site::new(TASKS);
    site.play(HEAD, TASKS);
    site.expect(0, &["facts", "inventory.yaml"]);
    site
}

fn steps(document: &serde_json::Value) -> Vec<String> {
    let steps = document["runs"][0]["steps"].as_array().unwrap();
    steps.iter().map(|step| format!("{} {}{}", step["label"].as_str().unwrap(), step["end"].as_str().unwrap(), if step["undone"] == true && step["end"] == "failed" { " undone" } else { "" })).collect()
}

#[test]
fn the_named_step_is_done_declared_failed_and_undone_with_all_before_it() {
    let site = site();
    let before = site.snapshot("pi");
    let all = ["First", "Second", "Third", "Fourth", "Each (a)", "Each (b)"];
    for (task, failing) in [("First", 0), ("Second", 1), ("Third", 2), ("Fourth", 3), ("Each", 4)] {
        let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json", &format!("--simulate-fail={task}")]);
        assert_eq!(site.snapshot("pi"), before, "{task}");
        let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!((&document["runs"][0]["end"], &document["runs"][0]["simulated"]), (&"taken_back".into(), &true.into()));
        let wish: Vec<String> = all.iter().enumerate().map(|(at, name)| match at.cmp(&failing) {
            std::cmp::Ordering::Less => format!("{name} undone"),
            std::cmp::Ordering::Equal => format!("{name} failed undone"),
            std::cmp::Ordering::Greater => format!("{name} not_begun"),
        }).collect();
        assert_eq!(steps(&document), wish, "{document}");
    }
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--simulate-fail=Note"]);
    assert_eq!(site.snapshot("pi"), before, "the handler");
    assert!(ended.out.contains("made to fail for practice, and taken back: 6 undone"), "{}", ended.out);
    assert!(ended.err.contains("`Note` is said to have failed, as `--simulate-fail` asked"), "{}", ended.err);
    // It was practice: the real one does it all.
    site.apply();
    assert!(site.inside("pi", "/srv/noted").exists());
}

#[test]
fn without_a_name_some_step_fails() {
    let site = site();
    let before = site.snapshot("pi");
    let mut failed = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json", "--simulate-fail"]);
        assert_eq!(site.snapshot("pi"), before);
        let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        failed.extend(steps(&document).into_iter().filter(|step| step.ends_with("failed undone")));
    }
    assert!(failed.len() > 1, "always the same one: {failed:?}");
}

#[test]
fn with_rollback_none_it_is_taken_back_all_the_same() {
    let site = site();
    site.play(&format!("rollback: none\n{HEAD}"), TASKS);
    let before = site.snapshot("pi");
    site.expect(3, &["apply", "inventory.yaml", "--yes", "--simulate-fail=Third"]);
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn where_there_is_nothing_to_do_it_says_so() {
    let site = Site::new("- name: First\n  copy: {dest: /srv/first, content: one}");
    site.apply();
    let ended = site.expect(0, &["apply", "inventory.yaml", "--yes", "--simulate-fail"]);
    assert!(ended.err.contains("nothing that could be made to fail"), "{}", ended.err);
    site.play(HEAD, TASKS);
    let before = site.snapshot("pi");
    let ended = site.expect(0, &["apply", "inventory.yaml", "--yes", "--simulate-fail=First"]);
    assert!(ended.out.contains("nothing done: what was to fail has nothing to do here"), "{}", ended.out);
    assert_eq!(site.snapshot("pi"), before, "nothing else is done either");
    // One of which that is known only under way.
    site.tasks("- name: Make\n  command: {cmd: touch /srv/made, undo: rm /srv/made}\n  register: made\n- name: Late\n  copy: {dest: /srv/late, content: x}\n  when: made.stdout != \"\"");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--simulate-fail=Late"]);
    assert!(ended.err.contains("had nothing to do after all"), "{}", ended.err);
    assert_eq!(site.snapshot("pi"), before);
}

#[test]
fn it_is_refused_where_it_means_nothing() {
    let site = site();
    let ended = site.expect(64, &["apply", "inventory.yaml", "--yes", "--simulate-fail=Secnd"]);
    assert!(ended.err.contains("no task is called `Secnd`") && ended.err.contains("did you mean `Second`?"), "{}", ended.err);
    let ended = site.expect(64, &["apply", "inventory.yaml", "--dry-run", "--simulate-fail"]);
    assert!(ended.err.contains("`--dry-run` performs none"), "{}", ended.err);
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    let ended = site.expect(64, &["apply", "p", "--yes", "--simulate-fail"]);
    assert!(ended.err.contains("has no meaning with a saved plan"), "{}", ended.err);
}

#[test]
fn a_step_that_is_tried_again_fails_at_once_for_practice() {
    let site = Site::new("- name: Tried\n  command: {shell: true, cmd: \"echo x >>/var/tries\", undo: \"true\"}\n  retries: 3\n  delay: 0");
    site.expect(3, &["apply", "inventory.yaml", "--yes", "--simulate-fail=Tried"]);
    assert_eq!(site.text("/var/tries"), "x\n");
}
