//! A node that only another node can reach.

use crate::nodes::{Lab, by_hand, root};

#[test]
fn a_node_behind_the_router_is_planned_and_applied() {
    let Some(lab) = Lab::up() else { return };
    by_hand("inner", "rm -f /srv/inner");
    lab.site.tasks("- copy: {dest: /srv/inner, content: \"on {{ facts.hostname }}\\n\"}");
    let number = || std::fs::read_to_string(root("router").join("var/lib/homelab/number")).unwrap_or_default();
    let before = number();
    let limit = ["inventory.yaml", "--limit", "inner"];
    let plan = lab.site.expect(0, &[&["plan", "-v"], &limit[..]].concat());
    assert!(plan.out.contains("+on inner"), "{}", plan.out);
    assert!(plan.err.contains("2 connections, 1 exec channel"), "{}", plan.err);
    let ended = lab.site.expect(0, &[&["apply", "--yes"], &limit[..]].concat());
    assert!(ended.out.contains("done: 1 changed"), "{}", ended.out);
    assert_eq!(std::fs::read_to_string(root("inner").join("srv/inner")).unwrap(), "on inner\n");
    assert_eq!(number(), before, "the router is passed through");
    lab.has_nothing_to_do("inventory.yaml", &["inner"]);
    by_hand("inner", "rm -f /srv/inner");
}
