//! What a plan shows of a change: words, before → after, and unified diffs. Secret content is never in a detail.

use crate::node::op::{Body, Op, UnitAct};
use crate::node::probe::{Attrs, Node};
use crate::node::World;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// What stands for a line that must not be shown.
pub const MASKED: &str = "‹masked›";

/// One thing to show about a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Detail {
    /// Plain words: `install nginx`.
    Words {
        /// The words.
        text: String,
    },
    /// `mode 0644 → 0600`.
    Attribute {
        /// Of what, where there is more than one object: a path or empty.
        path: String,
        /// Which.
        name: String,
        /// Was.
        before: String,
        /// Will be.
        after: String,
    },
    /// A unified diff.
    Text {
        /// Whose content.
        path: String,
        /// Lines with their marker: ` `, `+`, `-`, or a hunk header `@@ … @@`.
        lines: Vec<String>,
        /// Lines added and removed.
        added: usize,
        /// Lines removed.
        removed: usize,
    },
}

fn words(text: impl Into<String>) -> Detail {
    Detail::Words { text: text.into() }
}

/// What `op` does to `world`, in which it has not taken effect yet.
pub fn describe(op: &Op, world: &World) -> Vec<Detail> {
    match op {
        Op::Put { path, content, mode, owner, group, .. } => {
            let before = world.path(path);
            let mut out = Vec::new();
            match &before {
                Some(Node::File(file)) => {
                    attributes(&mut out, path, &file.attrs, Some(*mode), owner, group);
                    let same = file.sha256.as_ref() == Some(&content.sha256);
                    if !same {
                        match (&file.text, &content.body) {
                            _ if content.own && content.secret => out.push(words(MASKED)),
                            _ if content.own => out.push(words("homelab's own program, another version")),
                            (Some(old), Body::Inline(new)) => text(&mut out, path, old, new, content.secret || file.secret),
                            _ => out.push(words(format!("content, {} → {}", bytes(file.size), bytes(content.size)))),
                        }
                    }
                }
                Some(Node::Link { target }) => out.push(words(format!("replaces the link to {target}"))),
                _ => {
                    out.push(words(format!("new file, {mode:04o}{}, {}", owners(owner, group), bytes(content.size))));
                    match &content.body {
                        _ if content.own && content.secret => out.push(words(MASKED)),
                        _ if content.own => out.push(words("homelab's own program")),
                        Body::Inline(new) => text(&mut out, path, b"", new, content.secret),
                        Body::Local(_) => {}
                    }
                }
            }
            out
        }
        Op::Mkdir { path, mode, owner, group } => vec![words(format!("new directory {path}, {mode:04o}{}", owners(owner, group)))],
        Op::Attr { path, mode, owner, group } => {
            let mut out = Vec::new();
            match world.path(path).as_ref().and_then(Node::attrs) {
                Some(attrs) => attributes(&mut out, path, attrs, *mode, owner, group),
                None => out.push(words(format!("attributes of {path}"))),
            }
            out
        }
        Op::Link { path, target } => match world.path(path) {
            Some(Node::Link { target: before }) => {
                vec![Detail::Attribute { path: path.clone(), name: "target".into(), before, after: target.clone() }]
            }
            Some(Node::File(_)) => vec![words(format!("replaces the file by a link to {target}"))],
            _ => vec![words(format!("new link to {target}"))],
        },
        Op::Remove { path } => match world.path(path) {
            Some(Node::Dir(_)) => vec![words(format!("remove the directory {path} with all that is in it"))],
            Some(Node::Link { target }) => vec![words(format!("remove the link to {target}"))],
            Some(Node::File(file)) => vec![words(format!("remove {path}, {}", bytes(file.size)))],
            _ => vec![words(format!("remove {path}"))],
        },
        Op::Packages { install, remove, purge, .. } => {
            let mut out = Vec::new();
            for wanted in install {
                let name = wanted.split('=').next().unwrap_or(wanted);
                let state = world.package(name).unwrap_or_default();
                let new = wanted.split_once('=').map(|(_, v)| v.to_owned()).or(state.candidate).unwrap_or_default();
                match state.installed {
                    Some(old) => out.push(Detail::Attribute { path: String::new(), name: name.into(), before: old, after: new }),
                    None if new.is_empty() => out.push(words(format!("install {name}"))),
                    None => out.push(words(format!("install {name} {new}"))),
                }
            }
            for name in remove {
                out.push(words(format!("{} {name}", if *purge { "purge" } else { "remove" })));
            }
            out
        }
        Op::Unit { name, act } => vec![words(format!("{} {name}", unit_verb(*act)))],
        Op::DaemonReload => vec![words("let systemd read its units again")],
        Op::Group { name, present, gid, .. } => match (present, world.group(name).flatten()) {
            (false, _) => vec![words(format!("remove the group {name}"))],
            (true, None) => vec![words(match gid {
                Some(gid) => format!("new group, gid {gid}"),
                None => "new group".to_owned(),
            })],
            (true, Some(before)) => vec![Detail::Attribute {
                path: String::new(),
                name: "gid".into(),
                before: before.gid.to_string(),
                after: gid.map_or_else(String::new, |gid| gid.to_string()),
            }],
        },
        Op::User(user) => describe_user(user, world),
        Op::Crontab { user, text: new } => {
            let mut out = Vec::new();
            let old = world.crontab(user).flatten().unwrap_or_default();
            let name = format!("crontab of {user}");
            text(&mut out, &name, old.as_bytes(), new.as_deref().unwrap_or_default().as_bytes(), false);
            out
        }
        Op::Sysctl { key, value } => vec![Detail::Attribute {
            path: String::new(),
            name: key.clone(),
            before: world.sysctl(key).flatten().unwrap_or_default(),
            after: value.clone(),
        }],
        Op::Reboot { timeout, .. } => vec![words(format!("reboot, and be back within {timeout} s"))],
        Op::Hostname { name } => vec![Detail::Attribute {
            path: String::new(),
            name: "host name".into(),
            before: world.hostname().unwrap_or_default(),
            after: name.clone(),
        }],
        Op::Tool(tool) => {
            let diffs = tool.differs.iter().map(|(path, lines)| {
                let count = |sign: char| lines.iter().filter(|line| line.starts_with(sign)).count();
                Detail::Text { path: path.clone(), added: count('+'), removed: count('-'), lines: lines.clone() }
            });
            tool.says.iter().map(words).chain(diffs).collect()
        }
        Op::Run { command, .. } => {
            let shown = if command.secret { MASKED.to_owned() } else { command.argv.join(" ") };
            let mut lines = shown.lines();
            let first = lines.next().unwrap_or_default().to_owned();
            vec![words(format!("run {first}{}", if lines.next().is_some() { " …" } else { "" }))]
        }
    }
}

fn describe_user(op: &crate::node::op::UserOp, world: &World) -> Vec<Detail> {
    if !op.present {
        return vec![words(format!("remove the user {}", op.name))];
    }
    let Some(before) = world.user(&op.name).flatten() else {
        let mut text = "new user".to_owned();
        for (name, _, value) in op.fields() {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                text += &format!(", {name} {value}");
            }
        }
        return vec![words(text)];
    };
    let mut out = Vec::new();
    for ((name, _, after), before) in op.fields().into_iter().zip(before.fields()) {
        if let Some(after) = after.filter(|after| *after != before) {
            out.push(Detail::Attribute { path: String::new(), name: name.into(), before, after });
        }
    }
    if op.password.is_some() {
        out.push(Detail::Attribute { path: String::new(), name: "password".into(), before: MASKED.into(), after: MASKED.into() });
    }
    out
}

/// A verb for what is done to a unit.
pub fn unit_verb(act: UnitAct) -> &'static str {
    match act {
        UnitAct::Enable => "enable",
        UnitAct::Disable => "disable",
        UnitAct::Mask => "mask",
        UnitAct::Unmask => "unmask",
        UnitAct::Start => "start",
        UnitAct::Stop => "stop",
        UnitAct::Restart => "restart",
        UnitAct::Reload => "reload",
    }
}

fn owners(owner: &Option<String>, group: &Option<String>) -> String {
    match (owner, group) {
        (None, None) => String::new(),
        (Some(owner), None) => format!(", {owner}"),
        (owner, Some(group)) => format!(", {}:{group}", owner.as_deref().unwrap_or_default()),
    }
}

fn attributes(out: &mut Vec<Detail>, path: &str, before: &Attrs, mode: Option<u32>, owner: &Option<String>, group: &Option<String>) {
    let mut add = |name: &str, before: String, after: String| {
        if before != after {
            out.push(Detail::Attribute { path: path.to_owned(), name: name.to_owned(), before, after });
        }
    };
    if let Some(mode) = mode {
        add("mode", format!("{:04o}", before.mode), format!("{mode:04o}"));
    }
    if let Some(owner) = owner.as_ref().filter(|owner| **owner != before.uid.to_string()) {
        add("owner", before.owner.clone(), owner.clone());
    }
    if let Some(group) = group.as_ref().filter(|group| **group != before.gid.to_string()) {
        add("group", before.group.clone(), group.clone());
    }
}

/// A size as people read it.
pub fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", size as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", size as f64 / 1_073_741_824.0),
    }
}

fn text(out: &mut Vec<Detail>, path: &str, old: &[u8], new: &[u8], secret: bool) {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        out.push(words(format!("binary content, {} → {}", bytes(old.len() as u64), bytes(new.len() as u64))));
        return;
    };
    let diff = TextDiff::configure().timeout(std::time::Duration::from_millis(500)).diff_lines(old, new);
    let (mut lines, mut added, mut removed) = (Vec::new(), 0, 0);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        lines.push(hunk.header().to_string());
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Insert => {
                    added += 1;
                    '+'
                }
                ChangeTag::Delete => {
                    removed += 1;
                    '-'
                }
            };
            // A secret may have been rotated: neither side of a changed line may show.
            let shown = if secret && sign != ' ' { MASKED } else { change.value().trim_end_matches(['\n', '\r']) };
            lines.push(format!("{sign}{shown}"));
            if change.missing_newline() {
                lines.push("\\ no newline at the end".to_owned());
            }
        }
    }
    if lines.is_empty() && old != new {
        out.push(words("line endings"));
    } else if !lines.is_empty() {
        out.push(Detail::Text { path: path.to_owned(), lines, added, removed });
    }
}

impl Detail {
    /// In one line, without a diff.
    pub fn words(&self) -> String {
        match self {
            Detail::Words { text } => text.clone(),
            Detail::Attribute { name, before, after, .. } => format!("{name} {before} → {after}"),
            Detail::Text { path, added, removed, .. } => format!("{path}: {added} lines to add, {removed} to remove"),
        }
    }
}
