//! `swap`: a swap file of a given size, now and at every boot.

use super::shared::attrs::{answered, clean, parent, stat, wrong};
use super::shared::fstab::{self, Entry, escaped};
use super::shared::tool::{answer, command, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Command, Need, Op, Probe, World};

/// The declaration.
pub static SWAP: KindSpec = KindSpec {
    name: "swap",
    summary: "Has a swap file of a given size",
    description: "\
Makes the file, swaps there, and keeps its line in `/etc/fstab`, of which every other byte stays. A file of another size is made anew, beside the old one, which takes
room for both. How eagerly the kernel swaps is `sysctl: {name: vm.swappiness}`.

Refused on a Raspberry Pi OS up to 12 where `dphys-swapfile` owns the swap file: that reads its size from `/etc/dphys-swapfile`. (13 swaps to zram by itself.)
What is swapped out comes back into memory before a file goes; where it does not fit, the task fails and nothing has changed.

Taken back: fstab exactly, and a file of the old size, or none.",
    params: &[
        Param::required("path", Ty::Path, "The file.").aliases(&["name"]),
        Param::new("size", Ty::Str, "Its size, like `512M` or `2G`; needed with `state: present`."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
    ],
    bare: "",
    example: "\
- name: Let the Pi swap a little
  swap:
    path: /swapfile
    size: 512M
",
    build,
};

const MIB: u64 = 1 << 20;

#[derive(Debug)]
struct Swap {
    path: String,
    /// Bytes; `None`: absent.
    size: Option<u64>,
}

/// A size with its unit, in whole MiB.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].trim_end_matches("iB").trim_end_matches('B') {
        "M" | "m" => MIB,
        "G" | "g" => MIB << 10,
        "" if text.ends_with(|c: char| c.is_ascii_digit()) => 1,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(unit).filter(|size| *size >= MIB && size % MIB == 0)
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let path = clean(args.str("path").unwrap_or_default()).0;
    if path.chars().any(char::is_control) || path == "/" {
        problems.push(wrong(args, "path", format!("`{}` cannot be a swap file", path.escape_debug()), "", "name a file, like `/swapfile`"));
    }
    let absent = args.str("state") == Some("absent");
    let size = match args.str("size") {
        _ if absent => None,
        None => {
            problems.push(wrong(args, "path", "the swap file has no `size`", "", "say one, like `512M`"));
            None
        }
        Some(text) => {
            let size = bytes(text);
            if size.is_none() {
                problems.push(wrong(args, "size", format!("`{}` is not the size of a swap file", text.escape_debug()), "", "whole MiB, like `512M` or `2G`"));
            }
            size
        }
    };
    problems.into_result(Box::new(Swap { path, size }) as Box<dyn Resource>)
}

impl Swap {
    fn question(&self) -> Command {
        script(include_str!("scripts/swap.sh"), &[&self.path, &escaped(&self.path)])
    }

    fn make(&self, size: u64) -> Command {
        script(include_str!("scripts/swap_on.sh"), &[&self.path, &escaped(&self.path), &size.to_string()])
    }

    fn remove(&self) -> Command {
        script(include_str!("scripts/swap_off.sh"), &[&self.path, &escaped(&self.path)])
    }

    fn entry(&self) -> Option<Entry> {
        let field = str::to_owned;
        self.size.map(|_| Entry { src: escaped(&self.path), path: field("none"), fstype: field("swap"), opts: field("sw"), dump: field("0"), pass: field("0") })
    }

    fn owns(&self) -> impl Fn(&Entry) -> bool + use<> {
        let src = escaped(&self.path);
        move |entry| entry.src == src
    }

    fn told(&self, what: String, turn: Turn, command: Command, undo: Command, after: String) -> Op {
        Op::Tool(ToolOp { says: vec![what], turn, command, undo: Some(undo), answers: vec![(self.question(), says(after))], ..ToolOp::default() })
    }

    /// The ops that make the file as wished, given its size and whether it is swapped to.
    fn file(&self, now: Option<(u64, bool)>) -> Vec<Op> {
        let path = &self.path;
        let mib = |size: u64| format!("{} MiB", size.div_ceil(MIB));
        match (now, self.size) {
            (None, None) => Vec::new(),
            (None, Some(size)) => vec![self.told(format!("make the swap file {path}, {}", mib(size)), Turn::Create, self.make(size), self.remove(), format!("{size} on\n"))],
            // Back as it was: a file that was not swapped to was nobody's.
            (Some((old, on)), None) => {
                let undo = if on { self.make(old.div_ceil(MIB) * MIB) } else { command(["true"]) };
                vec![self.told(format!("remove the swap file {path}, {}", mib(old)), Turn::Remove, self.remove(), undo, "none\n".into())]
            }
            (Some((old, true)), Some(size)) if old == size => Vec::new(),
            (Some((old, false)), Some(size)) if old == size => {
                let undo = script(include_str!("scripts/swap_off.sh"), &[path, &escaped(path), "kept"]);
                vec![self.told(format!("swap to {path}"), Turn::Change, command(["swapon", path]), undo, format!("{size} on\n"))]
            }
            (Some((old, on)), Some(size)) => {
                let undo = if on { self.make(old.div_ceil(MIB) * MIB) } else { self.remove() };
                vec![self.told(format!("make the swap file {path} anew, {} → {}", mib(old), mib(size)), Turn::Change, self.make(size), undo, format!("{size} on\n"))]
            }
        }
    }
}

impl Resource for Swap {
    fn id(&self) -> Id {
        Id { kind: SWAP.name.into(), key: self.path.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Content(self.path.clone()), Claim::Slice(fstab::FSTAB.into(), escaped(&self.path))]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = fstab::file(true, false).look();
        probes.extend([Probe::Run(self.question()), stat(parent(&self.path)), stat("/etc/dphys-swapfile")]);
        probes
    }

    fn slice(&self, text: &str) -> Option<String> {
        Some(fstab::entries(text, self.owns()).iter().map(|entry| format!("{entry:?}\n")).collect())
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let said = answer(world, &self.question(), "sh", "it needs a POSIX shell")?.stdout.trim().to_owned();
        let now = match said.split_once(' ') {
            Some((size, on)) => size.parse().ok().map(|size| (size, on == "on")),
            None if said == "none" => None,
            None => return Err(Block::refused(format!("{} is there, and is not a file", self.path), "name another path")),
        };
        if self.size.is_some() {
            if self.path == "/var/swap" && !matches!(world.path("/etc/dphys-swapfile"), None | Some(Node::Absent)) {
                return Err(Block::refused("dphys-swapfile owns /var/swap on this node", "set its CONF_SWAPSIZE, as the role `base_kernel` does, or name another path"));
            }
            let dir = parent(&self.path);
            if world.path(dir) == Some(Node::Absent) {
                return Err(world.opaque(Some(dir)).map_or_else(|| Block::Unmet(Need::Dir(dir.to_owned())), Block::Later));
            }
        }
        let entry = self.entry();
        let mut ops = self.file(now);
        let lines = fstab::file(entry.is_none(), false).plan(world, |text| Ok(fstab::edited(text, entry.as_ref(), self.owns())))?;
        let reload = (!lines.is_empty() && world.facts.init == "systemd").then_some(Op::DaemonReload);
        // A file that goes is named until it has gone; one that comes is there before it is named.
        ops.extend(lines.into_iter().chain(reload));
        Ok(ops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [("512M", 512 * MIB), ("2G", 2048 * MIB), ("1GiB", 1024 * MIB), ("64 MB", 64 * MIB), ("1048576", MIB)] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in ["", "M", "0M", "1.5G", "-1M", "1", "1048577", "2T", "99999999999999999999G", "18446744073709551615G"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
