//! Runs of the past, on every shell: what is noted for taking them back, who holds the lock, and what a run that was taken
//! back leaves.

use crate::shell::{ALL, Node as Box_, Session, numbered, snapshot};
use homelab::history::{Changed, Past, conflicts};
use homelab::node::journal::{Journal, State, stamps};
use homelab::node::op::{Content, ToolOp};
use homelab::node::program::{self, Named};
use homelab::node::{Command, Op, runtime};
use std::collections::BTreeMap;
use std::fs;

type Receipts = BTreeMap<String, (String, String)>;

fn put(path: String, text: &str) -> Op {
    Op::Put { path, content: Content::inline(text, false), mode: 0o644, owner: None, group: None, validate: None }
}

fn mkdir(path: String) -> Op {
    Op::Mkdir { path, mode: 0o755, owner: None, group: None }
}

fn receipts(of: &[(&str, &str)]) -> Receipts {
    of.iter().map(|(id, state)| ((*id).to_owned(), ("wish".to_owned(), (*state).to_owned()))).collect()
}

/// Begins, performs `ops` and finishes with these receipts.
fn run(node: &Box_, name: &str, ops: &[Op], leaving: &Receipts) {
    let mut session = node.connect();
    assert!(session.begin(name).iter().any(|f| f.tag == "begun"), "{name}");
    session.perform(&numbered(ops)).unwrap();
    finish(&mut session, leaving);
    session.close();
}

fn finish(session: &mut Session, leaving: &Receipts) {
    let unit = program::finish_at(session.next(), leaving, &Default::default(), Some(1_700_000_009));
    let frames = session.run(&unit);
    assert!(frames.iter().any(|f| f.tag == "finished"), "{frames:?}");
}

/// A session that knows of runs of the past.
fn past(node: &Box_) -> Session {
    let mut session = node.connect();
    for unit in [runtime::apply_preamble(session.next()), runtime::history_preamble(session.next())] {
        session.run(&unit);
    }
    session
}

fn reopen(session: &mut Session, name: &str) {
    let unit = program::reopen(session.next(), name, "you@there", 1_700_000_100, false);
    assert!(session.run(&unit).iter().any(|f| f.tag == "begun"));
}

/// Takes `name` back; answers the tags of what was said.
fn back(node: &Box_, name: &str, force: bool) -> Vec<String> {
    let mut session = past(node);
    reopen(&mut session, name);
    let unit = program::take_back(session.next(), name, force);
    let (frames, _) = session.try_run(&unit).unwrap();
    session.close();
    assert!(!node.state().join("lock").exists(), "the lock is held");
    frames.into_iter().map(|frame| frame.tag).filter(|tag| tag != "end").collect()
}

fn history(node: &Box_) -> Past {
    let mut session = past(node);
    let unit = program::history(session.next());
    let journals = session
        .run(&unit)
        .iter()
        .filter(|frame| frame.tag == "journal")
        .map(|frame| (frame.field(0).to_owned(), Journal::read(frame.text().strip_suffix('.').unwrap())))
        .collect();
    let state = session.look(&[], false).state;
    session.close();
    Past::new(journals, state)
}

fn changed(node: &Box_, name: &str) -> Changed {
    let mut session = past(node);
    let unit = program::changed(session.next(), name);
    let frames = session.run(&unit);
    session.close();
    let text = |tag: &str| frames.iter().find(|f| f.tag == tag).map(homelab::node::frame::Frame::text).unwrap_or_default();
    Changed { after: stamps(&text("after")), now: stamps(&text("now")), foreign: frames.iter().filter(|f| f.tag == "foreign").map(homelab::node::frame::Frame::text).collect() }
}

/// What stands against taking `name` back, in words.
fn against(node: &Box_, name: &str) -> Vec<String> {
    let past = history(node);
    let run = past.runs.iter().find(|run| run.run == name).unwrap();
    conflicts(run, &past, &changed(node, name)).iter().map(ToString::to_string).collect()
}

fn kept(node: &Box_) -> BTreeMap<String, Vec<u8>> {
    node.look(&[]).state.kept
}

#[test]
fn a_finished_run_is_taken_back_with_its_receipts_and_kept_values() {
    for sh in ALL {
        let node = Box_::new(sh);
        fs::write(node.at("old"), "before\n").unwrap();
        let before = snapshot(&node.root(), false);
        run(&node, "r1", &[put(node.at("first"), "1")], &receipts(&[("a", "1"), ("b", "1")]));
        let between = snapshot(&node.root(), false);
        let mut session = node.connect();
        session.begin("r2");
        let ops = [put(node.at("old"), "after\n"), put(node.at("odd 100%\nname"), "x"), mkdir(node.at("d")), put(node.at("d/x"), "x")];
        session.perform(&numbered(&ops)).unwrap();
        for (name, value) in [("token", "new"), ("fresh", "1"), ("token", "newer")] {
            let unit = program::keep(session.next(), name, value.as_bytes());
            session.run(&unit);
        }
        finish(&mut session, &receipts(&[("a", "1"), ("b", "2"), ("c", "2")]));
        session.close();
        let journal = fs::read_to_string(node.state().join("runs/r2/journal")).unwrap();
        assert!(!journal.contains("bmV3") && journal.contains("\nK token\n"), "{sh:?}: a value stands in the journal: {journal}");
        assert_eq!(kept(&node).len(), 2);
        assert!(against(&node, "r2").is_empty(), "{sh:?}: {:?}", against(&node, "r2"));

        let said = back(&node, "r2", false);
        assert_eq!(said.iter().filter(|tag| *tag == "undone").count(), 4, "{sh:?} {said:?}");
        assert_eq!(said.last().map(String::as_str), Some("unwound"));
        assert_eq!(snapshot(&node.root(), false), between, "{sh:?}");
        assert!(kept(&node).is_empty(), "{sh:?}");
        let mut session = node.connect();
        assert_eq!(session.look(&[], true).state.receipts, receipts(&[("a", "1"), ("b", "1")]), "{sh:?}");
        session.close();
        let all = history(&node);
        assert_eq!(all.runs.iter().map(|run| run.state).collect::<Vec<_>>(), [State::Done, State::TakenBack]);
        assert_eq!(all.runs[1].reopened, Some((1_700_000_100, "you@there".into())));
        assert!(all.state.interrupted.is_none(), "{sh:?}");
        // What was put back is another file, which must not be taken for somebody's touch.
        assert!(against(&node, "r1").is_empty(), "{sh:?}: {:?}", against(&node, "r1"));
        back(&node, "r1", false);
        assert_eq!(snapshot(&node.root(), false), before, "{sh:?}");
    }
}

#[test]
fn a_value_that_was_kept_before_comes_back() {
    for sh in ALL {
        let node = Box_::new(sh);
        for (name, values) in [("r1", &["old", "other"][..]), ("r2", &["new"])] {
            let mut session = node.connect();
            session.begin(name);
            for (at, value) in values.iter().enumerate() {
                let unit = program::keep(session.next(), ["token", "second"][at], value.as_bytes());
                session.run(&unit);
            }
            finish(&mut session, &Receipts::new());
            session.close();
        }
        back(&node, "r2", false);
        assert_eq!(kept(&node), [("token".to_owned(), b"old".to_vec()), ("second".to_owned(), b"other".to_vec())].into(), "{sh:?}");
    }
}

#[test]
fn receipts_that_a_later_run_changed_are_its_own_unless_forced() {
    for sh in ALL {
        for (force, b) in [(false, "3"), (true, "1")] {
            let node = Box_::new(sh);
            run(&node, "r1", &[put(node.at("x"), "1")], &receipts(&[("a", "1"), ("b", "1")]));
            run(&node, "r2", &[put(node.at("y"), "2")], &receipts(&[("a", "2"), ("b", "2")]));
            run(&node, "r3", &[put(node.at("z"), "3")], &receipts(&[("a", "2"), ("b", "3"), ("c", "3")]));
            back(&node, "r2", force);
            let mut session = node.connect();
            assert_eq!(session.look(&[], true).state.receipts, receipts(&[("a", "1"), ("b", b), ("c", "3")]), "{sh:?} {force}");
            session.close();
        }
    }
}

#[test]
fn what_somebody_touched_or_put_there_is_found_and_put_aside_by_force() {
    for sh in ALL {
        let node = Box_::new(sh);
        let untouched = snapshot(&node.root(), false);
        run(&node, "r1", &[put(node.at("changed"), "1"), put(node.at("gone"), "1"), mkdir(node.at("d")), put(node.at("d/ours"), "1"), mkdir(node.at("e"))], &Receipts::new());
        assert!(against(&node, "r1").is_empty(), "{sh:?}");
        fs::write(node.at("changed"), "by hand").unwrap();
        fs::remove_file(node.at("gone")).unwrap();
        fs::write(node.at("d/.data of a service"), "precious").unwrap();
        let said = against(&node, "r1").join("\n");
        for part in ["changed: its content was changed", "gone: it was removed", ".data of a service: it is in a directory"] {
            assert!(said.contains(part), "{sh:?}: {said}");
        }
        assert!(!said.contains("ours") && said.lines().count() == 3, "{sh:?}: {said}");
        // Without force such a directory stays, and that is said.
        let tags = back(&node, "r1", false);
        assert!(tags.contains(&"stuck".to_owned()) && !tags.contains(&"unwound".to_owned()), "{sh:?} {tags:?}");
        assert_eq!(history(&node).runs[0].state, State::Stuck);
        assert_eq!(fs::read(node.at("d/.data of a service")).unwrap(), b"precious");
        // By force it goes, and what was in it is kept.
        let tags = back(&node, "r1", true);
        assert!(tags.contains(&"residue".to_owned()) && tags.contains(&"unwound".to_owned()), "{sh:?} {tags:?}");
        assert_eq!(snapshot(&node.root(), false), untouched, "{sh:?}");
        let kept = fs::read(node.state().join("runs/r1/gone/3/d/.data of a service")).unwrap();
        assert_eq!(kept, b"precious", "{sh:?}");
    }
}

#[test]
fn a_directory_whose_removal_never_began_is_not_put_aside_by_force() {
    for sh in ALL {
        let node = Box_::new(sh);
        fs::create_dir(node.at("d")).unwrap();
        fs::write(node.at("d/file"), "precious").unwrap();
        let untouched = snapshot(&node.root(), false);
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&numbered(&[Op::Remove { path: node.at("d") }])).unwrap();
        session.close();
        // As if it had ended after the record and before the act.
        let journal = fs::read_to_string(node.state().join("runs/r1/journal")).unwrap();
        fs::write(node.state().join("runs/r1/journal"), journal.lines().filter(|line| *line != "D 1").map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let group = journal.lines().find(|line| line.starts_with("B 1 remove d ")).unwrap().split(' ').nth(7).unwrap();
        fs::rename(node.state().join("runs/r1/before").join(group).join("d"), node.at("d")).unwrap();
        let tags = back(&node, "r1", true);
        assert!(tags.contains(&"unwound".to_owned()) && !tags.contains(&"residue".to_owned()), "{sh:?} {tags:?}");
        assert_eq!(snapshot(&node.root(), false), untouched, "{sh:?}");
    }
}

#[test]
fn what_commands_and_tools_bring_is_of_the_runs_making() {
    let sh = |text: String| Command { argv: vec![text], shell: true, ..Command::default() };
    for shell in ALL {
        let node = Box_::new(shell);
        let untouched = snapshot(&node.root(), false);
        let [d, made, tree] = ["d", "d/made 100%", "d/tree"].map(|name| node.at(name));
        let ops = [
            mkdir(d.clone()),
            Op::Run {
                command: sh(format!("touch '{made}'")),
                undo: Some(sh(format!("rm -f '{made}'"))),
                ok: vec![],
                creates: vec![made],
                brings: vec![],
                again: false,
            },
            Op::Tool(ToolOp {
                command: sh(format!("mkdir '{tree}'; touch '{tree}/leaf'")),
                undo: Some(sh(format!("rm -rf '{tree}'"))),
                brings: vec![tree],
                ..ToolOp::default()
            }),
        ];
        run(&node, "r1", &ops, &Receipts::new());
        assert_eq!(against(&node, "r1"), Vec::<String>::new(), "{shell:?}");
        fs::write(node.at("d/mine"), "by hand").unwrap();
        assert_eq!(against(&node, "r1").len(), 1, "{shell:?}");
        fs::remove_file(node.at("d/mine")).unwrap();
        assert!(back(&node, "r1", false).contains(&"unwound".to_owned()), "{shell:?}");
        assert_eq!(snapshot(&node.root(), false), untouched, "{shell:?}");
    }
}

#[test]
fn whoever_loses_the_lock_changes_nothing_more_and_says_so() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut first = node.connect();
        first.begin("r1");
        first.perform(&[(1, &put(node.at("first"), "1"))]).unwrap();
        let mut second = node.connect();
        assert!(second.begin("r2").iter().any(|f| f.tag == "locked"));
        let unit = program::take_over(second.next(), "r2", "you@there", 1_700_000_500);
        assert!(second.run(&unit).iter().any(|f| f.tag == "begun"), "{sh:?}");
        let journal = || fs::read_to_string(node.state().join("runs/r1/journal")).unwrap();
        let before = journal();
        let late = put(node.at("late"), "1");
        let ops = [(2, &late)];
        let units = [
            program::act(first.next(), &ops),
            program::pending(first.next(), "h", true),
            program::keep(first.next(), "k", b"v"),
            program::unwind(first.next(), "r1"),
            program::finish(first.next(), &Receipts::new(), &Default::default()),
        ];
        for unit in units {
            let (frames, status) = first.try_run(&unit).unwrap();
            let taken = frames.iter().find(|f| f.tag == "taken").unwrap_or_else(|| panic!("{sh:?} {frames:?}"));
            assert_eq!((taken.text().as_str(), taken.number(0), status), ("you@there", Some(1_700_000_500), 1), "{sh:?}");
        }
        first.close();
        assert_eq!(journal(), before, "{sh:?}: the loser wrote on");
        assert!(fs::metadata(node.at("late")).is_err() && fs::metadata(node.at("first")).is_ok(), "{sh:?}");
        assert!(node.look(&[]).state.pending.is_empty() && kept(&node).is_empty(), "{sh:?}");
        assert_eq!(node.look(&[]).state.locked_by.map(|owner| owner.who), Some("you@there".into()), "{sh:?}: the loser freed the winner's lock");
        second.perform(&[(1, &put(node.at("second"), "2"))]).unwrap();
        second.finish();
        second.close();
        assert!(!node.state().join("lock").exists(), "{sh:?}");
    }
}

#[test]
fn a_record_that_was_cut_off_does_not_spoil_the_next_one() {
    for sh in ALL {
        let node = Box_::new(sh);
        let before = snapshot(&node.root(), false);
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&[(1, &put(node.at("a"), "1"))]).unwrap();
        session.close();
        let path = node.state().join("runs/r1/journal");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("B 2 put a 0 0 0 2_0 /etc/mo");
        fs::write(&path, &text).unwrap();
        let mut session = node.connect();
        session.begin("r1");
        session.perform(&[(2, &put(node.at("b"), "2"))]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\nI\nB 2 put a 0 0 0 2_0 /etc/mo%\nO 1700000000 me@here\nA "), "{sh:?} {text}");
        assert_eq!(Journal::read(&text).unwrap().touched[&2].name, node.at("b"), "{sh:?}");
        session.unwind("r1");
        session.close();
        assert_eq!(snapshot(&node.root(), false), before, "{sh:?}");
    }
}

#[test]
fn steps_stand_in_the_journal_before_their_ops() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut session = node.connect();
        session.begin("r1");
        let said = |text: &str| Op::Run { command: Command { argv: vec!["echo".into(), text.into()], ..Command::default() }, undo: None, ok: vec![], creates: vec![], brings: vec![], again: false };
        let ops = [mkdir(node.at("d")), put(node.at("d/a"), "1"), put(node.at("d/b"), "2"), said("x")];
        for part in program::stage(&mut 100, &numbered(&ops)) {
            if let program::Part::Unit(unit) = part {
                session.run(&unit);
            }
        }
        let steps = [Named { first: 1, label: "It's a \"dir\" for 100%" }, Named { first: 3, label: "two\nlines" }, Named { first: 4, label: "$HOME `id`" }];
        let unit = program::act_as(200, &numbered(&ops), &steps, 1_700_000_005);
        session.run(&unit);
        finish(&mut session, &Receipts::new());
        session.close();
        let journal = history(&node).runs.remove(0);
        let labels: Vec<&str> = journal.steps.iter().map(|step| step.label.as_str()).collect();
        assert_eq!(labels, ["It's a \"dir\" for 100%", "two\nlines", "$HOME `id`"], "{sh:?}");
        assert_eq!((1..=4).map(|op| journal.step_of(op)).collect::<Vec<_>>(), [Some(0), Some(0), Some(1), Some(2)]);
        assert_eq!((journal.steps[2].since, journal.ended), (1_700_000_005, Some(1_700_000_009)));
    }
}

#[test]
fn ten_runs_are_kept_and_of_these_what_fits_but_the_newest_always() {
    for sh in ALL {
        let node = Box_::new(sh);
        for i in 10..22 {
            run(&node, &format!("r{i}"), &[put(node.at("x"), &i.to_string())], &Receipts::new());
        }
        let names = || {
            let mut names: Vec<String> = fs::read_dir(node.state().join("runs")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!((names().len(), names()[0].clone()), (10, "r12".to_owned()), "{sh:?}");
        let large = |run: &str, mib: u32| {
            let path = node.state().join("runs").join(run).join("before/large");
            let made = std::process::Command::new("fallocate").args(["-l", &format!("{mib}M")]).arg(path).status().unwrap();
            assert!(made.success(), "fallocate");
        };
        large("r20", 300);
        large("r21", 300);
        run(&node, "r22", &[put(node.at("x"), "22")], &Receipts::new());
        assert_eq!(names(), ["r21", "r22"], "{sh:?}: of 600 MiB the oldest go, and no more of them than must");
        // The newest stays, however large it is.
        let mut session = node.connect();
        session.begin("r23");
        session.perform(&[(1, &put(node.at("x"), "23"))]).unwrap();
        large("r23", 600);
        session.finish();
        session.close();
        assert_eq!(names(), ["r23"], "{sh:?}");
    }
}

#[test]
fn a_handler_that_others_have_notified_since_stays_pending() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut session = node.connect();
        session.begin("r1");
        for (handler, set) in [("h", true), ("g", true), ("h", false), ("g", false)] {
            let unit = program::pending(session.next(), handler, set);
            session.run(&unit);
        }
        session.perform(&[(1, &put(node.at("x"), "1"))]).unwrap();
        finish(&mut session, &Receipts::new());
        session.close();
        let mut session = node.connect();
        session.begin("r2");
        session.perform(&[(1, &put(node.at("y"), "1"))]).unwrap();
        let unit = program::pending(session.next(), "h", true);
        session.run(&unit);
        session.close();
        back(&node, "r1", false);
        let state = node.look(&[]).state;
        assert_eq!(state.pending, ["h"], "{sh:?}");
        // Nor is the run forgotten that is open meanwhile.
        assert_eq!(state.interrupted.as_deref(), Some("r2"), "{sh:?}");
    }
}

#[test]
fn that_the_node_was_rebooted_in_the_middle_is_said() {
    for sh in ALL {
        for (rebooted, ended) in [(false, false), (true, false), (true, true)] {
            let node = Box_::new(sh);
            if ended {
                run(&node, "r1", &[put(node.at("new"), "1")], &receipts(&[]));
            } else {
                let mut session = node.connect();
                session.begin("r1");
                session.perform(&[(1, &put(node.at("new"), "1"))]).unwrap();
                session.close();
            }
            let journal = node.state().join("runs/r1/journal");
            let text = fs::read_to_string(&journal).unwrap();
            let boot = text.lines().find_map(|line| line.strip_prefix("A ")).unwrap();
            if rebooted {
                fs::write(&journal, text.replace(boot, "another")).unwrap();
            }
            let said = back(&node, "r1", false);
            assert_eq!(said.contains(&"residue".to_owned()), rebooted && !ended, "{sh:?} {said:?}");
        }
    }
}
