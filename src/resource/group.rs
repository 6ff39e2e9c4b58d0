//! `group`: a group of accounts.

use super::shared::attrs::wrong;
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::{Op, Probe, World};

/// The declaration of `group`.
pub static GROUP: KindSpec = KindSpec {
    name: "group",
    summary: "Makes a group of accounts, or removes it",
    description: "\
Creates, changes or removes a group in `/etc/group`. Members are the business of `user` (`groups:`).

Changing `gid` does not change the group of files that carry the old number. `system` counts only when the group is created.
Taking back is *equivalent*: a group that was removed comes back with its number and members.",
    params: &[
        Param::required("name", Ty::Str, "The group's name."),
        Param::new("gid", Ty::Int, "Its number. Without it the node picks one when it creates the group."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("system", Ty::Bool, "Take a number from the system's range when the group is created.").default("false"),
    ],
    bare: "name",
    example: "\
- name: Those who may see the backups
  group:
    name: backup-readers
    gid: 1800
",
    build,
};

#[derive(Debug)]
struct Group {
    name: String,
    gid: Option<u32>,
    present: bool,
    system: bool,
}

/// The number in `param`, which must be one that an account or group can have.
pub(super) fn number(args: &Args, param: &str) -> Result<Option<u32>, Diagnostics> {
    match args.int(param) {
        None => Ok(None),
        // The last number means "none" to chown, the 16-bit one to old tools.
        Some(id) => match u32::try_from(id) {
            Ok(id) if id != u32::MAX && id != 65_535 => Ok(Some(id)),
            _ => Err(wrong(args, param, format!("`{param}: {id}` is not a number that can be used"), "out of range", "0 to 4294967294, and not 65535").into()),
        },
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = problems.take(names::account(args, "name", "group", args.str("name").unwrap_or_default()));
    let gid = problems.take(number(args, "gid")).flatten();
    let present = args.str("state") != Some("absent");
    if !present && args.has("gid") {
        problems.push(wrong(args, "gid", "`gid` has no meaning with `state: absent`", "not used", "remove `gid`, or set `state: present`"));
    }
    if !present && name.as_deref() == Some("root") {
        problems.push(wrong(args, "name", "the group root cannot be removed", "needed by the system", "name another group"));
    }
    let group = Group { name: name.unwrap_or_default(), gid, present, system: args.bool("system", false) };
    problems.into_result(Box::new(group))
}

impl Resource for Group {
    fn id(&self) -> Id {
        Id { kind: "group".into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("group:{}", self.name))]
    }

    fn look(&self) -> Vec<Probe> {
        vec![Probe::Group { name: self.name.clone() }]
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        names::answered(world, &Probe::Group { name: self.name.clone() }, &format!("whether there is a group {}", self.name), "see that `/etc/group` can be read there")?;
        let now = world.group(&self.name).flatten();
        let as_wished = match (&now, self.present) {
            (None, wished) => !wished,
            (Some(_), false) => false,
            (Some(now), true) => self.gid.is_none_or(|gid| gid == now.gid),
        };
        if as_wished {
            return Ok(Vec::new());
        }
        names::tools(world, "groups")?;
        if now.is_some() && self.present {
            names::usermod(world, &format!("the number of the group {}", self.name), "groupmod")?;
        }
        Ok(vec![Op::Group { name: self.name.clone(), present: self.present, gid: self.gid, system: self.system && now.is_none() }])
    }
}
