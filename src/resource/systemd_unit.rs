//! `systemd_unit`: a unit file or a drop-in of our own, and the unit it makes.

use super::service::{boot_act, has_systemd, runs};
use super::shared::attrs::wrong;
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::{Data, Diagnostics};
use crate::node::op::{Body, UnitAct};
use crate::node::probe::{Depth, Node, UnitState};
use crate::node::{Content, Op, Probe, World};

/// The declaration of `systemd_unit`.
pub static SYSTEMD_UNIT: KindSpec = KindSpec {
    name: "systemd_unit",
    summary: "Writes a systemd unit file or drop-in, and runs its unit",
    description: "\
Writes `/etc/systemd/system/NAME` (or `NAME.d/DROPIN.conf`), lets systemd read it, and then enables and starts the unit as asked.
What is not asked is left as it is: without `started` and `enabled` the unit is only written.

When the file changes and its unit runs, the unit is restarted with it (`restart: false` leaves the running one as it is, until
something else restarts it). A changed `[Install]` section is followed: the unit is enabled anew.
`state: absent` stops and disables the unit before its file goes; for a drop-in only the drop-in goes.
A file that replaces a masked unit's link unmasks it.

Refused on a node without systemd. Taking back is *exact* for the file, and puts the unit's old state back.",
    params: &[
        Param::required("name", Ty::Str, "The unit, with its suffix: `backup.timer`.").aliases(&["unit"]),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether the file is to be there.").default("present"),
        Param::new("content", Ty::Str, "The file's text."),
        Param::new("src", Ty::Template, "A template of the file's text, instead of `content`."),
        Param::new("dropin", Ty::Str, "Write a drop-in of this name for the unit (`.conf` is added) instead of the unit itself."),
        Param::new("mode", Ty::Mode, "The file's permissions, in octal.").default("0644"),
        Param::new("enabled", Ty::Bool, "Whether the unit starts at boot."),
        Param::new("started", Ty::Bool, "Whether the unit runs."),
        Param::new("restart", Ty::Bool, "Restart the running unit when the file changes.").default("true"),
    ],
    bare: "",
    example: "\
- name: Announce the router every ten minutes
  systemd_unit:
    name: announce.timer
    enabled: true
    started: true
    content: |
      [Timer]
      OnCalendar=*:0/10
      [Install]
      WantedBy=timers.target
",
    build,
};

const DIR: &str = "/etc/systemd/system";

#[derive(Debug)]
struct Unit {
    name: String,
    dropin: Option<String>,
    /// `None`: absent.
    content: Option<Content>,
    mode: u32,
    enabled: Option<bool>,
    started: Option<bool>,
    restart: bool,
}

/// The lines of the `[Install]` section: what `enable` goes by.
fn install_section(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if line.starts_with('[') {
            inside = line == "[Install]";
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

fn text(content: &Content) -> Option<&str> {
    match &content.body {
        Body::Inline(bytes) => std::str::from_utf8(bytes).ok(),
        Body::Local(_) => None,
    }
}

fn content(args: &Args, present: bool) -> Result<Option<Content>, Diagnostics> {
    let (has_content, has_src) = (args.has("content"), args.has("src"));
    if !present {
        let extra = ["content", "src", "enabled", "started"].into_iter().find(|key| args.has(key));
        return match extra {
            Some(key) => Err(wrong(args, key, format!("`{key}` has no meaning with `state: absent`"), "not used", format!("remove `{key}`, or set `state: present`")).into()),
            None => Ok(None),
        };
    }
    let (key, content) = match (args.str("content"), args.contents.get("src")) {
        (Some(_), Some(_)) => return Err(wrong(args, "src", "both `content` and `src` are given", "and `content` above", "keep one of the two").into()),
        (Some(text), None) => ("content", Content::inline(text, args.is_secret("content"))),
        (None, Some(Loaded::File(content))) => ("src", content.clone()),
        (None, Some(Loaded::Dir(_))) => return Err(wrong(args, "src", "`src` is a directory", "one file is wanted", "name the unit's template").into()),
        (None, None) if has_content || has_src => return Err(wrong(args, if has_src { "src" } else { "content" }, "the unit's text was not loaded", "", "give the text as `content`").into()),
        (None, None) => return Err(wrong(args, "name", "the unit has no text", "neither `content` nor `src`", "give its text as `content`, or a template as `src`").into()),
    };
    let Some(text) = text(&content) else { return Ok(Some(content)) };
    if !text.lines().any(|line| line.trim_start().starts_with('[')) {
        return Err(wrong(args, key, "a unit file needs a section", "no line like `[Service]`", "see systemd.unit(5): sections are `[Unit]`, `[Service]`, `[Timer]`, `[Install]`, …").into());
    }
    if args.bool("enabled", false) && !args.has("dropin") && install_section(text).is_empty() {
        return Err(wrong(args, "enabled", "the unit cannot be enabled: its text has no [Install] section", "systemd would ignore this", "add `[Install]` with `WantedBy=multi-user.target` (or `timers.target`), or remove `enabled`").into());
    }
    Ok(Some(content))
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = problems.take(names::unit(args, "name", args.str("name").unwrap_or_default())).unwrap_or_default();
    if !name.is_empty() && !names::has_unit_suffix(&name) {
        problems.push(wrong(args, "name", format!("`{name}` has no unit suffix"), "what kind of unit?", format!("write `{name}.service`, or `.timer`, `.socket`, `.path`, `.mount`, …")));
    }
    let dropin = args.str("dropin").and_then(|text| {
        let stem = text.strip_suffix(".conf").unwrap_or(text);
        problems.take(names::unit(args, "dropin", stem)).map(|stem| format!("{stem}.conf"))
    });
    let present = args.str("state") != Some("absent");
    let content = problems.take(content(args, present)).flatten();
    let mode = match args.values.get("mode").map(|value| &value.data) {
        None => 0o644,
        Some(Data::Int(mode)) => u32::try_from(*mode).unwrap_or(0o644) & 0o7777,
        Some(_) => {
            problems.push(wrong(args, "mode", "a unit file's mode must be octal", "not a number", "write `0644`"));
            0o644
        }
    };
    let flag = |key: &str| args.has(key).then(|| args.bool(key, false));
    let unit = Unit { name, dropin, content, mode, enabled: flag("enabled"), started: flag("started"), restart: args.bool("restart", true) };
    for key in ["started", "enabled"] {
        if args.has(key) && unit.name.contains("@.") {
            problems.push(wrong(args, key, format!("`{}` is a template: only its instances run", unit.name), "no instance", format!("remove `{key}`, and use `service` for an instance: `name@instance`")));
        }
    }
    problems.into_result(Box::new(unit))
}

impl Unit {
    fn dir(&self) -> Option<String> {
        self.dropin.as_ref().map(|_| format!("{DIR}/{}.d", self.name))
    }

    fn path(&self) -> String {
        match &self.dropin {
            Some(file) => format!("{DIR}/{}.d/{file}", self.name),
            None => format!("{DIR}/{}", self.name),
        }
    }

    fn act(&self, act: UnitAct) -> Op {
        Op::Unit { name: self.name.clone(), act }
    }

    /// The ops that make the file as wished, and whether its text changes.
    fn file_ops(&self, world: &World, content: &Content) -> Result<(Vec<Op>, bool), Block> {
        let path = self.path();
        let mut ops = Vec::new();
        if let Some(dir) = self.dir().filter(|dir| world.path(dir) == Some(Node::Absent)) {
            ops.push(Op::Mkdir { path: dir, mode: 0o755, owner: Some("root".into()), group: Some("root".into()) });
        }
        let (same, attrs) = match world.path(&path) {
            Some(Node::File(file)) => (file.sha256.as_deref() == Some(&content.sha256), Some(file.attrs)),
            Some(Node::Dir(_) | Node::Other(_)) => {
                return Err(Block::refused(format!("{path} is there, and is not a file"), "see what it is, and remove it on the node"));
            }
            _ => (false, None),
        };
        let own = attrs.is_some_and(|attrs| attrs.mode == self.mode && attrs.owner == "root" && attrs.group == "root");
        let (owner, group) = (Some("root".to_owned()), Some("root".to_owned()));
        if !same {
            ops.push(Op::Put { path, content: content.clone(), mode: self.mode, owner, group, validate: None });
        } else if !own {
            ops.push(Op::Attr { path, mode: Some(self.mode), owner, group });
        }
        Ok((ops, !same))
    }

    /// Whether what `enable` goes by changes with the text. Unknown counts as no: enabling anew is a courtesy.
    fn reinstalls(&self, world: &World, content: &Content) -> bool {
        let Some(Node::File(file)) = world.path(&self.path()) else { return false };
        match (file.text.as_deref().and_then(|old| std::str::from_utf8(old).ok()), text(content)) {
            (Some(old), Some(new)) => install_section(old) != install_section(new),
            _ => false,
        }
    }

    fn present(&self, world: &World, content: &Content) -> Result<Vec<Op>, Block> {
        let (mut ops, changed) = self.file_ops(world, content)?;
        let now = world.unit(&self.name).flatten().unwrap_or_default();
        if changed || now.stale {
            ops.push(Op::DaemonReload);
        }
        // What the old text said of enabling no longer counts; a file in place of a mask unmasks.
        let mut after = now.clone();
        let own = self.dropin.is_none();
        if changed && own && (after.load != "loaded" || matches!(after.file.as_str(), "" | "static")) {
            after = UnitState { load: "loaded".into(), file: "disabled".into(), ..after };
        }
        if changed && !own && after.file == "static" && text(content).is_some_and(|text| !install_section(text).is_empty()) {
            after.file = "disabled".into();
        }
        if after.load == "masked" && (self.enabled == Some(true) || self.started == Some(true)) {
            return Err(Block::refused(format!("{} is masked on the node", self.name), format!("add `service: {{ name: {}, masked: false }}` before this task", self.name)));
        }
        if let Some(enabled) = self.enabled {
            let act = boot_act(&self.name, enabled, &after)?;
            if act.is_none() && enabled && after.file == "enabled" && changed && own && self.reinstalls(world, content) {
                ops.push(self.act(UnitAct::Disable));
                ops.push(self.act(UnitAct::Enable));
            }
            ops.extend(act.map(|act| self.act(act)));
        }
        let act = match self.started {
            Some(false) if runs(&now) => Some(UnitAct::Stop),
            Some(false) => None,
            Some(true) if !runs(&now) => Some(UnitAct::Start),
            _ if (changed || now.stale) && runs(&now) && self.restart => Some(UnitAct::Restart),
            _ => None,
        };
        ops.extend(act.map(|act| self.act(act)));
        Ok(ops)
    }

    fn absent(&self, world: &World) -> Vec<Op> {
        let path = self.path();
        match world.path(&path) {
            None | Some(Node::Absent) => return Vec::new(),
            Some(_) => {}
        }
        let now = world.unit(&self.name).flatten().unwrap_or_default();
        let mut ops = Vec::new();
        if self.dropin.is_none() {
            let known = !matches!(now.load.as_str(), "" | "not-found");
            if known && (runs(&now) || now.active == "deactivating") {
                ops.push(self.act(UnitAct::Stop));
            }
            if known && matches!(now.file.as_str(), "enabled" | "enabled-runtime") {
                ops.push(self.act(UnitAct::Disable));
            }
        }
        ops.push(Op::Remove { path });
        ops.push(Op::DaemonReload);
        if self.dropin.is_some() && self.restart && runs(&now) {
            ops.push(self.act(UnitAct::Restart));
        }
        ops
    }
}

impl Resource for Unit {
    fn id(&self) -> Id {
        Id { kind: "systemd_unit".into(), key: self.name.clone(), slice: self.dropin.clone().unwrap_or_default() }
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::Content(self.path()), Claim::Attrs(self.path())];
        let facets = [("enabled", self.enabled.is_some()), ("state", self.started.is_some())];
        claims.extend(facets.iter().filter(|(_, claimed)| *claimed).map(|(facet, _)| Claim::Other(format!("unit:{}:{facet}", self.name))));
        claims
    }

    fn look(&self) -> Vec<Probe> {
        let depth = Depth::Text { unless: self.content.as_ref().map(|content| content.sha256.clone()) };
        let mut probes = vec![Probe::Path { path: self.path(), depth }, Probe::Path { path: DIR.into(), depth: Depth::Stat }];
        // A template is no unit: systemd says nothing of it, and then nothing of those that are asked with it.
        if !self.name.contains("@.") {
            probes.push(Probe::Unit { name: self.name.clone() });
        }
        probes.extend(self.dir().map(|path| Probe::Path { path, depth: Depth::Stat }));
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        has_systemd(world, &self.name)?;
        match &self.content {
            Some(content) => self.present(world, content),
            None => Ok(self.absent(world)),
        }
    }

    fn secret(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.secret)
    }
}
