//! `cron`: a job or a variable of a crontab, or of a file in `/etc/cron.d`.

mod time;

use super::shared::attrs::{clean, parent, wrong};
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::probe::{Depth, Node};
use crate::node::{Content, Need, Op, Probe, Standing, World};
use time::FIELDS;

/// The declaration of `cron`.
pub static CRON: KindSpec = KindSpec {
    name: "cron",
    summary: "Keeps a job of a crontab, or keeps it out",
    description: "\
A job is two lines: a marker `# homelab: NAME`, by which it is found again, and the job itself. Other lines stay as they are. A job under
Ansible's marker of the same name is taken over rather than doubled.

Without `cron_file` it goes into the crontab of `user`; with it, into a file of `/etc/cron.d` whose lines name the user. cron skips files
there whose name has a dot in it, so such a name is refused.

`env: true` sets a variable for the jobs that follow: `name` is its name and `job` its value. A new one goes to the top.
In a job, cron takes `%` for a line break: write `\\%`. Times are those of the node's clock and time zone.
Whether a cron runs there to read it is not asked: install one (`package`), and where there is no init system to start it, skip the task
(`when: facts.init != \"none\"`).",
    params: &[
        Param::required("name", Ty::Str, "What the job is called; with `env`, the variable."),
        Param::new("job", Ty::Str, "The command line; with `env`, the value."),
        Param::new("user", Ty::Str, "Whose crontab, or whom a job in `cron_file` runs as.").default("root"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("minute", Ty::Str, "0–59, `*`, `*/10`, `0,30`, `10-20`.").default("*"),
        Param::new("hour", Ty::Str, "0–23, likewise.").default("*"),
        Param::new("day", Ty::Str, "1–31, likewise.").aliases(&["dom"]).default("*"),
        Param::new("month", Ty::Str, "1–12 or `jan`–`dec`, likewise.").default("*"),
        Param::new("weekday", Ty::Str, "0–7 or `sun`–`sat`, likewise; 0 and 7 are Sunday.").aliases(&["dow"]).default("*"),
        Param::new("special_time", Ty::Choice(&["reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"]), "Instead of the five fields."),
        Param::new("disabled", Ty::Bool, "Keep the job, commented out.").default("false"),
        Param::new("env", Ty::Bool, "It is a variable, not a job.").default("false"),
        Param::new("cron_file", Ty::Str, "A file in `/etc/cron.d`, by name or absolute path."),
    ],
    bare: "",
    example: "\
- name: Back up every night
  cron:
    name: backup
    user: backup
    hour: \"3\"
    minute: \"17\"
    job: /usr/local/bin/backup --quiet
",
    build,
};

#[derive(Debug)]
struct Cron {
    name: String,
    user: String,
    /// The line (without a user column for variables and crontabs); `None`: absent.
    line: Option<String>,
    env: bool,
    file: Option<String>,
    secret: bool,
}

fn times(args: &Args, problems: &mut Diagnostics) -> String {
    if let Some(special) = args.str("special_time") {
        for field in FIELDS.iter().filter(|field| args.has(field.name)) {
            problems.push(wrong(args, field.name, format!("`{}` and `special_time` are both given", field.name), "which of the two?", "keep one of them"));
        }
        return format!("@{special}");
    }
    let texts = FIELDS.iter().map(|field| {
        let text = args.str(field.name).unwrap_or("*");
        if let Err(wrong) = field.check(text) {
            let problem = Diagnostic::config(format!("`{}: {}` is not a time that cron knows", field.name, text.escape_debug())).label(wrong.label).hint(wrong.hint);
            problems.push(at_item(args, field.name, &wrong.item, problem));
        }
        text
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// At the wrong item of a list, where the text was written as it is.
fn at_item(args: &Args, param: &str, item: &str, problem: Diagnostic) -> Diagnostic {
    let place = args.place(param);
    match place.filter(|_| !item.is_empty() && args.values.get(param).is_some_and(|v| v.origin.is_some())).and_then(|span| span.text().find(item).map(|at| span.part(at..at + item.len()))) {
        Some(part) => problem.at(&part),
        None => problem.maybe_at(place),
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn cron_file(args: &Args) -> Result<Option<String>, Diagnostics> {
    let Some(given) = args.str("cron_file") else { return Ok(None) };
    let (dir, name) = match given.rsplit_once('/') {
        Some((dir, name)) if given.starts_with('/') => (dir, name),
        Some(_) => return Err(wrong(args, "cron_file", "`cron_file` is neither a name nor an absolute path", "relative", format!("write `/etc/{given}`, or a name without `/`")).into()),
        None => ("/etc/cron.d", given),
    };
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !good || dir.contains("/..") || dir.chars().any(char::is_control) {
        return Err(wrong(args, "cron_file", format!("cron would skip a file called `{}`", name.escape_debug()), "not letters, digits, `-` and `_` only", "choose a name without dots").into());
    }
    Ok(Some(clean(&format!("{dir}/{name}")).0))
}

/// `NAME="value"`, in whichever quotes leave the value whole.
fn assignment(name: &str, value: &str) -> String {
    let quote = ['"', '\''].into_iter().find(|quote| !value.contains(*quote));
    match quote {
        Some(quote) => format!("{name}={quote}{value}{quote}"),
        None => format!("{name}={value}"),
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let (env, present) = (args.bool("env", false), args.str("state") != Some("absent"));
    let name = problems.take(names::line(args, "name", args.str("name").unwrap_or_default())).unwrap_or_default().trim().to_owned();
    if env && !name.is_empty() && !is_variable(&name) {
        problems.push(wrong(args, "name", format!("{} is not a variable's name", names::shown(args, "name", &name)), "with `env: true` it is one", "letters, digits and `_`, the first not a digit"));
    }
    let user = problems.take(names::account(args, "user", "user", args.str("user").unwrap_or("root"))).unwrap_or_default();
    let file = problems.take(cron_file(args)).flatten();
    let times = times(args, &mut problems);
    if env {
        for key in FIELDS.iter().map(|field| field.name).chain(["special_time", "disabled"]).filter(|key| args.has(key)) {
            problems.push(wrong(args, key, format!("`{key}` has no meaning with `env: true`"), "not used", format!("remove `{key}`")));
        }
    }
    let job = match args.str("job") {
        Some("") if env => Some(String::new()),
        Some(job) => problems.take(names::line(args, "job", job)),
        None if present => {
            let (what, hint) = if env { ("the variable has no value", "give its value as `job`") } else { ("the job has no command", "give its command line as `job`") };
            problems.push(wrong(args, "name", what, "no `job`", hint));
            None
        }
        None => None,
    };
    let line = job.filter(|_| present).map(|job| {
        if env {
            return assignment(&name, &job);
        }
        let off = if args.bool("disabled", false) { "#" } else { "" };
        let column = if file.is_some() { format!("{user} ") } else { String::new() };
        format!("{off}{times} {column}{}", job.trim())
    });
    let secret = ["name", "job"].iter().any(|key| args.is_secret(key));
    problems.into_result(Box::new(Cron { name, user, line, env, file, secret }))
}

impl Cron {
    fn marker(&self) -> String {
        format!("# homelab: {}", self.name)
    }

    fn is_marker(line: &str) -> bool {
        line.starts_with("# homelab: ") || line.starts_with("#Ansible: ")
    }

    /// Whether the line below a marker is its job: when somebody took the job away, what follows is not ours. A disabled
    /// job has its times right behind the `#`.
    fn is_job(line: &str) -> bool {
        !Self::is_marker(line) && !line.trim().is_empty() && !line.starts_with("# ")
    }

    fn is_ours(&self, line: &str) -> bool {
        if self.env {
            return !line.starts_with('#') && line.split_once('=').is_some_and(|(name, _)| name.trim().trim_matches('"') == self.name);
        }
        let line = line.trim_end();
        line == self.marker() || line.strip_prefix("#Ansible: ") == Some(self.name.as_str())
    }

    /// The new text; `None`: as wished. Of several entries under one marker the first stays.
    fn edit(&self, old: &str) -> Option<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut wanted = self.line.as_ref();
        let mut input = names::lines(old).peekable();
        while let Some(line) = input.next() {
            if !self.is_ours(line) {
                lines.push(line.to_owned());
                continue;
            }
            if self.env {
                lines.extend(wanted.take().cloned());
                continue;
            }
            let body = input.next_if(|next| Self::is_job(next));
            if let Some(wished) = wanted.take() {
                // Ansible's marker is good enough as long as nothing else changes.
                lines.push(if body == Some(wished.as_str()) { line.to_owned() } else { self.marker() });
                lines.push(wished.clone());
            }
        }
        match wanted {
            Some(wished) if self.env => lines.insert(0, wished.clone()),
            Some(wished) => lines.extend([self.marker(), wished.clone()]),
            None => {}
        }
        let same = lines.iter().map(String::as_str).eq(names::lines(old));
        (!same).then(|| lines.iter().map(|line| format!("{line}\n")).collect())
    }

    fn in_file(&self, world: &World, path: &str) -> Result<Vec<Op>, Block> {
        let refuse = |what: &str| Block::refused(format!("{path} {what}"), "see what it is, on the node");
        let (old, mode) = match world.path(path) {
            None | Some(Node::Absent) => (String::new(), None),
            Some(Node::File(file)) => {
                let text = file.text.as_deref().cloned();
                let text = if file.size == 0 { Some(Vec::new()) } else { text }.ok_or_else(|| refuse("is too large to be edited"))?;
                (String::from_utf8(text).map_err(|_| refuse("is not UTF-8 text"))?, Some(file.attrs.mode))
            }
            Some(_) => return Err(refuse("is there, and is not a file")),
        };
        let path = path.to_owned();
        Ok(match self.edit(&old) {
            None => Vec::new(),
            Some(text) if text.trim().is_empty() => vec![Op::Remove { path }],
            Some(text) => vec![Op::Put {
                path,
                content: Content::inline(text, self.secret),
                mode: mode.unwrap_or(0o644),
                owner: Some("root".into()),
                group: Some("root".into()),
                validate: None,
            }],
        })
    }

    fn in_crontab(&self, world: &World) -> Result<Vec<Op>, Block> {
        let probe = Probe::Crontab { user: self.user.clone() };
        let need = Need::User(self.user.clone());
        match world.need(&need) {
            Standing::Refuted if self.line.is_none() => return Ok(Vec::new()),
            Standing::Refuted => return Err(Block::Unmet(need)),
            _ => {}
        }
        // An account that is only planned has no crontab, and cron's answer about it was a complaint.
        let planned = names::seen_no_user(world, &self.user);
        let known = world.crontab(&self.user);
        if known.is_none() && !planned && world.failure(&probe).is_some() {
            if let Some(cause) = world.opaque(None) {
                return Err(Block::Later(cause));
            }
            names::answered(world, &probe, &format!("the crontab of {}", self.user), "install cron first: `package: cron`")?;
        }
        let old = known.flatten().unwrap_or_default();
        Ok(match self.edit(&old) {
            None => Vec::new(),
            Some(text) => vec![Op::Crontab { user: self.user.clone(), text: Some(text).filter(|text| !text.trim().is_empty()) }],
        })
    }

    fn key(&self) -> String {
        self.file.clone().unwrap_or_else(|| format!("crontab:{}", self.user))
    }

    fn slice(&self) -> String {
        if self.env { format!("{}=", self.name) } else { self.name.clone() }
    }
}

impl Resource for Cron {
    fn id(&self) -> Id {
        let key = self.file.clone().unwrap_or_else(|| self.user.clone());
        Id { kind: "cron".into(), key, slice: self.slice() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Slice(self.key(), self.slice())]
    }

    fn look(&self) -> Vec<Probe> {
        let user = Probe::User { name: self.user.clone() };
        match &self.file {
            Some(path) => {
                let dir = parent(path);
                vec![
                    Probe::Path { path: path.clone(), depth: Depth::Text { unless: None } },
                    Probe::Path { path: dir.to_owned(), depth: Depth::Stat },
                    user,
                ]
            }
            None => vec![Probe::Crontab { user: self.user.clone() }, user],
        }
    }

    fn slice(&self, text: &str) -> Option<String> {
        let mut ours = Vec::new();
        let mut input = names::lines(text).peekable();
        while let Some(line) = input.next() {
            if self.is_ours(line) {
                ours.push(if self.env { line } else { input.next_if(|next| Self::is_job(next)).unwrap_or_default() });
            }
        }
        Some(ours.join("\n"))
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        match &self.file {
            Some(path) => {
                let ops = self.in_file(world, path)?;
                // cron refuses the whole file when a line names an account that is not there.
                let need = Need::User(self.user.clone());
                if self.line.is_some() && !self.env && !ops.is_empty() && world.need(&need) == Standing::Refuted {
                    return Err(Block::Unmet(need));
                }
                Ok(ops)
            }
            None => self.in_crontab(world),
        }
    }

    fn secret(&self) -> bool {
        self.secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cron(name: &str, line: Option<&str>, env: bool) -> Cron {
        Cron { name: name.into(), user: "root".into(), line: line.map(Into::into), env, file: None, secret: false }
    }

    fn crontab() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("# homelab: a"), Just("# homelab: b"), Just("#Ansible: a"), Just("* * * * * x"), Just("@daily y"), Just(""), Just("# mine"),
            Just("A=1"), Just("A = \"2\""), Just("#A=3"), Just("# homelab: a "), Just("\r"),
        ];
        (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, end)| lines.join("\n") + if end { "\n" } else { "" })
    }

    proptest! {
        /// Whatever is in the crontab: an edit is settled, and touches no other entry.
        #[test]
        fn an_edit_is_settled(old in crontab(), env in any::<bool>(), there in any::<bool>()) {
            let (name, line) = if env { ("A", "A=\"9\"") } else { ("a", "@weekly z") };
            let job = cron(name, there.then_some(line), env);
            let new = job.edit(&old).unwrap_or(old.clone());
            prop_assert_eq!(job.edit(&new), None, "{:?}", new);
            prop_assert_eq!(new.lines().filter(|l| *l == line).count(), usize::from(there));
            let others = |text: &str| names::lines(text).filter(|l| ["# homelab: b", "# mine", "", "\r"].contains(l)).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(others(&new), others(&old));
        }

        /// What is put and taken away leaves what was there.
        #[test]
        fn taking_away_undoes_adding(old in "([a-z*# =]{0,9}\n){0,6}") {
            let with = cron("zz", Some("@weekly z"), false).edit(&old).unwrap_or_default();
            prop_assert_eq!(cron("zz", None, false).edit(&with), Some(old));
        }
    }
}
