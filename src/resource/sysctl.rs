//! `sysctl`: a kernel parameter, now and after the next boot.

use super::shared::attrs::{answered, clean, wrong};
use super::shared::edit::{Edit, Lines};
use super::shared::put::Manner;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::Node;
use crate::node::{Content, Op, Probe, World};

/// The declaration.
pub static SYSCTL: KindSpec = KindSpec {
    name: "sysctl",
    summary: "Sets a kernel parameter, now and for every boot",
    description: "\
Each parameter gets a file of its own, `/etc/sysctl.d/99-homelab-NAME.conf`: no line of a file of the distribution is touched, a parameter is removed with its file,
and two parameters never meet in one file. (Ansible edits `/etc/sysctl.conf`, which Debian 13 no longer reads at boot.) With `sysctl_file`, its line in that file is kept instead.
A line in `/etc/sysctl.conf`, where that is still read, wins over `/etc/sysctl.d`.

The running value is set directly; nothing else in the file is loaded again, so there is no `reload`.
`state: absent` takes the line or file away; the running value stays until the next boot.

Runs of blanks in values count as one: the kernel writes tabs where people write spaces. Taken back exactly, the running value included.",
    params: &[
        Param::required("name", Ty::Str, "The parameter, with dots (`net.ipv4.ip_forward`) or slashes.").aliases(&["key"]),
        Param::new("value", Ty::Str, "Its value.").aliases(&["val"]),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be set at boot.").default("present"),
        Param::new("sysctl_file", Ty::Path, "The file that keeps it.").default("/etc/sysctl.d/99-homelab-NAME.conf"),
        Param::new("sysctl_set", Ty::Bool, "Set the running value, too.").default("true"),
    ],
    bare: "",
    example: "\
- name: Let the router forward
  sysctl:
    name: net.ipv4.ip_forward
    value: 1
",
    build,
};

#[derive(Debug)]
struct Sysctl {
    key: String,
    value: String,
    absent: bool,
    path: String,
    /// The line in a file that others own too; else the file is its own.
    line: Option<Edit>,
    running: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let key = dotted(args.str("name").unwrap_or_default().trim());
    let absent = args.str("state") == Some("absent");
    let good = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if key.is_empty() || !key.chars().all(good) || key.split(['.', '/']).any(str::is_empty) {
        problems.push(wrong(args, "name", format!("`{key}` is not a kernel parameter"), "", "parameters are named like `net.ipv4.ip_forward`"));
    }
    let value = normal(args.str("value").unwrap_or_default());
    if !absent && !args.has("value") {
        problems.push(wrong(args, "name", format!("`{key}` needs a `value`"), "", "give `value`, or say `state: absent`"));
    }
    if args.is_secret("value") {
        problems.push(wrong(args, "value", "a kernel parameter cannot be secret", "", "every user of the node can read it under /proc/sys"));
    }
    let file = args.str("sysctl_file").map(|path| clean(path).0);
    let path = file.clone().unwrap_or_else(|| format!("/etc/sysctl.d/99-homelab-{}.conf", key.replace('/', "-")));
    let line = file.map(|path| Edit { path, create: true, removes: absent, secret: false, manner: Manner::default() });
    let running = !absent && args.bool("sysctl_set", true);
    problems.into_result(Box::new(Sysctl { key, value, absent, path, line, running }) as Box<dyn Resource>)
}

/// The name with dots; `/` in it then stands for a dot in a name (`net.ipv4.conf.eth0/1.forwarding`).
fn dotted(name: &str) -> String {
    let slashed = name.find(['.', '/']).is_some_and(|at| name[at..].starts_with('/'));
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    if slashed { name.chars().map(swap).collect() } else { name.to_owned() }
}

fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Sysctl {
    fn setting(&self) -> String {
        format!("{} = {}", self.key, self.value)
    }

    fn content(&self) -> Content {
        Content::inline(format!("{}\n", self.setting()), false)
    }

    /// The value that a line of a sysctl file gives to this parameter.
    fn value_in<'a>(&self, line: &'a str) -> Option<&'a str> {
        let line = line.trim_start();
        let (name, value) = line.strip_prefix('-').unwrap_or(line).split_once('=')?;
        (!line.starts_with(['#', ';']) && dotted(name.trim()) == self.key).then_some(value)
    }

    /// The last line that names it is the one that counts; the others would only mislead.
    fn edited(&self, text: &str) -> String {
        let split = Lines::new(text);
        let hits: Vec<usize> = (0..split.lines.len()).filter(|at| self.value_in(split.lines[*at]).is_some()).collect();
        let right = |at: &usize| self.value_in(split.lines[*at]).is_some_and(|value| normal(value) == self.value);
        match hits.as_slice() {
            [at] if !self.absent && right(at) => return text.to_owned(),
            [] if !self.absent => return split.splice(split.lines.len()..split.lines.len(), &[&self.setting()]),
            _ => {}
        }
        let mut out = text.to_owned();
        for (nth, at) in hits.iter().rev().enumerate() {
            let setting = self.setting();
            let new: &[&str] = if nth == 0 && !self.absent { &[&setting] } else { &[] };
            out = Lines::new(&out).splice(*at..*at + 1, new);
        }
        out
    }

    fn file(&self, world: &World) -> Result<Vec<Op>, Block> {
        match (&self.line, self.absent) {
            (Some(line), _) => line.plan(world, |text| Ok(self.edited(text))),
            (None, false) => Manner::default().plan(&self.path, &self.content(), world),
            (None, true) => match world.path(&self.path) {
                None | Some(Node::Absent) => Ok(Vec::new()),
                Some(_) => Ok(vec![Op::Remove { path: self.path.clone() }]),
            },
        }
    }
}

impl Resource for Sysctl {
    fn id(&self) -> Id {
        Id { kind: SYSCTL.name.into(), key: self.key.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let file = match self.line {
            Some(_) => Claim::Slice(self.path.clone(), self.key.clone()),
            None => Claim::Content(self.path.clone()),
        };
        vec![Claim::Other(format!("sysctl:{}", self.key)), file]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        match &self.line {
            Some(line) => probes.extend(line.look()),
            None => Manner::default().look(&self.path, &self.content(), &mut probes),
        }
        if self.running {
            probes.push(Probe::Sysctl { key: self.key.clone() });
        }
        probes
    }

    fn slice(&self, text: &str) -> Option<String> {
        self.line.as_ref()?;
        Some(Lines::new(text).lines.into_iter().filter_map(|line| self.value_in(line)).map(normal).collect::<Vec<_>>().join("\n"))
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        // What would be set at boot comes last: a boot in between must not set what no record speaks of.
        let (mut ops, file) = (Vec::new(), self.file(world)?);
        if self.running {
            match world.sysctl(&self.key) {
                Some(Some(value)) if normal(&value) == self.value => {}
                // A module that an earlier step loads may bring it.
                Some(None) => {
                    return Err(match world.opaque(Some(&format!("/proc/sys/{}", self.key.replace('.', "/")))) {
                        Some(cause) => Block::Later(cause),
                        None => Block::refused(
                            format!("this node's kernel has no parameter `{}`", self.key),
                            "look at the spelling; if a module brings it, load that first, or say `sysctl_set: false`",
                        ),
                    });
                }
                _ => ops.push(Op::Sysctl { key: self.key.clone(), value: self.value.clone() }),
            }
        }
        ops.extend(file);
        Ok(ops)
    }
}
