//! A regular file with a given content and attributes: the planning that `copy`, `template` and the editors of files share.

use super::attrs::{self, Wish, parent, stat, wrong};
use crate::lang::Diagnostics;
use crate::node::op::Body;
use crate::node::probe::{Depth, Node, TEXT_LIMIT};
use crate::node::{Content, Op, Probe, World};
use crate::resource::{Args, Block, Claim, Param, Ty};

/// Permissions of a new file where none are wished.
pub const FRESH: u32 = 0o644;
/// Permissions of a new file with a secret in it where none are wished.
pub const FRESH_SECRET: u32 = 0o600;
/// Permissions of a new directory where none are wished.
pub const FRESH_DIR: u32 = 0o755;

/// The `validate` parameter.
pub const VALIDATE: Param = Param::new(
    "validate",
    Ty::Str,
    "A command for `sh` that judges the new file before it goes live; `%s` stands for its path, and must be there. Runs during apply only.",
);

/// Checks what [`Manner::from_args`] reads.
pub fn check(args: &Args, problems: &mut Diagnostics) {
    attrs::check(args, problems);
    let Some(command) = args.str("validate") else { return };
    let mut refuse = |message: &str, label: &str, hint: &str| problems.push(wrong(args, "validate", message, label, hint));
    if args.is_secret("validate") {
        refuse("a secret must not be part of `validate`: every user of the node could read it", "", "let the command read it from a file");
    } else if command.contains('\0') {
        refuse("`validate` has a NUL byte in it", "", "leave it out: no shell takes it");
    } else if !command.contains("%s") {
        // It would judge something else than the new file.
        let hint = "write `%s` where the command takes the path, as in `nginx -t -c %s`";
        refuse("`validate` does not say where the file's path goes", "no `%s` in it", hint);
    }
}

/// How files with content are made, besides where and with what.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Mode and owners.
    pub wish: Wish,
    /// A command that judges the staged file.
    pub validate: Option<String>,
    /// Leave a file that is there as it is.
    pub only_absent: bool,
}

impl Manner {
    /// From `mode`, `owner`, `group`, `validate` and `force`.
    pub fn from_args(args: &Args) -> Self {
        Manner { wish: Wish::from_args(args), validate: args.string("validate"), only_absent: !args.bool("force", true) }
    }

    /// Asks what planning `content` at `path` needs to know.
    pub fn look(&self, path: &str, content: &Content, probes: &mut Vec<Probe>) {
        let depth = if self.only_absent { Depth::Stat } else { depth(content) };
        probes.push(Probe::Path { path: path.to_owned(), depth });
        probes.push(stat(parent(path)));
        self.wish.look(probes);
    }

    /// Owns the content of `path`, and its attributes where they are wished. A content that is only put where there is
    /// none is nobody's afterwards.
    pub fn claims(&self, path: &str) -> Vec<Claim> {
        let content = (!self.only_absent).then(|| Claim::Content(path.to_owned()));
        content.into_iter().chain(self.wish.claim(path)).collect()
    }

    /// The ops that make `path` a regular file with `content`. A link there is replaced, a directory is not.
    pub fn plan(&self, path: &str, content: &Content, world: &World) -> Result<Vec<Op>, Block> {
        let node = world.path(path).unwrap_or(Node::Absent);
        let present = match &node {
            Node::File(file) => Some(file),
            Node::Absent | Node::Link { .. } => None,
            Node::Dir(_) => {
                return Err(Block::refused(
                    format!("{path} is a directory, a file is wished there"),
                    "name the file inside it, or remove the directory first with `file: {state: absent}`",
                ));
            }
            Node::Other(_) => {
                return Err(Block::refused(
                    format!("{path} is a device, a FIFO or a socket, a file is wished there"),
                    "choose another path, or remove it first with `file: {state: absent}`",
                ));
            }
        };
        if self.only_absent {
            match (&node, world.opaque(Some(path))) {
                (Node::Absent, Some(cause)) => return Err(Block::Later(cause)),
                (Node::Absent, None) => {}
                _ => return self.attributes(path, &node, world),
            }
        } else if present.is_some_and(|file| file.sha256.as_deref() == Some(&content.sha256)) {
            return self.attributes(path, &node, world);
        }
        let fresh = if content.secret { FRESH_SECRET } else { FRESH };
        let owned = |wished: &Option<String>| wished.clone();
        match present {
            // What it has already needs no possibility.
            Some(file) => drop(self.wish.fix(path, &file.attrs, false, world)?),
            None => self.wish.possible(path, world)?,
        }
        Ok(vec![Op::Put {
            path: path.to_owned(),
            content: content.clone(),
            mode: self.wish.bits(present.map(|file| file.attrs.mode), fresh, false),
            owner: owned(&self.wish.owner),
            group: owned(&self.wish.group),
            validate: self.validate.clone(),
        }])
    }

    fn attributes(&self, path: &str, node: &Node, world: &World) -> Result<Vec<Op>, Block> {
        match node.attrs() {
            Some(attrs) => Ok(self.wish.fix(path, attrs, matches!(node, Node::Dir(_)), world)?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }
}

/// How much of a file must be seen to compare it with `content`: its text too where a diff can be shown.
pub fn depth(content: &Content) -> Depth {
    let shown = match &content.body {
        Body::Inline(bytes) => !content.secret && content.size <= TEXT_LIMIT && text(bytes).is_some(),
        Body::Local(_) => false,
    };
    if shown { Depth::Text { unless: Some(content.sha256.clone()) } } else { Depth::Digest }
}

/// The bytes as a text, if they are one: UTF-8 without NUL.
pub fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}
