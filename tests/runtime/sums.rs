//! Large files whose digest is recorded: not hashed while they are what they were, hashed whatever happens to them.

use crate::shell::{ALL, Node as Box_, numbered};
use homelab::node::op::{Content, sha256};
use homelab::node::probe::{Depth, Node};
use homelab::node::program::{Look, Sums};
use homelab::node::{Answer, Op, Probe};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

const SIZE: usize = 2 << 20;
/// Of no file.
const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn probes(node: &Box_, names: &[&str]) -> Vec<Probe> {
    names.iter().map(|name| Probe::Path { path: node.at(name), depth: Depth::Digest }).collect()
}

fn digest(look: &Look, node: &Box_, name: &str) -> String {
    match &look.answers[&probes(node, &[name])[0]] {
        Answer::Path(Node::File(file)) => file.sha256.clone().unwrap(),
        other => panic!("{name:?} {other:?}"),
    }
}

/// Writes it, and lets the clock that stamps files go on.
fn write(node: &Box_, name: &str, byte: u8) {
    fs::write(node.at(name), vec![byte; SIZE]).unwrap();
    std::thread::sleep(Duration::from_millis(30));
}

fn records(node: &Box_) -> String {
    fs::read_to_string(node.state().join("sums")).unwrap_or_default()
}

fn record(node: &Box_, run: &str, sums: &Sums) {
    let mut session = node.connect();
    session.begin(run);
    session.finish_with(sums);
    session.close();
}

/// Records every large file of `names`, with a digest that it does not have: who sees it has not hashed.
fn lie(node: &Box_, names: &[&str]) {
    record(node, "r1", &node.look(&probes(node, names)).sums);
    let lines: String = records(node).lines().map(|line| format!("{} {WRONG}\n", line.rsplit_once(' ').unwrap().0)).collect();
    fs::write(node.state().join("sums"), lines).unwrap();
}

#[test]
fn a_large_file_that_is_what_it_was_is_not_hashed() {
    let plain = ["big", "two words ", "it's $HOME *", "ünï", "-dash", "a:b = c", "tab\there"];
    let odd = ["new\nline", "back\\slash"];
    for sh in ALL {
        let node = Box_::new(sh);
        let names: Vec<&str> = plain.iter().chain(&odd).copied().collect();
        names.iter().for_each(|name| fs::write(node.at(name), vec![name.len() as u8; SIZE]).unwrap());
        fs::write(node.at("small"), "small").unwrap();
        write(&node, "last", 1);
        let all: Vec<&str> = names.iter().copied().chain(["small", "last", "none"]).collect();
        let first = node.look(&probes(&node, &all));
        let stamped: Vec<&str> = first.sums.keys().map(|path| path.rsplit('/').next().unwrap()).collect();
        let mut wanted: Vec<&str> = plain.iter().copied().chain(["last"]).collect();
        wanted.sort_unstable();
        assert_eq!(stamped, wanted, "{sh:?}");
        lie(&node, &all);
        assert_eq!(fs::metadata(node.state().join("sums")).unwrap().mode() & 0o777, 0o600);
        let mut session = node.connect();
        let believed = session.look(&probes(&node, &all), false);
        let paranoid = session.look_with(&probes(&node, &all), false, true);
        let again = session.look(&probes(&node, &all), false);
        session.close();
        assert_eq!((&paranoid.answers, &paranoid.sums), (&first.answers, &first.sums), "{sh:?}");
        assert_eq!(again, believed, "{sh:?}");
        for name in plain {
            assert_eq!(digest(&believed, &node, name), WRONG, "{sh:?} {name:?} was hashed");
        }
        for name in odd.into_iter().chain(["small"]) {
            assert_eq!(digest(&believed, &node, name), digest(&first, &node, name), "{sh:?} {name:?}");
        }
    }
}

#[test]
fn whatever_happens_to_a_large_file_it_is_hashed() {
    type Change = fn(&Box_);
    let as_old = |node: &Box_, name: &str| {
        let time = fs::metadata(node.at("model")).unwrap().modified().unwrap();
        fs::File::options().write(true).open(node.at(name)).unwrap().set_modified(time).unwrap();
    };
    let changes: [(&str, Change, u8); 4] = [
        ("written in place", |node| fs::write(node.at("big"), vec![2; SIZE]).unwrap(), 2),
        ("replaced", |node| fs::rename(node.at("other"), node.at("big")).unwrap(), 3),
        ("other permissions", |node| fs::set_permissions(node.at("big"), fs::Permissions::from_mode(0o600)).unwrap(), 1),
        ("put by a run", |node| {
            let put = Op::Put { path: node.at("big"), content: Content::inline(vec![1; SIZE], false), mode: 0o644, owner: None, group: None, validate: None };
            let mut session = node.connect();
            session.begin("r2");
            session.perform(&numbered(&[put])).unwrap();
            session.finish();
            session.close();
        }, 1),
    ];
    for sh in ALL {
        for (what, change, byte) in changes {
            let node = Box_::new(sh);
            write(&node, "model", 1);
            write(&node, "big", 1);
            write(&node, "other", 3);
            as_old(&node, "big");
            as_old(&node, "other");
            std::thread::sleep(Duration::from_millis(30));
            lie(&node, &["big"]);
            assert_eq!(digest(&node.look(&probes(&node, &["big"])), &node, "big"), WRONG);
            change(&node);
            as_old(&node, "big");
            assert_eq!(digest(&node.look(&probes(&node, &["big"])), &node, "big"), sha256(&vec![byte; SIZE]), "{sh:?}: {what}");
        }
    }
}

#[test]
fn what_is_recorded_is_true_of_what_was_there_and_bounded() {
    for sh in ALL {
        let node = Box_::new(sh);
        for name in ["a", "b", "gone"] {
            write(&node, name, 1);
        }
        record(&node, "r1", &node.look(&probes(&node, &["a", "b", "gone"])).sums);
        assert_eq!(records(&node).lines().count(), 3, "{sh:?}");
        fs::remove_file(node.at("gone")).unwrap();
        write(&node, "a", 2);
        let old = records(&node);
        record(&node, "r2", &node.look(&probes(&node, &["a"])).sums);
        let new = records(&node);
        assert_eq!(new.lines().count(), 2, "{sh:?}: {new}");
        assert!(new.starts_with(&format!("{}// ", node.at("a"))) && new.contains(&sha256(&vec![2; SIZE])), "{new}");
        assert_eq!(new.lines().nth(1), old.lines().nth(1), "a file that was not looked at stays");
        // A run that looked at no large file has nothing to say of them.
        record(&node, "r3", &Sums::new());
        assert_eq!(records(&node), new);
        let many: String = (0..300).map(|i| format!("{}/./{i}// 1 2 3 4 5 6\n", node.root())).collect();
        (0..300).for_each(|i| fs::write(node.at(&i.to_string()), "").unwrap());
        fs::write(node.state().join("sums"), format!("garbage\n\n{many}")).unwrap();
        record(&node, "r4", &node.look(&probes(&node, &["a"])).sums);
        assert_eq!(records(&node).lines().count(), 251, "{sh:?}");
    }
}

#[test]
fn a_change_in_the_moment_of_the_look_is_hashed_too() {
    // Older kernels give both changes one time: such a digest must not have been recorded.
    let node = Box_::new(ALL[0]);
    let since = SystemTime::now();
    let mut byte = 0;
    while since.elapsed().unwrap() < Duration::from_secs(1) {
        byte = 1 + byte % 9;
        fs::write(node.at("big"), vec![byte; SIZE]).unwrap();
        let look = node.look(&probes(&node, &["big"]));
        record(&node, "r1", &look.sums);
        fs::write(node.at("big"), vec![byte + 100; SIZE]).unwrap();
        assert_eq!(digest(&node.look(&probes(&node, &["big"])), &node, "big"), sha256(&vec![byte + 100; SIZE]));
    }
}
