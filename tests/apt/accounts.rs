//! Group, user, authorized key and cron job, each of which needs the one before, with Debian's own tools.

use crate::debian::Debian;

const CHAIN: &str = "\
- group: {name: keepers, gid: 1800}
- user: {name: keeper, uid: 1801, group: keepers, groups: [adm], shell: /bin/bash, password: \"!\"}
- authorized_key: {user: keeper, key: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f one@example\"}
- cron: {name: backup, user: keeper, job: /usr/local/bin/backup, hour: \"3\", minute: \"17\"}
- cron: {name: sweep, cron_file: sweep, user: keeper, job: /bin/true, special_time: daily}
";

/// All that such a chain touches, by content, and files by their time but for crontabs, which come back with another.
fn seen(node: &Debian) -> String {
    node.by_hand(
        "cat /etc/passwd /etc/group /etc/shadow; stat -c '%A %u %g %s %n' /home/* /home/*/.ssh /var/spool/cron/crontabs/* 2>/dev/null; cat /home/*/.ssh/* 2>/dev/null; \
         stat -c '%A %u %g %s %y %n' /home/*/.ssh/* /etc/cron.d/* 2>/dev/null; tail -n 9 /var/spool/cron/crontabs/* /etc/cron.d/* 2>/dev/null | grep -v '^# (- installed on'; true",
    )
}

fn same(is: &str, was: &str) {
    let diff = similar::TextDiff::from_lines(was, is).unified_diff().context_radius(0).to_string();
    assert!(diff.is_empty(), "not what it was:\n{diff}");
}

#[test]
fn the_chain_plans_applies_and_is_taken_back() {
    let Some(node) = Debian::start() else { return };
    let before = seen(&node);
    node.site.tasks(CHAIN);
    node.site.expect(0, &["plan", "inventory.yaml"]);
    node.fails(CHAIN);
    same(&seen(&node), &before);
    node.apply(CHAIN);
    node.has_nothing_to_do();
    assert!(node.by_hand("crontab -u keeper -l").contains("17 3 * * * /usr/local/bin/backup"));
    assert!(node.by_hand("id keeper").contains("uid=1801(keeper) gid=1800(keepers)"));
    assert_eq!(node.by_hand("stat -c '%U %a' /home/keeper/.ssh/authorized_keys"), "keeper 600\n");

    let made = seen(&node);
    let gone = "- cron: {name: backup, user: keeper, state: absent}\n- cron: {name: sweep, cron_file: sweep, state: absent}\n\
                - user: {name: keeper, state: absent, remove: true}\n- group: {name: keepers, state: absent}";
    node.fails(gone);
    same(&seen(&node), &made);
    node.apply(gone);
    node.has_nothing_to_do();
    assert!(!node.text("/etc/passwd").contains("keeper"));
}
