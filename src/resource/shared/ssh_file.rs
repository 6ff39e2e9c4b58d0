//! A file in an account's `~/.ssh` that belongs to the account, or one elsewhere that does: the planning that `authorized_key` and `known_hosts` share.

use super::attrs::parent;
use super::names;
use crate::node::probe::{Attrs, Depth, Node};
use crate::node::{Cause, Content, Need, Op, Probe, Standing, World};
use crate::resource::Block;

/// The file.
#[derive(Debug)]
pub struct SshFile {
    /// Its name in `~/.ssh`.
    pub name: &'static str,
    /// Whose it is.
    pub user: String,
    /// Where it is, if not there.
    pub path: Option<String>,
    /// Mode and owner of what is there are mended, as sshd demands of what lets somebody in.
    pub strict: bool,
    /// Make the directory.
    pub manage_dir: bool,
    /// Something is to be in it; else a file or an account that is missing is as wished.
    pub present: bool,
}

impl SshFile {
    fn file_in(&self, home: &str) -> String {
        format!("{}/.ssh/{}", home.trim_end_matches('/'), self.name)
    }

    /// Where it is unless the account's home is elsewhere.
    pub fn usual_path(&self) -> String {
        self.path.clone().unwrap_or_else(|| self.file_in(&names::usual_home(&self.user)))
    }

    /// What names it: its path, or its account.
    pub fn key(&self) -> String {
        self.path.clone().unwrap_or_else(|| self.user.clone())
    }

    /// Asks for the account, the file and its directories.
    pub fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::User { name: self.user.clone() }];
        probes.extend(file_probes(&self.usual_path()));
        probes
    }

    /// Asks where the account's home really is.
    pub fn look_more(&self, world: &World) -> Vec<Probe> {
        match (&self.path, world.user(&self.user).flatten()) {
            (None, Some(account)) if self.file_in(&account.home) != self.usual_path() => file_probes(&self.file_in(&account.home)),
            _ => Vec::new(),
        }
    }

    /// Whom the files are to belong to; `None` where everything belongs to the login anyway.
    fn owner(&self, world: &World, path: &str) -> Result<Option<String>, Block> {
        if world.facts.uids != "single" {
            return Ok(Some(self.user.clone()));
        }
        if self.present && self.user != "root" && self.user != world.facts.user.name {
            return Err(Block::refused(
                format!("{path} cannot belong to `{}`: on this node everything belongs to the login", self.user),
                "give the task `when: facts.uids == \"all\"`",
            ));
        }
        Ok(None)
    }

    fn dir_ops(&self, world: &World, dir: &str, owner: &Option<String>, group: &Option<String>) -> Result<Option<Op>, Block> {
        let owner = owner.clone();
        Ok(match world.path(dir) {
            _ if !self.manage_dir => None,
            Some(Node::Absent) => Some(Op::Mkdir { path: dir.to_owned(), mode: 0o700, owner, group: group.clone() }),
            Some(Node::Dir(attrs)) if self.strict && !owned(&owner, group, 0o700, &attrs) => {
                Some(Op::Attr { path: dir.to_owned(), mode: Some(0o700), owner, group: group.clone() })
            }
            Some(Node::Dir(_)) | None => None,
            Some(_) => return Err(not_ours(dir, "a directory")),
        })
    }

    /// The ops after which its text is what `edit` makes of it; `None`: as wished.
    pub fn plan(&self, world: &World, secret: bool, edit: impl Fn(&str) -> Result<Option<String>, Block>) -> Result<Vec<Op>, Block> {
        let probe = Probe::User { name: self.user.clone() };
        names::answered(world, &probe, &format!("whether there is an account {}", self.user), "see that `/etc/passwd` can be read there")?;
        let account = match world.user(&self.user) {
            // Of an account that is not there, there is nothing to take away.
            Some(None) if !self.present && self.path.is_none() => return Ok(Vec::new()),
            Some(None) if self.present => {
                let need = Need::User(self.user.clone());
                return Err(match world.need(&need) {
                    Standing::Open(cause) => Block::Later(cause),
                    _ => Block::Unmet(need),
                });
            }
            account => account.flatten(),
        };
        let path = match (&self.path, &account) {
            (Some(path), _) => path.clone(),
            (None, Some(account)) if account.home.starts_with('/') => self.file_in(&account.home),
            (None, Some(account)) => {
                return Err(Block::refused(format!("the home of {} is {:?}, not an absolute path", self.user, account.home), "give the account a `home:`, or the file a `path:`"));
            }
            (None, None) => self.usual_path(),
        };
        let owner = self.owner(world, &path)?;
        let group = account.map(|account| account.group).filter(|group| !group.is_empty() && owner.is_some());
        super::attrs::answered(world, &file_probes(&path))?;
        let dir = self.dir_ops(world, parent(&path), &owner, &group)?;
        let (old, attrs) = match world.path(&path) {
            Some(Node::File(file)) if file.size > 0 && file.text.is_none() => {
                return Err(Block::refused(format!("{path} is too large to be edited ({} bytes)", file.size), "see what is in it, on the node"));
            }
            Some(Node::File(file)) => match String::from_utf8(file.text.as_deref().cloned().unwrap_or_default()) {
                Ok(text) => (text, Some(file.attrs)),
                Err(_) => return Err(Block::refused(format!("{path} is not UTF-8 text"), "see what is in it, on the node")),
            },
            Some(Node::Absent) => (String::new(), None),
            // Not where homes usually are, and nobody could ask yet.
            None => return Err(Block::Later(Cause(format!("the home of user {}", self.user)))),
            Some(_) => return Err(not_ours(&path, "a file")),
        };
        let op = match (edit(&old)?, attrs) {
            (Some(text), attrs) if self.present || attrs.is_some() => {
                let mode = attrs.filter(|_| !self.strict).map_or(0o600, |attrs| attrs.mode);
                Some(Op::Put { path, content: Content::inline(text, secret), mode, owner, group, validate: None })
            }
            (None, Some(attrs)) if self.present && self.strict && !owned(&owner, &group, 0o600, &attrs) => {
                Some(Op::Attr { path, mode: Some(0o600), owner, group })
            }
            _ => None,
        };
        Ok(dir.filter(|_| self.present).into_iter().chain(op).collect())
    }
}

fn owned(owner: &Option<String>, group: &Option<String>, mode: u32, attrs: &Attrs) -> bool {
    attrs.mode == mode
        && owner.as_ref().is_none_or(|owner| *owner == attrs.owner)
        && group.as_ref().is_none_or(|group| *group == attrs.group || group.parse() == Ok(attrs.gid))
}

fn not_ours(path: &str, wanted: &str) -> Block {
    Block::refused(format!("{path} is there, and is not {wanted}"), "see what it is, and remove it on the node; or name the real file with `path:`")
}

fn file_probes(path: &str) -> Vec<Probe> {
    let dir = parent(path);
    vec![
        Probe::Path { path: path.to_owned(), depth: Depth::Text { unless: None } },
        Probe::Path { path: dir.to_owned(), depth: Depth::Stat },
        Probe::Path { path: parent(dir).to_owned(), depth: Depth::Stat },
    ]
}
