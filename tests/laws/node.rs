//! A sandbox node with a given shell, and the laws as sentences about it.

use crate::site::{Ended, Site};
use crate::tree::{self, Times};
use std::collections::BTreeMap;

/// One for each shell that a node may have.
macro_rules! on_each_shell {
    ($($name:ident)*) => {
        mod dash { $(#[test] fn $name() { super::$name("dash"); })* }
        mod bash { $(#[test] fn $name() { super::$name("bash"); })* }
        mod busybox { $(#[test] fn $name() { super::$name("busybox"); })* }
    };
}
pub(crate) use on_each_shell;

/// The node's own business: what the kernel shows and what lives till the next boot; and what homelab keeps of its runs.
const KERNEL: &[&str] = &["proc", "sys", "dev", "run"];
const OURS: &[&str] = &["proc", "sys", "dev", "run", "var/lib/homelab"];
/// Files in which accounts are kept: compared by their fields, since tools rewrite them.
pub const ACCOUNTS: &[&str] = &["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];

pub struct Node {
    pub site: Site,
    /// busybox's `cp` keeps whole seconds only, of links nothing, and so does what it gives back.
    kept: Times,
}

impl Node {
    pub fn new(shell: &str) -> Node {
        let site = Site::bare();
        let inventory = format!("playbooks: [site.yaml]\nhosts:\n  pi: {{sandbox: {{shell: {shell}}}, become: true}}\n");
        site.write("inventory.yaml", &inventory);
        let kept = if shell == "busybox" { Times::OfFilesInSeconds } else { Times::OfFiles };
        Node { site, kept }
    }

    /// Everything there, times and homelab's own state included.
    fn untouched(&self) -> BTreeMap<String, String> {
        tree::tree(&self.site.inside("pi", "/"), Times::All, KERNEL)
    }

    /// What an exact undo must give back; accounts by their fields.
    pub fn state(&self) -> BTreeMap<String, String> {
        let mut but = OURS.to_vec();
        but.extend(ACCOUNTS);
        // What shadow's tools keep for themselves: backups, and when which number was given.
        but.extend(["etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock"]);
        but.extend(["etc/subuid", "etc/subgid"]);
        let mut state = tree::tree(&self.site.inside("pi", "/"), self.kept, &but);
        for file in ACCOUNTS {
            let text = std::fs::read_to_string(self.site.inside("pi", file)).unwrap_or_default();
            for line in text.lines() {
                let (name, fields) = line.split_once(':').unwrap_or((line, ""));
                let mut fields: Vec<String> = fields.split(':').map(str::to_owned).collect();
                if matches!(*file, "etc/group" | "etc/gshadow") {
                    let mut members: Vec<&str> = fields[2].split(',').collect();
                    members.sort_unstable();
                    fields[2] = members.join(",");
                }
                state.insert(format!("{file} {name}"), fields.join(":"));
            }
        }
        state
    }

    pub fn apply(&self, tasks: &str) -> Ended {
        self.site.tasks(tasks);
        self.site.apply()
    }

    /// Looking leaves no trace.
    pub fn looking_touches_nothing(&self) {
        let before = self.untouched();
        for (args, codes) in [
            (&["plan", "inventory.yaml", "--diff"][..], &[0][..]),
            (&["plan", "inventory.yaml", "--detailed-exitcode", "--json"], &[0, 2]),
            (&["plan", "inventory.yaml", "--out", "plan"], &[0]),
            (&["drift", "inventory.yaml"], &[0, 2]),
            (&["facts", "inventory.yaml"], &[0]),
            (&["apply", "inventory.yaml", "--dry-run"], &[0, 2]),
        ] {
            let ended = self.site.run(args);
            assert!(codes.contains(&ended.code), "homelab {}: {}\n{}{}", args.join(" "), ended.code, ended.out, ended.err);
            tree::same(&format!("`homelab {}` touched the node", args.join(" ")), &before, &self.untouched());
        }
    }

    /// Nothing is left to do, and an apply that does nothing changes nothing but homelab's own books.
    pub fn has_nothing_to_do(&self) {
        let before = tree::tree(&self.site.inside("pi", "/"), Times::All, OURS);
        let plan = self.site.run(&["plan", "inventory.yaml", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "the second plan is not empty:\n{}{}", plan.out, plan.err);
        let again = self.site.apply();
        assert!(again.out.contains("nothing to do"), "{}", again.out);
        let drift = self.site.expect(0, &["drift", "inventory.yaml"]);
        assert_eq!(drift.out + &drift.err, "", "drift is not silent");
        tree::same("the second apply changed something", &before, &tree::tree(&self.site.inside("pi", "/"), Times::All, OURS));
    }

    /// `tasks` and then a step that fails: exit 3, and the node is as it was.
    pub fn is_taken_back(&self, tasks: &str) -> Ended {
        self.is_taken_back_from("", tasks)
    }

    /// The same with further keys of the play.
    pub fn is_taken_back_from(&self, head: &str, tasks: &str) -> Ended {
        let before = self.state();
        self.site.play(head, &format!("{tasks}\n- name: Break\n  command: {{argv: [\"false\"]}}"));
        let ended = self.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(ended.err.contains("Break"), "another step failed:\n{}{}", ended.out, ended.err);
        assert!(ended.out.contains("taken back"), "{}", ended.out);
        tree::same("not taken back", &before, &self.state());
        ended
    }

    /// All three laws for `tasks`, from what is there now.
    pub fn keeps_the_laws(&self, tasks: &str) {
        self.site.tasks(tasks);
        self.looking_touches_nothing();
        self.is_taken_back(tasks);
        self.apply(tasks);
        self.has_nothing_to_do();
    }
}
