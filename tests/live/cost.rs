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
