//! `docker_image`: an image on the node, pulled, built or tagged.

use super::shared::attrs::{clean, wrong};
use super::shared::image_offer::{self, Wanted};
use super::shared::names;
use super::shared::tool::{answer, command, says, script, trouble};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty, docker_network};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn, sha256};
use crate::node::probe::{Answer, Ran};
use crate::node::{Cause, Command, Op, Probe, World};

/// The declaration.
pub static DOCKER_IMAGE: KindSpec = KindSpec {
    name: "docker_image",
    summary: "Has an image of docker's: pulls it, builds it, or tags another",
    description: "\
An image that is there is not pulled again: which image a tag stands for elsewhere is not asked. Before one is pulled, what is offered is compared with the
node's architecture, asked by the node's own docker: an image that has nothing for it is refused when planning. Where nobody could be asked, the plan says so.

With `path` it is built from a directory on the node: when it is not there, and when a file of the directory (names and content), the `dockerfile` or an argument is other
than when it was built; a label of the image keeps that. With `source` it is another name for an image that is there, by name or number.

Taken back by giving the name to the image that it stood for; what docker pulled and built on the way to one that was built stays. An image that is removed (`state: absent`) is pulled again by its digest; one that was built here is gone for good, and the plan says so.",
    params: &[
        Param::required("name", Ty::Str, "The image's name: `nginx`, `nginx:1.27`, `ghcr.io/owner/name:tag`."),
        Param::new("tag", Ty::Str, "Its tag, where `name` has none.").default("latest"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("path", Ty::Path, "A directory on the node with a Dockerfile, to build it from."),
        Param::new("dockerfile", Ty::Str, "The Dockerfile's name in `path`.").default("Dockerfile"),
        Param::new("platform", Ty::Str, "What to build it for, where that is not the node itself: `linux/arm/v7`.").default("the node's"),
        Param::new("args", Ty::StrMap, "Arguments of the build (`ARG`); they can be read in the image, so no secret may be among them."),
        Param::new("target", Ty::Str, "The stage to build."),
        Param::new("source", Ty::Str, "An image that is there, by name or number (`sha256:…`), to be known by `name` too."),
    ],
    bare: "name",
    example: "\
- name: Build the image of the site
  docker_image:
    name: site:1
    path: /srv/site/image
",
    build,
};

#[derive(Debug)]
enum From {
    Registry,
    Directory { path: String, options: Vec<String> },
    Image(String),
}

#[derive(Debug)]
struct Image {
    name: String,
    present: bool,
    from: From,
    user: Option<String>,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut name = args.str("name").unwrap_or_default().to_owned();
    let tagged = name.contains('@') || name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    match args.str("tag") {
        Some(tag) if tagged => problems.push(wrong(args, "tag", format!("`{name}` has a tag already, and `tag` says `{tag}`"), "", "keep one of the two")),
        Some(tag) => name = format!("{name}:{tag}"),
        None if tagged => {}
        None => name += ":latest",
    }
    if !image_offer::is_name(&name) {
        problems.push(wrong(args, "name", format!("{} is not an image's name", names::shown(args, "name", &name)), "", "as in `nginx:1.27` or `ghcr.io/owner/name:tag`"));
    }
    if let Some(source) = args.str("source").filter(|source| !image_offer::is_name(source)) {
        problems.push(wrong(args, "source", format!("{} is not an image's name", names::shown(args, "source", source)), "", "a name, or a number as `sha256:…`"));
    }
    if args.has("source") && args.has("path") {
        problems.push(wrong(args, "source", "both `path` and `source` are given", "", "an image is built, or is another one: keep one of the two"));
    }
    for key in ["dockerfile", "platform", "args", "target"].into_iter().filter(|key| args.has(key) && !args.has("path")) {
        problems.push(wrong(args, key, format!("`{key}` has no meaning without `path`"), "", "say from which directory it is built"));
    }
    if let Some(platform) = args.str("platform").filter(|platform| !is_platform(platform)) {
        problems.push(wrong(args, "platform", format!("{} is not a platform", names::shown(args, "platform", platform)), "", "as docker names them: `linux/arm64`, `linux/arm/v7`"));
    }
    if args.is_secret("args") {
        problems.push(wrong(args, "args", "a secret must not be an argument of a build: it can be read in the image", "", "let the container have it when it runs"));
    }
    let path = args.str("path").map(|path| clean(path).0);
    let from = match (path, args.string("source")) {
        (Some(path), _) => {
            let mut options = Vec::new();
            let mut option = |name: &str, value: String| options.extend([name.to_owned(), value]);
            if let Some(file) = args.str("dockerfile") {
                option("--file", format!("{path}/{file}"));
            }
            if let Some(platform) = args.string("platform") {
                option("--platform", platform);
            }
            if let Some(target) = args.string("target") {
                option("--target", target);
            }
            args.map("args").into_iter().for_each(|(name, value)| option("--build-arg", format!("{name}={value}")));
            From::Directory { path, options }
        }
        (None, Some(source)) => From::Image(source),
        (None, None) => From::Registry,
    };
    let image = Image { name, present: args.str("state") != Some("absent"), from, user: None };
    problems.into_result(Box::new(image) as Box<dyn Resource>)
}

/// A system and a processor, perhaps with its variant.
fn is_platform(text: &str) -> bool {
    let words: Vec<&str> = text.split('/').collect();
    matches!(words.len(), 2 | 3) && words.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

/// An image's name, as docker has it.
#[derive(Debug, Default)]
struct Seen {
    /// Its number; `none`, or `planned`: what comes of a build or a pull nobody knows before.
    id: String,
    label: String,
    digest: Option<String>,
    used: u32,
    source: Option<String>,
    context: String,
}

fn read(text: &str) -> Option<Seen> {
    let mut seen = Seen::default();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim().to_owned();
        match kind {
            "image" => seen.id = rest,
            "label" => seen.label = rest,
            "digest" => seen.digest = Some(rest),
            "used" => seen.used = rest.parse().ok()?,
            "source" => seen.source = Some(rest),
            "context" => seen.context = rest,
            _ => return None,
        }
    }
    (!seen.id.is_empty()).then_some(seen)
}

impl Image {
    fn script(&self, function: &str, args: &[&str]) -> Command {
        script(&format!("{}{function} \"$@\"\n", include_str!("scripts/image.sh")), args)
    }

    fn question(&self) -> Command {
        let (source, path) = match &self.from {
            From::Registry => ("", ""),
            From::Directory { path, .. } => ("", path.as_str()),
            From::Image(source) => (source.as_str(), ""),
        };
        Command { user: self.user.clone(), ..self.script("look", &[&self.name, source, path]) }
    }

    fn wanted(&self) -> [Wanted; 1] {
        [Wanted { image: self.name.clone(), platform: None }]
    }

    fn now(&self, world: &World) -> Result<Seen, Block> {
        let ran = answer(world, &self.question(), "docker", docker_network::HINT)?;
        match ran.rc {
            0 => read(&ran.stdout).ok_or_else(|| Block::refused("docker describes the image in a way that is not understood", docker_network::HINT)),
            _ => Err(trouble(world, ran, "docker", docker_network::HINT)),
        }
    }

    fn told(&self, says: Vec<String>, now: &Seen, command: Command, after: Ran) -> Vec<Op> {
        let turn = if now.id == "none" { Turn::Create } else { Turn::Change };
        let undo = Some(self.script("back", &[&self.name, &now.id]));
        vec![Op::Tool(ToolOp { says, turn, command, undo, answers: vec![(self.question(), after), (image_offer::renewal(&self.name), Ran::default())], ..ToolOp::default() })]
    }

    fn built(&self, world: &World, now: &Seen, path: &str, options: &[String]) -> Vec<Op> {
        let how = &sha256(options.join("\n").as_bytes())[..16];
        let tree = Probe::Tree { path: path.to_owned() };
        let seen = match world.seen().get(&tree) {
            Some(Answer::Tree(tree)) => Some(tree.clone()),
            _ => None,
        };
        let why = if now.id == "none" {
            format!("build {} from {path}", self.name)
        } else if now.id == "planned" {
            return Vec::new();
        } else if world.tree(path) != seen || now.label.split_once('-').is_none_or(|(context, _)| context != now.context) {
            format!("build {} anew: {path} is another than when it was built", self.name)
        } else if !now.label.ends_with(&format!("-{how}")) {
            format!("build {} anew, with other arguments", self.name)
        } else {
            return Vec::new();
        };
        let args = [self.name.as_str(), path, how].into_iter().chain(options.iter().map(String::as_str)).collect::<Vec<_>>();
        self.told(vec![why], now, self.script("build", &args), says("image planned\n"))
    }

    fn gone(&self, now: &Seen) -> Result<Vec<Op>, Block> {
        if now.id == "none" {
            return Ok(Vec::new());
        }
        if now.used > 0 {
            return Err(Block::refused(format!("the image {} cannot go: {} containers are of it", self.name, now.used), "remove them first, as with `docker_compose: {state: absent}`"));
        }
        let undo = now.digest.as_ref().map(|digest| self.script("again", &[&self.name, &now.id, digest]));
        Ok(vec![Op::Tool(ToolOp {
            says: vec![format!("remove the image {}", self.name)],
            turn: Turn::Remove,
            command: command(["docker", "image", "rm", self.name.as_str()]),
            undo,
            answers: vec![(self.question(), says("image none\n"))],
            ..ToolOp::default()
        })])
    }
}

impl Resource for Image {
    fn id(&self) -> Id {
        Id { kind: DOCKER_IMAGE.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("docker_image:{}", self.name))]
    }

    fn look(&self) -> Vec<Probe> {
        let tree = match &self.from {
            From::Directory { path, .. } if self.present => Some(Probe::Tree { path: path.clone() }),
            _ => None,
        };
        [Probe::Run(self.question())].into_iter().chain(tree).collect()
    }

    fn look_more(&self, world: &World) -> Vec<Probe> {
        match self.now(world) {
            Ok(now) if self.present && now.id == "none" && matches!(self.from, From::Registry) => vec![Probe::Run(image_offer::question(&self.wanted(), self.user.as_ref()))],
            _ => Vec::new(),
        }
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let now = self.now(world)?;
        if !self.present {
            return self.gone(&now);
        }
        match (&self.from, &now.source) {
            (From::Directory { path, options }, _) => {
                if now.context.is_empty() && now.id != "planned" && world.tree(path).is_none_or(|tree| tree.is_empty()) {
                    return Err(world.opaque(Some(path)).map_or_else(|| Block::Unmet(crate::node::Need::Dir(path.clone())), Block::Later));
                }
                Ok(self.built(world, &now, path, options))
            }
            (From::Image(source), _) if world.ran(&image_offer::renewal(source)).is_some() && world.ran(&image_offer::renewal(&self.name)).is_none() => {
                Err(Block::Later(Cause(format!("the image {source}"))))
            }
            (From::Image(source), id) if id.as_deref().is_none_or(|id| id == "none") => {
                Err(world.changed().map_or_else(|| Block::refused(format!("there is no image {source} on the node"), "pull or build it by a task before this one"), Block::Later))
            }
            (From::Image(_), Some(id)) if *id == now.id => Ok(Vec::new()),
            (From::Image(source), id) => {
                let id = id.clone().unwrap_or_default();
                let tag = command(["docker", "tag", source.as_str(), self.name.as_str()]);
                Ok(self.told(vec![format!("let {} be {source}", self.name)], &now, tag, says(format!("image {id}\nsource {id}\n"))))
            }
            (From::Registry, _) if now.id == "none" => {
                let mut what = vec![format!("pull {}", self.name)];
                what.extend(image_offer::judge(&self.wanted(), world, self.user.as_ref())?);
                Ok(self.told(what, &now, command(["docker", "pull", "--quiet", self.name.as_str()]), says("image planned\n")))
            }
            (From::Registry, _) => Ok(Vec::new()),
        }
    }

    fn run_as(&mut self, login: &str) {
        self.user = Some(login.to_owned());
    }
}
