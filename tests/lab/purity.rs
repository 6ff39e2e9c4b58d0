//! Looking leaves nothing on a node but the traces of a login.

use crate::disk::disk;
use crate::kinds::MADE;
use crate::nodes::{Lab, by_hand, members, root};
use crate::tree::{Times, same};
use std::collections::BTreeMap;

/// What a login leaves, and what a running machine writes by itself whether somebody looks or not.
const TRACES: &[&str] = &[
    "proc", "sys", "dev", "run", "tmp", // the kernel's, and what lives till the next boot
    "var/log",                // sshd, sudo and the journal say who came
    "var/lib/lastlog",        // when somebody came last
    "var/lib/wtmpdb",         // and all times before
    "var/lib/sudo",           // that a login has read sudo's lecture
    "var/lib/systemd",        // clocks of timers and of the time
    "var/lib/containerd",     // docker's own
];

fn all() -> BTreeMap<String, String> {
    members("all").into_iter().flat_map(|node| disk(&root(node), Times::All, TRACES).into_iter().map(move |(path, is)| (format!("{node}:/{path}"), is))).collect()
}

#[test]
fn plan_and_drift_write_nothing_on_any_node() {
    let Some(lab) = Lab::up() else { return };
    MADE.write(&lab, "");
    // Timers write when it is their time.
    let timed = members("systemd");
    timed.iter().for_each(|node| drop(by_hand(node, "systemctl stop '*.timer'")));
    // Once before, so that what only a first login leaves (a lecture, a cache) is there.
    lab.site.expect(0, &["facts", "inventory.yaml"]);
    let before = all();
    for args in [&["plan", "inventory.yaml", "--diff"][..], &["plan", "inventory.yaml", "--out", "plan"], &["drift", "inventory.yaml"], &["apply", "inventory.yaml", "--dry-run"]] {
        let ended = lab.site.run(args);
        assert!([0, 2].contains(&ended.code), "homelab {}: {}\n{}{}", args.join(" "), ended.code, ended.out, ended.err);
    }
    let after = all();
    timed.iter().for_each(|node| drop(by_hand(node, "systemctl start timers.target")));
    same("looking touched a node", &before, &after);
}
