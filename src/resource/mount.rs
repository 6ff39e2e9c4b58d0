//! `mount`: a file system at a path, by `/etc/fstab` and right now.

mod mounted;

use super::shared::attrs::{answered, clean, parent, stat, wrong};
use super::shared::fstab::{self, Entry, escaped};
use super::shared::put::{FRESH_DIR, text};
use super::shared::tool::{answer, command, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Command, Need, Op, Probe, Standing, World};
use mounted::{Live, Now, Wanted};

/// The declaration.
pub static MOUNT: KindSpec = KindSpec {
    name: "mount",
    summary: "Mounts a file system, now and at boot",
    description: "\
Keeps one line of `/etc/fstab` for the path, and mounts what it says; every other byte of the file stays as it is. What is mounted is read from the kernel, not from a file.
A line that says the same in another way is left as it is written. The mount point is made where it is missing.

- `mounted`: in fstab, and mounted.
- `present`: in fstab; what is mounted stays as it is.
- `unmounted`: not mounted; fstab stays as it is.
- `absent`: neither.
- `remounted`: mounted anew whenever the task runs, for handlers.

Of the options of a running mount, `ro`, `rw`, `nosuid`, `nodev`, `noexec`, `noatime` and a tmpfs's `size` are compared; others follow when they change in fstab.
Options change by a remount, another source or type (and another option of a network mount) by unmounting first: what uses it then makes the task fail, and it is taken back.
A bind mount has `bind` or `rbind` in `opts`, and needs no `fstype`. NFS takes the node's helper (`nfs-common` on Debian), `efs` that of Amazon Linux.

`absent` leaves the directory, unlike Ansible's: what lies below the mount point was never seen. Options that are a secret never reach a command line; a file that `credentials=` names is better.

Taken back: fstab exactly, and what was mounted is mounted again. What was in a tmpfs is lost. What was mounted by hand, without a line in fstab, comes back with its plain options.",
    params: &[
        Param::required("path", Ty::Path, "Where.").aliases(&["name"]),
        Param::new("src", Ty::Str, "What: a device, `UUID=…`, `server:/export`, a directory to bind, or `tmpfs`."),
        Param::new("fstype", Ty::Str, "The type: `ext4`, `nfs4`, `efs`, `tmpfs`, … .").default("none, for a bind mount"),
        Param::new("opts", Ty::Str, "Options, with commas.").default("defaults"),
        Param::new("state", Ty::Choice(&["mounted", "present", "unmounted", "absent", "remounted"]), "What is to hold, as said above.").default("mounted"),
        Param::new("boot", Ty::Bool, "Whether it is mounted at boot; `false` adds `noauto`.").default("true"),
        Param::new("dump", Ty::Int, "fstab's fifth field.").default("0"),
        Param::new("passno", Ty::Int, "fstab's sixth field: when it is checked at boot.").default("0"),
    ],
    bare: "",
    example: "\
- name: Have the shared data
  mount:
    path: /data
    src: nas.lan:/export/data
    fstype: nfs4
    opts: nfsvers=4.1,hard,_netdev,nofail
",
    build,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Mounted,
    Present,
    Unmounted,
    Absent,
    Remounted,
}

#[derive(Debug)]
struct Mount {
    path: String,
    wanted: Wanted,
    state: State,
    dump: i64,
    pass: i64,
    /// Options are never an argument.
    secret: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let state = match args.str("state") {
        Some("present") => State::Present,
        Some("unmounted") => State::Unmounted,
        Some("absent") => State::Absent,
        Some("remounted") => State::Remounted,
        _ => State::Mounted,
    };
    let path = clean(args.str("path").unwrap_or_default()).0;
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    if path.chars().any(char::is_control) {
        refuse("path", format!("`{}` is no mount point", path.escape_debug()), "name a directory without control characters");
    }
    if path == "/" && matches!(state, State::Unmounted | State::Absent) {
        refuse("path", "the root file system cannot be unmounted".into(), "leave it mounted, or name another path");
    }
    let opts = args.str("opts").unwrap_or_default().trim();
    let word = |text: &str| !text.starts_with(['#', '-']) && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if !word(opts) {
        refuse("opts", "mount options are one word with commas".into(), "write them as `ro,noatime`, without blanks");
    }
    let mut opts: Vec<String> = opts.split(',').filter(|opt| !opt.is_empty()).map(str::to_owned).collect();
    if !args.bool("boot", true) && !opts.iter().any(|opt| opt == "noauto") {
        opts.push("noauto".into());
    }
    let bind = opts.iter().any(|opt| opt == "bind" || opt == "rbind");
    let keeps = matches!(state, State::Mounted | State::Present);
    let src = args.str("src").unwrap_or_default().to_owned();
    if keeps && src.is_empty() {
        refuse("path", format!("`{path}` has no `src`"), "say what is mounted there");
    } else if src.starts_with(['#', '-']) || src.chars().any(char::is_control) {
        refuse("src", format!("`{}` cannot be mounted", src.escape_debug()), "name a device, a directory, or `server:/export`");
    }
    let fstype = args.str("fstype").unwrap_or(if bind { "none" } else { "" }).to_owned();
    match fstype.as_str() {
        "" if keeps => refuse("path", format!("`{path}` has no `fstype`"), "say which type it has, like `ext4`, `nfs4` or `tmpfs`; `auto` lets the node find out"),
        "swap" => refuse("fstype", "swap is not mounted".into(), "use `swap`"),
        text if !word(text) => refuse("fstype", format!("`{}` is not a type of file system", text.escape_debug()), "like `ext4`, `nfs4` or `tmpfs`"),
        _ => {}
    }
    for name in ["dump", "passno"] {
        if args.int(name).is_some_and(|number| !(0..=99).contains(&number)) {
            refuse(name, format!("`{name}` is a small number"), "0, 1 or 2");
        }
    }
    let number = |name: &str| args.int(name).unwrap_or(0);
    let wanted = Wanted { src, fstype, opts, bind };
    let (dump, pass, secret) = (number("dump"), number("passno"), args.is_secret("opts"));
    problems.into_result(Box::new(Mount { path, wanted, state, dump, pass, secret }) as Box<dyn Resource>)
}

impl Mount {
    fn at(&self) -> String {
        escaped(&self.path)
    }

    fn question(&self) -> Command {
        script(include_str!("scripts/mount.sh"), &[&self.path, &self.at(), &self.wanted.src])
    }

    fn entry(&self) -> Option<Entry> {
        matches!(self.state, State::Mounted | State::Present).then(|| Entry {
            src: escaped(&self.wanted.src),
            path: self.at(),
            fstype: self.wanted.fstype.clone(),
            opts: self.wanted.opts(),
            dump: self.dump.to_string(),
            pass: self.pass.to_string(),
        })
    }

    fn owns(&self) -> impl Fn(&Entry) -> bool + use<> {
        let at = self.at();
        move |entry| entry.path.trim_end_matches('/') == at.trim_end_matches('/')
    }

    /// The node's file that knows how to mount it, and what brings it.
    fn helper(&self, world: &World) -> Option<(&'static str, &'static str)> {
        let apt = world.facts.package_manager == "apt";
        match self.wanted.fstype.as_str() {
            _ if self.state != State::Mounted => None,
            "nfs" => Some(("/sbin/mount.nfs", if apt { "nfs-common" } else { "nfs-utils" })),
            "nfs4" => Some(("/sbin/mount.nfs4", if apt { "nfs-common" } else { "nfs-utils" })),
            "cifs" => Some(("/sbin/mount.cifs", "cifs-utils")),
            "efs" => Some(("/sbin/mount.efs", "amazon-efs-utils")),
            _ => None,
        }
    }

    fn possible(&self, world: &World) -> Result<(), Block> {
        if let Some((helper, package)) = self.helper(world) {
            match world.need(&Need::Path(helper.into())) {
                Standing::Met => {}
                Standing::Open(cause) => return Err(Block::Later(cause)),
                Standing::Refuted => {
                    let more = if package == "amazon-efs-utils" { "; where that is not to be had, `nfs4` mounts EFS too: see the role `efs`" } else { "" };
                    return Err(Block::refused(format!("this node cannot mount {}: it has no {helper}", self.wanted.fstype), format!("put `package: {package}` before this task{more}")));
                }
            }
        }
        let src = Need::Path(self.wanted.src.clone());
        match self.wanted.is_path().then(|| world.need(&src)) {
            Some(Standing::Open(cause)) => Err(Block::Later(cause)),
            Some(Standing::Refuted) => Err(Block::Unmet(src)),
            Some(Standing::Met) | None => Ok(()),
        }
    }

    fn told(&self, what: String, turn: Turn, command: Command, undo: Option<Command>, after: String, world: &World) -> ToolOp {
        let home = &world.facts.user.home;
        let cuts_line = turn != Turn::Create && (*home == self.path || home.starts_with(&format!("{}/", self.path.trim_end_matches('/'))));
        ToolOp { says: vec![what], turn, command, undo, answers: vec![(self.question(), says(after))], cuts_line, ..ToolOp::default() }
    }

    fn mount(&self, world: &World) -> Op {
        let undo = script(include_str!("scripts/unmount.sh"), &[&self.path, &self.at()]);
        let brings = vec![self.path.clone()];
        let what = format!("mount {} at {}", self.wanted.src, self.path);
        Op::Tool(ToolOp { brings, ..self.told(what, Turn::Create, command(["mount", &self.path]), Some(undo), self.wanted.answer(), world) })
    }

    /// `before`: the line of fstab by which it can be mounted again.
    fn unmount(&self, live: &Live, before: Option<&Entry>, world: &World) -> Op {
        let at = self.at();
        let again = |words: &[&str]| {
            let words: Vec<&str> = [at.as_str()].into_iter().chain(words.iter().copied()).collect();
            script(include_str!("scripts/mount_again.sh"), &words)
        };
        let undo = match before {
            Some(_) => Some(again(&[&self.path])),
            // What a bind mount was made of cannot be told from what the kernel says.
            None if live.root != "/" => None,
            None => Some(again(&["-t", &live.fstype, "-o", &live.again(), &live.source, &self.path])),
        };
        Op::Tool(self.told(format!("unmount {}", self.path), Turn::Remove, command(["umount", &self.path]), undo, "dir\n".into(), world))
    }

    fn remount(&self, opts: &str, undo: Option<&str>, turn: Turn, after: String, world: &World) -> ToolOp {
        let with = |opts: &str| command(["mount", "-o", opts, &self.path]);
        self.told(format!("remount {}", self.path), turn, with(opts), undo.map(with), after, world)
    }

    /// The mount point, and what is missing above it.
    fn directories(&self, now: &Now, world: &World) -> Result<Vec<Op>, Block> {
        let make = |path: &str| Op::Mkdir { path: path.to_owned(), mode: FRESH_DIR, owner: None, group: None };
        match (now, world.path(&self.path)) {
            // Another task may have asked before this one made it: the answer to its own question is the newer one.
            (Now::Mounted(_) | Now::Dir, _) | (_, Some(Node::Dir(_))) => return Ok(Vec::new()),
            (Now::Nothing, None | Some(Node::Absent)) => {}
            _ => return Err(Block::refused(format!("{} is there, and is not a directory", self.path), "name the directory itself; of a link, what it leads to")),
        }
        let above = ancestors(&self.path).into_iter().filter(|path| world.path(path) == Some(Node::Absent));
        Ok(above.chain([self.path.clone()]).map(|path| make(&path)).collect())
    }

    /// What makes it mounted as wished, now that fstab has had `before` for it and has `self.entry()`.
    fn mounted(&self, now: &Now, before: Option<&Entry>, world: &World) -> Result<(Vec<Op>, Vec<Op>), Block> {
        let Now::Mounted(live) = now else {
            self.possible(world)?;
            return Ok((Vec::new(), vec![self.mount(world)]));
        };
        let opts = before.filter(|entry| self.entry().is_some_and(|wished| wished.opts != entry.opts)).map(|entry| entry.opts.as_str());
        let anew = !self.wanted.is(live) || opts.is_some_and(|opts| self.wanted.takes_a_new_mount(opts));
        if anew && self.path == "/" {
            return Err(Block::refused("the root file system cannot be mounted anew", "change its line in fstab with `state: present`, and reboot"));
        }
        if anew {
            self.possible(world)?;
            return Ok((vec![self.unmount(live, before, world)], vec![self.mount(world)]));
        }
        if !self.wanted.differs(live) && !opts.is_some_and(|opts| self.wanted.takes_a_remount(opts)) {
            return Ok((Vec::new(), Vec::new()));
        }
        let new = if self.secret { "remount".to_owned() } else { self.wanted.remount(live) };
        Ok((Vec::new(), vec![Op::Tool(self.remount(&new, Some(&self.wanted.back(live)), Turn::Change, self.wanted.answer(), world))]))
    }
}

/// The directories above `path`, from the top; without `/`.
fn ancestors(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut up = parent(path);
    while up != "/" {
        out.push(up.to_owned());
        up = parent(up);
    }
    out.reverse();
    out
}

impl Resource for Mount {
    fn id(&self) -> Id {
        Id { kind: MOUNT.name.into(), key: self.path.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let line = matches!(self.state, State::Mounted | State::Present | State::Absent).then(|| Claim::Slice(fstab::FSTAB.into(), self.at()));
        let held = (self.state != State::Remounted && self.state != State::Present).then(|| Claim::Other(format!("mount:{}", self.path)));
        line.into_iter().chain(held).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = fstab::file(true, self.secret).look();
        probes.push(Probe::Run(self.question()));
        probes.extend(ancestors(&self.path).iter().map(|path| stat(path)));
        if self.state == State::Mounted {
            // Which manager brings it, does not matter here.
            probes.extend(self.helper(&World::default()).map(|(path, _)| stat(path)));
            probes.extend(self.wanted.is_path().then(|| stat(&self.wanted.src)));
        }
        probes
    }

    fn slice(&self, text: &str) -> Option<String> {
        let entries = fstab::entries(text, self.owns());
        Some(entries.iter().map(|entry| format!("{entry:?}\n")).collect())
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let now = Now::read(&answer(world, &self.question(), "sh", "it needs a POSIX shell")?.stdout)
            .ok_or_else(|| Block::refused("the node says in an unknown way what is mounted", "look at /proc/self/mountinfo on it"))?;
        let there = match world.path(fstab::FSTAB) {
            Some(Node::File(file)) => file.text.as_ref().and_then(|bytes| text(bytes).map(str::to_owned)).unwrap_or_default(),
            _ => String::new(),
        };
        let before = fstab::entries(&there, self.owns()).pop();
        if self.state == State::Remounted {
            let Now::Mounted(_) = now else {
                return Err(world.changed().map_or_else(|| Block::refused(format!("nothing is mounted at {}", self.path), "mount it with `state: mounted`"), Block::Later));
            };
            let opts = [vec!["remount".to_owned()], self.wanted.opts.clone()].concat().join(",");
            let tool = self.remount(if self.secret { "remount" } else { &opts }, None, Turn::Run, String::new(), world);
            return Ok(vec![Op::Tool(ToolOp { again: true, answers: Vec::new(), ..tool })]);
        }
        let (first, last) = match (self.state, &now) {
            (State::Mounted, _) => self.mounted(&now, before.as_ref(), world)?,
            (State::Unmounted | State::Absent, Now::Mounted(live)) => (vec![self.unmount(live, before.as_ref(), world)], Vec::new()),
            _ => (Vec::new(), Vec::new()),
        };
        let mut ops = first;
        let lines = match self.state {
            State::Unmounted => Vec::new(),
            _ => {
                let entry = self.entry();
                fstab::file(entry.is_none(), self.secret).plan(world, |text| Ok(fstab::edited(text, entry.as_ref(), self.owns())))?
            }
        };
        if matches!(self.state, State::Mounted | State::Present) {
            ops.extend(self.directories(&now, world)?);
        }
        // Else systemd would go by the line that was.
        let reload = (!lines.is_empty() && world.facts.init == "systemd").then_some(Op::DaemonReload);
        ops.extend(lines.into_iter().chain(reload).chain(last));
        Ok(ops)
    }

    /// A remount is an act.
    fn settled(&self, world: &World) -> Result<Vec<Op>, Block> {
        if self.state == State::Remounted { Ok(Vec::new()) } else { self.plan(world) }
    }

    fn secret(&self) -> bool {
        self.secret
    }
}
