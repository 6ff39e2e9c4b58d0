//! Several hosts in one run, and several runs on one host.

use crate::lan::{Ended, Lan, Node, closed, wait_for};
use nix::sys::stat::Mode;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// On `bad` the second task fails.
const TASKS: &str = "\
- name: Greet
  copy: {dest: /etc/motd, content: \"hello\\n\"}
- name: Break
  command: {argv: [\"false\"]}
  when: bad is defined
- name: Last
  copy: {dest: /srv/last, content: \"last\\n\"}";

fn two() -> (Lan, Node, Node) {
    let lan = Lan::new();
    let (good, bad) = (lan.node("good"), lan.node("bad"));
    lan.inventory(&[good.host(""), bad.host("vars: {bad: true}")]);
    lan.tasks(TASKS);
    lan.trust();
    (lan, good, bad)
}

#[test]
fn one_fails_and_is_taken_back_and_the_other_finishes() {
    let (lan, good, bad) = two();
    let motd = bad.inside("/etc/motd").exists();
    let ended = lan.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!((good.text("/etc/motd").as_str(), good.text("/srv/last").as_str()), ("hello\n", "last\n"));
    assert_eq!(bad.inside("/etc/motd").exists(), motd);
    assert!(!bad.inside("/srv/last").exists());
    let summary = ended.out.split("Summary\n").nth(1).unwrap_or_else(|| panic!("no summary: {}", ended.out));
    assert_eq!(summary, "  good  done: 2 changed\n  bad   failed and taken back: 1 undone, 1 could not be\n          `Break` cannot be undone and stays\n");
    assert!(ended.err.contains("Break") && !ended.out.contains("error:"), "diagnostics belong to stderr: {}{}", ended.out, ended.err);
}

#[test]
fn taken_back_counts_for_more_than_not_reached() {
    let (lan, good, bad) = two();
    lan.inventory(&[good.host(""), format!("off: {{address: 127.0.0.1, port: {}}}", closed()), bad.host("vars: {bad: true}")]);
    let ended = lan.expect(3, &["apply", "inventory.yaml", "--yes", "--json"]);
    let document = ended.json();
    let ends: Vec<String> = document["runs"].as_array().unwrap().iter().map(|run| format!("{} {}", run["host"].as_str().unwrap(), run["end"].as_str().unwrap())).collect();
    assert_eq!(ends, ["good done", "off unreachable", "bad taken_back"]);
    assert!(document["problems"][0]["message"].as_str().unwrap().starts_with("off ("), "{document}");
    let failed = &document["runs"][2]["problems"][0];
    assert!(failed["message"].as_str().unwrap().contains("Break"), "{document}");
    assert!(ended.err.contains("connection refused"), "{}", ended.err);
}

#[test]
fn data_and_diagnostics_do_not_mix() {
    let (lan, ..) = two();
    for (code, args) in [(0, &["plan", "inventory.yaml"][..]), (2, &["plan", "inventory.yaml", "--detailed-exitcode"]), (2, &["drift", "inventory.yaml"]), (0, &["facts", "inventory.yaml"]), (3, &["apply", "inventory.yaml", "--yes"]), (3, &["apply", "inventory.yaml", "--yes", "-vv"])] {
        let ended = lan.expect(code, &[args, &["--json"]].concat());
        ended.json();
    }
}

/// A plan of the same host twice at once: nobody is kept out, for a plan takes no lock. An apply is.
#[test]
fn a_second_controller_is_told_who_is_at_it_and_since_when() {
    let lan = Lan::new();
    let node = lan.node("pi-1");
    lan.inventory(&[node.host("")]);
    lan.tasks("- name: Wait\n  command: {shell: true, cmd: \"came=$(cat /srv/gate) && echo $came >/srv/came\", creates: /srv/came}");
    lan.trust();
    let gate = node.inside("/srv/gate");
    nix::unistd::mkfifo(&gate, Mode::from_bits_truncate(0o666)).unwrap();
    let first = lan.command(&["apply", "inventory.yaml", "--yes"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut write = wait_for("the command to read", || reader(&gate));

    for other in ["bob", "carol"] {
        let second = Ended::of(lan.command(&["apply", "inventory.yaml", "--yes"]).env("USER", other).output().unwrap()).expect(1, "a second apply");
        let said = node_times(&second.err);
        let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
        assert_eq!(
            said.replace(&host, "HOST"),
            "\
error: pi-1: another run has this node: anna@HOST, since TIME
hint: wait for it to end, then run this again; `--break-lock` takes the node over from it. A lock whose process is gone is taken over by itself
"
        );
        assert!(second.out.contains("pi-1  refused, nothing done"), "{}", second.out);
    }
    let document = Ended::of(lan.command(&["apply", "inventory.yaml", "--yes", "--json"]).output().unwrap()).expect(1, "a second apply").json();
    assert_eq!(document["runs"][0]["end"], "refused");
    let looked = lan.expect(0, &["plan", "inventory.yaml"]);
    assert!(looked.out.contains("Wait"), "a plan takes no lock: {}", looked.out);

    write.write_all(b"through\n").unwrap();
    drop(write);
    Ended::of(first.wait_with_output().unwrap()).expect(0, "the first apply");
    assert_eq!(node.text("/srv/came"), "through\n");
    let after = lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert!(after.out.contains("nothing to do"), "{}", after.out);
}

/// The writing end of a FIFO, once somebody reads.
fn reader(path: &Path) -> Option<std::fs::File> {
    OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path).ok()
}

/// `text` with its times as `TIME`.
fn node_times(text: &str) -> String {
    regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap().replace_all(text, "TIME").into_owned()
}

/// One controller whose command waits at a gate, and does not get any further.
struct Waiting {
    lan: Lan,
    node: Node,
    first: std::process::Child,
    write: Option<std::fs::File>,
}

impl Waiting {
    fn new() -> Waiting {
        let lan = Lan::new();
        let node = lan.node("pi-1");
        lan.inventory(&[node.host("")]);
        lan.tasks("- copy: {dest: /srv/first, content: x}\n- name: Wait\n  command: {shell: true, cmd: \"came=$(cat /srv/gate) && echo $came >/srv/came\", creates: /srv/came}\n- copy: {dest: /srv/last, content: x}");
        lan.trust();
        let gate = node.inside("/srv/gate");
        nix::unistd::mkfifo(&gate, Mode::from_bits_truncate(0o666)).unwrap();
        let first = lan.command(&["apply", "inventory.yaml", "--yes"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let write = Some(wait_for("the command to read", || reader(&gate)));
        Waiting { lan, node, first, write }
    }

    /// Opens the gate.
    fn through(&mut self) {
        self.write.take().unwrap().write_all(b"through\n").unwrap();
    }

    fn bob(&self, args: &[&str]) -> Ended {
        Ended::of(self.lan.command(&[args, &["inventory.yaml", "--yes"]].concat()).env("USER", "bob").output().unwrap())
    }
}

#[test]
fn break_lock_takes_a_node_over_and_the_holder_stops_at_its_next_step() {
    let mut waiting = Waiting::new();
    waiting.lan.tasks("- copy: {dest: /srv/other, content: y}");
    waiting.bob(&["apply"]).expect(1, "without the option");
    let over = waiting.bob(&["apply", "--break-lock"]).expect(0, "with it");
    // Its command hangs: whoever takes over hears of it at once, and in the end.
    for said in [&over.err, &over.out] {
        assert!(said.contains("`Wait` of the run that had this node is still going on since 20") && said.contains("cat ") && said.contains("neither seen nor taken back"), "{}{}", over.out, over.err);
    }
    assert_eq!(waiting.node.text("/srv/other"), "y");
    waiting.through();
    let held = Ended::of(waiting.first.wait_with_output().unwrap()).expect(1, "who had it");
    assert!(held.err.contains("pi-1: another controller has taken this node over (`--break-lock`) and is done with it; this run stopped there"), "{}", held.err);
    assert!(!waiting.node.inside("/srv/last").exists(), "the holder went on");
    let told = waiting.lan.expect(0, &["history", "inventory.yaml", "-v"]);
    assert!(told.out.contains("half done?  Wait"), "{}", told.out);
    assert!(!waiting.node.inside("/var/lib/homelab/lock").exists());
}

#[test]
fn what_the_holder_has_under_way_is_waited_for() {
    let mut waiting = Waiting::new();
    waiting.lan.tasks("- command: {shell: true, cmd: \"cp /srv/came /srv/seen; sleep 3\", creates: /srv/seen}");
    let bob = waiting.lan.command(&["apply", "inventory.yaml", "--yes", "--break-lock"]).env("USER", "bob").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let owner = waiting.node.inside("/var/lib/homelab/lock/owner");
    wait_for("the node to be bob's", || std::fs::read_to_string(&owner).is_ok_and(|owner| owner.contains("bob@")).then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(!waiting.node.inside("/srv/seen").exists(), "it acted beside a command of the other's");
    waiting.through();
    // Who had it hears while the other one acts.
    let held = Ended::of(waiting.first.wait_with_output().unwrap()).expect(1, "who had it");
    assert!(held.err.contains("pi-1: bob@") && held.err.contains(" has taken this node over (`--break-lock`), since 20") && held.err.contains("this run stopped there"), "{}", held.err);
    let over = Ended::of(bob.wait_with_output().unwrap()).expect(0, "who took it over");
    assert!(!format!("{}{}", over.out, over.err).contains("still going on"), "{}{}", over.out, over.err);
    assert_eq!(waiting.node.text("/srv/seen"), "through\n");
    assert!(!waiting.node.inside("/srv/last").exists(), "the holder went on");
}

#[test]
fn break_lock_lets_rollback_take_back_the_run_that_holds_the_node() {
    let mut waiting = Waiting::new();
    let refused = waiting.bob(&["rollback"]).expect(1, "without the option");
    assert!(refused.err.contains("another run has this node: anna@") && refused.err.contains("`--break-lock`"), "{}", refused.err);
    assert!(waiting.node.inside("/srv/first").exists());
    let over = waiting.bob(&["rollback", "--break-lock"]).expect(0, "with it");
    assert!(over.out.contains("`Wait` of the run that had this node is still going on"), "{}{}", over.out, over.err);
    assert!(!waiting.node.inside("/srv/first").exists());
    waiting.through();
    Ended::of(waiting.first.wait_with_output().unwrap()).expect(1, "who had it");
    assert!(!waiting.node.inside("/srv/last").exists() && !waiting.node.inside("/srv/first").exists());
}

/// serokell/deploy-rs#390: an orphaned process held the lock after the line had dropped.
#[test]
fn deploy_rs_390_nothing_holds_the_lock_after_the_line_dropped() {
    let mut waiting = Waiting::new();
    let lock = waiting.node.inside("/var/lib/homelab/lock");
    waiting.first.kill().unwrap();
    waiting.first.wait().unwrap();
    // What is under way ends first; after it nothing more is begun, and nobody is kept out.
    waiting.through();
    wait_for("the lock to go", || (!lock.exists()).then_some(()));
    assert!(!waiting.node.inside("/srv/last").exists(), "it went on without a controller");
    let resumed = waiting.bob(&["resume"]).expect(0, "going on");
    assert!(resumed.out.contains("done: "), "{}", resumed.out);
    assert_eq!(waiting.node.text("/srv/last"), "x");
    assert!(!lock.exists());
}
