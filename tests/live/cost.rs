//! What a look costs: exec channels and turns as the controller counts them, processes as the node's kernel does.

use crate::line::Fate;
use crate::remote::Remote;
use std::collections::BTreeSet;

/// One hundred resources of nine kinds.
fn hundred() -> String {
    let mut tasks = String::from("- file: {path: /etc/cron.d, state: directory}\n");
    for i in 0..20 {
        tasks += &format!("- file: {{path: /srv/d{i}, state: directory, mode: 0750}}\n");
        tasks += &format!("- copy: {{dest: /srv/d{i}/page, content: \"page {i}\\n\"}}\n");
        tasks += &format!("- lineinfile: {{path: /etc/hosts, line: \"10.0.1.{i} host-{i}\"}}\n");
    }
    for i in 0..10 {
        tasks += &format!("- template: {{src: t.j2, dest: /srv/d{i}/rendered}}\n");
        tasks += &format!("- blockinfile: {{path: /srv/d{i}/page, block: \"block {i}\", marker: \"# {{mark}} {i}\"}}\n");
        tasks += &format!("- group: {{name: g{i}, gid: {}}}\n", 4000 + i);
    }
    for i in 0..3 {
        tasks += &format!("- user: {{name: u{i}, group: g{i}}}\n- cron: {{name: job {i}, cron_file: jobs, job: \"true {i}\"}}\n");
    }
    tasks += "- sysctl: {name: net.ipv4.ip_forward, value: 1}\n- hostname: {name: steady}\n- file: {path: /srv/link, state: link, src: d0}\n";
    tasks
}

#[test]
fn a_steady_plan_of_100_resources_is_one_channel_and_one_turn_after_login() {
    let tasks = hundred().replace("blockinfile: {path: /srv/d", "blockinfile: {create: true, path: /srv/b");
    let tasks = tasks.replace("/page, block", ", block");
    let kinds: BTreeSet<&str> = tasks.lines().map(|line| line[2..].split(':').next().unwrap()).collect();
    assert!(tasks.lines().count() == 100 && kinds.len() >= 8, "{} of {kinds:?}", tasks.lines().count());
    let remote = Remote::new("", &tasks);
    remote.site.write("t.j2", "rendered for {{ host.name }}\n");
    let (first, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    let (plan, _) = remote.run(&["plan", "inventory.yaml", "--detailed-exitcode", "-v"], Fate::Nothing);
    assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
    let last = plan.err.lines().last().unwrap_or_default();
    eprintln!("{last}");
    assert!(last.starts_with("cost: 1 connection, 1 exec channel, ") && last.contains("(1 after login)"), "{last}");
}

#[test]
fn a_steady_plan_of_100_files_starts_at_most_15_processes() {
    let tasks: String = (0..100).map(|i| format!("- copy: {{dest: /srv/f{i}, content: \"{i}\\n\"}}\n")).collect();
    let remote = Remote::new("", &tasks);
    let (first, _) = remote.run(&["apply", "inventory.yaml", "--yes"], Fate::Nothing);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    let Some(before) = remote.last_pid() else {
        return crate::untested::untested("the sandbox has no process numbers of its own");
    };
    let (plan, _) = remote.run(&["plan", "inventory.yaml", "--detailed-exitcode"], Fate::Nothing);
    assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
    let started = remote.last_pid().unwrap() - before - 1;
    eprintln!("{started} processes for a steady plan of 100 files, login shell and sudo included");
    assert!((1..=15).contains(&started), "{started}");
}

/// Of the last line that `-v` gives.
fn spent(ended: &crate::site::Ended, what: &str) -> f64 {
    let last = ended.err.lines().last().unwrap_or_default();
    let (before, _) = last.split_once(what).unwrap_or_else(|| panic!("{last}"));
    before.rsplit([' ', '(']).next().unwrap().parse().unwrap()
}

#[test]
fn two_thousand_files_are_made_in_few_turns_and_cost_a_later_run_nothing() {
    let file = |i: usize| format!("- copy: {{dest: /srv/f{i}, content: \"{i}\\n\"}}\n");
    let many: String = (0..2000).map(file).collect();
    let remote = Remote::new("", &many);
    let (first, _) = remote.run(&["apply", "inventory.yaml", "--yes", "-v"], Fate::Nothing);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    assert!(first.out.contains("done: 2000 changed"), "{}", first.out.lines().last().unwrap_or_default());
    let turns = spent(&first, " after login");
    eprintln!("{turns} turns for 2,000 files");
    // Sixteen batches, and what is around them.
    assert!(turns <= 20.0, "{turns}");

    // Steps that are planned again on their way ask for what they need, not for the receipts of all others.
    let late: String = (0..40).map(file).collect::<String>().replace("/srv/", "/srv/new/");
    remote.site.tasks(&format!("{many}- command: {{argv: [mkdir, /srv/new]}}\n{late}"));
    let (second, _) = remote.run(&["apply", "inventory.yaml", "--yes", "-v"], Fate::Nothing);
    assert_eq!(second.code, 0, "{}{}", second.out, second.err);
    assert!(second.out.contains("done: 41 changed"), "{}", second.out.lines().last().unwrap_or_default());
    let last = second.err.lines().last().unwrap_or_default();
    eprintln!("{last}");
    let received = last.split(", ").find(|part| part.ends_with(" received")).unwrap();
    assert!(received.ends_with("KiB received") || spent(&second, " MiB received") <= 1.5, "{received}");
}
