//! Many nodes at once: nobody waits for another, no line is held that nobody needs, and facts of all are there for all.

use crate::lan::{Ended, Lan, wait_for};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// The slow node answers only when all others are done: whoever waited for it would wait for ever.
#[test]
fn nobody_waits_for_a_slow_node() {
    let lan = Lan::new();
    let (quick, slow) = (lan.node("quick"), lan.node("slow"));
    let mut hosts = vec![slow.host("connect_timeout: 300")];
    hosts.extend((1..=20).map(|n| quick.host_as(&format!("quick-{n}"), "")));
    lan.inventory(&hosts);
    lan.tasks("- file: {path: /srv, state: directory}");
    lan.trust();
    for forks in ["32", "2"] {
        slow.hold();
        let args = ["plan", "inventory.yaml", "-vv", "--detailed-exitcode", "--forks", forks];
        let mut run = lan.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(run.stderr.take().unwrap());
        let mut done = BTreeSet::new();
        while done.len() < 20 {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended with {done:?} done");
            done.extend(line.trim_end().strip_suffix(": nothing to do").map(str::to_owned));
        }
        assert!(!done.contains("slow"), "{done:?}");
        // Their lines are closed by now, though the run goes on.
        wait_for("the lines to be closed", || (quick.open() == 0).then_some(()));
        assert_eq!(slow.open(), 1);
        slow.answer();
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("slow: nothing to do"), "{rest}");
        Ended::of(run.wait_with_output().unwrap()).expect(0, &args.join(" "));
    }
}

/// Without a cache nothing is known of any of them beforehand.
#[test]
fn the_first_look_at_all_tells_each_of_the_others() {
    let lan = Lan::new();
    let nodes = ["a", "b", "c"].map(|name| lan.node(name));
    lan.inventory(&nodes.each_ref().map(|node| node.host("")));
    lan.tasks("- copy: {dest: /srv/all, content: \"{% for name in play.hosts %}{{ hosts[name].facts.arch }} {% endfor %}{{ hosts[host.name].facts.arch == facts.arch }}\"}");
    lan.trust();
    let plan = lan.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode", "-v"]);
    assert!(!plan.out.contains("known after apply"), "{}", plan.out);
    assert!(plan.err.contains("cost: 3 connections, 3 exec channels,"), "{}", plan.err);
    lan.expect(0, &["apply", "inventory.yaml", "--yes"]);
    let text = nodes[1].text("/srv/all");
    let words: Vec<&str> = text.split(' ').collect();
    assert!(words.len() == 4 && words[0] == words[1] && words[1] == words[2] && words[3].eq_ignore_ascii_case("true"), "{text}");
}

/// `homelab ARGS` where a process has this limit of open files.
fn limited(lan: &Lan, limit: &str, args: &[&str]) -> Command {
    let plain = lan.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(plain.get_program()).args(plain.get_args());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(lan.path(""));
    command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Forty lines at once, where thirty files may be open.
#[test]
fn as_many_files_are_opened_as_the_system_allows() {
    let lan = Lan::new();
    let node = lan.node("node");
    let hosts = |timeout: u32| (1..=40).map(|n| node.host_as(&format!("node-{n}"), &format!("connect_timeout: {timeout}"))).collect::<Vec<_>>();
    lan.inventory(&hosts(300));
    lan.tasks("- file: {path: /srv, state: directory}");
    lan.trust();
    let plan = ["plan", "inventory.yaml", "--forks", "40"];
    node.hold();
    let run = limited(&lan, "-S -n 30", &plan).spawn().unwrap();
    wait_for("forty lines", || (node.open() == 40).then_some(()));
    node.answer();
    Ended::of(run.wait_with_output().unwrap()).expect(0, "a limit that can be raised");

    lan.inventory(&hosts(1));
    node.hold();
    let ended = Ended::of(limited(&lan, "-n 30", &plan).output().unwrap()).expect(1, "a limit that cannot");
    assert!(ended.err.contains("too many files are open on this machine\n"), "{}", ended.err);
    assert!(ended.err.contains("`--forks`"), "{}", ended.err);
}
