//! `command`: a command of the user's, run unless something says that it has nothing to do.

use super::shared::attrs::{answered, clean, stat, wrong};
use super::shared::words;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::probe::{Node, Ran};
use crate::node::{Command, Op, Probe, World};

/// The declaration.
pub static COMMAND: KindSpec = KindSpec {
    name: "command",
    summary: "Runs a command, unless something says that it has nothing to do",
    description: "\
The text is split into words, quotes are respected, and no shell is involved; with `shell: true` it is a script for `sh`.

Say when it has nothing to do with `creates`, `removes` or `unless`; a command without any of them runs at every apply, and every plan says so.
What it changes cannot be foreseen: what later tasks find missing is *known after apply*, unless the task's `provides:` says what it may bring.
It cannot be taken back unless `undo` says how; `apply` asks before it runs one without.

A command with `read_only: true` is your word that it changes nothing: it runs while planning, `drift` included, and its result can be registered. So does `unless`.
Both see the node as it is before the run; after a task whose changes cannot be foreseen they are known after apply, and so is a read-only command that fails where an earlier task changes something.

A secret must not be part of the command, because every user of the node can read the arguments of a process: hand it over in `environment` or `stdin`.",
    params: &[
        Param::new("cmd", Ty::Str, "The command."),
        Param::new("argv", Ty::Strs, "The command as a list of words, instead of `cmd`."),
        Param::new("shell", Ty::Bool, "`cmd` is a script for `sh`.").default("false"),
        Param::new("chdir", Ty::Path, "The directory to run in."),
        Param::new("creates", Ty::Path, "Runs only if nothing is at this path; the command must make it."),
        Param::new("removes", Ty::Path, "Runs only if something is at this path."),
        Param::new("unless", Ty::Str, "A read-only `sh` script that says, with status 0, that there is nothing to do. Runs while planning, in the same directory and environment."),
        Param::new("read_only", Ty::Bool, "It changes nothing: run it while planning, never during apply.").default("false"),
        Param::new("undo", Ty::Str, "What takes it back; a command of the same form, run in the same directory and environment."),
        Param::new("environment", Ty::StrMap, "Added to the environment."),
        Param::new("stdin", Ty::Str, "Its standard input."),
        Param::new("stdin_add_newline", Ty::Bool, "End the standard input with a line feed.").default("true"),
        Param::new("ok_codes", Ty::Strs, "Exit statuses that are success.").default("0"),
    ],
    bare: "cmd",
    example: "\
- name: Make the registry's signing key
  command:
    cmd: openssl genpkey -algorithm ed25519 -out /etc/registry/key.pem
    creates: /etc/registry/key.pem
    undo: rm -f /etc/registry/key.pem
",
    build,
};

#[derive(Debug)]
struct Run {
    command: Command,
    creates: Option<String>,
    removes: Option<String>,
    unless: Option<Command>,
    read_only: bool,
    undo: Option<Command>,
    ok: Vec<i32>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let shell = args.bool("shell", false);
    let read_only = args.bool("read_only", false);
    for name in ["cmd", "argv", "unless", "undo"].into_iter().filter(|name| args.is_secret(name)) {
        problems.push(wrong(
            args,
            name,
            format!("a secret must not be part of `{name}`: every user of the node could read it"),
            "",
            "hand it over in `environment` or `stdin`, and read it from there",
        ));
    }
    let argv = match (args.has("cmd"), args.has("argv")) {
        (true, true) => {
            problems.push(wrong(args, "argv", "both `cmd` and `argv` are given", "", "keep one of them"));
            Vec::new()
        }
        (false, false) => {
            problems.push(Diagnostic::config("`command` does not say what to run").maybe_at(args.span.as_ref()).hint("give `cmd`, a text, or `argv`, a list of words"));
            Vec::new()
        }
        (true, false) => line(args, "cmd", shell, &mut problems),
        (false, true) if shell => {
            problems.push(wrong(args, "argv", "a script for `sh` is a text, not a list", "", "write it in `cmd`, or leave `shell` out"));
            Vec::new()
        }
        (false, true) => args.strs("argv"),
    };
    if problems.is_empty() && argv.first().is_none_or(|program| program.trim().is_empty()) {
        let name = if args.has("cmd") { "cmd" } else { "argv" };
        problems.push(wrong(args, name, "the command is empty", "", "say what to run"));
    }
    for name in ["creates", "removes"] {
        if args.str(name).is_some_and(|path| path.contains(['*', '?', '['])) {
            problems.push(wrong(args, name, format!("`{name}` is one path, not a pattern"), "", "ask for the pattern in `unless`, as in `unless: ls /opt/app-*`"));
        }
        if read_only && args.has(name) {
            problems.push(wrong(args, name, format!("`{name}` has no meaning for a read-only command"), "", "leave one of them out; `when` can keep a task from running"));
        }
    }
    for name in ["unless", "undo"].into_iter().filter(|name| read_only && args.has(name)) {
        problems.push(wrong(args, name, format!("`{name}` has no meaning for a read-only command"), "", "leave one of them out"));
    }
    refuse_nul(args, &mut problems);
    for name in args.map("environment").into_keys() {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(good) || name.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("`{}` is not the name of a variable", name.escape_debug());
            problems.push(wrong(args, "environment", message, "", "use letters, digits and `_`, and no digit first"));
        }
    }
    let mut ok = Vec::new();
    for code in args.strs("ok_codes") {
        match code.trim().parse::<u8>() {
            Ok(code) => ok.push(i32::from(code)),
            Err(_) => problems.push(wrong(args, "ok_codes", format!("`{code}` is not an exit status"), "", "exit statuses are numbers from 0 to 255")),
        }
    }
    let undo = args.has("undo").then(|| line(args, "undo", shell, &mut problems));
    let mut stdin = args.string("stdin");
    if let Some(text) = stdin.as_mut().filter(|text| args.bool("stdin_add_newline", true) && !text.ends_with('\n')) {
        text.push('\n');
    }
    let secret = args.is_secret("environment") || args.is_secret("stdin");
    let command = Command {
        argv,
        shell,
        chdir: args.str("chdir").map(|path| clean(path).0),
        environment: args.map("environment"),
        stdin,
        user: None,
        secret,
    };
    let other = |argv: Vec<String>, shell: bool| Command { argv, shell, stdin: None, secret: args.is_secret("environment"), ..command.clone() };
    let run = Run {
        creates: args.str("creates").map(|path| clean(path).0),
        removes: args.str("removes").map(|path| clean(path).0),
        unless: args.string("unless").map(|script| other(vec![script], true)),
        undo: undo.map(|argv| other(argv, shell)),
        read_only,
        ok,
        command,
    };
    problems.into_result(Box::new(run) as Box<dyn Resource>)
}

/// A NUL byte can be part of no argument, variable or script.
fn refuse_nul(args: &Args, problems: &mut Diagnostics) {
    let texts = |name: &str| [args.string(name)].into_iter().flatten().chain(args.strs(name)).chain(args.map(name).into_values());
    for name in ["cmd", "argv", "unless", "undo", "environment", "stdin"] {
        if texts(name).any(|text| text.contains('\0')) {
            problems.push(wrong(args, name, format!("`{name}` has a NUL byte in it"), "", "leave it out: no command can take it"));
        }
    }
}

/// The argv of the text in `name`: its words, or the script as it is.
fn line(args: &Args, name: &str, shell: bool, problems: &mut Diagnostics) -> Vec<String> {
    let text = args.str(name).unwrap_or_default();
    if shell {
        return vec![text.to_owned()];
    }
    words::split(text).unwrap_or_else(|what| {
        problems.push(wrong(args, name, format!("the command cannot be split into words: {what}"), "", "close it, or say `shell: true` if it is a script"));
        Vec::new()
    })
}

impl Run {
    fn op(&self) -> Vec<Op> {
        vec![Op::Run {
            command: self.command.clone(),
            undo: self.undo.clone(),
            ok: self.ok.clone(),
            creates: self.creates.iter().cloned().collect(),
            brings: Vec::new(),
            again: false,
        }]
    }

    /// Whether it ended well.
    fn good(&self, ran: &Ran) -> bool {
        if self.ok.is_empty() { ran.rc == 0 } else { self.ok.contains(&ran.rc) }
    }
}

impl Resource for Run {
    fn id(&self) -> Id {
        let key = if self.command.shell { self.command.argv.concat() } else { words::join(&self.command.argv) };
        Id { kind: COMMAND.name.into(), key, slice: self.command.chdir.clone().unwrap_or_default() }
    }

    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    fn look(&self) -> Vec<Probe> {
        if self.read_only {
            return vec![Probe::Run(self.command.clone())];
        }
        let paths = [&self.creates, &self.removes, &self.command.chdir];
        let mut probes: Vec<Probe> = paths.into_iter().flatten().map(|path| stat(path)).collect();
        probes.extend(self.unless.clone().map(Probe::Run));
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let absent = |path: &String| world.path(path).unwrap_or(Node::Absent) == Node::Absent;
        if self.read_only {
            // What an opaque step may bring, this command may see.
            if let Some(cause) = world.opaque(None) {
                return Err(Block::Later(cause));
            }
            answered(world, &self.look())?;
            return match (world.ran(&self.command), world.changed()) {
                (Some(ran), Some(cause)) if !self.good(ran) => Err(Block::Later(cause)),
                (Some(ran), None) if !self.good(ran) => {
                    Err(Block::refused(failed(ran, self.command.secret), "its status says that it failed; if that status is an answer, name it in `ok_codes`"))
                }
                _ => Ok(Vec::new()),
            };
        }
        answered(world, &self.look())?;
        if let Some(path) = &self.creates {
            match (absent(path), world.opaque(Some(path))) {
                (false, _) => return Ok(Vec::new()),
                (true, Some(cause)) => return Err(Block::Later(cause)),
                (true, None) => {}
            }
        }
        if let Some(path) = &self.removes {
            match (absent(path), world.opaque(Some(path))) {
                (_, Some(cause)) => return Err(Block::Later(cause)),
                (true, None) => return Ok(Vec::new()),
                (false, None) => {}
            }
        }
        if let Some(unless) = &self.unless {
            if let Some(cause) = world.opaque(None) {
                return Err(Block::Later(cause));
            }
            if world.ran(unless).is_some_and(|ran| ran.rc == 0) {
                return Ok(Vec::new());
            }
        }
        Ok(self.op())
    }

    /// Nothing is left to do after it ran, except that what it `creates` must be there.
    fn settled(&self, world: &World) -> Result<Vec<Op>, Block> {
        match &self.creates {
            Some(path) if world.path(path).is_none_or(|node| node == Node::Absent) => self.plan(world),
            _ if self.read_only => self.plan(world),
            _ => Ok(Vec::new()),
        }
    }

    fn run_as(&mut self, login: &str) {
        for command in [Some(&mut self.command), self.unless.as_mut(), self.undo.as_mut()].into_iter().flatten() {
            command.user.get_or_insert_with(|| login.to_owned());
        }
    }

    fn reads(&self) -> bool {
        self.read_only
    }

    fn secret(&self) -> bool {
        self.command.secret
    }
}

/// What a message says of a read-only command that failed.
fn failed(ran: &Ran, secret: bool) -> String {
    let why = ran.stderr.lines().rev().find(|line| !line.trim().is_empty()).filter(|_| !secret);
    match why {
        Some(why) => format!("the read-only command ended with status {}: {}", ran.rc, why.trim()),
        None => format!("the read-only command ended with status {}", ran.rc),
    }
}
