//! Alternatives, by the node's own update-alternatives: added, chosen, taken out, and taken back with what comes with them.

use crate::debian::Debian;

/// All that the tool says of the name, and where it leads.
fn said(node: &Debian) -> String {
    node.by_hand("update-alternatives --query tool 2>&1 || :; readlink /usr/local/bin/tool /etc/alternatives/tool || echo nowhere")
}

#[test]
fn a_name_leads_where_it_should_and_back() {
    let Some(node) = Debian::start() else { return };
    let first = "- alternatives: {name: tool, path: /bin/true, link: /usr/local/bin/tool}";
    let none = said(&node);
    assert!(none.contains("no alternatives for tool") && none.ends_with("nowhere\n"), "{none}");
    node.fails(first);
    assert_eq!(said(&node), none);
    node.apply(first);
    assert!(said(&node).contains("Status: manual\n") && said(&node).ends_with("/etc/alternatives/tool\n/bin/true\n"), "{}", said(&node));
    node.has_nothing_to_do();

    // One of higher priority, with a companion, as packages bring it.
    node.by_hand("update-alternatives --install /usr/local/bin/tool tool /bin/false 70 --slave /usr/local/share/tool.txt tool.txt /usr/share/common-licenses/GPL-2");
    node.has_nothing_to_do();
    let held = said(&node);
    for change in ["- alternatives: {name: tool, state: auto}", "- alternatives: {name: tool, path: /bin/false}", "- alternatives: {name: tool, path: /bin/false, state: absent}",
        "- alternatives: {name: tool, path: /bin/true, state: absent}", "- alternatives: {name: tool, path: /bin/sh, link: /usr/local/bin/tool, priority: 99, state: present}"] {
        node.fails(change);
        assert_eq!(said(&node), held, "{change}");
    }

    node.apply("- alternatives: {name: tool, state: auto}");
    assert!(said(&node).contains("Status: auto\n") && said(&node).ends_with("/bin/false\n"), "{}", said(&node));
    assert!(node.inside("/usr/local/share/tool.txt").symlink_metadata().is_ok());
    node.has_nothing_to_do();
    // While priorities choose, one that comes may become the one, and goes back.
    let auto = said(&node);
    let better = "- alternatives: {name: tool, path: /bin/sh, link: /usr/local/bin/tool, priority: 99, state: present}";
    node.fails(better);
    assert_eq!(said(&node), auto);
    node.apply(better);
    assert!(said(&node).ends_with("/bin/sh\n"), "{}", said(&node));
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(said(&node), auto);

    for path in ["/bin/false", "/bin/true"] {
        node.apply(&format!("- alternatives: {{name: tool, path: {path}, state: absent}}"));
        node.has_nothing_to_do();
    }
    assert_eq!(said(&node), none);
}
