//! `unarchive`: what is in an archive, unpacked into a directory.

use super::shared::attrs::{GROUP, OWNER, answered, check, clean, stat, wrong};
use super::shared::tool::{answer, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn, sha256};
use crate::node::probe::{Depth, Node};
use crate::node::{Cause, Command, Need, Op, Probe, Standing, World};

/// The declaration.
pub static UNARCHIVE: KindSpec = KindSpec {
    name: "unarchive",
    summary: "Unpacks an archive",
    description: "\
Unpacks a tar archive, compressed by what the node's tar knows, or a zip archive (by `unzip`), into a directory that is there. The archive is on the node: `get_url` or `copy` bring it
in a task before. (Ansible's `unarchive` brings it by itself; `remote_src` is always true here.)

The node keeps a record: of which archive, by its digest, and of what was unpacked. It is unpacked anew when the archive or the parameters are others, or something of it is
missing; what somebody has changed in a file is not looked for. An archive that is gone again matters only then. What an older archive had and a newer has not stays.

First all is unpacked beside what is there; only then each file takes its place. Taken back: files that were replaced come back, new ones go.",
    params: &[
        Param::required("src", Ty::Path, "The archive, on the node."),
        Param::required("dest", Ty::Path, "The directory."),
        Param::new("creates", Ty::Path, "Nothing is done where this is there already."),
        Param::new("strip_components", Ty::Int, "How many directories at the beginning of each name are left out.").default("0"),
        Param::new("exclude", Ty::Strs, "Names that are left out, as tar and unzip take them."),
        Param::new("remote_src", Ty::Bool, "That the archive is on the node.").default("true"),
        OWNER,
        GROUP,
    ],
    bare: "",
    example: "\
- name: Have the exporter's program
  unarchive:
    src: /usr/local/src/node_exporter.tar.gz
    dest: /opt/node_exporter
    strip_components: 1
",
    build,
};

#[derive(Debug)]
struct Unarchive {
    src: String,
    dest: String,
    creates: Option<String>,
    strip: i64,
    exclude: Vec<String>,
    owner: Option<String>,
    group: Option<String>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let path = |name: &str| args.str(name).map(|path| clean(path).0);
    for name in ["src", "dest"] {
        if args.str(name).is_some_and(|path| path.chars().any(char::is_control)) {
            refuse(name, format!("`{name}` has a control character in it"), "name a path without");
        }
    }
    if !args.bool("remote_src", true) {
        refuse("remote_src", "the archive is on the node".into(), "bring it there by `copy` or `get_url` before, and leave this out");
    }
    let strip = args.int("strip_components").unwrap_or(0);
    if !(0..=20).contains(&strip) {
        refuse("strip_components", format!("{strip} directories cannot be left out"), "0 to 20");
    }
    let exclude = args.strs("exclude");
    if exclude.iter().any(|name| name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control)) {
        refuse("exclude", "these are no names to leave out".into(), "as `*/doc`, not empty, and not with `-` at the beginning");
    }
    let unarchive = Unarchive {
        src: path("src").unwrap_or_default(),
        dest: path("dest").unwrap_or_default(),
        creates: path("creates"),
        strip,
        exclude,
        owner: args.string("owner"),
        group: args.string("group"),
    };
    problems.into_result(Box::new(unarchive) as Box<dyn Resource>)
}

impl Unarchive {
    fn script(&self, text: &str, more: &[&str]) -> Command {
        let words: Vec<&str> = [self.dest.as_str(), self.src.as_str()].into_iter().chain(more.iter().copied()).collect();
        script(&format!("{}{text}", include_str!("scripts/archives.sh")), &words)
    }

    fn question(&self) -> Command {
        self.script(include_str!("scripts/unarchive.sh"), &[])
    }

    fn own(&self) -> String {
        match (&self.owner, &self.group) {
            (owner, Some(group)) => format!("{}:{group}", owner.as_deref().unwrap_or_default()),
            (owner, None) => owner.clone().unwrap_or_default(),
        }
    }

    /// A word that changes with what unpacking goes by.
    fn options(&self) -> String {
        sha256(format!("{}\n{}\n{}", self.strip, self.own(), self.exclude.join("\n")).as_bytes())[..12].to_owned()
    }

    fn unpack(&self, digest: &str, before: u64, turn: Turn) -> Op {
        let record = format!("{} {digest} {}", before + 1, self.options());
        let (strip, own) = (self.strip.to_string(), self.own());
        let words: Vec<&str> = [record.as_str(), &strip, &own].into_iter().chain(self.exclude.iter().map(String::as_str)).collect();
        Op::Tool(ToolOp {
            says: vec![format!("unpack {} into {}", self.src, self.dest)],
            turn,
            command: Command { chdir: Some(self.dest.clone()), ..self.script(include_str!("scripts/unarchive_to.sh"), &words) },
            undo: Some(self.script(include_str!("scripts/unarchive_back.sh"), &[&record])),
            answers: vec![(self.question(), says(format!("{record}\n")))],
            brings: vec![self.dest.clone()],
            ..ToolOp::default()
        })
    }
}

impl Resource for Unarchive {
    fn id(&self) -> Id {
        Id { kind: UNARCHIVE.name.into(), key: self.dest.clone(), slice: self.src.clone() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("unarchive:{}:{}", self.dest, self.src))]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.question()), Probe::Path { path: self.src.clone(), depth: Depth::Digest }, stat(&self.dest)];
        probes.extend(self.creates.iter().map(|path| stat(path)));
        probes.extend(self.owner.iter().filter(|name| name.parse::<u32>().is_err()).map(|name| Probe::User { name: name.clone() }));
        probes.extend(self.group.iter().filter(|name| name.parse::<u32>().is_err()).map(|name| Probe::Group { name: name.clone() }));
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        if let Some(path) = &self.creates {
            match world.need(&Need::Path(path.clone())) {
                Standing::Met => return Ok(Vec::new()),
                Standing::Open(cause) => return Err(Block::Later(cause)),
                Standing::Refuted => {}
            }
        }
        for need in self.owner.iter().map(|name| Need::User(name.clone())).chain(self.group.iter().map(|name| Need::Group(name.clone()))) {
            match world.need(&need) {
                Standing::Open(cause) => return Err(Block::Later(cause)),
                Standing::Refuted => return Err(Block::Unmet(need)),
                Standing::Met => {}
            }
        }
        let said = answer(world, &self.question(), "unzip", "put `package: unzip` before this task")?.stdout.trim().to_owned();
        let words: Vec<&str> = said.split_whitespace().collect();
        let (generation, record) = match words[..] {
            ["none"] => (0, None),
            ["incomplete", generation, ..] => (generation.parse().unwrap_or(0), None),
            [generation, digest, options] => (generation.parse().unwrap_or(0), (options == self.options()).then(|| digest.to_owned())),
            _ => return Err(Block::refused("the node says in an unknown way what was unpacked", "look into /var/lib/homelab/archives on it")),
        };
        let src = Need::Path(self.src.clone());
        let digest = match world.path(&self.src).unwrap_or(Node::Absent) {
            Node::File(file) => match file.sha256 {
                Some(digest) => digest,
                // A download without a checksum.
                None => return Err(Block::Later(world.changed().unwrap_or_else(|| Cause(self.src.clone())))),
            },
            Node::Absent => match world.need(&src) {
                Standing::Open(cause) => return Err(Block::Later(cause)),
                _ if record.is_some() => return Ok(Vec::new()),
                _ => return Err(Block::Unmet(src)),
            },
            _ => return Err(Block::refused(format!("{} is not a regular file", self.src), "name the archive itself; of a link, what it leads to")),
        };
        if record.as_ref() == Some(&digest) {
            return Ok(Vec::new());
        }
        Ok(vec![self.unpack(&digest, generation, if generation == 0 { Turn::Create } else { Turn::Change })])
    }
}
