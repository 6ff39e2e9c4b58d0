//! `docker_engine`: docker on a node, from where the node can really have it.

use super::service::{boot_act, has_systemd, runs};
use super::shared::apt_offer::{self, Suite};
use super::shared::attrs::{Mode, Wish, wrong};
use super::shared::names;
use super::shared::openpgp;
use super::shared::put::Manner;
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{Body, UnitAct, UserOp};
use crate::node::probe::{Depth, Node, PackageState};
use crate::node::{Content, Facts, Need, Op, Probe, World};

/// The declaration.
pub static DOCKER_ENGINE: KindSpec = KindSpec {
    name: "docker_engine",
    summary: "Installs docker with compose, configures it and runs it",
    description: "\
`source: distro` takes the distribution's own packages, which are there for every architecture that the distribution has. `source: docker` takes those of
Docker's own repository, newer ones, and replaces the others: for Debian and Ubuntu on 64 bits, and on armv7 for Debian. What does not exist for the node is refused when
planning, and what does exist is named: Debian 12 has no compose 2, Docker has nothing for armv6, and for the 32-bit Raspberry Pi OS nothing after Engine 28. Before
anything is installed from it, the repository itself is asked for the node's release and architecture.

The repository's key comes from you, as a file: download `https://download.docker.com/linux/debian/gpg` once and keep it beside the playbook. It is compared
with the fingerprint that Docker publishes; no key is taken from a network on trust.

`daemon` is the whole of `/etc/docker/daemon.json`. It is judged by `dockerd --validate` before it replaces the old one (where dockerd can: since version 23), and docker is
restarted with it, which stops containers, unless `live-restore` is among the options.

Members of the group `docker` are as good as root. A login notices a new group at the next login only.
Taken back is *equivalent*: the packages that were there, and the files byte for byte. Images, containers and volumes in `/var/lib/docker` stay.",
    params: &[
        Param::new("source", Ty::Choice(&["distro", "docker"]), "Whose packages.").default("distro"),
        Param::new("compose", Ty::Bool, "Install compose 2, too.").default("true"),
        Param::new("daemon", Ty::Any, "Options of the daemon, as a map: the content of `daemon.json`.").default("as it is"),
        Param::new("users", Ty::Strs, "Who may speak to docker: they become members of its group."),
        Param::new("key", Ty::LocalFile, "With `source: docker`: the file of the repository's key."),
        Param::new("fingerprint", Ty::Str, "The key's fingerprint, where the repository is signed by somebody else's.").default(FINGERPRINT),
        Param::new("repository", Ty::Str, "With `source: docker`: where the repository is, or a mirror of it.").default(REPOSITORY),
    ],
    bare: "source",
    example: "\
- name: Have docker
  docker_engine:
    users: [pi]
    daemon: { log-driver: local, live-restore: true }
",
    build,
};

/// Of Docker's release key, as Docker's installation guide has it.
const FINGERPRINT: &str = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88";
const REPOSITORY: &str = "https://download.docker.com/linux";
const UNIT: &str = "docker.service";
const CONFIG: &str = "/etc/docker/daemon.json";
const KEY: &str = "/etc/apt/keyrings/docker.asc";
const LIST: &str = "/etc/apt/sources.list.d/docker.sources";
/// Older ones cannot be asked.
const VALIDATE: &str = "! dockerd --help | grep -q -e --validate || dockerd --validate --config-file %s";
const OF_DISTRO: &[&str] = &["docker.io", "docker-cli", "docker-compose", "docker-compose-v2", "containerd", "runc"];
const OF_DOCKER: &[&str] = &["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"];

#[derive(Debug)]
struct Engine {
    compose: bool,
    daemon: Option<Content>,
    users: Vec<String>,
    /// Docker's own: the key, and where.
    own: Option<(Content, String)>,
    lock_timeout: u32,
}

fn key(args: &Args, problems: &mut Diagnostics) -> Option<Content> {
    let Some(Loaded::File(content)) = args.contents.get("key") else {
        let hint = "download https://download.docker.com/linux/debian/gpg, keep it beside the playbook, and name it: `key: docker.asc`";
        problems.push(wrong(args, if args.has("key") { "key" } else { "source" }, "Docker's repository takes its key", "", hint));
        return None;
    };
    let wished: String = args.str("fingerprint").unwrap_or(FINGERPRINT).chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    let Body::Inline(bytes) = &content.body else { return Some(content.clone()) };
    let found = openpgp::read(bytes).map(|keys| keys.primaries).unwrap_or_default();
    if found != [wished.clone()] {
        let what = if found.is_empty() { "it holds no key".to_owned() } else { format!("it holds {}", found.join(", ")) };
        problems.push(wrong(args, "key", format!("this is not the key {wished}: {what}"), "", "compare with the fingerprint that Docker publishes; if you trust this key, name its `fingerprint`"));
    }
    Some(content.clone())
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let docker = args.str("source") == Some("docker");
    for name in ["key", "fingerprint", "repository"].into_iter().filter(|name| !docker && args.has(name)) {
        problems.push(wrong(args, name, format!("`{name}` has no meaning without `source: docker`"), "", "say `source: docker`, or leave it out"));
    }
    let own = docker.then(|| key(args, &mut problems)).flatten().map(|key| {
        let repository = args.str("repository").unwrap_or(REPOSITORY).trim_end_matches('/').to_owned();
        if !repository.contains(":/") || repository.contains(|c: char| c.is_whitespace() || c.is_control()) {
            problems.push(wrong(args, "repository", "this is not the address of a repository", "", format!("as in `{REPOSITORY}`")));
        }
        (key, repository)
    });
    let daemon = args.values.get("daemon").and_then(|value| {
        if value.as_map().is_none() {
            problems.push(wrong(args, "daemon", format!("`daemon` is a map of options, not {}", value.type_name()), "", "as in `daemon: { log-driver: local }`"));
        }
        let text = serde_json::to_string_pretty(value).ok()? + "\n";
        Some(Content::inline(text, value.is_secret()))
    });
    let users: Vec<String> = args.strs("users").iter().filter_map(|user| problems.take(names::account(args, "users", "user", user))).collect();
    let engine = Engine { compose: args.bool("compose", true), daemon, users, own, lock_timeout: 120 };
    problems.into_result(Box::new(engine) as Box<dyn Resource>)
}

/// Where Docker has packages for such a node: the name of its part of the repository.
fn part(facts: &Facts) -> Result<&'static str, Block> {
    let distro = "`source: distro` is there for this node";
    let part = match facts.os.id.as_str() {
        "ubuntu" => "ubuntu",
        "debian" => "debian",
        "raspbian" => return Err(Block::refused("Docker's packages for the 32-bit Raspberry Pi OS ended with Engine 28", format!("{distro}; the 64-bit system has both"))),
        _ => return Err(Block::refused(format!("Docker has no packages for {}", named(facts)), distro)),
    };
    match facts.package_arch.as_str() {
        "amd64" | "arm64" | "ppc64el" => Ok(part),
        "armhf" if facts.arch != "armv6" => Ok(part),
        "s390x" if part == "ubuntu" => Ok(part),
        other => {
            let arch = if facts.arch == "armv6" { "armv6" } else { other };
            Err(Block::refused(format!("Docker has no packages for {arch}, but for amd64, arm64, armhf (armv7) and ppc64el"), distro))
        }
    }
}

fn named(facts: &Facts) -> &str {
    if facts.os.name.is_empty() { "this system" } else { &facts.os.name }
}

fn major(version: &str) -> u32 {
    version.rsplit(':').next().and_then(|version| version.split('.').next()).and_then(|major| major.parse().ok()).unwrap_or(2)
}

impl Engine {
    fn state(world: &World, name: &str) -> PackageState {
        world.package(name).unwrap_or_default()
    }

    /// What the distribution calls it. Its lists say; where there are none yet, its version does.
    fn of_distro(&self, world: &World) -> Result<Vec<&'static str>, Block> {
        let facts = &world.facts;
        if facts.package_manager == "dnf" {
            return match self.compose {
                true => Err(Block::refused(
                    format!("{} has no package of compose", named(facts)),
                    "say `compose: false`, and put compose's own binary into /usr/local/lib/docker/cli-plugins",
                )),
                false => Ok(vec!["docker"]),
            };
        }
        let version: f32 = facts.os.version.parse().unwrap_or_default();
        let ubuntu = facts.os.id == "ubuntu";
        let there = |name: &str| {
            let state = Self::state(world, name);
            state.installed.or(state.candidate)
        };
        let lists = there("docker.io").is_some();
        let mut packages = vec!["docker.io"];
        if there("docker-cli").is_some() || (!lists && !ubuntu && (version >= 13.0 || facts.os.version.is_empty())) {
            packages.push("docker-cli");
        }
        if self.compose {
            match there("docker-compose") {
                _ if there("docker-compose-v2").is_some() || (!lists && ubuntu) => packages.push("docker-compose-v2"),
                Some(compose) if major(&compose) >= 2 => packages.push("docker-compose"),
                None if !lists && version >= 13.0 => packages.push("docker-compose"),
                found => {
                    let has = found.map_or_else(|| "no compose".to_owned(), |compose| format!("docker-compose {compose} only"));
                    let other = if part(facts).is_ok() { "`source: docker` has compose 2; or " } else { "" };
                    return Err(Block::refused(format!("{} has {has}, and compose 2 is wished", named(facts)), format!("{other}say `compose: false`, or upgrade the system")));
                }
            }
        }
        Ok(packages)
    }

    fn packages(&self, world: &World, ops: &mut Vec<Op>) -> Result<(), Block> {
        let (wished, others) = match &self.own {
            None => (self.of_distro(world)?, OF_DOCKER),
            Some((key, repository)) => {
                self.repository(world, key, repository, ops)?;
                if !ops.is_empty() || self.lacks(world) {
                    // Where it could not be asked, apt will say so, and all is taken back.
                    self.asked(world, repository, |suites| apt_offer::judge(suites, world))??;
                }
                let all = OF_DOCKER.iter().copied().filter(|name| self.compose || *name != "docker-compose-plugin").collect();
                (all, OF_DISTRO)
            }
        };
        let state = |name: &&str| Self::state(world, name);
        let install: Vec<String> = wished.iter().filter(|name| state(name).installed.is_none()).map(|name| (*name).to_owned()).collect();
        if install.is_empty() {
            return Ok(());
        }
        let remove = others.iter().filter(|name| state(name).installed.is_some()).map(|name| (*name).to_owned()).collect();
        // Lists that do not know it are old, or are none.
        let refresh = !ops.is_empty() || install.iter().any(|name| state(&name.as_str()).candidate.is_none());
        ops.push(Op::Packages { install, remove, purge: false, refresh, lock_timeout: self.lock_timeout, lost: false });
        Ok(())
    }

    /// Whether packages of Docker's are to be installed.
    fn lacks(&self, world: &World) -> bool {
        OF_DOCKER.iter().filter(|name| self.compose || **name != "docker-compose-plugin").any(|name| Self::state(world, name).installed.is_none())
    }

    /// What `ask` makes of the repository's suite for this node.
    fn asked<T>(&self, world: &World, repository: &str, ask: impl Fn(&[Suite<'_>]) -> T) -> Result<T, Block> {
        let uri = format!("{repository}/{}", part(&world.facts)?);
        let (components, architectures) = (["stable".to_owned()], [world.facts.package_arch.clone()]);
        Ok(ask(&[Suite { uri: &uri, suite: &world.facts.os.codename, components: &components, architectures: &architectures }]))
    }

    fn sources(&self, facts: &Facts, part: &str, repository: &str) -> Content {
        let text = format!(
            "# Written by homelab.\nTypes: deb\nURIs: {repository}/{part}\nSuites: {}\nComponents: stable\nArchitectures: {}\nSigned-By: {KEY}\n",
            facts.os.codename, facts.package_arch
        );
        Content::inline(text, false)
    }

    fn repository(&self, world: &World, key: &Content, repository: &str, ops: &mut Vec<Op>) -> Result<(), Block> {
        let part = part(&world.facts)?;
        if Self::state(world, "ca-certificates").installed.is_none() && repository.starts_with("https:") {
            ops.push(Op::Packages { install: vec!["ca-certificates".into()], remove: Vec::new(), purge: false, refresh: true, lock_timeout: self.lock_timeout, lost: false });
        }
        if world.path("/etc/apt/keyrings") == Some(Node::Absent) {
            ops.push(Op::Mkdir { path: "/etc/apt/keyrings".into(), mode: 0o755, owner: None, group: None });
        }
        let readable = Manner { wish: Wish { mode: Some(Mode::Octal(0o644)), ..Wish::default() }, ..Manner::default() };
        ops.extend(readable.plan(KEY, key, world)?);
        ops.extend(readable.plan(LIST, &self.sources(&world.facts, part, repository), world)?);
        Ok(())
    }

    /// The daemon's options, judged before they replace the others; whether they change.
    fn options(&self, world: &World, ops: &mut Vec<Op>) -> Result<bool, Block> {
        let Some(daemon) = &self.daemon else { return Ok(false) };
        if world.path("/etc/docker") == Some(Node::Absent) {
            ops.push(Op::Mkdir { path: "/etc/docker".into(), mode: 0o755, owner: None, group: None });
        }
        let manner = Manner { validate: Some(VALIDATE.into()), ..Manner::default() };
        let puts = manner.plan(CONFIG, daemon, world)?;
        let changes = puts.iter().any(|op| matches!(op, Op::Put { .. }));
        ops.extend(puts);
        Ok(changes)
    }

    fn users(&self, world: &World, ops: &mut Vec<Op>) -> Result<(), Block> {
        for name in &self.users {
            let Some(user) = world.user(name).flatten() else {
                return Err(world.opaque(None).map_or(Block::Unmet(Need::User(name.clone())), Block::Later));
            };
            if !user.groups.iter().any(|group| group == "docker") {
                names::tools(world, "groups")?;
                names::usermod(world, "the groups of an account", "usermod")?;
                let groups = user.groups.iter().cloned().chain(["docker".to_owned()]).collect();
                ops.push(Op::User(UserOp { name: name.clone(), present: true, exists: true, groups: Some(groups), ..UserOp::default() }));
            }
        }
        Ok(())
    }
}

impl Resource for Engine {
    fn id(&self) -> Id {
        Id { kind: DOCKER_ENGINE.name.into(), key: "docker".into(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let own = self.own.iter().flat_map(|_| [Claim::Content(KEY.into()), Claim::Content(LIST.into())]);
        let daemon = self.daemon.iter().map(|_| Claim::Content(CONFIG.into()));
        own.chain(daemon).chain(["docker_engine".to_owned(), format!("unit:{UNIT}:state"), format!("unit:{UNIT}:enabled")].map(Claim::Other)).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let package = |name: &&str| Probe::Package { name: (*name).to_owned(), candidate: true };
        let mut probes: Vec<Probe> = OF_DISTRO.iter().chain(OF_DOCKER).map(package).collect();
        probes.push(Probe::Package { name: "docker".into(), candidate: false });
        probes.push(Probe::Unit { name: UNIT.into() });
        if let Some((key, _)) = &self.own {
            probes.push(Probe::Package { name: "ca-certificates".into(), candidate: false });
            Manner::default().look(KEY, key, &mut probes);
            probes.push(Probe::Path { path: LIST.into(), depth: Depth::Text { unless: None } });
        }
        if let Some(daemon) = &self.daemon {
            Manner::default().look(CONFIG, daemon, &mut probes);
        }
        probes.extend(self.users.iter().map(|name| Probe::User { name: name.clone() }));
        probes.extend(self.users.iter().take(1).map(|_| Probe::Group { name: "docker".into() }));
        probes
    }

    /// A node that is as wished asks nobody.
    fn look_more(&self, world: &World) -> Vec<Probe> {
        let Some((key, repository)) = &self.own else { return Vec::new() };
        let mut ops = Vec::new();
        let changes = self.repository(world, key, repository, &mut ops).is_ok() && (!ops.is_empty() || self.lacks(world));
        let question = changes.then(|| self.asked(world, repository, apt_offer::question).ok()).flatten();
        question.map(Probe::Run).into_iter().collect()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        has_systemd(world, UNIT)?;
        if !matches!(world.facts.package_manager.as_str(), "apt" | "dnf") {
            // Nobody has looked at the node yet.
            if let Some(cause) = world.opaque(None).filter(|_| world.facts.package_manager.is_empty()) {
                return Err(Block::Later(cause));
            }
            return Err(Block::refused("docker is installed by apt or dnf, and this node has neither", "install it otherwise, and leave this task out there"));
        }
        for probe in self.look().iter().filter(|probe| matches!(probe, Probe::Package { .. })) {
            names::answered(world, probe, "which packages it has", "see that the package manager works on the node")?;
        }
        let mut ops = Vec::new();
        self.packages(world, &mut ops)?;
        let fresh = ops.iter().any(|op| matches!(op, Op::Packages { .. }));
        let changed = self.options(world, &mut ops)?;
        let now = world.unit(UNIT).flatten().unwrap_or_default();
        if now.load == "masked" {
            return Err(Block::refused(format!("{UNIT} is masked on the node"), format!("add `service: {{ name: {UNIT}, masked: false }}` before this task")));
        }
        let mut act = |act: UnitAct| ops.push(Op::Unit { name: UNIT.into(), act });
        if let Some(enable) = boot_act(UNIT, true, &now)? {
            act(enable);
        }
        // Debian starts what it installs, before there are options.
        match (changed && (fresh || runs(&now)), runs(&now)) {
            (true, _) => act(UnitAct::Restart),
            (false, false) => act(UnitAct::Start),
            (false, true) => {}
        }
        self.users(world, &mut ops)?;
        Ok(ops)
    }

    fn within(&mut self, seconds: u64) {
        self.lock_timeout = self.lock_timeout.min(u32::try_from(seconds).unwrap_or(u32::MAX));
    }

    fn secret(&self) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| daemon.secret)
    }
}
