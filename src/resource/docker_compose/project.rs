//! What is to be done for a project of docker compose: its files, what is told, and what takes it back.

use super::DOCKER_COMPOSE;
use super::images;
use super::state::{Record, Standing, differences};
use crate::node::op::{Body, ToolOp, Turn};
use crate::node::probe::{Depth, Node};
use crate::node::{Command, Content, Need, Op, Probe, World};
use crate::resource::shared::attrs::answered;
use crate::resource::shared::image_offer::{self, Wanted};
use crate::resource::shared::put::Manner;
use crate::resource::shared::tool::{self, answer, says, script};
use crate::resource::{Block, Claim, Id, Resource};
use std::collections::BTreeMap;

const SCRIPT: &str = include_str!("../scripts/compose.sh");
/// What brings compose.
const HINT: &str = "have compose 2 on the node before this task: `docker_engine` brings it";
/// What compose finds by itself, and what it adds to it.
pub(super) const FOUND: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const ADDED: [&str; 4] = ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

#[derive(Debug)]
pub(super) struct Project {
    pub dir: String,
    pub name: String,
    /// `up`, `stopped`; `None`: absent.
    pub state: Option<&'static str>,
    /// Files of its own.
    pub own: Vec<(String, Content, Manner)>,
    /// The compose files; empty: what compose finds.
    pub files: Vec<String>,
    pub profiles: String,
    pub options: String,
    pub recreate_on: Vec<String>,
    pub wait: Option<u64>,
    /// What its compose file can be told by.
    pub vars: BTreeMap<String, String>,
    pub user: Option<String>,
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

    /// The images that its compose files name and that are not known to be here; and the services whose image's name is not known.
    fn images(&self, files: &[String], world: &World, now: &Standing) -> (Vec<Wanted>, Vec<String>) {
        if self.options.contains("--pull never") {
            return Default::default();
        }
        let text = |path: &String| {
            let bytes = match (self.own(path), world.path(path)) {
                (Some(Content { body: Body::Inline(bytes), .. }), _) => Some(bytes.clone()),
                (_, Some(Node::File(file))) => file.text,
                _ => None,
            };
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let (mut wanted, mut untold) = (Vec::new(), Vec::new());
        for text in files.iter().filter_map(text) {
            let (images, services) = images::wanted(&text, &self.vars, &self.profiles);
            wanted.extend(images.into_iter().filter(|wanted| now.images.get(&wanted.image).is_none_or(|id| id == "none")));
            untold.extend(services);
        }
        wanted.sort();
        wanted.dedup();
        (wanted, untold)
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
        let mut then = now.clone();
        for name in now.record.iter().flat_map(|record| &record.runs).map(|was| &was.name).filter(|name| world.ran(&image_offer::renewal(name)).is_some()) {
            then.images.insert(name.clone(), "one that is not made yet".into());
        }
        let mut found = differences(&self.name, &then, &wished, &self.recreate_on);
        if found.says.is_empty() {
            return Ok(ops);
        }
        let (images, untold) = self.images(&files, world, now);
        if !images.is_empty() {
            found.says.extend(image_offer::judge(&images, world, self.user.as_ref())?);
        }
        found.says.extend(untold.iter().map(|service| format!("could not ask whether the image of {service} is there for this node: a variable in its name is not known here")));
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
        // What images a compose file names is in its text.
        let found = if self.files.is_empty() { FOUND.iter().chain(&ADDED).map(|name| format!("{}/{name}", self.dir)).collect() } else { self.files.clone() };
        let texts = found.into_iter().map(|path| (path, Depth::Text { unless: None }));
        let others = [self.env_file()].into_iter().chain(self.recreate_on.iter().cloned()).map(|path| (path, Depth::Digest));
        probes.extend(texts.chain(others).filter(|(path, _)| self.own(path).is_none()).map(|(path, depth)| Probe::Path { path, depth }));
        probes
    }

    /// Only when something is to be done: then the registry is asked for what is not here.
    fn look_more(&self, world: &World) -> Vec<Probe> {
        let Some(now) = world.ran(&self.question()).filter(|ran| ran.rc == 0).and_then(|ran| Standing::read(&ran.stdout)) else { return Vec::new() };
        let (Some(state), Ok(files), Some(2..)) = (self.state, self.found(world), now.major()) else { return Vec::new() };
        let Ok(wished) = self.wished(state, &files, world) else { return Vec::new() };
        let images = self.images(&files, world, &now).0;
        let as_wished = differences(&self.name, &now, &wished, &self.recreate_on).says.is_empty();
        if as_wished || images.is_empty() { Vec::new() } else { vec![Probe::Run(image_offer::question(&images, self.user.as_ref()))] }
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
