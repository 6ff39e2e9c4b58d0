//! A node behind two jumps.

use crate::lan::{Lan, Node};

/// `node` behind `inner` behind `outer`; only the jump hosts know the names, and only `outer` is listed with a port.
fn chain() -> (Lan, Node, Node, Node) {
    let lan = Lan::new();
    let (outer, inner, node) = (lan.node("outer"), lan.node("inner"), lan.node("node"));
    outer.forwards_to(&[&inner]);
    inner.forwards_to(&[&node]);
    lan.tasks("- copy: {dest: /etc/motd, content: \"deep\\n\"}");
    // The farthest first: the order of an inventory is nobody's order of connecting.
    lan.inventory(&[node.behind("jump: inner"), inner.behind("jump: outer"), outer.host("")]);
    (lan, outer, inner, node)
}

#[test]
fn a_node_behind_two_jumps_is_trusted_planned_and_applied() {
    let (lan, outer, inner, node) = chain();
    let met = lan.expect(0, &["trust", "inventory.yaml", "--yes"]);
    let all = [&outer, &inner, &node];
    assert_eq!(lan.plain(&met.out, &all), "outer  ED25519 PIN-outer  new\ninner  ED25519 PIN-inner  new\nnode  ED25519 PIN-node  new\n");
    assert_eq!(lan.known().lines().count(), 3, "each hop has its own key: {}", lan.known());

    let args = ["--limit", "node"];
    let plan = lan.expect(0, &["plan", "inventory.yaml", "--limit", "node", "-v"]);
    assert!(plan.out.contains("+deep"), "{}", plan.out);
    assert!(plan.err.contains("3 connections, 1 exec channel, "), "{}", plan.err);
    let ended = lan.expect(0, &[&["apply", "inventory.yaml", "--yes"], &args[..]].concat());
    assert!(ended.out.contains("done: 1 changed"), "{}", ended.out);
    assert_eq!(node.text("/etc/motd"), "deep\n");
    assert!(!inner.inside("/var/lib/homelab").exists() && !outer.inside("/var/lib/homelab").exists(), "a jump host is passed through");
    lan.expect(0, &[&["drift", "inventory.yaml"], &args[..]].concat());

    // All three at once share the way.
    let before = outer.connections();
    let all_three = lan.expect(0, &["plan", "inventory.yaml", "-v"]);
    assert!(all_three.out.contains("node") && all_three.out.contains("inner") && all_three.out.contains("outer"), "{}", all_three.out);
    assert_eq!(outer.connections() - before, 2, "one as a node and one as a jump host");
}

#[test]
fn the_login_that_disarms_a_guard_goes_all_of_the_way_anew() {
    let (lan, outer, inner, node) = chain();
    lan.trust();
    lan.tasks("- copy: {dest: /etc/motd, content: \"deep\\n\"}");
    let counts = || [outer.connections(), inner.connections(), node.connections()];
    let apply = || {
        let before = counts();
        let ended = lan.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "node"]);
        assert!(ended.out.contains("done: 1 changed"), "{}{}", ended.out, ended.err);
        let after = counts();
        [0, 1, 2].map(|hop| after[hop] - before[hop])
    };
    assert_eq!(apply(), [1, 1, 1], "without a guard");
    lan.tasks("- copy: {dest: /etc/ssh/sshd_config, content: \"PermitRootLogin no\\n\"}");
    assert_eq!(apply(), [2, 2, 2], "with one");
}

#[test]
fn a_changed_key_on_any_hop_stops_it_with_both_fingerprints() {
    let (lan, outer, inner, node) = chain();
    lan.trust();
    let hops = [&outer, &inner, &node];
    let forward = || {
        outer.forwards_to(&[&inner]);
        inner.forwards_to(&[&node]);
    };
    for changed in hops {
        let trusted = lan.known();
        let before = changed.reinstall();
        forward();
        let refused = lan.expect(1, &["apply", "inventory.yaml", "--yes", "--limit", "node"]);
        assert_eq!(refused.out, "", "{}", changed.name);
        let said = lan.plain(&refused.err, &hops).replace(&before, "BEFORE");
        let whose = if changed.name == "node" { "node (node.lan:22)".to_owned() } else { format!("node: its jump host {} (", changed.name) };
        assert!(said.contains(&format!("error: {whose}")), "{said}");
        assert!(said.contains("the host key has changed"), "{said}");
        assert!(said.contains(&format!("shown: PIN-{} (ED25519)", changed.name)), "{said}");
        assert!(said.contains("known: BEFORE (ED25519), DIR/.ssh/known_hosts:"), "{said}");
        assert!(said.contains(&format!("--limit {} --replace", changed.name)), "{said}");
        assert!(!node.inside("/etc/motd").exists() || node.text("/etc/motd") != "deep\n", "nothing was applied");
        assert_eq!(lan.known(), trusted);
        lan.expect(0, &["trust", "inventory.yaml", "--yes", "--replace", "--limit", &changed.name]);
    }
    lan.expect(0, &["apply", "inventory.yaml", "--yes", "--limit", "node"]);
    assert_eq!(node.text("/etc/motd"), "deep\n");
}

#[test]
fn a_jump_host_outside_the_inventory_is_met_and_checked_as_well() {
    let (lan, outer, _, node) = chain();
    outer.forwards_to(&[&node]);
    // Keys of such a jump host are the user's default ones.
    std::fs::create_dir_all(lan.path(".ssh")).unwrap();
    std::fs::copy(outer.key(), lan.path(".ssh/id_ed25519")).unwrap();
    lan.inventory(&[node.behind(&format!("jump: \"pi@{}\"", outer.address))]);
    let refused = lan.expect(1, &["plan", "inventory.yaml"]);
    assert_eq!(refused.out, "");
    assert_eq!(
        lan.plain(&refused.err, &[&outer, &node]),
        r#"error: node: its jump host pi@OUTER (OUTER): the host key is not known
 --> inventory.yaml:4:3
  |
4 |   node: {address: node.lan, key: DIR/nodes/node/client_key, jump: "pi@OUTER"}
  |   ^^^^
  |
  = note: shown: PIN-outer (ED25519)
hint: compare it with the machine's own, then `homelab trust INVENTORY`
"#
    );
    let met = lan.expect(0, &["trust", "inventory.yaml", "--yes"]);
    assert_eq!(lan.plain(&met.out, &[&outer, &node]), "pi@OUTER  ED25519 PIN-outer  new\nnode  ED25519 PIN-node  new\n");
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(node.text("/etc/motd"), "deep\n");
}

#[test]
fn a_jump_host_that_no_play_is_for_is_met_too() {
    let (lan, outer, inner, node) = chain();
    lan.write("site.yaml", "- hosts: node\n  become: true\n  tasks:\n    - copy: {dest: /etc/motd, content: \"deep\\n\"}\n");
    // One by one, then all at once.
    let met = lan.expect(0, &["trust", "inventory.yaml", "--yes", "--limit", "outer"]);
    assert_eq!(lan.plain(&met.out, &[&outer]), "outer  ED25519 PIN-outer  new\n");
    let met = lan.expect(0, &["trust", "inventory.yaml", "--yes"]);
    let all = [&outer, &inner, &node];
    assert_eq!(lan.plain(&met.out, &all), "outer  ED25519 PIN-outer  known\ninner  ED25519 PIN-inner  new\nnode  ED25519 PIN-node  new\n");
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(node.text("/etc/motd"), "deep\n");
}

#[test]
fn a_jump_host_that_does_not_forward_says_so() {
    let (lan, outer, inner, node) = chain();
    lan.trust();
    outer.forwards_to(&[]);
    let refused = lan.expect(1, &["plan", "inventory.yaml", "--limit", "node"]);
    assert_eq!(
        lan.plain(&refused.err, &[&outer, &inner, &node]),
        "\
error: node: its jump host inner (inner.lan:22): the jump host outer does not forward connections
 --> inventory.yaml:5:3
  |
5 |   inner: {address: inner.lan, key: DIR/nodes/inner/client_key, jump: outer}
  |   ^^^^^
hint: set `AllowTcpForwarding yes` in the sshd_config of outer
"
    );
}
