//! `template`: a file rendered on the controller.

use super::shared::attrs::{GROUP, MODE, OWNER, answered, clean, wrong};
use super::shared::put::{Manner, VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Content, Op, Probe, World};

/// The declaration.
pub static TEMPLATE: KindSpec = KindSpec {
    name: "template",
    summary: "Puts a file rendered from a template",
    description: "\
The template is rendered on the controller with the variables and facts of the host; an undefined variable is an error.
A text that read a secret is secret as a whole: its diff is masked, and a new file gets mode `0600` unless `mode` says otherwise.

A symbolic link at `dest` is replaced by the file, not followed. The directory of `dest` must be there or be made by an earlier task. Taken back exactly.",
    params: &[
        Param::required("src", Ty::Template, "The template: relative to the file that names it, or in `templates/`."),
        Param::required("dest", Ty::Path, "The file on the node.").aliases(&["path"]),
        MODE.default("as it is; `0644` for a new file, `0600` if its text is secret"),
        OWNER,
        GROUP,
        VALIDATE,
        Param::new("force", Ty::Bool, "With `false`, a file that is there keeps its content.").default("true"),
    ],
    bare: "",
    example: "\
- name: Configure Verdaccio
  template:
    src: verdaccio/config.yaml.j2
    dest: /etc/verdaccio/config.yaml
    owner: verdaccio
    mode: 0640
",
    build,
};

#[derive(Debug)]
struct Template {
    dest: String,
    content: Content,
    manner: Manner,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let (dest, slash) = clean(args.str("dest").unwrap_or_default());
    if slash {
        problems.push(wrong(args, "dest", "the destination of a template is a file", "ends with a slash", "name the file, too"));
    }
    check(args, &mut problems);
    match args.contents.get("src") {
        Some(Loaded::File(content)) => {
            let content = content.clone();
            problems.into_result(Box::new(Template { dest, content, manner: Manner::from_args(args) }) as Box<dyn Resource>)
        }
        _ => {
            problems.push(Diagnostic::config("the template was not rendered").maybe_at(args.place("src")).hint("`src` must name a template file"));
            Err(problems)
        }
    }
}

impl Resource for Template {
    fn id(&self) -> Id {
        Id { kind: TEMPLATE.name.into(), key: self.dest.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        self.manner.claims(&self.dest)
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        self.manner.look(&self.dest, &self.content, &mut probes);
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        self.manner.plan(&self.dest, &self.content, world)
    }

    fn secret(&self) -> bool {
        self.content.secret
    }
}
