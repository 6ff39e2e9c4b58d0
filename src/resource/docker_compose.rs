//! `docker_compose`: a project of docker compose, up with what its files say.

use super::attrs::{Mode, Wish, answered, clean};
use super::compose_state::{Record, Standing, differences};
use super::put::Manner;
use super::tool::{self, answer, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty, dotenv, names};
use crate::lang::{Data, Diagnostics, Source, yaml};
use crate::node::op::{Body, ToolOp, Turn};
use crate::node::probe::{Depth, Node};
use crate::node::{Command, Content, Need, Op, Probe, World};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The declaration.
pub static DOCKER_COMPOSE: KindSpec = KindSpec {
    name: "docker_compose",
    summary: "Brings up a project of docker compose, and keeps it so",
    description: "\
The project's files are on the node, in `project_src`: brought by other tasks, or by this one as `definition` or `src`, and `env`.
Then `docker compose up` makes of them what they say, and what it made is recorded on the node: the digests of the files, and of each
container its image and configuration.

The project is as wished while the files are those that were recorded, and what runs is what was recorded. So a plan names what is otherwise:
a changed file, a container that is gone, stopped or unhealthy, an image name that stands for another image now. Nothing is pulled to find that out.

A service that is starting is waited for, by its health check if it has one (`wait: false` does not). A container that ends by itself with status 0 before
that is a job that was done. Files that compose reads besides, as in `env_file` and `include`, and configuration that is mounted, can be named in `recreate_on`.

`state: stopped` keeps the containers but stops them. `state: absent` removes containers and networks, and the files that the task itself would
write; volumes stay. Taken back by the previous files and the previous images, brought up again; of a project that was not there, containers and networks
go, and volumes and pulled images stay.

It takes compose 2, as a plugin of docker or alone.",
    params: &[
        Param::required("project_src", Ty::Path, "The project's directory on the node; it must be there."),
        Param::new("project_name", Ty::Str, "The project's name.").default("`name` in `definition` or `src`, else that of the directory"),
        Param::new("state", Ty::Choice(&["present", "stopped", "absent"]), "What is to become of it.").default("present"),
        Param::new("definition", Ty::Any, "The compose file, as a map or a text."),
        Param::new("src", Ty::Template, "A template of the compose file, instead of `definition`."),
        Param::new("files", Ty::Strs, "The compose files, in `project_src` or absolute.").default("what compose finds by itself; `compose.yaml` with `definition` or `src`"),
        Param::new("env", Ty::StrMap, "Variables for the compose file: the whole content of `.env`, which only its owner can read."),
        Param::new("profiles", Ty::Strs, "Profiles to bring up, besides what has none."),
        Param::new("pull", Ty::Choice(&["policy", "missing", "always", "never"]), "Which images are pulled when it is brought up; `policy`: as the compose file says.").default("policy"),
        Param::new("build", Ty::Choice(&["policy", "always", "never"]), "Which images are built when it is brought up.").default("policy"),
        Param::new("remove_orphans", Ty::Bool, "When it is brought up, remove containers of services that it has no more.").default("false"),
        Param::new("recreate_on", Ty::Strs, "Files on the node, outside of the compose file, whose change makes all containers anew: configuration that is mounted."),
        Param::new("wait", Ty::Bool, "Wait until all services run, and are healthy where they have a check.").default("true"),
        Param::new("wait_timeout", Ty::Duration, "How long; never longer than the task's `timeout`.").default("120s"),
    ],
    bare: "project_src",
    example: "\
- name: Run the wiki
  docker_compose:
    project_src: /srv/wiki
    src: wiki/compose.yaml.j2
    env: { ADMIN_PASSWORD: \"{{ wiki_password }}\" }
    recreate_on: [/srv/wiki/wiki.ini]
",
    build,
};

const SCRIPT: &str = include_str!("scripts/compose.sh");
/// What brings compose.
const HINT: &str = "have compose 2 on the node before this task: `docker_engine` brings it";
/// What compose finds by itself, and what it adds to it.
const FOUND: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const ADDED: [&str; 4] = ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

#[derive(Debug)]
struct Project {
    dir: String,
    name: String,
    /// `up`, `stopped`; `None`: absent.
    state: Option<&'static str>,
    /// Files of its own.
    own: Vec<(String, Content, Manner)>,
    /// The compose files; empty: what compose finds.
    files: Vec<String>,
    profiles: String,
    options: String,
    recreate_on: Vec<String>,
    wait: Option<u64>,
    user: Option<String>,
}

/// The name that compose makes of a directory's.
fn name_of(dir: &str) -> String {
    let last = dir.rsplit('/').next().unwrap_or_default().to_lowercase();
    let name: String = last.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

fn good_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

/// The compose file that the task brings, and what it calls the project.
fn definition(args: &Args, problems: &mut Diagnostics) -> Option<(Content, Option<String>)> {
    let (key, content) = match (args.values.get("definition"), args.contents.get("src")) {
        (Some(_), Some(_)) => {
            problems.push(names::problem(args, "src", "both `definition` and `src` are given", "", "keep one of the two"));
            return None;
        }
        (Some(value), None) => {
            let text = match &value.data {
                Data::Str(text) => text.clone(),
                _ => yaml::to_yaml(value),
            };
            ("definition", Content::inline(text, value.is_secret()))
        }
        (None, Some(Loaded::File(content))) => ("src", content.clone()),
        _ => return None,
    };
    let Body::Inline(bytes) = &content.body else { return Some((content, None)) };
    let source = Source { name: key.to_owned(), text: String::from_utf8_lossy(bytes).into_owned() };
    let mut wrong = |message: String, hint: &str| problems.push(names::problem(args, key, message, "", hint));
    let name = match yaml::parse(&Arc::new(source)) {
        Err(found) => {
            let why = found.0.first().filter(|_| !content.secret).map_or("this is not YAML", |problem| &problem.message);
            wrong(format!("in the compose file: {why}"), "quote what a template puts into it: `{{ x | to_json }}`");
            None
        }
        Ok(value) if value.get("services").is_none_or(|services| services.as_map().is_none()) && value.get("include").is_none() => {
            wrong("the compose file has no `services`".into(), "it is a map of services, each with an `image` or a `build`");
            None
        }
        Ok(value) => value.get("name").and_then(|name| name.as_str()).map(str::to_owned),
    };
    Some((content, name))
}

fn env(args: &Args, problems: &mut Diagnostics) -> Option<Content> {
    if !args.has("env") {
        return None;
    }
    let vars = args.map("env");
    for (name, value) in &vars {
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            problems.push(names::problem(args, "env", format!("`{}` is not the name of a variable", name.escape_debug()), "", "use letters, digits and `_`, and no digit first"));
        } else if value.contains(['\0', '\r']) {
            problems.push(names::problem(args, "env", format!("the value of `{name}` has a NUL byte or a carriage return in it"), "", "leave it out: compose does not read it back"));
        }
    }
    Some(Content::inline(dotenv::text(&vars), args.is_secret("env")))
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let dir = clean(args.str("project_src").unwrap_or_default()).0;
    let under = |path: &String| if path.starts_with('/') { clean(path).0 } else { clean(&format!("{dir}/{path}")).0 };
    let mut files: Vec<String> = args.strs("files").iter().map(under).collect();
    let recreate_on: Vec<String> = args.strs("recreate_on").iter().map(under).collect();
    let given = definition(args, &mut problems);
    if given.is_some() && files.len() > 1 {
        problems.push(names::problem(args, "files", "the task brings one compose file, and names several", "", "name that one, and bring the others by tasks before this one"));
    }
    for (key, paths) in [("project_src", std::slice::from_ref(&dir)), ("files", &files[..]), ("recreate_on", &recreate_on[..])] {
        if let Some(path) = paths.iter().find(|path| path.contains([',', '\\']) || path.contains(char::is_control)) {
            let hint = "choose a path without a comma, a backslash and control characters";
            problems.push(names::problem(args, key, format!("compose cannot take the path `{}`", path.escape_debug()), "", hint));
        }
    }
    let named = given.as_ref().and_then(|(_, name)| name.clone());
    let name = args.string("project_name").or(named).unwrap_or_else(|| name_of(&dir));
    if !good_name(&name) {
        let hint = "give `project_name`: lower-case letters, digits, `_` and `-`, the first a letter or digit";
        problems.push(names::problem(args, if args.has("project_name") { "project_name" } else { "project_src" }, format!("`{}` is not a project's name", name.escape_debug()), "", hint));
    }
    let profiles = args.strs("profiles");
    if profiles.iter().any(|profile| profile.is_empty() || !profile.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))) {
        problems.push(names::problem(args, "profiles", "a profile is named by letters, digits, `_`, `.` and `-`", "", "as in `profiles: [debug]`"));
    }
    let mut own = Vec::new();
    // First: the compose file is read with its values.
    if let Some(content) = env(args, &mut problems) {
        let wish = Wish { mode: Some(Mode::Bits(0o600)), ..Wish::default() };
        own.push((format!("{dir}/.env"), content, Manner { wish, ..Manner::default() }));
    }
    if let Some((content, _)) = given {
        if files.is_empty() {
            files.push(format!("{dir}/{}", FOUND[0]));
        }
        own.push((files[0].clone(), content, Manner::default()));
    }
    let mut options = Vec::new();
    match args.str("pull") {
        Some("policy") | None => {}
        Some(when) => options.push(format!("--pull {when}")),
    }
    match args.str("build") {
        Some("always") => options.push("--build".to_owned()),
        Some("never") => options.push("--no-build".to_owned()),
        _ => {}
    }
    if args.bool("remove_orphans", false) {
        options.push("--remove-orphans".to_owned());
    }
    let state = match args.str("state") {
        Some("absent") => None,
        Some("stopped") => Some("stopped"),
        _ => Some("up"),
    };
    let wait = args.bool("wait", true).then(|| args.int("wait_timeout").and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(120));
    let project = Project { dir, name, state, own, files, profiles: profiles.join(","), options: options.join(" "), recreate_on, wait, user: None };
    problems.into_result(Box::new(project) as Box<dyn Resource>)
}

impl Project {
    fn question(&self) -> Command {
        Command { user: self.user.clone(), ..script(&format!("{SCRIPT}look \"$@\"\n"), &[&self.name]) }
    }

    fn env_file(&self) -> String {
        format!("{}/.env", self.dir)
    }

    /// A command for compose, told of its files in the words of its own environment: nothing of that is in the list of processes.
    fn told(&self, function: &str, args: &[&str], files: &str, profiles: &str) -> Command {
        let mut command = script(&format!("{SCRIPT}{function} \"$@\"\n"), args);
        let vars = [("COMPOSE_PROJECT_NAME", self.name.as_str()), ("COMPOSE_PATH_SEPARATOR", ","), ("COMPOSE_FILE", files), ("COMPOSE_PROFILES", profiles)];
        command.environment = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
        command
    }

    /// The compose files, as far as they are or will be there.
    fn found(&self, world: &World) -> Result<Vec<String>, Block> {
        if !self.files.is_empty() {
            return Ok(self.files.clone());
        }
        let there = |name: &&&str| !matches!(world.path(&format!("{}/{name}", self.dir)), None | Some(Node::Absent));
        let path = |name: &&str| format!("{}/{name}", self.dir);
        match FOUND.iter().find(there) {
            Some(first) => Ok([first].into_iter().chain(ADDED.iter().find(there)).map(path).collect()),
            None => Err(absent(world, path(&FOUND[0]))),
        }
    }

    /// What of it would be recorded.
    fn wished(&self, state: &str, files: &[String], world: &World) -> Result<Record, Block> {
        let env = Some(self.env_file()).filter(|path| self.own(path).is_some() || !matches!(world.path(path), None | Some(Node::Absent)));
        let mut inputs = BTreeMap::new();
        for path in files.iter().chain(&env).chain(&self.recreate_on) {
            let digest = match (self.own(path), world.path(path)) {
                (Some(content), _) => content.sha256.clone(),
                (None, Some(Node::File(file))) => file.sha256.ok_or_else(|| Block::refused(format!("{path} could not be read"), "give the task `become: true`"))?,
                (None, None | Some(Node::Absent)) => return Err(absent(world, path.clone())),
                (None, Some(_)) => return Err(Block::refused(format!("{path} is not a file"), "name the file itself, not a link or a directory")),
            };
            inputs.insert(path.clone(), digest);
        }
        Ok(Record { state: state.to_owned(), profiles: self.profiles.clone(), inputs, ..Record::default() })
    }

    fn own(&self, path: &str) -> Option<&Content> {
        self.own.iter().find(|(own, ..)| own == path).map(|(_, content, _)| content)
    }

    /// What takes it back: of a project that was not there, all of it; else what it was, once its files are back.
    fn undo(&self, now: &Standing, files: &str) -> (Command, bool) {
        if now.live.is_empty() && now.record.is_none() {
            return (script(&format!("{SCRIPT}down \"$@\"\n"), &[&self.name]), false);
        }
        let record = now.record.clone().unwrap_or_default();
        // What stays of a name that was given to another image meanwhile: who runs the old one runs it again, and the name is the other's.
        let mut ran: BTreeMap<&str, &str> = record.runs.iter().chain(&now.live).map(|container| (container.name.as_str(), container.image.as_str())).collect();
        ran.retain(|name, _| !name.contains('@') && !name.starts_with("sha256:"));
        let pairs = |id: &dyn Fn(&str, &str) -> String| ran.iter().map(|(name, image)| format!("{name} {}", id(name, image))).collect::<Vec<_>>().join(" ");
        let ran_images = pairs(&|_, image| image.to_owned());
        let stood = pairs(&|name, image| now.images.get(name).cloned().unwrap_or_else(|| image.to_owned()));
        let mut args = vec![self.name.as_str(), record.digest.as_str(), now.dir.as_deref().unwrap_or(&self.dir), &ran_images, &stood];
        let labels: Vec<(String, &str)> = now.live.iter().map(|is| (is.label(), is.state.as_str())).collect();
        args.extend(labels.iter().flat_map(|(label, state)| [label.as_str(), *state]));
        (self.told("restore", &args, now.files.as_deref().unwrap_or(files), &record.profiles), true)
    }

    fn up(&self, world: &World, now: &Standing, state: &'static str) -> Result<Vec<Op>, Block> {
        let mut ops = Vec::new();
        for (path, content, manner) in &self.own {
            ops.extend(manner.plan(path, content, world)?);
        }
        let files = self.found(world)?;
        let wished = self.wished(state, &files, world)?;
        let found = differences(&self.name, now, &wished, &self.recreate_on);
        if found.says.is_empty() {
            return Ok(ops);
        }
        let all = found.anew.iter().any(String::is_empty);
        let anew = if all { String::new() } else { found.anew.join(" ") };
        let options = if all { format!("{} --force-recreate", self.options).trim().to_owned() } else { self.options.clone() };
        let patience = self.wait.map_or_else(String::new, |seconds| seconds.to_string());
        let mut args = vec![self.name.as_str(), &self.profiles, &self.dir, state, &patience, &options, &anew];
        args.extend(wished.inputs.keys().map(String::as_str));
        let joined = files.join(",");
        let (undo, again) = self.undo(now, &joined);
        ops.push(Op::Tool(ToolOp {
            turn: if now.live.is_empty() && now.record.is_none() { Turn::Create } else { Turn::Change },
            says: found.says,
            command: self.told("up", &args, &joined, &self.profiles),
            undo: Some(undo),
            again,
            answers: vec![(self.question(), says(Standing::foreseen(&now.compose, &wished)))],
            ..ToolOp::default()
        }));
        Ok(ops)
    }

    fn absent(&self, world: &World, now: &Standing) -> Vec<Op> {
        let mut ops = Vec::new();
        if !now.live.is_empty() || now.record.is_some() {
            let files = if self.files.is_empty() { FOUND.iter().take(1).map(|name| format!("{}/{name}", self.dir)).collect() } else { self.files.clone() };
            let (undo, again) = self.undo(now, &files.join(","));
            ops.push(Op::Tool(ToolOp {
                says: vec![format!("remove the containers and networks of the project {}", self.name)],
                turn: Turn::Remove,
                command: script(&format!("{SCRIPT}down \"$@\"\n"), &[&self.name]),
                undo: Some(undo),
                again,
                answers: vec![(self.question(), says(format!("compose {}\n", now.compose)))],
                ..ToolOp::default()
            }));
        }
        let there = |path: &&String| !matches!(world.path(path), None | Some(Node::Absent));
        ops.extend(self.own.iter().map(|(path, ..)| path).filter(there).map(|path| Op::Remove { path: path.clone() }));
        ops
    }
}

/// What is not there: an earlier step may bring it.
fn absent(world: &World, path: String) -> Block {
    match world.opaque(Some(&path)) {
        Some(cause) => Block::Later(cause),
        None => Block::Unmet(Need::Path(path)),
    }
}

impl Resource for Project {
    fn id(&self) -> Id {
        Id { kind: DOCKER_COMPOSE.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let own = self.own.iter().flat_map(|(path, _, manner)| manner.claims(path));
        own.chain([Claim::Other(format!("docker_compose:{}", self.name))]).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.question())];
        for (path, content, manner) in &self.own {
            manner.look(path, content, &mut probes);
        }
        let digest = |path: String| Probe::Path { path, depth: Depth::Digest };
        let found = if self.files.is_empty() { FOUND.iter().chain(&ADDED).map(|name| format!("{}/{name}", self.dir)).collect() } else { self.files.clone() };
        let inputs = found.into_iter().chain([self.env_file()]).chain(self.recreate_on.iter().cloned());
        probes.extend(inputs.filter(|path| self.own(path).is_none()).map(digest));
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let ran = answer(world, &self.question(), "docker", HINT)?;
        if ran.rc != 0 {
            return Err(tool::trouble(world, ran, "docker", HINT));
        }
        let now = Standing::read(&ran.stdout).ok_or_else(|| Block::refused("docker describes the project in a way that is not understood", HINT))?;
        if now.major().is_none_or(|major| major < 2) {
            let brought = world.opaque(Some("/usr/bin/docker-compose")).or_else(|| world.opaque(Some("/usr/libexec/docker/cli-plugins/docker-compose")));
            return Err(match (brought, now.major()) {
                (Some(cause), _) => Block::Later(cause),
                (None, Some(_)) => Block::refused(
                    format!("docker-compose on the node is {}: version 1, which nobody keeps any more", now.compose),
                    "put compose 2 in its place: `docker_engine` with `source: docker`, or Debian 13's docker-compose",
                ),
                (None, None) => Block::refused("there is docker on the node, but no compose", HINT),
            });
        }
        match self.state {
            Some(state) => self.up(world, &now, state),
            None => Ok(self.absent(world, &now)),
        }
    }

    fn run_as(&mut self, login: &str) {
        self.user = Some(login.to_owned());
    }

    fn within(&mut self, seconds: u64) {
        self.wait = self.wait.map(|wait| wait.min(seconds));
    }

    fn secret(&self) -> bool {
        self.own.iter().any(|(_, content, _)| content.secret)
    }
}
