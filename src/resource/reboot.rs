//! `reboot`: starts the machine anew and waits until it is back.

use super::shared::attrs::{answered, stat, wrong};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostics, Value};
use crate::node::probe::Node;
use crate::node::{Op, Probe, World};

/// The declaration.
pub static REBOOT: KindSpec = KindSpec {
    name: "reboot",
    summary: "Reboots the machine and waits until it is back",
    description: "\
An act, like a command: it is done whenever the task runs. So it is mostly a handler, or a task with a `when` or with `if_exists`.

That the machine has rebooted is told by its boot id, never by a clock, which many small machines lack: the line drops, and homelab logs in anew until
the node answers with another boot id. Then the run goes on with the next task.

The guard is armed for it: a machine that comes back without letting anybody in takes the run back by itself. Its deadline is `reboot_timeout` until the
first login after the boot.

Taking a run back does not reboot once more: all state is what it was, and what is read only at boot (`/boot/firmware/config.txt`) is in effect until the next one. It says so.",
    params: &[
        Param::new("reboot_timeout", Ty::Duration, "Within which time it must be back.").default("10m"),
        Param::new("if_exists", Ty::Path, "Reboots only if something is at this path, like `/run/reboot-required`."),
        Param::new("connect_timeout", Ty::Duration, "How long one try to log in may take; by default as the host says."),
        Param::new("msg", Ty::Str, "What is said to those who are logged in.").default("Reboot initiated by homelab"),
    ],
    bare: "",
    example: "\
- name: Start with the new kernel
  reboot:
    if_exists: /run/reboot-required
    reboot_timeout: 5m
",
    build,
};

#[derive(Debug)]
struct Reboot {
    timeout: u64,
    connect: Option<u64>,
    message: String,
    if_exists: Option<String>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let seconds = |name: &str| args.values.get(name).and_then(Value::as_int).and_then(|seconds| u64::try_from(seconds).ok());
    for name in ["reboot_timeout", "connect_timeout"] {
        if seconds(name) == Some(0) {
            return Err(wrong(args, name, format!("`{name}` leaves no time"), "", "write it like `5m`, or leave it out").into());
        }
    }
    let message = args.str("msg").unwrap_or("Reboot initiated by homelab").to_owned();
    if args.is_secret("msg") || message.contains(char::is_control) {
        return Err(wrong(args, "msg", "everybody who is logged in reads `msg`, as one line", "", "write it without secrets and line breaks").into());
    }
    Ok(Box::new(Reboot { timeout: seconds("reboot_timeout").unwrap_or(600), connect: seconds("connect_timeout"), message, if_exists: args.string("if_exists") }))
}

impl Resource for Reboot {
    fn id(&self) -> Id {
        Id { kind: REBOOT.name.into(), key: "machine".into(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    fn look(&self) -> Vec<Probe> {
        self.if_exists.iter().map(|path| stat(path)).collect()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        if let Some(path) = &self.if_exists
            && world.path(path).unwrap_or(Node::Absent) == Node::Absent
        {
            return world.opaque(Some(path)).map_or(Ok(Vec::new()), |cause| Err(Block::Later(cause)));
        }
        Ok(vec![Op::Reboot { timeout: self.timeout, connect: self.connect, message: self.message.clone() }])
    }

    /// It has been done when the node has another boot id, which its op waits for.
    fn settled(&self, _world: &World) -> Result<Vec<Op>, Block> {
        Ok(Vec::new())
    }
}
