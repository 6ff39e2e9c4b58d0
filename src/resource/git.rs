//! `git`: a clone of a repository, at a version of it.

use super::shared::attrs::{answered, clean, parent, stat, wrong};
use super::shared::tool::{answer, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::{Command, Op, Probe, World};

/// The declaration.
pub static GIT: KindSpec = KindSpec {
    name: "git",
    summary: "Keeps a clone of a git repository at a version",
    description: "\
Clones the repository to the node, and brings the clone to the version: a branch, a tag, or a commit by its 40 digits. Where a branch is now, the repository is
asked while planning (`git ls-remote`, from the node); so `plan` shows the commit, and apply goes to that one or says that it has moved on. With
`update: false` a clone that is there stays where it is, and nobody is asked.

A clone with local changes, or with commits that came from nowhere else, is not touched unless `force: true`, which loses uncommitted changes for good: that cannot be undone.
Otherwise taken back to the commit and branch that it was at; a new clone is removed.

Nothing prompts: keys and known hosts must be there. A password in `repo` would be read by every user of the node, and is refused where it is a secret: use `key_file`.",
    params: &[
        Param::required("repo", Ty::Str, "Where it is: a URL, `user@host:path`, or a path on the node.").aliases(&["name"]),
        Param::required("dest", Ty::Path, "Where the clone is to be. Its parent directory must be there."),
        Param::new("version", Ty::Str, "A branch, a tag, or a whole commit.").default("HEAD"),
        Param::new("depth", Ty::Int, "Have only so many commits.").default("all"),
        Param::new("update", Ty::Bool, "Bring a clone that is there to the version, too.").default("true"),
        Param::new("force", Ty::Bool, "Lose local changes and commits.").default("false"),
        Param::new("recursive", Ty::Bool, "Have the submodules, too.").default("true"),
        Param::new("key_file", Ty::Path, "A private key on the node, for ssh."),
    ],
    bare: "",
    example: "\
- name: Have the dashboards
  git:
    repo: https://git.example/dashboards.git
    dest: /srv/dashboards
    version: main
",
    build,
};

const HINT: &str = "put `package: git` before this task";

#[derive(Debug)]
struct Git {
    repo: String,
    dest: String,
    version: String,
    depth: String,
    update: bool,
    force: bool,
    recursive: bool,
    key: String,
    login: Option<String>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let text = |name: &str| args.str(name).unwrap_or_default().trim().to_owned();
    let git = Git {
        repo: text("repo"),
        dest: clean(&text("dest")).0,
        version: args.str("version").map_or_else(|| "HEAD".into(), |text| text.trim().to_owned()),
        depth: args.int("depth").map(|depth| depth.to_string()).unwrap_or_default(),
        update: args.bool("update", true),
        force: args.bool("force", false),
        recursive: args.bool("recursive", true),
        key: text("key_file"),
        login: None,
    };
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    if args.is_secret("repo") {
        refuse("repo", "the address of a repository must not be a secret: every user of the node could read it".into(), "give the node a key, and say `key_file`");
    } else if git.repo.is_empty() || git.repo.starts_with('-') || git.repo.contains("::") || git.repo.chars().any(|c| c.is_control() || c == ' ') {
        refuse("repo", format!("`{}` is not a repository", git.repo.escape_debug()), "a URL, `user@host:path`, or a path on the node");
    }
    // What `git check-ref-format` allows, and no more than a shell and ls-remote take for themselves.
    let odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let v = &git.version;
    if v.is_empty() || v.starts_with(['-', '/', '.']) || v.ends_with(['/', '.']) || v.contains("..") || v.contains("@{") || v.contains("//") || v.ends_with(".lock") || v.contains(odd) {
        refuse("version", format!("`{}` is not a version", v.escape_debug()), "name a branch, a tag, or a commit by its 40 digits");
    } else if v.starts_with("refs/") {
        refuse("version", format!("`{v}` is a ref by its whole name"), "name the branch or tag alone");
    }
    if git.dest == "/" || git.dest.chars().any(char::is_control) {
        refuse("dest", format!("`{}` cannot be a clone", git.dest.escape_debug()), "name a directory");
    }
    if args.int("depth").is_some_and(|depth| depth < 1) {
        refuse("depth", "`depth` counts commits".into(), "1 or more, or leave it out");
    }
    if !git.key.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c)) {
        refuse("key_file", "git hands `key_file` to a shell".into(), "letters, digits, and `/._-+@` only");
    }
    problems.into_result(Box::new(git) as Box<dyn Resource>)
}

/// What is at `dest`.
#[derive(Debug, PartialEq)]
enum Local<'a> {
    None,
    Empty,
    Foreign,
    Clone { commit: &'a str, branch: &'a str, dirty: bool, ahead: bool, url: &'a str },
}

/// Where the version is in the repository.
#[derive(Debug, PartialEq)]
enum There<'a> {
    At { commit: &'a str, name: &'a str },
    Missing,
    Unasked,
    Unreachable(&'a str),
}

fn read(said: &str) -> Option<(Local<'_>, There<'_>)> {
    let mut lines = said.lines();
    let (local, there) = (lines.next()?, lines.next()?);
    let local = match local.split_whitespace().collect::<Vec<_>>()[..] {
        ["none"] => Local::None,
        ["empty"] => Local::Empty,
        ["foreign"] => Local::Foreign,
        ["clone", commit, branch, dirty, ahead, ref url @ ..] => Local::Clone { commit, branch, dirty: dirty == "dirty", ahead: ahead != "0", url: url.first().unwrap_or(&"") },
        _ => return None,
    };
    let there = match there.split_once(' ').unwrap_or((there, "")) {
        ("at", at) => at.split_once(' ').map(|(commit, name)| There::At { commit, name })?,
        ("missing", _) => There::Missing,
        ("unasked", _) => There::Unasked,
        ("unreachable", why) => There::Unreachable(why),
        _ => return None,
    };
    Some((local, there))
}

/// The branch that a ref is; `-` for none.
fn branch(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or("-")
}

fn yes(on: bool) -> &'static str {
    if on { "y" } else { "n" }
}

impl Git {
    fn question(&self) -> Command {
        let command = script(include_str!("scripts/git.sh"), &[&self.dest, &self.repo, &self.version, yes(self.update), &self.key]);
        Command { user: self.login.clone(), ..command }
    }

    fn to(&self, commit: &str, name: &str, what: String, turn: Turn, undo: Option<[&str; 3]>) -> Vec<Op> {
        let to = [&self.dest, &self.repo, commit, name, &self.depth, yes(self.recursive), yes(self.force), &self.key];
        let command = Command { chdir: Some(parent(&self.dest).to_owned()), ..script(include_str!("scripts/git_to.sh"), &to) };
        let back = |[commit, branch, url]: [&str; 3]| script(include_str!("scripts/git_back.sh"), &[&self.dest, commit, branch, url, yes(self.recursive)]);
        let after = format!("clone {commit} {} clean 0 {}\nat {commit} {name}\n", branch(name), self.repo);
        vec![Op::Tool(ToolOp {
            says: vec![what],
            turn,
            command,
            undo: undo.map(back),
            answers: vec![(self.question(), says(after))],
            brings: vec![self.dest.clone()],
            ..ToolOp::default()
        })]
    }
}

fn spoken(branch: &str) -> String {
    if branch == "-" { "no branch".into() } else { format!("the branch {branch}") }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

impl Resource for Git {
    fn id(&self) -> Id {
        Id { kind: GIT.name.into(), key: self.dest.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("git:{}", self.dest))]
    }

    fn look(&self) -> Vec<Probe> {
        vec![Probe::Run(self.question()), stat(parent(&self.dest))]
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let ran = answer(world, &self.question(), "git", HINT)?;
        let Some((local, there)) = read(&ran.stdout) else { return Err(super::shared::tool::trouble(world, ran, "git", "look at the clone on the node")) };
        let place = format!("{} ({})", self.dest, self.version);
        let (commit, name) = match there {
            _ if local == Local::Foreign => {
                return Err(Block::refused(format!("{} is there, and is not a clone", self.dest), "name another directory, or remove it with `file: {state: absent}`"));
            }
            There::Unasked => return Ok(Vec::new()),
            There::At { commit, name } => (commit, name),
            There::Missing => return Err(Block::refused(format!("{} has no branch or tag `{}`", self.repo, self.version), "look at the spelling; a commit takes all its 40 digits")),
            There::Unreachable(why) => {
                return Err(world.changed().map_or_else(
                    || Block::refused(format!("the node cannot ask {}: {why}", self.repo), "see that the node can reach it, that its host key is known there, and that the login may read it"),
                    Block::Later,
                ));
            }
        };
        match local {
            Local::None | Local::Empty | Local::Foreign => {
                let was = if local == Local::None { "none" } else { "empty" };
                Ok(self.to(commit, name, format!("clone {} to {place}, at {}", self.repo, short(commit)), Turn::Create, Some([was, "-", ""])))
            }
            Local::Clone { commit: now, branch: on, dirty, ahead, url } => {
                let same = now == commit && on == branch(name) && url == self.repo;
                if same && !(self.force && dirty) {
                    return Ok(Vec::new());
                }
                if (dirty || ahead) && !self.force {
                    let what = if dirty { "local changes" } else { "commits that came from nowhere else" };
                    return Err(Block::refused(format!("the clone {} has {what}", self.dest), "save them elsewhere, or lose them with `force: true`"));
                }
                let mut what = format!("{place}: {} → {}", short(now), short(commit));
                if now == "unborn" {
                    what = format!("finish the clone of {} at {place}, at {}", self.repo, short(commit));
                } else if url != self.repo {
                    what = format!("{place}: from {} ({}) instead of {url} ({})", self.repo, short(commit), short(now));
                } else if !same && now == commit {
                    what = format!("{place}: from {} to {}", spoken(on), spoken(branch(name)));
                } else if same {
                    what = format!("{place}: lose its local changes");
                }
                let undo = (!dirty).then_some([now, on, url]);
                Ok(self.to(commit, name, what, Turn::Change, undo))
            }
        }
    }

    fn run_as(&mut self, login: &str) {
        self.login = Some(login.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_says_is_read() {
        assert_eq!(read("none\nat abc refs/heads/main\n"), Some((Local::None, There::At { commit: "abc", name: "refs/heads/main" })));
        let clone = Local::Clone { commit: "abc", branch: "-", dirty: true, ahead: false, url: "" };
        assert_eq!(read("clone abc - dirty 0 \nunreachable fatal: no route\n"), Some((clone, There::Unreachable("fatal: no route"))));
        assert_eq!(read("fatal: not a git repository\n"), None);
        assert_eq!(read("none\n"), None);
    }
}
