//! Chains across resources on a node where nothing of them is there yet: each task is planned on what those before it
//! will have made. The tasks are folded over one world, as a plan does it; then once more, and nothing may be left to do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/case_args.rs"]
mod case_args;
#[path = "support/case_ops.rs"]
mod case_ops;
#[path = "support/case_seen.rs"]
mod case_seen;

use case_seen::Seen;
use homelab::node::probe::Node;
use homelab::node::{Op, Standing, World};
use homelab::resource::{Block, Resource, kind};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What comes of `tasks` on a node of which `seen` is seen, in the notation of the cases: per task its ops, or a map of
/// `later`, `unmet` or `refused`; ops that lie behind an opaque step are told with their causes as `open`.
fn chain(seen: &str, tasks: &str) -> Vec<Value> {
    let resources = build(tasks);
    let seen: Value = serde_saphyr::from_str(seen).unwrap();
    let mut seen = Seen::new(Some(&seen)).unwrap();
    let mut world = look(&resources, &mut seen);
    let outcome: Vec<Value> = resources.iter().map(|resource| step(resource.as_ref(), &mut world, &mut seen)).collect();
    seen.all_asked().unwrap();
    let mut owned = BTreeSet::new();
    for resource in &resources {
        assert!(owned.insert(resource.id().to_string()), "two tasks are {}", resource.id());
        for claim in resource.claims() {
            assert!(owned.insert(format!("{claim:?}")), "{} claims what another has: {claim:?}", resource.id());
        }
    }
    for (resource, _) in resources.iter().zip(&outcome).filter(|(_, outcome)| outcome.get("unmet").is_none()) {
        let left = resource.settled(&world);
        let done = matches!(&left, Ok(ops) if ops.is_empty()) || matches!(left, Err(Block::Later(_)));
        assert!(done, "the Law: {} still wants {left:?}", resource.id());
    }
    outcome
}

fn build(tasks: &str) -> Vec<Box<dyn Resource>> {
    let tasks = case_args::raw(Path::new("tasks.yaml"), tasks).unwrap();
    let one = |task: &homelab::lang::Value| {
        let (name, params) = task.as_map().unwrap().first().unwrap();
        let spec = kind(name).unwrap_or_else(|| panic!("there is no resource {name}"));
        let args = case_args::args(spec, params, &Map::new()).unwrap();
        (spec.build)(&args).unwrap()
    };
    tasks.as_seq().unwrap().iter().map(one).collect()
}

fn look(resources: &[Box<dyn Resource>], seen: &mut Seen) -> World {
    let mut answers = BTreeMap::new();
    for probe in resources.iter().flat_map(|resource| resource.look()) {
        let answer = seen.answer(&probe).unwrap();
        answers.insert(probe, answer);
    }
    World::new(case_seen::facts(None).unwrap(), answers)
}

fn step(resource: &dyn Resource, world: &mut World, seen: &mut Seen) -> Value {
    let more = resource.look_more(world).into_iter().map(|probe| (probe.clone(), seen.answer(&probe).unwrap()));
    world.learn(more.collect());
    let ops = match resource.plan(world) {
        Ok(ops) => ops,
        Err(Block::Later(cause)) => return json!({ "later": cause.to_string() }),
        Err(Block::Unmet(need)) => return json!({ "unmet": need.to_string() }),
        Err(Block::Refused(diagnostic)) => return json!({ "refused": diagnostic.message }),
    };
    let mut open = BTreeSet::new();
    for op in &ops {
        for need in op.needs() {
            match world.need(&need) {
                Standing::Met => {}
                Standing::Open(cause) => drop(open.insert(cause.to_string())),
                Standing::Refuted => return json!({ "unmet": need.to_string() }),
            }
        }
        world.effect(op);
    }
    let shown: Vec<Value> = ops.iter().map(brief).collect();
    if open.is_empty() { json!(shown) } else { json!({ "open": open, "ops": shown }) }
}

/// An op in one line; the text of files is not what these tests are about.
fn brief(op: &Op) -> Value {
    match case_ops::show(op) {
        Value::Object(map) if map.contains_key("put") => map["put"].clone(),
        Value::Object(map) if map.contains_key("crontab") => json!(format!("crontab {}", map["crontab"].as_str().unwrap())),
        Value::Object(map) if map.len() == 1 => map.into_iter().map(|(kind, fields)| json!(format!("{} {}", kind.to_lowercase(), name(&fields)))).next().unwrap(),
        other => other,
    }
}

fn name(fields: &Value) -> String {
    match (fields.get("name"), fields.get("install")) {
        (Some(name), _) => name.as_str().unwrap().to_owned(),
        (None, Some(names)) => names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" "),
        _ => fields.to_string(),
    }
}

fn wished(text: &str) -> Vec<Value> {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn a_directory_a_file_in_it_the_unit_that_runs_it_and_its_service() {
    let outcome = chain(
        "{unit mine.service: not-found inactive}",
        r#"
- file: {path: /opt/mine, state: directory, mode: "0755"}
- copy: {dest: /opt/mine/run, content: "exec true\n", mode: "0755"}
- systemd_unit: {name: mine.service, content: "[Service]\nExecStart=/opt/mine/run\n[Install]\nWantedBy=multi-user.target\n"}
- service: {name: mine, state: started, enabled: true}
"#,
    );
    let expected = r#"
- [mkdir /opt/mine 0755]
- [/opt/mine/run 0755]
- [/etc/systemd/system/mine.service 0644 root:root, daemon-reload]
- [enable mine.service, start mine.service]
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn a_group_a_user_her_key_and_her_job() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let tasks = format!(
        r#"
- group: {{name: media, gid: 1800}}
- user: {{name: backup, groups: [media], shell: /bin/sh}}
- authorized_key: {{user: backup, key: "{key}"}}
- cron: {{name: nightly, user: backup, hour: "3", job: /usr/local/bin/backup}}
- cron: {{name: weekly, user: backup, special_time: weekly, job: /usr/local/bin/backup --all}}
- file: {{path: /home/backup/spool, state: directory, owner: backup, group: media, mode: "0700"}}
"#
    );
    let outcome = chain("{crontab backup: failed no such user, /bin/sh: link dash}", &tasks);
    let expected = r#"
- [group media]
- [user backup]
- [mkdir /home/backup/.ssh 0700 backup:backup, /home/backup/.ssh/authorized_keys 0600 backup:backup]
- [crontab backup]
- [crontab backup]
- [mkdir /home/backup/spool 0700 backup:media]
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn a_home_elsewhere_is_found_in_the_plan() {
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP/+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4uHg";
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let tasks = format!(
        r#"
- user: {{name: git, home: /srv/git}}
- authorized_key: {{user: git, key: "{key}"}}
- authorized_key: {{user: git, key: "{other}"}}
"#
    );
    let expected = r#"
- [user git]
- [mkdir /srv/git/.ssh 0700 git:git, /srv/git/.ssh/authorized_keys 0600 git:git]
- [/srv/git/.ssh/authorized_keys 0600 git:git]
"#;
    assert_eq!(chain("{}", &tasks), wished(expected));
}

#[test]
fn what_a_package_brings_is_known_after_apply() {
    let outcome = chain(
        "{package nginx: absent, unit nginx.service: not-found inactive}",
        r#"
- package: nginx
- copy: {dest: /etc/nginx/conf.d/site.conf, content: "server {}\n", mode: "0644"}
- service: {name: nginx, state: started, enabled: true}
"#,
    );
    let expected = r#"
- [packages nginx]
- {open: [package nginx], ops: [/etc/nginx/conf.d/site.conf 0644]}
- {open: [package nginx], ops: [enable nginx.service, start nginx.service]}
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn what_nothing_brings_is_an_error() {
    let outcome = chain(
        "{unit mine.service: not-found inactive, crontab gone: failed no such user}",
        r#"
- file: {path: /opt/mine, state: directory, mode: "0755"}
- copy: {dest: /opt/other/run, content: "x", mode: "0755"}
- service: {name: mine, state: started}
- cron: {name: nightly, user: gone, job: x}
- user: {name: me, groups: [gone]}
"#,
    );
    let expected = r#"
- [mkdir /opt/mine 0755]
- {unmet: the directory /opt/other}
- {unmet: the unit mine.service}
- {unmet: the user gone}
- {unmet: the group gone}
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn what_an_earlier_task_takes_away_is_gone() {
    let outcome = chain(
        r#"{unit mine.service: loaded active enabled, user old: 1001, /home/old/.ssh: dir 0700 old:old,
            /etc/systemd/system/mine.service: {file: 0644 root:root, text: "[Service]\n"}}"#,
        r#"
- systemd_unit: {name: mine.service, state: absent}
- service: {name: mine, state: stopped, enabled: false}
- user: {name: old, state: absent, remove: true}
- file: {path: /home/old/.ssh, state: absent}
"#,
    );
    let expected = r#"
- [stop mine.service, disable mine.service, remove /etc/systemd/system/mine.service, daemon-reload]
- []
- [user old]
- []
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn a_unit_its_drop_in_and_its_timer() {
    let outcome = chain(
        "{unit mine.service: not-found inactive, unit mine.timer: not-found inactive}",
        r#"
- systemd_unit: {name: mine.service, content: "[Service]\nType=oneshot\nExecStart=/bin/true\n"}
- systemd_unit: {name: mine.service, dropin: nice, content: "[Service]\nNice=5\n"}
- systemd_unit: {name: mine.timer, enabled: true, started: true, content: "[Timer]\nOnBootSec=1m\n[Install]\nWantedBy=timers.target\n"}
- service: {name: mine.timer, state: restarted}
"#,
    );
    let expected = r#"
- [/etc/systemd/system/mine.service 0644 root:root, daemon-reload]
- [mkdir /etc/systemd/system/mine.service.d 0755 root:root, /etc/systemd/system/mine.service.d/nice.conf 0644 root:root, daemon-reload]
- [/etc/systemd/system/mine.timer 0644 root:root, daemon-reload, enable mine.timer, start mine.timer]
- [restart mine.timer]
"#;
    assert_eq!(outcome, wished(expected));
}

#[test]
fn three_lines_are_one_content() {
    let tasks = r#"
- lineinfile: {path: /etc/mine.conf, line: "a=1", create: true, mode: "0600"}
- lineinfile: {path: /etc/mine.conf, line: "b=2"}
- lineinfile: {path: /etc/mine.conf, regexp: "^a=", line: "a=3"}
"#;
    let (resources, mut seen) = (build(tasks), Seen::new(None).unwrap());
    let mut world = look(&resources, &mut seen);
    for resource in &resources {
        let outcome = step(resource.as_ref(), &mut world, &mut seen);
        assert_eq!(outcome, json!(["/etc/mine.conf 0600"]), "{}", resource.id());
    }
    let Some(Node::File(file)) = world.path("/etc/mine.conf") else { panic!("no file") };
    assert_eq!(file.text.as_deref().map(Vec::as_slice), Some(b"a=3\nb=2\n".as_slice()));
    assert_eq!(file.attrs.mode, 0o600);
}
