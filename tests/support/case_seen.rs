//! What a case says is seen of a node: answers to the questions that the resources ask.

use homelab::node::probe::{Account, Attrs, Depth, File, GroupEntry, Node, PackageState, Ran, TEXT_LIMIT, UnitState};
use homelab::node::{Answer, Command, Facts, Probe, op};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Directories that every node has, unless the case says otherwise.
const DIRECTORIES: &[&str] = &[
    "/", "/etc", "/etc/systemd", "/etc/systemd/system", "/etc/sysctl.d", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local",
    "/usr/local/bin", "/var", "/var/lib",
];

/// The `seen` of a case.
pub struct Seen {
    entries: Map<String, Value>,
    asked: BTreeSet<String>,
}

impl Seen {
    /// Reads it.
    pub fn new(seen: Option<&Value>) -> Result<Self, String> {
        match seen {
            None => Ok(Seen { entries: Map::new(), asked: BTreeSet::new() }),
            Some(Value::Object(entries)) => Ok(Seen { entries: entries.clone(), asked: BTreeSet::new() }),
            Some(_) => Err("`seen` is a map".into()),
        }
    }

    /// What is answered to `probe`.
    pub fn answer(&mut self, probe: &Probe) -> Result<Answer, String> {
        let key = match probe {
            Probe::Path { path, .. } => path.clone(),
            Probe::Tree { path } => format!("tree {path}"),
            Probe::Package { name, .. } => format!("package {name}"),
            Probe::Unit { name } => format!("unit {name}"),
            Probe::User { name } => format!("user {name}"),
            Probe::Group { name } => format!("group {name}"),
            Probe::Crontab { user } => format!("crontab {user}"),
            Probe::Sysctl { key } => format!("sysctl {key}"),
            Probe::Hostname => "hostname".to_owned(),
            Probe::Run(Command { argv, .. }) => format!("run {}", crate::case_ops::named(&argv.join(" "))),
        };
        self.asked.insert(key.clone());
        let value = self.entries.get(&key).cloned();
        if let Some(why) = value.as_ref().and_then(Value::as_str).and_then(|text| text.strip_prefix("failed ")) {
            return Ok(Answer::Failed(why.to_owned()));
        }
        let gone = value.as_ref().and_then(Value::as_str) == Some("absent");
        let none = value.as_ref().and_then(Value::as_str) == Some("none");
        let needed = || value.clone().ok_or_else(|| format!("`seen` does not say what `{key}` is"));
        Ok(match probe {
            Probe::Path { path, depth } => Answer::Path(at_depth(self.node(path)?, depth)),
            Probe::Tree { path } => {
                let below = format!("{path}/");
                let paths: Vec<String> = self.entries.keys().filter(|p| *p == path || p.starts_with(&below)).cloned().collect();
                self.asked.extend(paths.iter().cloned());
                let mut tree = std::collections::BTreeMap::new();
                for path in paths {
                    let node = at_depth(self.node(&path)?, &Depth::Stat);
                    if node != Node::Absent {
                        tree.insert(path, node);
                    }
                }
                Answer::Tree(tree)
            }
            Probe::Package { .. } if gone => Answer::Package(PackageState::default()),
            Probe::Package { .. } => Answer::Package(match needed()? {
                Value::String(version) => PackageState { installed: Some(version), ..PackageState::default() },
                map => over(&map)?,
            }),
            Probe::Unit { .. } if none => Answer::Unit(None),
            Probe::Unit { .. } => Answer::Unit(Some(match needed()? {
                Value::String(text) => {
                    let mut words = text.split(' ').map(str::to_owned);
                    let mut word = || words.next().unwrap_or_default();
                    UnitState { load: word(), active: word(), file: word(), stale: word() == "stale" }
                }
                map => over(&map)?,
            })),
            Probe::User { name } if gone || (value.is_none() && name != "root") => Answer::User(None),
            Probe::User { name } => Answer::User(Some(match value {
                None => Account { group: "root".into(), home: "/root".into(), shell: "/bin/sh".into(), ..Account::default() },
                Some(Value::Number(number)) => {
                    let id = number.as_u64().unwrap_or_default() as u32;
                    Account { uid: id, gid: id, group: name.clone(), home: format!("/home/{name}"), shell: "/bin/sh".into(), ..Account::default() }
                }
                Some(map) => over(&map)?,
            })),
            Probe::Group { name } if gone || (value.is_none() && name != "root") => Answer::Group(None),
            Probe::Group { .. } => Answer::Group(Some(match value {
                None => GroupEntry::default(),
                Some(Value::Number(number)) => GroupEntry { gid: number.as_u64().unwrap_or_default() as u32, members: Vec::new() },
                Some(map) => over(&map)?,
            })),
            Probe::Crontab { .. } => Answer::Crontab(if gone { None } else { needed()?.as_str().map(str::to_owned) }),
            Probe::Sysctl { .. } => Answer::Sysctl(if gone { None } else { Some(text(&needed()?)) }),
            Probe::Hostname => Answer::Hostname(text(&needed()?)),
            Probe::Run(_) => Answer::Ran(match needed()? {
                Value::Number(rc) => Ran { rc: rc.as_i64().unwrap_or_default() as i32, ..Ran::default() },
                map => over(&map)?,
            }),
        })
    }

    /// Fails on entries that no resource asked for: mostly typos.
    pub fn all_asked(&self) -> Result<(), String> {
        match self.entries.keys().find(|key| !self.asked.contains(*key)) {
            Some(key) => Err(format!("`seen` says what `{key}` is, but nobody asked; asked were {:?}", self.asked)),
            None => Ok(()),
        }
    }

    fn node(&self, path: &str) -> Result<Node, String> {
        let Some(value) = self.entries.get(path) else {
            let below = format!("{path}/");
            let holds = |(key, value): (&String, &Value)| key.starts_with(&below) && value.as_str() != Some("absent");
            let dir = DIRECTORIES.contains(&path) || self.entries.iter().any(holds);
            return Ok(if dir { Node::Dir(self.attrs("", 0o755)?) } else { Node::Absent });
        };
        let line = value.as_str().or_else(|| value.get("file").and_then(Value::as_str));
        let line = line.ok_or_else(|| format!("{path}: a text or `{{file: 0644 root:root, text: …}}`"))?;
        let (word, rest) = if value.is_string() { line.split_once(' ').unwrap_or((line, "")) } else { ("file", line) };
        Ok(match word {
            "absent" => Node::Absent,
            "dir" => Node::Dir(self.attrs(rest, 0o755)?),
            "other" => Node::Other(self.attrs(rest, 0o660)?),
            "link" => Node::Link { target: rest.to_owned() },
            "file" => {
                let bytes = match (value.get("text").and_then(Value::as_str), value.get("zeros").and_then(Value::as_u64)) {
                    (Some(text), _) => text.as_bytes().to_vec(),
                    (None, Some(count)) => vec![0; count as usize],
                    (None, None) => Vec::new(),
                };
                Node::File(File {
                    attrs: self.attrs(rest, 0o644)?,
                    size: bytes.len() as u64,
                    sha256: Some(op::sha256(&bytes)),
                    text: Some(Arc::new(bytes)),
                    secret: false,
                })
            }
            other => return Err(format!("{path}: `{other}` is none of file, dir, link, other, absent, failed")),
        })
    }

    /// `0644 pi:users`, `0644` or nothing.
    fn attrs(&self, text: &str, mode: u32) -> Result<Attrs, String> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let mode = match words.next() {
            Some(word) => u32::from_str_radix(word, 8).map_err(|e| format!("{word}: {e}"))?,
            None => mode,
        };
        let (owner, group) = words.next().map_or(("root", "root"), |word| word.split_once(':').unwrap_or((word, word)));
        Ok(Attrs { mode, uid: self.number("user", owner), gid: self.number("group", group), owner: owner.into(), group: group.into() })
    }

    fn number(&self, what: &str, name: &str) -> u32 {
        let known = self.entries.get(&format!("{what} {name}"));
        let known = known.and_then(|value| value.as_u64().or_else(|| value.get("uid").or_else(|| value.get("gid"))?.as_u64()));
        match (name, name.parse(), known) {
            ("root", ..) => 0,
            (_, Ok(number), _) => number,
            (_, _, Some(number)) => number as u32,
            _ => 4242,
        }
    }
}

/// As much of `node` as was asked for.
fn at_depth(mut node: Node, depth: &Depth) -> Node {
    if let Node::File(file) = &mut node {
        let send = match depth {
            Depth::Text { unless } => file.size <= TEXT_LIMIT && *unless != file.sha256,
            _ => false,
        };
        if !send {
            file.text = None;
        }
        if *depth == Depth::Stat {
            file.sha256 = None;
        }
    }
    node
}

/// The facts of a case, over those of a small Debian node.
pub fn facts(value: Option<&Value>) -> Result<Facts, String> {
    let mut facts = Facts { hostname: "pi".into(), init: "systemd".into(), package_manager: "apt".into(), uids: "all".into(), ..Facts::default() };
    facts.user.name = "root".into();
    facts.user.home = "/root".into();
    facts.os.family = "debian".into();
    match value {
        Some(value) => merge(&facts, value),
        None => Ok(facts),
    }
}

fn over<T: Default + Serialize + DeserializeOwned>(value: &Value) -> Result<T, String> {
    merge(&T::default(), value)
}

fn merge<T: Serialize + DeserializeOwned>(base: &T, value: &Value) -> Result<T, String> {
    fn lay(base: &mut Value, over: &Value) {
        match (base, over) {
            (Value::Object(base), Value::Object(over)) => over.iter().for_each(|(key, value)| lay(base.entry(key.clone()).or_insert(Value::Null), value)),
            (base, over) => *base = over.clone(),
        }
    }
    let mut base = serde_json::to_value(base).map_err(|e| e.to_string())?;
    lay(&mut base, value);
    serde_json::from_value(base).map_err(|e| e.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
