//! Plays compiled from texts.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::lang::{Data, Diagnostics, Files, Value};
use crate::node::Facts;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HOME: &str = "playbooks: [site.yaml]\nvars: {level: inventory, early: \"{{ level }}!\"}\ngroups:\n  pis: {hosts: [\"pi-[1:2]\"], vars: {level: group}}\nhosts:\n  pi-1: {address: 10.0.0.1}\n";

fn files(site: &str, more: &[(&str, &str)]) -> Arc<Files> {
    let all = [("home.yaml", HOME), ("site.yaml", site)].into_iter().chain(more.iter().copied());
    Arc::new(Files::bundled(all.map(|(path, text)| (PathBuf::from(path), text.to_owned())).collect()))
}

fn try_load(site: &str, more: &[(&str, &str)], options: &Options) -> Result<Config, Diagnostics> {
    load(files(site, more), Path::new("home.yaml"), &[], options)
}

fn config(site: &str, more: &[(&str, &str)]) -> Config {
    try_load(site, more, &Options::default()).unwrap()
}

/// The first play's tasks: `tasks` is their YAML.
fn tasks(tasks: &str) -> Config {
    config(&format!("- hosts: pis\n  tasks:\n{tasks}"), &[])
}

fn facts() -> Facts {
    let mut facts = Facts { arch: "arm64".into(), ..Facts::default() };
    facts.os.family = "debian".into();
    facts
}

fn with_facts() -> Known {
    let host = HostKnown { facts: Some(facts()), kept: BTreeMap::new() };
    Known { facts: Some(facts()), hosts: Arc::new(Hosts::new(BTreeMap::from([("pi-1".to_owned(), host)]))), ..Known::default() }
}

/// A line for each step: `key label: what`.
fn shown(steps: &[Step]) -> String {
    let line = |step: &Step| {
        let body = match &step.body {
            Body::Resource(resource) => resource.id().to_string(),
            Body::Late { cause, .. } => format!("late ({cause})"),
            Body::Skipped { why } => format!("skipped ({why})"),
            Body::Assert { failed: None } => "holds".to_owned(),
            Body::Assert { failed: Some(failed) } => format!("fails ({})", failed.message),
        };
        format!("{} {}: {body}\n", step.key, step.label)
    };
    steps.iter().map(line).collect()
}

fn messages(problems: &Diagnostics) -> Vec<&str> {
    problems.0.iter().map(|p| p.message.as_str()).collect()
}

fn compiled(config: &Config, known: &Known) -> Compiled {
    let compiled = compile(config, 0, "pi-1", known);
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    compiled
}

#[test]
fn facts_are_late_until_they_are_known() {
    let config = tasks("  - file: {path: '/opt/{{ facts.arch }}', state: directory}\n  - file: {path: /a, state: absent}\n    when: facts.os.family == 'debian'\n  - file: {path: /b, state: absent}\n    when: facts.os.family == 'alpine'\n");
    let before = compiled(&config, &Known::default());
    assert_eq!(
        shown(&before.steps),
        "0/0 file /opt/{{ facts.arch }}: late (facts of pi-1 not gathered yet)\n0/1 file /a: late (facts of pi-1 not gathered yet)\n0/2 file /b: late (facts of pi-1 not gathered yet)\n"
    );
    assert!(before.steps.iter().all(|s| matches!(s.body, Body::Late { needs_facts: true, .. })));
    let after = compiled(&config, &with_facts());
    assert_eq!(shown(&after.steps), "0/0 file:/opt/arm64: file:/opt/arm64\n0/1 file:/a: file:/a\n0/2 file /b: skipped (not (facts.os.family == 'alpine'))\n");
    assert_eq!(after.fact_reads.into_iter().collect::<Vec<_>>(), ["facts.arch", "facts.os.family"]);
}

#[test]
fn levels_of_precedence() {
    let site = "- hosts: pis\n  vars: {level: play}\n  tasks:\n  - file: {path: '/{{ level }}/{{ early }}', state: absent}\n  - file: {path: '/{{ level }}', state: absent}\n    vars: {level: task}\n  - block:\n    - file: {path: '/{{ level }}', state: absent}\n    vars: {level: block}\n";
    let paths = |options: &Options| {
        let config = try_load(site, &[], options).unwrap();
        compiled(&config, &Known::default()).steps.iter().map(|s| s.label.clone()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&Options::default()), ["file:/play/play!", "file:/task", "file:/block"]);
    let set = Options { sets: vec![("level".into(), Value::from("set"))], ..Options::default() };
    assert_eq!(paths(&set), ["file:/set/set!", "file:/set", "file:/set"]);
    let all = try_load(site, &[], &set).unwrap().explain("pi-1", "level");
    let levels: Vec<String> = all.iter().map(|d| format!("{}{}", d.level, if d.wins { "*" } else { "" })).collect();
    assert_eq!(levels, ["inventory", "group pis", "play pis", "--set*"]);
}

#[test]
fn results_are_late_then_known() {
    let config = tasks("  - name: Ask\n    command: {cmd: uname, read_only: true}\n    register: out\n  - file: {path: '/{{ out.stdout }}', state: absent}\n  - file: {path: '/{{ item }}', state: absent}\n    loop: out.list\n");
    let before = compiled(&config, &Known::default());
    assert!(shown(&before.steps).contains("0/1 file /{{ out.stdout }}: late (result of Ask)\n0/2 file /{{ item }}: late (result of Ask)\n"), "{}", shown(&before.steps));
    let result: Value = from_json(serde_json::json!({"stdout": "Linux {{ nothing }}", "list": ["a", "b"]}));
    let known = Known { registered: BTreeMap::from([("out".to_owned(), result)]), ..Known::default() };
    let after = compiled(&config, &known);
    assert!(shown(&after.steps).contains("file:/Linux {{ nothing }}\n0/2#0 file:/a (a): file:/a\n0/2#1 file:/b (b): file:/b\n"), "{}", shown(&after.steps));
}

#[test]
fn a_skipped_task_registers_that_it_was() {
    let config = tasks("  - command: 'true'\n    when: false\n    register: out\n  - file: {path: /a, state: absent}\n    when: out.changed\n");
    assert!(shown(&compiled(&config, &Known::default()).steps).ends_with("skipped (not (out.changed))\n"));
}

#[test]
fn loops() {
    let config = tasks("  - name: Make {{ item.name }}\n    file: {path: '/{{ item.name }}', state: absent}\n    when: item.on\n    loop: [{name: a, on: true}, {name: b, on: false}]\n  - file: {path: '/{{ item.key }}/{{ item.value }}', state: absent}\n    loop: {x: 1}\n  - file: {path: /z, state: absent}\n    loop: []\n");
    assert_eq!(
        shown(&compiled(&config, &Known::default()).steps),
        "0/0#0 Make a (a): file:/a\n0/0#1 Make b (b): skipped (not (item.on))\n0/1#0 file:/x/1 (x): file:/x/1\n0/2 file /z: skipped (nothing to loop over)\n"
    );
}

#[test]
fn roles_are_lexical() {
    let role = "summary: Puts a thing\nparams:\n  where: {type: path, required: true}\n  level: {type: text, default: role}\n  both: {default: '{{ where }}-{{ level }}'}\ntasks:\n- name: Put\n  file: {path: '{{ both }}', state: absent}\n  notify: Restart\n- file: {path: '/{{ early }}', state: absent}\nhandlers:\n- name: Restart\n  command: 'systemctl restart {{ level }}'\n";
    let site = "- hosts: pis\n  vars: {here: /srv}\n  tasks:\n  - role: thing\n    with: {where: '{{ here }}/x'}\n  - role: thing\n    with: {where: '/{{ item }}', level: own}\n    loop: [p]\n";
    let set = Options { sets: vec![("where".into(), Value::from("/set"))], ..Options::default() };
    let config = try_load(site, &[("roles/thing/role.yaml", role)], &set).unwrap();
    let compiled = compiled(&config, &Known::default());
    // The inventory's `early` reads the group's `level`, not the role's parameter.
    assert_eq!(
        shown(&compiled.steps),
        "0/0/0 thing: Put: file:/srv/x-role\n0/0/1 thing: file:/group!: file:/group!\n0/1#0/0 thing (p): Put: file:/p-own\n0/1#0/1 thing (p): file:/group!: file:/group!\n"
    );
    assert_eq!(compiled.steps[0].notify, ["0/0/handlers/Restart"]);
    assert_eq!(compiled.steps[2].notify, ["0/1#0/handlers/Restart"]);
    let keys: Vec<&str> = compiled.handlers.iter().map(|h| h.key.as_str()).collect();
    assert_eq!(keys, ["0/0/handlers/Restart", "0/1#0/handlers/Restart"]);
}

#[test]
fn wrong_role_parameters() {
    let role = "params: {n: {type: int, required: true}, kind: {type: choice, choices: [big, small]}}\n";
    let load = |with: &str| match try_load(&format!("- hosts: pis\n  tasks:\n  - role: thing\n    with: {with}\n"), &[("roles/thing/role.yaml", role)], &Options::default()) {
        Ok(config) => messages(&compile(&config, 0, "pi-1", &Known::default()).problems).join("; "),
        Err(problems) => messages(&problems).join("; "),
    };
    assert_eq!(load("{}"), "the role `thing` needs the parameter `n`");
    assert_eq!(load("{n: x}"), "the parameter `n` of the role `thing` takes a whole number, not a text");
    assert_eq!(load("{n: '{{ level }}'}"), "the parameter `n` of the role `thing` takes a whole number, not a text");
    assert_eq!(load("{n: 1, kind: bigg}"), "the parameter `kind` of the role `thing` cannot be `bigg`");
    assert_eq!(load("{n: 1, m: 2}"), "the role `thing` has no parameter `m`");
    assert_eq!(load("{n: '{{ facts.cpus }}'}"), "");
}

#[test]
fn tags_and_start_at() {
    let site = "- hosts: pis\n  tags: [base]\n  tasks:\n  - {name: A, file: {path: /a, state: absent}, tags: net}\n  - block:\n    - {name: B, file: {path: /b, state: absent}}\n    - {name: C, file: {path: /c, state: absent}, tags: never}\n    tags: [web]\n  - {name: D, file: {path: /d, state: absent}, tags: always}\n";
    let names = |options: Options| {
        let config = try_load(site, &[], &options).unwrap();
        compiled(&config, &Known::default()).steps.iter().map(|s| s.label.clone()).collect::<String>()
    };
    let tags = |list: &[&str]| Options { tags: list.iter().map(|t| (*t).to_owned()).collect(), ..Options::default() };
    assert_eq!(names(Options::default()), "ABD");
    assert_eq!(names(tags(&["net"])), "AD");
    assert_eq!(names(tags(&["web"])), "BCD");
    assert_eq!(names(tags(&["base"])), "ABCD");
    assert_eq!(names(Options { start_at: Some("B".into()), ..Options::default() }), "BD");
    let wrong = |options: Options| messages(&try_load(site, &[], &options).unwrap_err()).join("; ");
    assert_eq!(wrong(tags(&["wbe"])), "no task has the tag `wbe`");
    assert_eq!(wrong(Options { start_at: Some("E".into()), ..Options::default() }), "no task is called `E`");
    assert_eq!(wrong(Options { limit: Some("pis:!pis".into()), ..Options::default() }), "`--limit pis:!pis` leaves no host");
}

#[test]
fn a_left_out_result_is_explained() {
    let site = "- hosts: pis\n  tasks:\n  - {name: Ask, command: 'true', register: out}\n  - {file: {path: '/{{ out.rc }}', state: absent}, tags: x}\n";
    let config = try_load(site, &[], &Options { tags: vec!["x".into()], ..Options::default() }).unwrap();
    let problems = compile(&config, 0, "pi-1", &Known::default()).problems;
    assert_eq!(problems.0.len(), 1, "{problems:?}");
    assert!(problems.0[0].hint.as_ref().unwrap().contains("`Ask`"), "{problems:?}");
}

#[test]
fn modes_keep_their_token_through_variables() {
    let site = "- hosts: pis\n  vars: {m: 0600, n: '{{ m }}', deep: {m: 0750}}\n  tasks:\n  - file: {path: /a, state: directory, mode: '{{ n }}'}\n  - file: {path: /b, state: directory, mode: '{{ deep.m }}'}\n  - file: {path: '/{{ item.p }}', state: directory, mode: '{{ item.m }}'}\n    loop: [{p: c, m: 0700}]\n";
    let config = config(site, &[]);
    let compiled = compiled(&config, &Known::default());
    let modes: Vec<String> = compiled.steps.iter().map(|s| match &s.body { Body::Resource(r) => format!("{r:?}"), _ => String::new() }).collect();
    for (text, mode) in modes.iter().zip([0o600, 0o750, 0o700]) {
        assert!(text.contains(&format!("{mode}")), "{text} should have {mode}");
    }
}

#[test]
fn asserts_and_run_once() {
    let site = "- hosts: pis\n  tasks:\n  - assert: {that: [\"level == 'group'\", \"early == 'x'\"], message: 'early is {{ early }}'}\n  - assert: level == 'group'\n  - {file: {path: /a, state: absent}, run_once: true}\n";
    let config = config(site, &[]);
    assert_eq!(shown(&compiled(&config, &Known::default()).steps), "0/0 assert: fails (early is group!)\n0/1 assert: holds\n0/2 file:/a: file:/a\n");
    assert!(shown(&compile(&config, 0, "pi-2", &Known::default()).steps).ends_with("0/2 file /a: skipped (runs once, on pi-1)\n"));
}

#[test]
fn secrets_do_not_reach_labels() {
    let mut secret = Value::from("hunter2");
    secret.secret = true;
    let site = "- hosts: pis\n  tasks:\n  - name: Use {{ token }}\n    file: {path: '/{{ token }}', state: absent}\n  - file: {path: '/{{ token }}', state: absent}\n  - file: {path: '/{{ item }}', state: absent}\n    loop: ['{{ token }}']\n";
    let config = try_load(site, &[], &Options { sets: vec![("token".into(), secret)], ..Options::default() }).unwrap();
    let compiled = compiled(&config, &Known::default());
    let labels: Vec<&str> = compiled.steps.iter().map(|s| s.label.as_str()).collect();
    assert!(labels.iter().all(|label| !label.contains("hunter2")), "{labels:?}");
    assert!(compiled.steps.iter().all(|s| s.secret));
}

#[test]
fn two_owners_are_reported() {
    let config = tasks("  - name: One\n    copy: {dest: /etc/motd, content: a}\n  - name: Two\n    copy: {dest: /etc/motd, content: b}\n");
    let compiled = compiled(&config, &Known::default());
    let problems = ownership::check(&[("pi-1", vec![&compiled])]);
    assert_eq!(messages(&problems), ["two tasks manage the content of /etc/motd on pi-1"]);
    assert_eq!(problems.0[0].notes.len(), 1);
}

#[test]
fn other_hosts() {
    let site = "- hosts: pi-1\n  tasks:\n  - {name: Token, command: {cmd: make-token}, register: {name: token, keep: true}}\n- hosts: pi-2\n  tasks:\n  - file: {path: '/{{ hosts[\"pi-1\"].kept.token.stdout }}', state: absent}\n  - file: {path: '/{{ hosts[\"pi-1\"].address }}', state: absent}\n";
    let config = config(site, &[]);
    let before = compile(&config, 1, "pi-2", &with_facts());
    assert!(shown(&before.steps).contains("late (result of Token on pi-1)"), "{}", shown(&before.steps));
    assert!(shown(&before.steps).contains("file:/10.0.0.1"));
    assert_eq!(before.waits.into_keys().collect::<Vec<_>>(), ["pi-1"]);
    let kept = BTreeMap::from([("token".to_owned(), from_json(serde_json::json!({"stdout": "abc"})))]);
    let hosts = Hosts::new(BTreeMap::from([("pi-1".to_owned(), HostKnown { facts: Some(facts()), kept })]));
    let after = compile(&config, 1, "pi-2", &Known { hosts: Arc::new(hosts), ..Known::default() });
    assert!(shown(&after.steps).starts_with("1/0 file:/abc"), "{}", shown(&after.steps));
}

#[test]
fn templates_and_files_are_found() {
    let site = "- hosts: pis\n  tasks:\n  - template: {src: a.j2, dest: /etc/a}\n  - role: thing\n";
    let role = "tasks:\n- template: {src: a.j2, dest: /etc/b}\n- copy: {src: b.txt, dest: /etc/c}\n";
    let more = [("templates/a.j2", "{{ level }}\n"), ("roles/thing/role.yaml", role), ("roles/thing/templates/a.j2", "role\n"), ("roles/thing/files/b.txt", "b\n")];
    let config = config(site, &more);
    let compiled = compiled(&config, &Known::default());
    let debug: Vec<String> = compiled.steps.iter().map(|s| format!("{:?}", s.body)).collect();
    for (text, content) in debug.iter().zip(["group\n", "role\n", "b\n"]) {
        assert!(text.contains(&crate::node::op::sha256(content.as_bytes())), "{text}");
    }
}

#[test]
fn serial_and_tolerance() {
    let config = config("- {hosts: pis, serial: [1, 50%], max_failures: 30%, rollback: play, tasks: []}\n", &[]);
    let play = &config.plays[0];
    assert_eq!(play.serial, [Serial::Hosts(1), Serial::Percent(50)]);
    assert_eq!((play.serial[1].of(9), play.serial[1].of(1), play.max_failures.of(10)), (4, 1, 3));
    assert_eq!(play.rollback, Rollback::Play);
}

#[test]
fn lists_of_nothing() {
    let config = config("- hosts: all\n", &[]);
    assert_eq!(compiled(&config, &Known::default()).steps.len(), 0);
    assert!(matches!(from_json(serde_json::json!(1.5)).data, Data::Float(_)));
}

#[test]
fn secrets_are_opened_and_taint() {
    use crate::lang::secret::{Identities, Recipients, encrypt};
    let (key, recipient) = Identities::generate();
    let identities = Arc::new(Identities::parse(&key, "key.txt").unwrap());
    let seal = |text: &str| encrypt(text, &Recipients::parse([recipient.as_str()]).unwrap()).unwrap();
    let inventory = format!("playbooks: [site.yaml]\nvars_files: [secret.yaml]\nhosts:\n  a:\n    vars:\n      token: |\n        {}\n", seal("hunter2").replace('\n', "\n        "));
    let site = "- hosts: a\n  tasks:\n  - copy: {dest: /a, content: 'x{{ token }}'}\n  - copy: {dest: /b, content: 'x{{ pin }}'}\n  - copy: {dest: /c, src: sealed.key}\n  - copy: {dest: /d, content: plain}\n";
    let all = [("home.yaml", inventory), ("site.yaml", site.to_owned()), ("secret.yaml", seal("pin: 1234\n")), ("sealed.key", seal("KEY"))];
    let files = || Arc::new(Files::bundled(all.iter().map(|(path, text)| (PathBuf::from(path), text.clone())).collect()));
    let options = Options { identities, ..Options::default() };
    let config = load(files(), Path::new("home.yaml"), &[], &options).unwrap();
    let compiled = compile(&config, 0, "a", &Known::default());
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    let secret: Vec<bool> = compiled.steps.iter().map(|s| s.secret).collect();
    assert_eq!(secret, [true, true, true, false]);
    let debug: Vec<String> = compiled.steps.iter().map(|s| format!("{:?}", s.body)).collect();
    for (text, content) in debug.iter().zip(["xhunter2", "x1234", "KEY", "plain"]) {
        assert!(text.contains(&crate::node::op::sha256(content.as_bytes())), "{text}");
    }
    let refused = load(files(), Path::new("home.yaml"), &[], &Options::default()).unwrap_err();
    assert_eq!(messages(&refused), ["a secret, and no identity to read it with"]);
}

/// What is cut off anywhere is told, and nothing panics.
#[test]
fn every_beginning_of_a_playbook_is_survived() {
    let site = "- hosts: pis:!pi-2\n  serial: [1, 50%]\n  vars: {level: \"a{{ early }}\"}\n  tasks:\n  - name: Put {{ item.name }}\n    copy: {dest: '/{{ item.name }}', content: \"{{ level | b64encode }}\", mode: 0644}\n    loop: [{name: ä}]\n    when: [level is defined, facts.arch == 'x']\n    notify: Go\n  - role: thing\n    with: {n: '{{ 1 + 1 }}'}\n  - block:\n    - assert: {that: level, message: 'no {{ level }}'}\n  handlers:\n  - name: Go\n    command: {cmd: \"true\", undo: 'false'}\n";
    let role = "params: {n: {type: int}}\ntasks:\n- command: 'echo {{ n }}'\n  register: {name: out, keep: true}\n";
    for text in [site, HOME] {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (home, book) = if text == site { (HOME, &site[..end]) } else { (&HOME[..end], site) };
            let all = [("home.yaml", home), ("site.yaml", book), ("roles/thing/role.yaml", role)];
            let files = Files::bundled(all.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect());
            if let Ok(config) = load(Arc::new(files), Path::new("home.yaml"), &[PathBuf::from("site.yaml")], &Options::default()) {
                for play in 0..config.plays.len() {
                    compile(&config, play, "pi-1", &with_facts());
                }
            }
        }
    }
}

/// With their own for each host, a thousand hosts would be a million.
#[test]
fn what_all_hosts_see_alike_is_there_once() {
    let config = tasks("  - file: {path: /srv, state: directory}\n");
    let seen = || HostKnown { facts: Some(facts()), kept: BTreeMap::new() };
    let all = Hosts::new(["pi-1", "pi-2"].map(|host| (host.to_owned(), seen())).into());
    let scope = |host: &str| known::play_scope(&config, 0, host, &Known { facts: Some(facts()), hosts: Arc::new(all.with(host, seen())), ..Known::default() });
    let (one, two) = (scope("pi-1"), scope("pi-2"));
    for name in ["hosts", "groups", "play"] {
        assert!(Arc::ptr_eq(&one.raw(name).unwrap(), &two.raw(name).unwrap()), "{name}");
    }
    assert_ne!(one.raw("host"), two.raw("host"));
}

/// The second host is compiled when the files are gone.
#[test]
fn files_are_read_once_for_all_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let site = "- hosts: pis\n  tasks:\n  - template: {src: t.j2, dest: /srv/t}\n  - copy: {src: plain, dest: /srv/plain}\n  - copy: {src: tree, dest: /srv/tree}\n";
    std::fs::create_dir(dir.path().join("tree")).unwrap();
    for (name, text) in [("home.yaml", HOME), ("site.yaml", site), ("t.j2", "{{ level }} {% include 'part.j2' %}"), ("part.j2", "{{ host.name }}"), ("plain", "plain"), ("tree/leaf", "leaf")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let config = load(Arc::new(Files::on_disk()), &dir.path().join("home.yaml"), &[], &Options::default()).unwrap();
    for host in ["pi-1", "pi-2"] {
        let compiled = compile(&config, 0, host, &with_facts());
        assert_eq!((compiled.steps.len(), messages(&compiled.problems)), (3, vec![]), "{host}");
        for name in ["t.j2", "part.j2", "plain", "tree/leaf"] {
            let _ = std::fs::write(dir.path().join(name), "{% this would be wrong");
        }
    }
}
