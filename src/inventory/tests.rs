//! Inventories from texts.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::lang::secret::Identities;
use crate::lang::{Diagnostics, Files};
use std::collections::BTreeMap;

/// What `text` says, and its problems.
fn read(text: &str) -> (Inventory, Diagnostics) {
    let files = Files::bundled(BTreeMap::from([(PathBuf::from("home.yaml"), text.to_owned())]));
    let mut problems = Diagnostics::new();
    let mut inventory = load(&Reading { files: &files, identities: &Identities::none() }, Path::new("home.yaml"), &mut problems).unwrap_or_default();
    resolve(&mut inventory, &mut |_, _, value| Ok(value.clone()), &mut problems);
    (inventory, problems)
}

/// What `text` says, which must be right.
pub(crate) fn inventory(text: &str) -> Inventory {
    let (inventory, problems) = read(text);
    assert!(problems.is_empty(), "{problems:?}");
    inventory
}

#[test]
fn deeper_groups_win() {
    let lab = inventory(
        "vars: {a: top, b: top, c: top, d: top}\nuser: top\nport: 1\ngroups:\n  inner: {hosts: [x], vars: {b: inner, c: inner, d: inner}, port: 3}\n  outer: {children: [inner], vars: {b: outer, c: outer}, port: 2, user: outer}\nhosts:\n  x: {vars: {d: host}}\n  y: {}\n",
    );
    assert_eq!(lab.hosts["x"].groups, ["outer", "inner"]);
    let winner = |name: &str| {
        let all = lab.explain("x", name);
        assert_eq!(all.iter().filter(|d| d.wins).count(), 1);
        let last = all.last().unwrap();
        format!("{} {} of {}", last.level, last.value.as_str().unwrap(), all.len())
    };
    assert_eq!(winner("a"), "inventory top of 1");
    assert_eq!(winner("b"), "group inner inner of 3");
    assert_eq!(winner("d"), "host host of 3");
    assert_eq!(lab.explain("x", "b")[1].span.as_ref().unwrap().to_string(), "home.yaml:6:37");
    let x = &lab.hosts["x"].connection;
    assert_eq!((x.user.as_deref(), x.port), (Some("outer"), Some(3)));
    assert_eq!(lab.hosts["y"].connection.port, Some(1));
}

#[test]
fn same_depth_disagrees_unless_decided() {
    let text = "groups:\n  a: {hosts: [x, y], vars: {v: 1, same: 1}}\n  b: {hosts: [x, y], vars: {v: 2, same: 1}}\nhosts:\n";
    let (_, problems) = read(&format!("{text}  x: {{}}\n"));
    assert_eq!(problems.0.len(), 1, "{problems:?}");
    assert!(problems.0[0].message.contains("disagree") && problems.0[0].notes.len() == 1);
    inventory(&format!("{text}  x: {{vars: {{v: 3}}}}\n  y: {{vars: {{v: 3}}}}\n"));
}

#[test]
fn connections_are_typed() {
    let lab = inventory(
        "jump: gate\ngroups: {}\nhosts:\n  gate: {address: 10.0.0.1, user: me}\n  a: {become: true, key: [id, ~/.ssh/k], connect_timeout: 5s}\n  b: {become: {method: doas, password: hunter2}, jump: 'me@[fe80::1]:2222'}\n  c: {jump: false, sandbox: true, optional: true}\n",
    );
    let of = |name: &str| lab.hosts[name].connection.clone();
    assert_eq!(of("gate").jump, None);
    assert_eq!(of("a").jump, Some(Jump::Host("gate".into())));
    assert_eq!(of("a").key, [PathBuf::from("id"), PathBuf::from("~/.ssh/k")]);
    assert_eq!(of("a").connect_timeout, Some(5));
    assert_eq!(of("a").become_.unwrap().method, Method::Sudo);
    let b = of("b").become_.unwrap();
    assert!(b.method == Method::Doas && b.password.unwrap().secret);
    assert_eq!(of("b").jump, Some(Jump::Address { user: Some("me".into()), host: "fe80::1".into(), port: Some(2222) }));
    assert!(of("c").jump.is_none() && of("c").sandbox.is_some() && of("c").optional);
}

#[test]
fn cycles_are_told_once() {
    let (_, problems) = read("groups:\n  a: {children: [b]}\n  b: {children: [c]}\n  c: {children: [a]}\nhosts:\n  x: {jump: y}\n  y: {jump: z}\n  z: {jump: y}\n");
    let messages: Vec<&str> = problems.0.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["the groups contain each other: a → b → c → a", "the jumps go in a circle: y → z → y"]);
}

#[test]
fn paths_are_joined_as_people_type_them() {
    for (dir, path, wish) in [("inventories", "../playbooks/a.yaml", "playbooks/a.yaml"), ("", "../a", "../a"), ("a", "..", "."), ("/a", "../../b", "/b"), ("..", "../x", "../../x")] {
        assert_eq!(join(Path::new(dir), path), PathBuf::from(wish), "{dir} {path}");
    }
}
