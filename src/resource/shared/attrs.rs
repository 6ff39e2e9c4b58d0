//! Wished mode and owners of a path: read from the arguments, compared with what is there. Shared by every resource
//! that manages files. Links have no attributes here: nothing ever follows or changes one.

use super::names;
use crate::resource::{Args, Block, Claim, Param, Ty};
pub use crate::lang::mode::Mode;
use crate::lang::mode::symbolic;
use crate::lang::{Data, Diagnostic, Diagnostics};
use crate::node::probe::{Attrs, Depth};
use crate::node::{Op, Probe, World};

/// What is wished of mode and owners; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Permissions.
    pub mode: Option<Mode>,
    /// Owner's name or number.
    pub owner: Option<String>,
    /// Group's name or number.
    pub group: Option<String>,
}

/// The `mode` parameter.
pub const MODE: Param = Param::new(
    "mode",
    Ty::Mode,
    "Permissions, octal (`0644`) or symbolic (`u=rw,go=r`). A symbolic one starts from what is there; `X` means execute for directories and for what somebody may execute already.",
);
/// The `owner` parameter.
pub const OWNER: Param = Param::new("owner", Ty::Str, "Name or number of the owner.").default("as it is; the identity that the task runs as for what is new");
/// The `group` parameter.
pub const GROUP: Param = Param::new("group", Ty::Str, "Name or number of the group.").default("as it is; that of the identity that the task runs as for what is new");

impl Wish {
    /// The wish in `mode`, `owner` and `group`.
    pub fn from_args(args: &Args) -> Self {
        Wish { mode: mode(args, "mode"), owner: args.string("owner"), group: args.string("group") }
    }

    /// Whether anything is wished.
    pub fn any(&self) -> bool {
        *self != Wish::default()
    }

    /// Adds the probes that comparing and needs ask for: the accounts that are named.
    pub fn look(&self, probes: &mut Vec<Probe>) {
        let named = |name: &&String| name.parse::<u32>().is_err();
        probes.extend(self.owner.iter().filter(named).map(|name| Probe::User { name: name.clone() }));
        probes.extend(self.group.iter().filter(named).map(|name| Probe::Group { name: name.clone() }));
    }

    /// The claim on `path`'s attributes, if any is wished.
    pub fn claim(&self, path: &str) -> Option<Claim> {
        self.any().then(|| Claim::Attrs(path.to_owned()))
    }

    /// The permission bits to give to what has `present` now, or `fresh` where there is nothing or nothing is wished.
    pub fn bits(&self, present: Option<u32>, fresh: u32, dir: bool) -> u32 {
        match &self.mode {
            Some(Mode::Octal(bits)) => *bits,
            Some(Mode::Symbolic(text)) => {
                let present = present.unwrap_or(fresh);
                symbolic(text, present, dir).unwrap_or(present)
            },
            None => present.unwrap_or(fresh),
        }
    }

    /// The op that gives `path`, which has `present`, what is wished; `None` where it has it.
    pub fn fix(&self, path: &str, present: &Attrs, dir: bool, world: &World) -> Result<Option<Op>, Block> {
        let bits = self.bits(Some(present.mode), present.mode, dir);
        let mode = (bits != present.mode).then_some(bits);
        let owner = self.owner.clone().filter(|owner| !same(owner, &present.owner, present.uid, |name| world.uid(name)));
        let group = self.group.clone().filter(|group| !same(group, &present.group, present.gid, |name| world.gid(name)));
        if mode.is_none() && owner.is_none() && group.is_none() {
            return Ok(None);
        }
        single(world, path, owner.as_deref(), group.as_deref())?;
        Ok(Some(Op::Attr { path: path.to_owned(), mode, owner, group }))
    }

    /// Refuses owners that this node cannot give to something new at `path`. Where there is only one, the directory has it.
    pub fn possible(&self, path: &str, world: &World) -> Result<(), Block> {
        let me = &world.facts.user;
        let above = world.path(parent(path)).and_then(|node| node.attrs().cloned()).unwrap_or_default();
        let owner = |name: &&str| *name != me.name && *name != me.uid.to_string() && *name != above.owner && *name != above.uid.to_string();
        let group = |name: &&str| *name != me.name && *name != me.uid.to_string() && *name != above.group && *name != above.gid.to_string();
        single(world, path, self.owner.as_deref().filter(owner), self.group.as_deref().filter(group))
    }
}

/// Checks `owner` and `group`: a name or a number. (The argument check knows modes.)
pub fn check(args: &Args, problems: &mut Diagnostics) {
    for (name, what) in [("owner", "user"), ("group", "group")] {
        if let Some(value) = args.str(name).filter(|value| value.parse::<u32>().is_err()) {
            problems.take(names::account(args, name, what, value));
        }
    }
}

/// The permissions that the argument `name` holds.
pub fn mode(args: &Args, name: &str) -> Option<Mode> {
    match &args.values.get(name)?.data {
        Data::Int(bits) => u32::try_from(*bits).ok().map(|bits| Mode::Octal(bits & 0o7777)),
        Data::Str(text) => Some(Mode::Symbolic(text.clone())),
        _ => None,
    }
}

/// Whether the wished name or number is the present one; two names of one number are the same.
fn same(wished: &str, name: &str, number: u32, resolve: impl Fn(&str) -> Option<u32>) -> bool {
    match wished.parse::<u32>() {
        Ok(wished) => wished == number,
        Err(_) => wished == name || resolve(wished).is_some_and(|wished| resolve(name) == Some(wished)),
    }
}

fn single(world: &World, path: &str, owner: Option<&str>, group: Option<&str>) -> Result<(), Block> {
    match owner.or(group) {
        Some(name) if world.facts.uids == "single" => Err(Block::refused(
            format!("{path} cannot belong to `{name}`: on this node everything belongs to the login"),
            "leave `owner` and `group` out, or give the task `when: facts.uids == \"all\"`",
        )),
        _ => Ok(()),
    }
}

/// `path` without doubled and trailing slashes, as probes want it; and whether it ended in one.
pub fn clean(path: &str) -> (String, bool) {
    let mut out = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        out.push('/');
        out.push_str(part);
    }
    let slash = path.len() > 1 && path.ends_with('/');
    if out.is_empty() {
        out.push('/');
    }
    (out, slash)
}

/// The directory that `path` is in; `/` for `/` itself.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// The question what is at `path`, attributes only.
pub fn stat(path: &str) -> Probe {
    Probe::Path { path: path.to_owned(), depth: Depth::Stat }
}

/// Refuses when the node could not answer any of `probes`, in its words.
pub fn answered(world: &World, probes: &[Probe]) -> Result<(), Block> {
    for probe in probes {
        if let Some(why) = world.failure(probe) {
            let what = match probe {
                Probe::Path { path, .. } | Probe::Tree { path } => path.clone(),
                Probe::User { name } => format!("the user {name}"),
                Probe::Group { name } => format!("the group {name}"),
                Probe::Sysctl { key } => key.clone(),
                Probe::Run(_) => "the command".to_owned(),
                Probe::Hostname => "the host name".to_owned(),
                _ => "it".to_owned(),
            };
            return Err(Block::refused(
                format!("cannot look at {what}: {}", why.trim()),
                "if the login may not read it, give the task `become: true`",
            ));
        }
    }
    Ok(())
}

/// A diagnostic at the value of the argument `name`.
pub fn wrong(args: &Args, name: &str, message: impl Into<String>, label: &str, hint: impl Into<String>) -> Diagnostic {
    Diagnostic::config(message).maybe_at(args.place(name)).label(label).hint(hint)
}
