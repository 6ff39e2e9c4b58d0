//! `iptables`: rules of one's own, in chains of their own.

mod rule;

use super::shared::attrs::{Mode, Wish, stat, wrong};
use super::shared::names;
use super::shared::put::{Manner, depth};
use super::shared::tool::{self, answer, call, script, trouble};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::op::{ToolOp, Turn, UnitAct};
use crate::node::probe::{Depth, Node};
use crate::node::{Command, Content, Op, Probe, World};
use rule::{Rule, TABLES, read};

/// The declaration.
pub static IPTABLES: KindSpec = KindSpec {
    name: "iptables",
    summary: "Has rules in iptables, in chains of their own",
    description: "\
The rules of a task live in chains that are called `HL_NAME_…`, one for each chain of the kernel's that they belong to, which jumps there once.
They are put into force in one act for each table: no packet meets half of them. What leaves the list is gone; every other rule, docker's above all,
is left as it is. Whether the kernel still has what was loaded is asked by `plan` and `drift`, which name the rules that came or went.

The list is kept in `/etc/homelab/iptables` and loaded at boot, by systemd or OpenRC. Works with iptables-nft and iptables-legacy, whichever
the node's `iptables` is.

A step that loads rules is guarded: if nobody can log in after it, the node takes it back by itself. Taken back by loading the former list.",
    params: &[
        Param::required("name", Ty::Str, "What the rules are for: at most 18 letters, digits and hyphens."),
        Param::new("rules", Ty::Any, "The rules in their order, each a text as iptables-save writes it (`-t nat -A PREROUTING …`), or a map with `chain`, `table` (default `filter`) and what Ansible's `iptables` calls its parts: `protocol`, `source`, `destination`, `in_interface`, `out_interface`, `source_port`, `destination_port`, `destination_ports`, `ctstate`, `limit`, `comment`, `jump`, `to_destination`, `to_source`, `to_ports`, `reject_with`, … A value that begins with `!` is negated."),
        Param::new("ip_version", Ty::Choice(&["ipv4", "ipv6", "both"]), "For which packets.").default("ipv4"),
        Param::new("position", Ty::Choice(&["first", "last"]), "Whether they come before or after what is in the kernel's chains when they are first loaded.").default("first"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether they are to be there.").default("present"),
    ],
    bare: "",
    example: "\
- name: Let the home network reach the web server in the cluster
  iptables:
    name: web
    rules:
      - { table: nat, chain: PREROUTING, in_interface: wlan0, protocol: tcp, destination_port: 80, jump: DNAT, to_destination: \"10.0.0.7:80\" }
      - -t nat -A POSTROUTING -d 10.0.0.7/32 -p tcp --dport 80 -j SNAT --to-source 10.0.0.1
",
    build,
};

const DIR: &str = "/etc/homelab/iptables";
const LOADER: &str = "/etc/homelab/iptables/load";
const UNIT: &str = "homelab-iptables.service";
const UNIT_PATH: &str = "/etc/systemd/system/homelab-iptables.service";
const LOCAL: &str = "/etc/local.d/homelab-iptables.start";
const HINT: &str = "put `package: iptables` before this task";
const SCRIPT: &str = include_str!("scripts/iptables.sh");
/// Whoever flushes everything at boot comes first.
const UNIT_TEXT: &str = "\
[Unit]
Description=homelab: rules of its own in iptables
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service nftables.service netfilter-persistent.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/homelab/iptables/load

[Install]
WantedBy=multi-user.target
";

#[derive(Debug)]
struct Rules {
    name: String,
    /// By family; `None`: none of it is to be there.
    files: [(char, Option<Content>); 2],
    count: usize,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = args.str("name").unwrap_or_default().to_owned();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || name.len() > 18 || !name.chars().all(good) || name.starts_with('-') {
        let hint = "at most 18 letters, digits and hyphens: the kernel's names are short";
        problems.push(wrong(args, "name", format!("{} cannot name rules", names::shown(args, "name", &name)), "", hint));
    }
    let present = args.str("state") != Some("absent");
    let mut rules = Vec::new();
    match (args.values.get("rules"), present) {
        (Some(_), false) => problems.push(wrong(args, "rules", "`rules` has no meaning with `state: absent`", "not used", "remove `rules`, or set `state: present`")),
        (None, false) => {}
        (None, true) => problems.push(Diagnostic::config("`iptables` has no rules").maybe_at(args.span.as_ref()).hint("list them in `rules`; without any, say `state: absent`")),
        (Some(value), true) => match value.as_seq() {
            None => problems.push(wrong(args, "rules", "`rules` is not a list", "", "a line with a hyphen for each rule")),
            Some(items) => {
                for item in items {
                    match read(item) {
                        Ok(rule) => rules.push(rule),
                        Err(why) => problems.push(Diagnostic::config(why.message).maybe_at(item.origin.as_ref().or_else(|| args.place("rules"))).hint(why.hint)),
                    }
                }
            }
        },
    }
    let first = args.str("position") != Some("last");
    let families: &[char] = match args.str("ip_version") {
        Some("ipv6") => &['6'],
        Some("both") => &['4', '6'],
        _ => &['4'],
    };
    let content = || Content::inline(text(&name, &rules, first), args.is_secret("rules"));
    // What was there for the other packets, before the list was changed, goes too.
    let files = ['4', '6'].map(|family| (family, (present && !rules.is_empty() && families.contains(&family)).then(content)));
    problems.into_result(Box::new(Rules { count: rules.len(), name, files }) as Box<dyn Resource>)
}

/// A chain of the kernel's in the name of our own.
fn short(table: &str, chain: &str) -> String {
    let chain = match chain {
        "PREROUTING" => "PRE",
        "POSTROUTING" => "POST",
        "INPUT" => "IN",
        "FORWARD" => "FWD",
        _ => "OUT",
    };
    match table {
        "filter" => chain.to_owned(),
        table => format!("{}{chain}", table[..1].to_uppercase()),
    }
}

/// What `iptables-restore --noflush` is to read: declaring a chain empties it. The loader leaves out jumps that are there.
fn text(name: &str, rules: &[Rule], first: bool) -> String {
    let mut out = String::from("# Written by homelab.\n");
    for (table, chains) in TABLES {
        let here: Vec<&Rule> = rules.iter().filter(|rule| rule.table == *table).collect();
        let own: Vec<(&str, String)> = chains.iter().filter(|chain| here.iter().any(|rule| rule.chain == **chain)).map(|chain| (*chain, format!("HL_{name}_{}", short(table, chain)))).collect();
        if own.is_empty() {
            continue;
        }
        out += &format!("*{table}\n");
        own.iter().for_each(|(_, ours)| out += &format!(":{ours} - [0:0]\n"));
        for (chain, ours) in &own {
            here.iter().filter(|rule| rule.chain == *chain).for_each(|rule| out += &format!("-A {ours} {}\n", rule.rest));
        }
        own.iter().for_each(|(chain, ours)| out += &format!("{} {chain} -j {ours}\n", if first { "-I" } else { "-A" }));
        out += "COMMIT\n";
    }
    out
}

/// What is said of a family: the sum of what was loaded, whether the kernel still has it, and where not, the difference.
struct Live<'a> {
    sum: &'a str,
    same: bool,
    lines: Vec<&'a str>,
}

fn live(answer: &str, family: char) -> Option<Live<'_>> {
    let mut lines = answer.lines().skip_while(|line| !line.starts_with(family));
    let mut words = lines.next()?.split(' ').skip(1);
    let (sum, same) = (words.next()?, words.next()? == "same");
    Some(Live { sum, same, lines: lines.take_while(|line| line.starts_with(['+', '-'])).collect() })
}

impl Rules {
    fn path(&self, family: char) -> String {
        format!("{DIR}/{}.v{family}", self.name)
    }

    fn question(&self) -> Command {
        let wished: String = self.files.iter().filter(|(_, content)| content.is_some()).map(|(family, _)| *family).collect();
        call(SCRIPT, "hl_check", &[&self.name, &wished])
    }

    /// What loads the rules at boot.
    fn boot(world: &World) -> Option<(&'static str, Content, u32)> {
        match world.facts.init.as_str() {
            "systemd" => Some((UNIT_PATH, Content::inline(UNIT_TEXT, false), 0o644)),
            "openrc" => Some((LOCAL, Content::inline(format!("#!/bin/sh\nexec {LOADER}\n"), false), 0o755)),
            _ => None,
        }
    }

    /// The files that are not as wished, and the unit that is to be enabled.
    fn files(&self, world: &World) -> Result<Vec<Op>, Block> {
        let mut ops = Vec::new();
        let any = self.files.iter().any(|(_, content)| content.is_some());
        if any {
            for dir in ["/etc/homelab", DIR].into_iter().filter(|dir| world.path(dir) == Some(Node::Absent)) {
                ops.push(Op::Mkdir { path: dir.into(), mode: 0o755, owner: None, group: None });
            }
        }
        for (family, content) in &self.files {
            let path = self.path(*family);
            match content {
                Some(content) => ops.extend(Manner::default().plan(&path, content, world)?),
                None if !matches!(world.path(&path), None | Some(Node::Absent)) => ops.push(Op::Remove { path }),
                None => {}
            }
        }
        if !any {
            return Ok(ops);
        }
        let with = |mode| Manner { wish: Wish { mode: Some(Mode::Octal(mode)), ..Wish::default() }, ..Manner::default() };
        ops.extend(with(0o755).plan(LOADER, &loader(), world)?);
        if let Some((path, content, mode)) = Self::boot(world) {
            let unit = with(mode).plan(path, &content, world)?;
            let fresh = !unit.is_empty() && path == UNIT_PATH;
            ops.extend(unit);
            if path == UNIT_PATH {
                ops.extend(fresh.then_some(Op::DaemonReload));
                let now = world.unit(UNIT).flatten().unwrap_or_default();
                ops.extend((now.file != "enabled").then(|| Op::Unit { name: UNIT.into(), act: UnitAct::Enable }));
            }
        }
        Ok(ops)
    }

    /// Puts into force what the kernel has not as the files say it.
    fn load(&self, world: &World, answer: &str) -> Option<Op> {
        let (mut says, mut calls, mut after, mut turn) = (Vec::new(), Vec::new(), String::new(), Turn::Change);
        for (family, content) in &self.files {
            let now = live(answer, *family).unwrap_or(Live { sum: "-", same: false, lines: Vec::new() });
            let wished = content.as_ref().map_or("-", |content| content.sha256.as_str());
            after += &format!("{family} {wished} same\n");
            if now.same && now.sum == wished {
                continue;
            }
            calls.push(format!("hl_load {} {family}", self.name));
            let kind = format!("the rules of {} (ipv{family})", self.name);
            match content {
                Some(_) => says.push(format!("load {kind}: {}", self.count)),
                None => says.push(format!("take out {kind}")),
            }
            if now.sum == "-" {
                turn = Turn::Create;
            } else if content.is_none() {
                turn = Turn::Remove;
            }
            says.extend(now.lines.iter().map(|line| format!("the kernel has {} {}", if line.starts_with('+') { "also" } else { "no" }, &line[1..])));
        }
        if calls.is_empty() {
            return None;
        }
        if Self::boot(world).is_none() {
            says.push("not loaded at boot: the node has neither systemd nor OpenRC".into());
        }
        let command = script(&format!("{SCRIPT}\n{}", calls.join(" && ")), &[]);
        Some(Op::Tool(ToolOp { says, turn, command, again: true, answers: vec![(self.question(), tool::says(after))], cuts_line: true, ..ToolOp::default() }))
    }
}

/// What is put on the node to load all rules at boot.
fn loader() -> Content {
    Content::own(format!("{SCRIPT}\nhl_all\n"))
}

impl Resource for Rules {
    fn id(&self) -> Id {
        Id { kind: IPTABLES.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let files = self.files.iter().map(|(family, _)| Claim::Content(self.path(*family)));
        files.chain([Claim::Other(format!("iptables:{}", self.name))]).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.question()), stat("/etc/homelab"), stat(DIR)];
        for (family, content) in &self.files {
            let depth = content.as_ref().map_or(Depth::Stat, depth);
            probes.push(Probe::Path { path: self.path(*family), depth });
        }
        if self.files.iter().any(|(_, content)| content.is_some()) {
            probes.push(Probe::Path { path: LOADER.into(), depth: depth(&loader()) });
            probes.extend([UNIT_PATH, LOCAL].map(|path| Probe::Path { path: path.into(), depth: Depth::Text { unless: None } }));
            probes.push(Probe::Unit { name: UNIT.into() });
        }
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let ran = answer(world, &self.question(), "iptables", HINT)?;
        if ran.rc != 0 {
            return Err(trouble(world, ran, "iptables", HINT));
        }
        let mut ops = self.files(world)?;
        ops.extend(self.load(world, &ran.stdout));
        Ok(ops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_is_read() {
        let answer = "4 abc other\n+filter -A x\n-nat -A y\n6 - same\n";
        let four = live(answer, '4').unwrap();
        assert_eq!((four.sum, four.same, four.lines), ("abc", false, vec!["+filter -A x", "-nat -A y"]));
        let six = live(answer, '6').unwrap();
        assert!(six.sum == "-" && six.same && six.lines.is_empty());
        assert!(live("nonsense", '4').is_none());
    }
}
