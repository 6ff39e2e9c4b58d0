//! `file`: what is at a path, without its content: attributes, directories, links, absence.

use super::shared::attrs::{GROUP, MODE, OWNER, Wish, answered, check, clean, parent, stat, wrong};
use super::shared::put::{FRESH, FRESH_DIR};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::Node;
use crate::node::{Content, Need, Op, Probe, Standing, World};

/// The declaration.
pub static FILE: KindSpec = KindSpec {
    name: "file",
    summary: "Sets attributes; makes directories, links and empty files; removes what should not be there",
    description: "\
- `directory` makes the directory and those above it that are missing; each new one gets the attributes wished.
- `link` makes a symbolic link that says `src`; whether anything is there is not asked.
- `absent` removes a file, a link, or a directory with all that is in it.
- `touch` makes an empty file where there is nothing; the times of what is there are left alone, so that a second run finds nothing to do.
- `file` makes nothing: the file must be there, only its attributes are set.

Links are never followed: where a link is at `path`, name what it points to. Hard links are not supported.
Use `copy` with `content:` for a file that has something in it. Taken back exactly, what was removed included.",
    params: &[
        Param::required("path", Ty::Path, "The path on the node.").aliases(&["dest", "name"]),
        Param::new("state", Ty::Choice(&["file", "directory", "link", "touch", "absent"]), "What is to be there.")
            .default("what is there; with `recurse` a directory, with `src` a link, else `file`"),
        Param::new("src", Ty::Str, "What the link says: an absolute path, or one relative to the link's directory."),
        MODE.default("as it is; `0755` for a new directory, `0644` for a new file"),
        OWNER,
        GROUP,
        Param::new(
            "recurse",
            Ty::Bool,
            "Also set the attributes of all that is in the directory. A numeric mode is given to files and directories alike: `u=rwX,go=rX` is mostly what you want.",
        )
        .default("false"),
        Param::new("force", Ty::Bool, "Let a link replace a file.").default("false"),
    ],
    bare: "",
    example: "\
- name: Make the registry's storage
  file:
    path: /srv/verdaccio/storage
    state: directory
    owner: verdaccio
    mode: 0750
",
    build,
};

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Attributes of whatever is there.
    Present,
    File,
    Directory,
    Link(String),
    Touch,
    Absent,
}

#[derive(Debug)]
struct File {
    path: String,
    state: State,
    wish: Wish,
    recurse: bool,
    force: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let (path, _) = clean(args.str("path").unwrap_or_default());
    let recurse = args.bool("recurse", false);
    let src = args.string("src");
    let state = match (args.str("state"), src.clone()) {
        (Some("directory"), _) => State::Directory,
        (Some("touch"), _) => State::Touch,
        (Some("absent"), _) => State::Absent,
        (Some("file"), _) => State::File,
        (Some("link") | None, Some(src)) => State::Link(src),
        (Some("link"), None) => {
            problems.push(wrong(args, "state", "a link needs `src`", "", "say in `src` what the link points to"));
            State::Link(String::new())
        }
        (_, _) if recurse => State::Directory,
        _ => State::Present,
    };
    let wish = Wish::from_args(args);
    let link = matches!(state, State::Link(_));
    if src.as_deref() == Some("") {
        problems.push(wrong(args, "src", "the link points nowhere", "empty", "say in `src` what the link points to"));
    } else if src.as_ref().is_some_and(|src| src.contains(char::is_control)) {
        problems.push(wrong(args, "src", "`src` has a control character in it", "", "a path is one line"));
    } else if src.is_some() && !link {
        problems.push(wrong(args, "src", "`src` is for links only", "", "leave it out, or say `state: link`; `copy` puts files"));
    }
    if wish.any() && (link || state == State::Absent) {
        let name = ["mode", "owner", "group"].into_iter().find(|name| args.has(name)).unwrap_or("mode");
        let what = if link { "a link has no attributes of its own" } else { "what is absent has no attributes" };
        problems.push(wrong(args, name, what, "", format!("leave `{name}` out{}", if link { ", or set it where the link points to" } else { "" })));
    }
    if recurse && state != State::Directory {
        problems.push(wrong(args, "recurse", "`recurse` is for directories only", "", "say `state: directory`, or leave it out"));
    }
    if path == "/" && state != State::Directory && state != State::Present {
        problems.push(wrong(args, "path", "the root directory can only be a directory", "", "name a path below it"));
    }
    let file = File { path, state, wish, recurse, force: args.bool("force", false) };
    problems.into_result(Box::new(file) as Box<dyn Resource>)
}

impl Resource for File {
    fn id(&self) -> Id {
        Id { kind: FILE.name.into(), key: self.path.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let attrs = Claim::Attrs(self.path.clone());
        match self.state {
            State::Link(_) | State::Absent => vec![Claim::Content(self.path.clone()), attrs],
            _ => vec![attrs],
        }
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![stat(&self.path)];
        match self.state {
            State::Directory => probes.extend(above(&self.path).into_iter().map(stat)),
            State::Link(_) | State::Touch => probes.push(stat(parent(&self.path))),
            State::File | State::Present | State::Absent => {}
        }
        if self.recurse {
            probes.push(Probe::Tree { path: self.path.clone() });
        }
        self.wish.look(&mut probes);
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let mut probes = self.look();
        // Of a directory that is not there yet, the tree has no answer.
        let node = world.path(&self.path).unwrap_or(Node::Absent);
        probes.retain(|probe| matches!(node, Node::Dir(_)) || !matches!(probe, Probe::Tree { .. }));
        answered(world, &probes)?;
        match (&self.state, &node) {
            (State::Absent, Node::Absent) => match world.opaque(Some(&self.path)) {
                Some(cause) => Err(Block::Later(cause)),
                None => Ok(Vec::new()),
            },
            (State::Absent, _) => Ok(vec![Op::Remove { path: self.path.clone() }]),
            (State::Link(src), node) => self.link(src, node),
            (State::Directory, Node::Absent) => self.make(world),
            (State::Directory, Node::Dir(_)) | (State::Present, Node::Dir(_) | Node::File(_) | Node::Other(_)) => self.attributes(&node, world),
            (State::File | State::Touch, Node::File(_)) => self.attributes(&node, world),
            (State::Touch, Node::Absent) => {
                self.wish.possible(&self.path, world)?;
                Ok(vec![Op::Put {
                    path: self.path.clone(),
                    content: Content::inline(Vec::new(), false),
                    mode: self.wish.bits(None, FRESH, false),
                    owner: self.wish.owner.clone(),
                    group: self.wish.group.clone(),
                    validate: None,
                }])
            }
            (State::File | State::Present, Node::Absent) => {
                let need = Need::Path(self.path.clone());
                Err(match world.need(&need) {
                    Standing::Open(cause) => Block::Later(cause),
                    _ => Block::Unmet(need),
                })
            }
            (_, Node::Link { target }) => Err(Block::refused(
                format!("{} is a link to {target}, and links are not followed", self.path),
                format!("name the path that it leads to, or remove it first: `file: {{path: {}, state: absent}}`", self.path),
            )),
            (_, found) => Err(Block::refused(
                format!("{} is {}, a {} is wished there", self.path, what(found), if self.state == State::Directory { "directory" } else { "file" }),
                "choose another path, or remove it first with `file: {state: absent}`",
            )),
        }
    }
}

impl File {
    fn link(&self, src: &str, node: &Node) -> Result<Vec<Op>, Block> {
        let make = Ok(vec![Op::Link { path: self.path.clone(), target: src.to_owned() }]);
        match node {
            Node::Link { target } if target == src => Ok(Vec::new()),
            Node::Link { .. } | Node::Absent => make,
            Node::File(_) if self.force => make,
            Node::File(_) => Err(Block::refused(
                format!("{} is a file, a link is wished there", self.path),
                "say `force: true` to replace it",
            )),
            found => Err(Block::refused(
                format!("{} is {}, a link is wished there", self.path, what(found)),
                "remove it first with `file: {state: absent}`",
            )),
        }
    }

    /// The directory and those above it that are missing, topmost first.
    fn make(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.wish.possible(&self.path, world)?;
        let mut ops = Vec::new();
        for path in above(&self.path).into_iter().chain([self.path.as_str()]) {
            match world.path(path) {
                // A link may lead to a directory: the act itself will say.
                None | Some(Node::Dir(_) | Node::Link { .. }) if path != self.path => {}
                None | Some(Node::Absent) => ops.push(Op::Mkdir {
                    path: path.to_owned(),
                    mode: self.wish.bits(None, FRESH_DIR, true),
                    owner: self.wish.owner.clone(),
                    group: self.wish.group.clone(),
                }),
                Some(found) => {
                    return Err(Block::refused(
                        format!("{path} is {}, a directory is wished there", what(&found)),
                        "choose another path, or remove it first with `file: {state: absent}`",
                    ));
                }
            }
        }
        Ok(ops)
    }

    fn attributes(&self, node: &Node, world: &World) -> Result<Vec<Op>, Block> {
        let mut ops = Vec::new();
        let mut fix = |path: &str, node: &Node| -> Result<(), Block> {
            if let Some(attrs) = node.attrs() {
                ops.extend(self.wish.fix(path, attrs, matches!(node, Node::Dir(_)), world)?);
            }
            Ok(())
        };
        fix(&self.path, node)?;
        if self.recurse && matches!(node, Node::Dir(_)) {
            for (path, node) in world.tree(&self.path).unwrap_or_default() {
                if path != self.path {
                    fix(&path, &node)?;
                }
            }
        }
        Ok(ops)
    }
}

/// What messages call it.
fn what(node: &Node) -> &'static str {
    match node {
        Node::Absent => "nothing",
        Node::File(_) => "a file",
        Node::Dir(_) => "a directory",
        Node::Link { .. } => "a link",
        Node::Other(_) => "a device, a FIFO or a socket",
    }
}

/// The directories above `path`, topmost first, without the root.
fn above(path: &str) -> Vec<&str> {
    path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| &path[..at]).collect()
}
