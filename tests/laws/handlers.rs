//! Handlers are state: what a failed run flushed runs once more on what is there again, what was pending stays pending.

use crate::node::{Node, on_each_shell};

on_each_shell!(a_flushed_handler_runs_once_more_on_the_old_state a_handler_that_fails_on_the_old_state_stays_pending a_pending_handler_survives_a_run_that_is_taken_back);

/// A stand-in for a daemon: what it has loaded, and how often it was told to.
const LOAD: &str = "- name: Load\n  command: {shell: true, cmd: \"cat /srv/conf >/srv/loaded; echo x >>/srv/times\"}";

fn play(tasks: &str) -> String {
    let indent = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!("- name: Daemon\n  hosts: all\n  become: true\n  handlers:\n{}  tasks:\n{}", indent(LOAD), indent(tasks))
}

fn conf(text: &str) -> String {
    play(&format!("- copy: {{dest: /srv/conf, content: {text}}}\n  notify: [Load]"))
}

const BREAK: &str = "- name: Second\n  hosts: all\n  become: true\n  tasks:\n    - name: Break\n      command: {argv: [\"false\"]}\n";

fn times(node: &Node) -> usize {
    node.site.text("/srv/times").lines().count()
}

fn a_flushed_handler_runs_once_more_on_the_old_state(shell: &str) {
    let node = Node::new(shell);
    node.site.write("site.yaml", &conf("old"));
    node.site.apply();
    assert_eq!((node.site.text("/srv/loaded").as_str(), times(&node)), ("old", 1));
    // The first play ends with its handlers; the second fails.
    node.site.write("site.yaml", &(conf("new") + BREAK));
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("Break"), "{}", ended.err);
    assert_eq!(node.site.text("/srv/conf"), "old");
    assert_eq!(node.site.text("/srv/loaded"), "old", "what runs is what is configured:\n{}", ended.out);
    assert_eq!(times(&node), 3, "once for the new state, once for the old");
    assert!(!node.site.inside("pi", "/var/lib/homelab/open").exists(), "the run that was taken back is over");
    // And no handler is left over.
    node.site.write("site.yaml", &conf("old"));
    node.has_nothing_to_do();
    assert_eq!(times(&node), 3);
}

fn a_handler_that_fails_on_the_old_state_stays_pending(shell: &str) {
    let node = Node::new(shell);
    node.site.write("site.yaml", &conf("old"));
    node.site.apply();
    // What it needs is not there any more, and nobody's to bring back.
    let load = LOAD.replace("cat", "test ! -e /srv/locked || exit 1; cat");
    let with = |text: &str| text.replace(LOAD.lines().nth(1).unwrap().trim(), load.lines().nth(1).unwrap().trim());
    let lock = "- name: Second\n  hosts: all\n  become: true\n  tasks:\n    - name: Break\n      command: {cmd: \"touch /srv/locked; false\", shell: true}\n";
    node.site.write("site.yaml", &(with(&conf("new")) + lock));
    let ended = node.site.expect(5, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.out.contains("run once more, it ended with status 1"), "{}{}", ended.out, ended.err);
    assert_eq!((node.site.text("/srv/conf").as_str(), node.site.text("/srv/loaded").as_str()), ("old", "new"));
    // It has yet to run, and the next apply knows.
    std::fs::remove_file(node.site.inside("pi", "/srv/locked")).unwrap();
    node.site.write("site.yaml", &with(&conf("old")));
    let ended = node.site.apply();
    assert_eq!(node.site.text("/srv/loaded"), "old", "{}", ended.out);
    node.has_nothing_to_do();
}

fn a_pending_handler_survives_a_run_that_is_taken_back(shell: &str) {
    let node = Node::new(shell);
    node.site.write("site.yaml", &conf("old"));
    node.site.apply();
    // Left as it is before its handlers ran: the marker stays.
    let broken = play("- copy: {dest: /srv/conf, content: new}\n  notify: [Load]\n- name: Break\n  command: {argv: [\"false\"]}");
    node.site.write("site.yaml", &broken.replace("  handlers:", "  rollback: none\n  handlers:"));
    node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!((node.site.text("/srv/conf").as_str(), node.site.text("/srv/loaded").as_str()), ("new", "old"));
    // A run that is taken back before it reaches the handler forgets nothing.
    node.site.write("site.yaml", &broken.replace("content: new", "content: newer"));
    node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!((node.site.text("/srv/conf").as_str(), node.site.text("/srv/loaded").as_str()), ("new", "old"));
    node.site.write("site.yaml", &conf("new"));
    node.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    node.site.apply();
    assert_eq!((node.site.text("/srv/loaded").as_str(), times(&node)), ("new", 2));
    node.has_nothing_to_do();
}
