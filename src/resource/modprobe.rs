//! `modprobe`: a module of the kernel's, now and at every boot.

use super::shared::attrs::{answered, wrong};
use super::shared::put::Manner;
use super::shared::tool::{answer, command, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Command, Content, Op, Probe, World};

/// The declaration.
pub static MODPROBE: KindSpec = KindSpec {
    name: "modprobe",
    summary: "Loads or removes a module of the kernel, now and for every boot",
    description: "\
Loads the module, and has it loaded at boot by a file of its own, `/etc/modules-load.d/homelab-NAME.conf`; its options are in
`/etc/modprobe.d/homelab-NAME.conf`. No line of a file of others is touched. Unlike Ansible's, it lasts beyond the next boot unless `persistent` says otherwise.

A module that is built into the kernel is loaded always. One that the kernel does not offer is refused when planning, also where the kernel
was upgraded and the machine not rebooted since, for then the running one has no modules any more. `state: absent` is refused where the module is in use.

Options reach a module when it is loaded: one that is loaded already keeps those it has until the next boot.
Taken back by removing the module or loading it again; modules that came along with it stay.",
    params: &[
        Param::required("name", Ty::Str, "The module, as in `br_netfilter`; dashes and underscores are the same."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be loaded.").default("present"),
        Param::new("params", Ty::Str, "Its options, as in `numdummies=2`."),
        Param::new("persistent", Ty::Choice(&["present", "absent", "disabled"]), "Whether it is loaded at boot; `disabled` leaves the files as they are.").default("as `state`"),
    ],
    bare: "name",
    example: "\
- name: Let bridges ask the firewall
  modprobe: br_netfilter
",
    build,
};

#[derive(Debug)]
struct Module {
    /// With underscores.
    name: String,
    present: bool,
    params: String,
    /// `None` leaves the files as they are.
    persistent: Option<bool>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = args.str("name").unwrap_or_default().trim().replace('-', "_");
    if name.is_empty() || name.len() > 55 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        problems.push(wrong(args, "name", format!("`{}` is not a module's name", name.escape_debug()), "", "letters, digits, `_` and `-`, as in `br_netfilter`"));
    }
    let present = args.str("state") != Some("absent");
    let persistent = match args.str("persistent") {
        None => Some(present),
        Some("disabled") => None,
        Some(word) => Some(word == "present"),
    };
    let params = args.str("params").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if args.is_secret("params") {
        problems.push(wrong(args, "params", "a module's options cannot be secret", "", "every user of the node can read them under /sys/module"));
    } else if params.split(' ').any(|word| word.starts_with('-') || word.starts_with('#') || word.chars().any(|c| c.is_control() || c == '\\')) {
        problems.push(wrong(args, "params", format!("`{}` are not a module's options", params.escape_debug()), "", "write them as `name=value`, with blanks between them"));
    }
    if !present && !params.is_empty() {
        problems.push(wrong(args, "params", "a module that is to go has no options", "", "leave `params` out"));
    }
    problems.into_result(Box::new(Module { name, present, params, persistent }) as Box<dyn Resource>)
}

impl Module {
    fn boot(&self) -> (String, Content) {
        (format!("/etc/modules-load.d/homelab-{}.conf", self.name), Content::inline(format!("{}\n", self.name), false))
    }

    fn options(&self) -> (String, Content) {
        (format!("/etc/modprobe.d/homelab-{}.conf", self.name), Content::inline(format!("options {} {}\n", self.name, self.params), false))
    }

    fn question(&self) -> Command {
        script(include_str!("scripts/module.sh"), &[&self.name])
    }

    /// The file is to be there with its content, or not at all.
    fn file(&self, (path, content): (String, Content), there: bool, world: &World) -> Result<Vec<Op>, Block> {
        match (there, world.path(&path)) {
            (true, _) => Manner::default().plan(&path, &content, world),
            (false, None | Some(Node::Absent)) => Ok(Vec::new()),
            (false, Some(_)) => Ok(vec![Op::Remove { path }]),
        }
    }

    fn loads(&self, does: &str, turn: Turn, command: Command, undo: &str, after: &str) -> Op {
        // Parameters of the kernel's and devices come with it; which, it knows.
        let brings = if turn == Turn::Create { vec!["/proc/sys".to_owned(), "/dev".to_owned()] } else { Vec::new() };
        Op::Tool(ToolOp {
            says: vec![format!("{does} the module {}", self.name)],
            turn,
            command,
            undo: Some(script(undo, &[&self.name])),
            answers: vec![(self.question(), says(after))],
            brings,
            ..ToolOp::default()
        })
    }

    fn running(&self, now: &str, world: &World) -> Result<Vec<Op>, Block> {
        let name = &self.name;
        let mut words = now.split_whitespace();
        match (words.next().unwrap_or_default(), self.present) {
            ("loaded" | "builtin", true) | ("offered" | "missing" | "nothing", false) => Ok(Vec::new()),
            ("offered", true) => {
                // The options are in the file that `modprobe` reads, unless there is to be none.
                let given = if self.persistent == Some(true) { "" } else { self.params.as_str() };
                let load = command(["modprobe", name].into_iter().chain(given.split_whitespace()));
                Ok(vec![self.loads("load", Turn::Create, load, "[ ! -d \"/sys/module/$1\" ] || rmmod \"$1\"", "loaded 0\n")])
            }
            ("loaded", false) => match words.next() {
                Some("0" | "-") | None => Ok(vec![self.loads("remove", Turn::Remove, command(["modprobe", "-r", name]), "modprobe \"$1\"", "offered\n")]),
                Some(count) => Err(Block::refused(format!("the module {name} cannot go: it is in use ({count})"), "end what uses it first, or say `persistent: absent` only and reboot")),
            },
            ("builtin", false) => Err(Block::refused(format!("{name} is built into this node's kernel and cannot go"), "leave it")),
            // A package with modules, or a reboot into the new kernel, may come first.
            (state, _) => match world.opaque(Some("/lib/modules")) {
                Some(cause) => Err(Block::Later(cause)),
                None if state == "nothing" => Err(Block::refused(
                    format!("the module {name} cannot be loaded: the running kernel has no modules here"),
                    "reboot, if the kernel was upgraded since the last boot; a container has those of its host",
                )),
                None => Err(Block::refused(format!("this node's kernel offers no module `{name}`"), "look at the spelling; on a Pi, `linux-modules-extra` or a kernel of another flavour may have it")),
            },
        }
    }
}

impl Resource for Module {
    fn id(&self) -> Id {
        Id { kind: MODPROBE.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let files = [self.boot().0, self.options().0].map(Claim::Content);
        let kept = self.persistent.is_some();
        [Claim::Other(format!("module:{}", self.name))].into_iter().chain(files.into_iter().filter(|_| kept)).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.question())];
        if self.persistent.is_some() {
            for (path, content) in [self.boot(), self.options()] {
                Manner::default().look(&path, &content, &mut probes);
            }
        }
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let now = answer(world, &self.question(), "sh", "it needs a POSIX shell")?;
        let mut ops = Vec::new();
        if let Some(there) = self.persistent {
            ops.extend(self.file(self.options(), there && !self.params.is_empty(), world)?);
            ops.extend(self.file(self.boot(), there, world)?);
        }
        ops.extend(self.running(&now.stdout, world)?);
        Ok(ops)
    }
}
