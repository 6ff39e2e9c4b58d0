//! Random small playbooks on one node, 60 in all (1,000 with `HOMELAB_TEST_SLOW=1`): applied, applied again, and taken back from a further random change.

use crate::node::{Node, on_each_shell};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

on_each_shell!(random_playbooks_keep_the_laws);

/// Few paths, so that tasks meet: `d` is always a directory, `x` and `y` may be anything.
const PATHS: [&str; 5] = ["x", "y", "d/a", "d/b", "e/c"];

#[derive(Debug, Clone)]
enum Act {
    Copy(String, u32),
    Line(String),
    Block(String),
    Link(usize),
    Absent,
    Touch(u32),
    Directory(u32),
}

fn act() -> impl Strategy<Value = Act> {
    // Texts with what shells, YAML and line editors stumble over.
    let text = prop_oneof![
        "[a-z]{0,6}",
        "[ -~]{1,12}",
        Just("$(exit 1) `x` \\ ' \" %s".to_owned()),
        Just("tab\tand\rreturn".to_owned()),
        Just("ünïcödé".to_owned()),
        Just("two\nlines\n".to_owned()),
        Just("\n".to_owned()),
    ];
    let line = prop_oneof!["[a-c]{1,2}", "[!-~]{1,8}"];
    let mode = prop_oneof![Just(0o644_u32), Just(0o600), Just(0o755), Just(0o4711), 0..0o1000_u32];
    let dir_mode = prop_oneof![Just(0o755_u32), Just(0o700), Just(0o1777)];
    prop_oneof![
        4 => (text, mode.clone()).prop_map(|(text, mode)| Act::Copy(text, mode)),
        3 => line.clone().prop_map(Act::Line),
        2 => line.prop_map(Act::Block),
        2 => (0..PATHS.len()).prop_map(Act::Link),
        2 => Just(Act::Absent),
        1 => mode.prop_map(Act::Touch),
        1 => dir_mode.prop_map(Act::Directory),
    ]
}

/// One act for each of some paths: two tasks must not own the same.
fn acts() -> impl Strategy<Value = BTreeMap<usize, Act>> {
    proptest::collection::btree_map(0..PATHS.len(), act(), 1..=PATHS.len())
}

/// As tasks. What is in the way of a task is removed first by the caller's clearing play.
fn tasks(acts: &BTreeMap<usize, Act>) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut out = String::from("- file: {path: /srv/r/d, state: directory}\n- file: {path: /srv/r/e, state: directory}\n");
    for (at, act) in acts {
        let path = format!("/srv/r/{}", PATHS[*at]);
        out += &match act {
            Act::Copy(text, mode) => format!("- copy: {{dest: {path}, content: {}, mode: \"{mode:04o}\"}}\n", quoted(text)),
            Act::Line(line) => format!("- lineinfile: {{path: {path}, line: {}, create: true}}\n", quoted(line)),
            Act::Block(text) => format!("- blockinfile: {{path: {path}, block: {}, create: true}}\n", quoted(text)),
            Act::Link(to) => format!("- file: {{path: {path}, src: /srv/r/{}, state: link, force: true}}\n", PATHS[*to]),
            Act::Absent => format!("- file: {{path: {path}, state: absent}}\n"),
            Act::Touch(mode) => format!("- file: {{path: {path}, state: touch, mode: \"{mode:04o}\"}}\n"),
            Act::Directory(mode) => format!("- file: {{path: {path}, state: directory, mode: \"{mode:04o}\"}}\n"),
        };
    }
    out
}

/// Applies; false where the node refuses the plan for what is in the way (a directory where a file is to be, say).
fn applied(node: &Node) -> bool {
    let apply = node.site.run(&["apply", "inventory.yaml", "--yes"]);
    assert!(matches!(apply.code, 0 | 1), "{}{}", apply.out, apply.err);
    apply.code == 0
}

fn random_playbooks_keep_the_laws(shell: &str) {
    let cases = if std::env::var_os("HOMELAB_TEST_SLOW").is_some_and(|value| value == "1") { 334 } else { 20 };
    let node = Node::new(shell);
    node.apply("- file: {path: /srv/r, state: directory}");
    let mut runner = TestRunner::new(Config { cases, max_shrink_iters: 40, failure_persistence: None, ..Config::default() });
    let end = runner.run(&(acts(), acts()), |(wish, further)| {
        node.site.tasks(&tasks(&wish));
        if !applied(&node) {
            // From an empty directory it can be had.
            node.apply("- file: {path: /srv/r, state: absent}");
            node.apply("- file: {path: /srv/r, state: directory}");
            node.site.tasks(&tasks(&wish));
            prop_assume!(applied(&node));
        }
        let again = node.site.apply();
        prop_assert!(again.out.contains("nothing to do"), "{}", again.out);
        let before = node.state();
        node.site.tasks(&(tasks(&further) + "- name: Break\n  command: {argv: [\"false\"]}"));
        let ended = node.site.run(&["apply", "inventory.yaml", "--yes"]);
        // 1: refused before anything was done.
        prop_assert!(ended.code == 1 || (ended.code == 3 && ended.err.contains("`Break` failed")), "{}{}", ended.out, ended.err);
        crate::tree::same("not taken back", &before, &node.state());
        Ok(())
    });
    end.unwrap_or_else(|error| panic!("{error}"));
}
