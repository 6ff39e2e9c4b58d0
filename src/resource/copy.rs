//! `copy`: a file or directory of the controller, or a text given in the task.

use super::shared::attrs::{GROUP, MODE, Mode, OWNER, Wish, answered, clean, mode, parent, stat, wrong};
use super::shared::put::{FRESH_DIR, Manner, VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::probe::Node;
use crate::node::{Content, Op, Probe, World};

/// The declaration.
pub static COPY: KindSpec = KindSpec {
    name: "copy",
    summary: "Puts a file or a directory of the controller, or a text",
    description: "\
One of `src` and `content` says what. Files of any size are streamed, and compared by their digest.

- A `dest` that ends with a slash, or that is a directory on the node, takes the file under its own name.
- A directory `src` that ends with a slash is copied as what is in it; without a slash it is copied as a directory into `dest`. Nothing is removed from `dest`.
- A symbolic link at the destination is replaced by the file, not followed.
- A `content` that read a secret is secret: its diff is masked, and a new file gets mode `0600` unless `mode` says otherwise.

The directory of `dest` must be there or be made by an earlier task; a `dest` that takes a directory is made.
The permissions of the local files are not taken over. Taken back exactly.",
    params: &[
        Param::new("src", Ty::LocalFile, "The file or directory, relative to the file that names it."),
        Param::new("content", Ty::Str, "The text, instead of `src`."),
        Param::required("dest", Ty::Path, "Where on the node.").aliases(&["path"]),
        MODE.default("as it is; `0644` for a new file, `0600` if it is secret"),
        Param::new("directory_mode", Ty::Mode, "Permissions of the directories, when a directory is copied.").default("as it is; `0755` for a new one"),
        OWNER,
        GROUP,
        VALIDATE,
        Param::new("force", Ty::Bool, "With `false`, a file that is there keeps its content.").default("true"),
    ],
    bare: "",
    example: "\
- name: Greet who logs in
  copy:
    content: |
      This machine is kept by homelab; what is changed by hand will be changed back.
    dest: /etc/motd
    mode: 0644
",
    build,
};

#[derive(Debug)]
enum What {
    /// A content, and the name that it takes inside a directory.
    File { content: Content, name: Option<String> },
    /// Path on the node → content, or a directory; parents first.
    Tree(Vec<(String, Option<Content>)>),
}

#[derive(Debug)]
struct Copy {
    dest: String,
    what: What,
    manner: Manner,
    directory_mode: Option<Mode>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let (mut dest, slash) = clean(args.str("dest").unwrap_or_default());
    let what = match (args.str("content"), args.str("src"), args.contents.get("src")) {
        (Some(_), Some(_), _) => {
            problems.push(wrong(args, "content", "both `src` and `content` are given", "", "keep one of them"));
            None
        }
        (Some(text), None, _) => {
            if slash {
                problems.push(wrong(args, "dest", "a text has no name that it could take in a directory", "ends with a slash", "name the file, too"));
            }
            Some(What::File { content: Content::inline(text, args.is_secret("content")), name: None })
        }
        (None, Some(src), Some(Loaded::File(content))) => {
            let name = src.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned);
            if let (true, Some(name)) = (slash, &name) {
                dest = join(&dest, name);
            }
            Some(What::File { content: content.clone(), name: name.filter(|_| !slash) })
        }
        (None, Some(src), Some(Loaded::Dir(entries))) => {
            if args.has("validate") {
                problems.push(wrong(args, "validate", "`validate` judges one file, not a directory", "", "copy the file to judge in a task of its own"));
            }
            if let (false, Some(name)) = (src.ends_with('/'), src.rsplit('/').next()) {
                dest = join(&dest, name);
            }
            let mut tree = vec![(dest.clone(), None)];
            tree.extend(entries.iter().map(|(path, content)| (join(&dest, path), content.clone())));
            Some(What::Tree(tree))
        }
        (None, Some(src), None) => {
            problems.push(wrong(args, "src", format!("`{src}` was not read"), "", "name a file or directory of the controller"));
            None
        }
        (None, None, _) => {
            problems.push(Diagnostic::config("`copy` does not say what to copy").maybe_at(args.span.as_ref()).hint("give `src`, a file, or `content`, a text"));
            None
        }
    };
    let Some(what) = what else { return Err(problems) };
    let copy = Copy { dest, what, manner: Manner::from_args(args), directory_mode: mode(args, "directory_mode") };
    problems.into_result(Box::new(copy) as Box<dyn Resource>)
}

fn join(dir: &str, name: &str) -> String {
    format!("{}/{}", dir.trim_end_matches('/'), name.trim_matches('/'))
}

impl Resource for Copy {
    fn id(&self) -> Id {
        Id { kind: COPY.name.into(), key: self.dest.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        match &self.what {
            What::File { .. } => self.manner.claims(&self.dest),
            // Of the directories themselves, others may own the attributes.
            What::Tree(tree) => tree.iter().filter(|(_, content)| content.is_some()).flat_map(|(path, _)| self.manner.claims(path)).collect(),
        }
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        match &self.what {
            What::File { content, name } => {
                self.manner.look(&self.dest, content, &mut probes);
                if let Some(name) = name {
                    self.manner.look(&join(&self.dest, name), content, &mut probes);
                }
            }
            What::Tree(tree) => {
                probes.push(stat(parent(&self.dest)));
                self.manner.wish.look(&mut probes);
                for (path, content) in tree {
                    match content {
                        Some(content) => self.manner.look(path, content, &mut probes),
                        None => probes.push(stat(path)),
                    }
                }
            }
        }
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        match &self.what {
            What::File { content, name } => match (name, world.path(&self.dest)) {
                (Some(name), Some(Node::Dir(_))) => self.manner.plan(&join(&self.dest, name), content, world),
                _ => self.manner.plan(&self.dest, content, world),
            },
            What::Tree(tree) => {
                let mut ops = Vec::new();
                for (path, content) in tree {
                    match content {
                        Some(content) => ops.extend(self.manner.plan(path, content, world)?),
                        None => ops.extend(self.directory(path, world)?),
                    }
                }
                Ok(ops)
            }
        }
    }

    fn secret(&self) -> bool {
        match &self.what {
            What::File { content, .. } => content.secret,
            What::Tree(tree) => tree.iter().flat_map(|(_, content)| content).any(|content| content.secret),
        }
    }
}

impl Copy {
    fn directory(&self, path: &str, world: &World) -> Result<Option<Op>, Block> {
        let Wish { owner, group, .. } = self.manner.wish.clone();
        let wish = Wish { mode: self.directory_mode.clone(), owner, group };
        match world.path(path) {
            None | Some(Node::Absent) => {
                wish.possible(path, world)?;
                let mode = wish.bits(None, FRESH_DIR, true);
                Ok(Some(Op::Mkdir { path: path.to_owned(), mode, owner: wish.owner, group: wish.group }))
            }
            Some(Node::Dir(attrs)) => wish.fix(path, &attrs, true, world),
            // It may lead to a directory: the act itself will say.
            Some(Node::Link { .. }) => Ok(None),
            Some(_) => Err(Block::refused(
                format!("{path} is no directory, a directory is to be copied there"),
                "choose another `dest`, or remove it first with `file: {state: absent}`",
            )),
        }
    }
}
