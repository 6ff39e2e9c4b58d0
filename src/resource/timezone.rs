//! `timezone`: which time the machine's clock shows.

use super::shared::attrs::{answered, stat, wrong};
use super::shared::put::{Manner, text};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::{Depth, Node};
use crate::node::{Content, Need, Op, Probe, Standing, World};

/// The declaration.
pub static TIMEZONE: KindSpec = KindSpec {
    name: "timezone",
    summary: "Sets the time zone",
    description: "\
Links `/etc/localtime` to the zone, and writes its name to `/etc/timezone` where a node has that file (Debian 13 no longer makes it).
A zone that the node does not have is refused when planning; the package `tzdata` brings them, on Debian 13 `tzdata-legacy` the old names like `US/Pacific`.

What runs keeps the zone it started with: notify a handler that restarts `cron` and the like. What a battery-driven clock holds (Ansible's `hwclock`) is left as it is.
Taken back exactly.",
    params: &[Param::required("name", Ty::Str, "The zone, as in `Europe/Berlin` or `Etc/UTC`.")],
    bare: "name",
    example: "\
- name: Live in Berlin
  timezone: Europe/Berlin
",
    build,
};

const LINK: &str = "/etc/localtime";
const FILE: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";

#[derive(Debug)]
struct Timezone {
    name: String,
    content: Content,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let name = args.str("name").unwrap_or_default().trim().to_owned();
    let good = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'));
    if !name.split('/').all(good) {
        return Err(wrong(args, "name", format!("`{}` is not a time zone", name.escape_debug()), "", "name it as `Europe/Berlin` or `Etc/UTC`").into());
    }
    let content = Content::inline(format!("{name}\n"), false);
    Ok(Box::new(Timezone { name, content }))
}

impl Timezone {
    fn zone(&self) -> String {
        format!("{ZONES}/{}", self.name)
    }

    /// Whether the link says so: absolute as Debian writes it, or relative as systemd does.
    fn leads_there(&self, target: &str) -> bool {
        target == self.zone() || target.strip_prefix("..").is_some_and(|rest| rest == self.zone())
    }
}

impl Resource for Timezone {
    fn id(&self) -> Id {
        Id { kind: TIMEZONE.name.into(), key: LINK.into(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Content(LINK.into()), Claim::Content(FILE.into())]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![stat(LINK), stat(&self.zone())];
        probes.push(Probe::Path { path: FILE.into(), depth: Depth::Text { unless: Some(self.content.sha256.clone()) } });
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let zone = self.zone();
        match (world.path(&zone), world.need(&Need::Path(zone.clone()))) {
            (Some(Node::Dir(_)), _) => return Err(Block::refused(format!("{zone} is a directory of zones, not a zone"), "name one of the zones in it")),
            (_, Standing::Open(cause)) => return Err(Block::Later(cause)),
            (_, Standing::Refuted) => {
                let hint = "look at the spelling; the package `tzdata` brings zones, and on Debian 13 `tzdata-legacy` old names of them";
                return Err(Block::refused(format!("this node has no time zone `{}`", self.name), hint));
            }
            _ => {}
        }
        let mut ops = Vec::new();
        match world.path(LINK) {
            Some(Node::Link { target }) if self.leads_there(&target) => {}
            Some(Node::Dir(_) | Node::Other(_)) => return Err(Block::refused(format!("{LINK} is neither a link nor a file"), "see what it is, and remove it on the node")),
            _ => ops.push(Op::Link { path: LINK.into(), target: zone }),
        }
        if let Some(Node::File(file)) = world.path(FILE) {
            let says = file.text.as_ref().and_then(|bytes| text(bytes)).map(str::trim);
            if says != Some(&self.name) {
                ops.extend(Manner::default().plan(FILE, &self.content, world)?);
            }
        }
        Ok(ops)
    }
}
