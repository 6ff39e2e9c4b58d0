//! `hostname`: the machine's name, now and after the next boot.

use super::shared::attrs::{answered, wrong};
use super::shared::put::{Manner, text};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::Node;
use crate::node::{Content, Op, Probe, World};

/// The declaration.
pub static HOSTNAME: KindSpec = KindSpec {
    name: "hostname",
    summary: "Names the machine",
    description: "\
Sets the running name and `/etc/hostname`. `/etc/hosts` is left alone, as with Ansible: a line for `127.0.1.1` is a task of `lineinfile`.

Where cloud-init runs, it sets the name again at boot unless its configuration has `preserve_hostname: true`. Taken back exactly.",
    params: &[Param::required("name", Ty::Str, "The name: letters, digits and hyphens, perhaps with dots; at most 64 characters.")],
    bare: "name",
    example: "\
- name: Name the machine
  hostname: registry
",
    build,
};

const PATH: &str = "/etc/hostname";

#[derive(Debug)]
struct Hostname {
    name: String,
    content: Content,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let name = args.str("name").unwrap_or_default().trim().to_owned();
    let label = |label: &str| {
        let good = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        good && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > 64 || !name.split('.').all(label) {
        let hint = "use letters, digits and hyphens, at most 64 of them; `_` is not allowed";
        return Err(wrong(args, "name", format!("`{name}` is not a host name"), "", hint).into());
    }
    let content = Content::inline(format!("{name}\n"), false);
    Ok(Box::new(Hostname { name, content }))
}

impl Resource for Hostname {
    fn id(&self) -> Id {
        Id { kind: HOSTNAME.name.into(), key: PATH.into(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other("hostname".into()), Claim::Content(PATH.into())]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Hostname];
        Manner::default().look(PATH, &self.content, &mut probes);
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        // Without its line feed, or with blanks, the file says the same.
        let said = match world.path(PATH) {
            Some(Node::File(file)) => file.text.as_ref().and_then(|bytes| text(bytes).map(|text| text.trim() == self.name)).unwrap_or_default(),
            _ => false,
        };
        let file = if said { Vec::new() } else { Manner::default().plan(PATH, &self.content, world)? };
        let now = (world.hostname().as_deref() != Some(self.name.as_str())).then(|| Op::Hostname { name: self.name.clone() });
        // As for a kernel parameter: what is set at boot comes last.
        Ok(now.into_iter().chain(file).collect())
    }
}
