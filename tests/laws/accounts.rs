//! Accounts and what belongs to them: by their fields what they were, and their files exactly.

use crate::node::{Node, on_each_shell};

on_each_shell!(accounts_keep_the_laws);

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// Other people's files cannot be made where there is one user only.
fn all_uids(node: &Node) -> bool {
    node.site.text("/etc/homelab-sandbox").contains("uids=all")
}

fn accounts_keep_the_laws(shell: &str) {
    let node = Node::new(shell);
    node.apply("- copy: {dest: /srv/first, content: \"so that there is a node\\n\"}");
    if !all_uids(&node) {
        return crate::untested::untested("accounts need a sandbox with all user numbers, which takes root");
    }
    if shell == "busybox" && !node.site.inside("pi", "/bin/addgroup").exists() && !node.site.inside("pi", "/usr/sbin/addgroup").exists() {
        // Debian's busybox has no account tools. Then the plan says so, and nothing is begun.
        let before = node.state();
        node.site.tasks("- copy: {dest: /srv/second, content: x}\n- group: keepers");
        let ended = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
        assert!(ended.err.contains("this node has no tools for groups"), "{}", ended.err);
        crate::tree::same("begun", &before, &node.state());
        return;
    }
    let shadow = shell != "busybox";
    let made = format!(
        r#"
- group: {{name: keepers, gid: 1800}}
- group: {{name: readers}}
- user: {{name: keeper, uid: 1801, group: keepers, groups: [readers], comment: Keeps, shell: /bin/sh}}
- user: {{name: robot, system: true, create_home: false}}
- authorized_key: {{user: keeper, key: "{KEY} one@example"}}
- file: {{path: /srv/kept, state: directory, owner: keeper, group: keepers, mode: 02770}}
- copy: {{dest: /srv/kept/file, content: "mine\n", owner: keeper, group: readers}}
"#
    );
    node.keeps_the_laws(&made);
    // Files that an undone removal of the account must bring back.
    node.apply(&format!("{made}- copy: {{dest: /home/keeper/letter, content: dear, owner: keeper}}"));
    let changed = format!(
        r#"
- authorized_key: {{user: keeper, key: "{KEY} two@example", key_options: restrict, exclusive: true}}
- file: {{path: /srv/kept, state: directory, owner: root, recurse: true}}
{}
"#,
        if shadow {
            "- group: {name: readers, gid: 1900}\n- user: {name: keeper, groups: [], comment: Kept, shell: /bin/false, password: \"!\"}\n- user: {name: robot, groups: [readers], append: true}"
        } else {
            ""
        }
    );
    node.keeps_the_laws(&changed);
    let removed = "- user: {name: keeper, state: absent, remove: true}\n- user: {name: robot, state: absent}\n- group: {name: readers, state: absent}";
    node.keeps_the_laws(removed);
    assert!(!node.site.inside("pi", "/home/keeper").exists());
}
