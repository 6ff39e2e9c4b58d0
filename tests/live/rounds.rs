//! A node behind a line, and a playbook of many kinds of ops in which everything changes from round to round.

use crate::line::Fate;
use crate::remote::Remote;
use crate::site::Ended;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Ops that are batched stand between ops that are not, so that there are many boundaries.
const TASKS: &str = r#"
- file: {path: /srv/rounds, state: directory}
- copy: {dest: /srv/rounds/page, content: "page of round {{ round }}\n", mode: 0644}
  notify: Note it
- command: {cmd: "echo {{ round }} > /srv/rounds/ran-{{ round }}", shell: true, creates: "/srv/rounds/ran-{{ round }}"}
- file: {path: /srv/rounds/link, state: link, src: "target-{{ round }}"}
- group: {name: lab}
- group: {name: extra, state: "{{ 'present' if odd == 1 else 'absent' }}"}
- copy: {dest: /srv/rounds/checked, content: "checked in round {{ round }}\n", validate: "grep -q round %s"}
- user: {name: lab, group: lab, comment: "round {{ round }}", home: /home/lab}
- authorized_key: {user: lab, exclusive: true, key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f round-{{ round }}"}
- cron: {name: Count, user: lab, minute: "5", job: "echo {{ round }}"}
- file: {path: /srv/rounds/toggled, state: "{{ 'directory' if odd == 1 else 'absent' }}"}
- sysctl: {name: net.ipv4.ip_forward, value: "{{ odd }}"}
- file: {path: /etc/cron.d, state: directory}
- cron: {name: Count, cron_file: rounds, minute: "5", job: "echo {{ round }}"}
- hostname: {name: "pi-{{ odd }}"}
- file: {path: /srv/rounds/doomed, state: absent}
- lineinfile: {path: /etc/hosts, regexp: ' round-\d+$', line: "10.0.0.1 round-{{ round }}"}
- command: {cmd: "touch /srv/rounds/also-{{ round }}", creates: "/srv/rounds/also-{{ round }}"}
- blockinfile: {path: /etc/motd, block: "round {{ round }}", create: true}
- file: {path: /srv/rounds/modes, state: directory, mode: "{{ '0700' if odd == 1 else '0750' }}"}
"#;

/// One node, and how far it has come.
pub struct Rounds {
    pub remote: Remote,
    pub round: u64,
}

/// What is at a path: type, mode, owner, content.
pub type Seen = BTreeMap<String, String>;

impl Rounds {
    /// A node on which the first round is done.
    pub fn new() -> Rounds {
        let head = "vars: {odd: \"{{ round % 2 }}\"}\nhandlers:\n  - name: Note it\n    command: {cmd: \"echo {{ round }} > /srv/rounds/noted\", shell: true}\n";
        let mut rounds = Rounds { remote: Remote::new(head, TASKS), round: 0 };
        rounds.next();
        let first = rounds.apply(Fate::Nothing);
        assert_eq!(first.code, 0, "{}{}", first.out, first.err);
        rounds
    }

    /// Goes on to the next round: everything is to change.
    pub fn next(&mut self) {
        self.round += 1;
        let doomed = self.remote.site.inside("pi", "/srv/rounds/doomed");
        std::fs::create_dir_all(doomed.join("deep")).unwrap();
        std::fs::write(doomed.join("deep/file"), "doomed\n").unwrap();
    }

    /// Runs `homelab` with the inventory and the number of the round.
    pub fn run(&self, args: &[&str], fate: Fate) -> Ended {
        let round = format!("round={}", self.round);
        self.remote.run(&[args, &["inventory.yaml", "--set", &round]].concat(), fate).0
    }

    pub fn apply(&self, fate: Fate) -> Ended {
        self.run(&["apply", "--yes"], fate)
    }

    /// Everything on the node that a round may touch.
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::new();
        for top in ["etc", "srv", "home", "var/spool", "var/lib", "root"] {
            walk(&self.remote.site.inside("pi", "/"), Path::new(top), &mut seen);
        }
        seen
    }

    /// The next apply finishes the work, and a plan after it has nothing to do.
    pub fn finishes(&self, when: &str) {
        let ended = self.apply(Fate::Nothing);
        assert_eq!(ended.code, 0, "{when}: the next apply\n{}{}", ended.out, ended.err);
        let noted = self.remote.site.text("/srv/rounds/noted");
        assert_eq!(noted, format!("{}\n", self.round), "{when}: the handler\n{}{}", ended.out, ended.err);
        let plan = self.run(&["plan", "--detailed-exitcode"], Fate::Nothing);
        assert_eq!(plan.code, 0, "{when}: the plan after it\n{}{}", plan.out, plan.err);
    }
}

fn walk(root: &Path, dir: &Path, seen: &mut Seen) {
    let Ok(entries) = std::fs::read_dir(root.join(dir)) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = dir.join(entry.file_name());
        if name == Path::new("var/lib/homelab") {
            continue;
        }
        let meta = entry.path().symlink_metadata().unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", std::fs::read_link(entry.path()).unwrap().display())
        } else if meta.is_dir() {
            walk(root, &name, seen);
            "directory".into()
        } else {
            String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned()
        };
        seen.insert(name.display().to_string(), format!("{:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid()));
    }
}

/// Every path is as before or as after; the account files, which several ops write one after another, are at least whole.
pub fn nothing_between(before: &Seen, now: &Seen, after: &Seen, when: &str) {
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).chain(after.keys()).collect();
    for path in paths {
        let is = now.get(path);
        let account = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid"].iter().any(|name| path.starts_with(name));
        if account {
            let whole = is.is_none_or(|text| text.ends_with('\n') || text.ends_with(' '));
            assert!(whole, "{when}: {path} is cut off: {is:?}");
            continue;
        }
        assert!(is == before.get(path) || is == after.get(path), "{when}: {path}\n before {:?}\n now    {is:?}\n after  {:?}", before.get(path), after.get(path));
    }
}
