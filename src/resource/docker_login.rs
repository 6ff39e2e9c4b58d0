//! `docker_login`: a login at a registry, where docker keeps those.

use super::shared::attrs::{Mode, Wish, answered, clean, parent, stat, wrong};
use super::shared::edit::Edit;
use super::shared::names;
use super::shared::put::Manner;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::Node;
use crate::node::{Cause, Need, Op, Probe, Standing, World};
use base64::Engine;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};

/// The declaration.
pub static DOCKER_LOGIN: KindSpec = KindSpec {
    name: "docker_login",
    summary: "Lets docker log in to a registry, or forgets the login",
    description: "\
Writes what `docker login` writes: an entry of `auths` in `~/.docker/config.json`. The other entries and settings stay. The file is 0600, its
directory, where it is made, 0700. Docker itself is not needed for it, and the registry is not asked: whether it takes the login shows when an image is
asked for. `docker_image` and `docker_compose` ask with it when they plan; where it is new, when it is there.

Whose docker it is, is said by `owner`: who runs docker as root, as tasks with `become: true` do, needs root's.

Docker keeps the password as it is, for whoever may read the file. Where it has been told to keep logins elsewhere (`credsStore`, `credHelpers`), it does not read
those in the file: such a node is refused. Taken back exactly.",
    params: &[
        Param::new("registry_url", Ty::Str, "The registry: `ghcr.io`, `registry.home:5000`. A scheme and a path are left out.").default("Docker Hub").aliases(&["registry", "url"]),
        Param::new("username", Ty::Str, "Who logs in."),
        Param::new("password", Ty::Str, "The password, or the token that stands for it.").secret(),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether docker is to have the login.").default("present"),
        Param::new("owner", Ty::Str, "Whose docker: the account in whose home the file is.").default("root"),
        Param::new("config_path", Ty::Path, "Another file than `~/.docker/config.json`; its directory must be there.").aliases(&["dockercfg_path"]),
    ],
    bare: "",
    example: "\
- name: Let docker pull our own images
  docker_login:
    registry_url: ghcr.io
    username: homelab-bot
    password: \"{{ registry_token }}\"
",
    build,
};

/// What docker calls its own registry.
const HUB: &str = "https://index.docker.io/v1/";

#[derive(Debug)]
struct Login {
    /// As docker names it among its logins.
    server: String,
    /// What is kept of it; `None`: nothing.
    auth: Option<String>,
    owner: String,
    path: Option<String>,
}

/// The part of an address by which docker tells registries apart.
fn host(address: &str) -> &str {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")).unwrap_or(address);
    rest.split('/').next().unwrap_or_default()
}

fn server(args: &Args, problems: &mut Diagnostics) -> String {
    let given = args.str("registry_url").unwrap_or(HUB);
    let name = host(given);
    if matches!(name, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        return HUB.to_owned();
    }
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_".contains(c));
    if !good {
        problems.push(wrong(args, "registry_url", format!("{} is not a registry", names::shown(args, "registry_url", given)), "", "as in `ghcr.io` or `registry.home:5000`"));
    } else if !name.contains(['.', ':']) && name != "localhost" {
        let hint = "give it a domain or a port, as in `registry.home` or `registry:5000`, and name the images so";
        problems.push(wrong(args, "registry_url", format!("docker takes `{name}` in an image's name for somebody at Docker Hub, not for a registry"), "", hint));
    }
    name.to_owned()
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let server = server(args, &mut problems);
    let present = args.str("state") != Some("absent");
    let mut auth = None;
    match (args.str("username"), args.str("password")) {
        (Some(username), Some(password)) if present => {
            for (name, value) in [("username", username), ("password", password)] {
                if value.is_empty() || value.chars().any(char::is_control) {
                    problems.push(wrong(args, name, format!("`{name}` is empty, or has a line break or control character in it"), "", "docker keeps a line of text"));
                }
            }
            if username.contains(':') {
                problems.push(wrong(args, "username", "docker cannot keep a name with a colon in it", "", "use another account of the registry's"));
            }
            auth = Some(base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}")));
        }
        (username, password) if present => {
            for (name, _) in [("username", username), ("password", password)].into_iter().filter(|(_, value)| value.is_none()) {
                problems.push(wrong(args, name, format!("a login takes a `{name}`"), "", format!("add `{name}:`; `state: absent` takes neither")));
            }
        }
        _ => {
            for name in ["username", "password"].into_iter().filter(|name| args.has(name)) {
                problems.push(wrong(args, name, format!("`{name}` has no meaning with `state: absent`"), "", "leave it out"));
            }
        }
    }
    let owner = problems.take(names::account(args, "owner", "user", args.str("owner").unwrap_or("root"))).unwrap_or_default();
    let login = Login { server, auth, owner, path: args.str("config_path").map(|path| clean(path).0) };
    problems.into_result(Box::new(login) as Box<dyn Resource>)
}

/// Where docker keeps its logins, below `home`.
pub(super) fn file_in(home: &str) -> String {
    format!("{}/.docker/config.json", home.trim_end_matches('/'))
}

/// How `text` is indented; docker itself takes a tab.
fn indent(text: &str) -> &str {
    let white = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    text.lines().find(|line| white(line) > 0).map_or("\t", |line| &line[..white(line)])
}

fn written(json: &Map<String, Value>, old: &str) -> String {
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(indent(old).as_bytes()));
    let done = serde::Serialize::serialize(json, &mut writer);
    debug_assert!(done.is_ok(), "a map of texts is JSON");
    let end = if old.is_empty() || old.ends_with('\n') { "\n" } else { "" };
    String::from_utf8_lossy(&out).into_owned() + end
}

impl Login {
    fn usual_path(&self) -> String {
        self.path.clone().unwrap_or_else(|| file_in(&names::usual_home(&self.owner)))
    }

    fn edit(&self, path: String, world: &World, group: Option<String>) -> Edit {
        let owner = (world.facts.uids != "single").then(|| self.owner.clone());
        let group = group.filter(|group| !group.is_empty() && owner.is_some());
        let wish = Wish { mode: Some(Mode::Octal(0o600)), owner, group };
        Edit { path, create: true, removes: self.auth.is_none(), secret: true, manner: Manner { wish, ..Manner::default() } }
    }

    fn probes(&self, path: &str) -> Vec<Probe> {
        let dir = parent(path);
        let above = self.path.is_none().then(|| stat(parent(dir)));
        self.edit(path.to_owned(), &World::default(), None).look().into_iter().chain(above).collect()
    }

    /// Who keeps the logins in place of the file.
    fn helper<'a>(&self, json: &'a Map<String, Value>) -> Option<&'a str> {
        let of_server = json.get("credHelpers").and_then(|helpers| helpers.get(&self.server));
        of_server.or_else(|| json.get("credsStore")).and_then(Value::as_str).filter(|helper| !helper.is_empty())
    }

    /// `text` with the login, or without it.
    fn edited(&self, path: &str, text: &str) -> Result<String, Block> {
        let strange = || Block::refused(format!("{path} is not what docker keeps: it is no JSON, or not of that form"), "see what is in it, on the node; where it is of no use, remove it");
        let mut json = match serde_json::from_str(text) {
            _ if text.trim().is_empty() => Map::new(),
            Ok(Value::Object(json)) => json,
            _ => return Err(strange()),
        };
        let helper = self.helper(&json).map(str::to_owned);
        let none = || Value::Object(Map::new());
        let logins = match json.entry("auths").or_insert_with(none) {
            Value::Object(logins) => logins,
            null @ Value::Null => {
                *null = none();
                null.as_object_mut().ok_or_else(strange)?
            }
            _ => return Err(strange()),
        };
        let Some(auth) = &self.auth else {
            let before = logins.len();
            logins.retain(|name, _| *name != self.server && host(name) != self.server);
            return Ok(if logins.len() == before { text.to_owned() } else { written(&json, text) });
        };
        if let Some(helper) = helper {
            return Err(Block::refused(
                format!("docker on the node keeps its logins with `docker-credential-{helper}`, and reads none in {path}"),
                "log in on the node by hand, with `docker login`; or take `credsStore` and `credHelpers` out of the file",
            ));
        }
        let login = logins.entry(self.server.clone()).or_insert_with(none);
        // What a registry gave in place of a password comes before it.
        let other = ["identitytoken", "registrytoken"].iter().any(|token| login.get(token).and_then(Value::as_str).is_some_and(|token| !token.is_empty()));
        if login.get("auth").and_then(Value::as_str) == Some(auth) && !other {
            return Ok(text.to_owned());
        }
        *login = json!({ "auth": auth });
        Ok(written(&json, text))
    }
}

impl Resource for Login {
    fn id(&self) -> Id {
        Id { kind: DOCKER_LOGIN.name.into(), key: self.path.clone().unwrap_or_else(|| self.owner.clone()), slice: self.server.clone() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Slice(self.usual_path(), self.server.clone())]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = self.probes(&self.usual_path());
        probes.push(Probe::User { name: self.owner.clone() });
        probes
    }

    fn look_more(&self, world: &World) -> Vec<Probe> {
        match (&self.path, world.user(&self.owner).flatten()) {
            (None, Some(account)) if file_in(&account.home) != self.usual_path() => self.probes(&file_in(&account.home)),
            _ => Vec::new(),
        }
    }

    fn slice(&self, text: &str) -> Option<String> {
        let json: Value = serde_json::from_str(text).ok()?;
        Some(json.get("auths").and_then(|logins| logins.get(&self.server)).map_or_else(String::new, Value::to_string))
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let account = match world.user(&self.owner) {
            Some(None) if self.auth.is_none() && self.path.is_none() => return Ok(Vec::new()),
            Some(None) if self.auth.is_some() => {
                let need = Need::User(self.owner.clone());
                return Err(match world.need(&need) {
                    Standing::Open(cause) => Block::Later(cause),
                    _ => Block::Unmet(need),
                });
            }
            account => account.flatten(),
        };
        let path = match (&self.path, &account) {
            (None, Some(account)) => file_in(&account.home),
            _ => self.usual_path(),
        };
        if world.path(&path).is_none() {
            return Err(Block::Later(Cause(format!("the home of user {}", self.owner))));
        }
        let edit = self.edit(path.clone(), world, account.filter(|_| self.owner != "root").map(|account| account.group));
        let mut ops = Vec::new();
        if self.path.is_none() {
            let dir = parent(&path);
            match world.path(dir) {
                Some(Node::Absent) if self.auth.is_some() => {
                    let (owner, group) = (edit.manner.wish.owner.clone(), edit.manner.wish.group.clone());
                    ops.push(Op::Mkdir { path: dir.to_owned(), mode: 0o700, owner, group });
                }
                Some(Node::Absent | Node::Dir(_)) | None => {}
                // Root would write where its owner has led it.
                Some(_) => return Err(Block::refused(format!("{dir} is there, and is not a directory"), "see what it is, and remove it on the node; or name the file with `config_path`")),
            }
        }
        ops.extend(edit.plan(world, |text| self.edited(&path, text))?);
        // What stays as it is would be shown beside what changes, and is other registries' logins.
        for op in &mut ops {
            if let Op::Put { content, .. } = op {
                content.own = true;
            }
        }
        Ok(ops)
    }

    fn secret(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn login(server: &str, auth: Option<&str>) -> Login {
        Login { server: server.into(), auth: auth.map(str::to_owned), owner: "root".into(), path: None }
    }

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        let old = "{\n  \"psFormat\": \"a<b\",\n  \"auths\": {\n    \"https://b.example/v2\": {\n      \"auth\": \"eDp5\"\n    }\n  },\n  \"proxies\": {\n    \"z\": 1,\n    \"a\": null\n  }\n}";
        let new = login("a.example", Some("bWU6cHc=")).edited("f", old).unwrap();
        assert_eq!(new, old.replace("\n    }\n  },", "\n    },\n    \"a.example\": {\n      \"auth\": \"bWU6cHc=\"\n    }\n  },"));
        assert_eq!(login("a.example", Some("bWU6cHc=")).edited("f", &new).unwrap(), new);
        assert_eq!(login("a.example", None).edited("f", &new).unwrap(), old);
        // By whatever name docker would find it.
        assert_eq!(login("b.example", None).edited("f", old).unwrap(), old.replace("{\n    \"https://b.example/v2\": {\n      \"auth\": \"eDp5\"\n    }\n  }", "{}"));
        let fresh = login(HUB, Some("bWU6cHc=")).edited("f", "").unwrap();
        assert_eq!(fresh, "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"bWU6cHc=\"\n\t\t}\n\t}\n}\n");
        // What is there in other words is left as it is.
        for same in ["{\"auths\":{\"a.example\":{\"auth\":\"bWU6cHc=\",\"email\":\"x\"}}}", "{\"auths\":{\"a.example\":{\"auth\":\"bWU6cHc=\",\"identitytoken\":\"\"}}}"] {
            assert_eq!(login("a.example", Some("bWU6cHc=")).edited("f", same).unwrap(), same);
        }
        assert!(login("a.example", Some("bWU6cHc=")).edited("f", "{\"auths\":{\"a.example\":{\"auth\":\"bWU6cHc=\",\"identitytoken\":\"t\"}}}").unwrap().ends_with("{\n\t\t\t\"auth\": \"bWU6cHc=\"\n\t\t}\n\t}\n}"));
    }

    #[test]
    fn what_is_no_file_of_dockers_is_left_alone() {
        for strange in ["[]", "{", "{\"auths\": 1}", "x"] {
            assert!(login("a.example", Some("bWU6cHc=")).edited("f", strange).is_err(), "{strange}");
        }
        assert!(login("a.example", Some("bWU6cHc=")).edited("f", "{\"auths\": null}").is_ok());
        assert!(login("a.example", Some("bWU6cHc=")).edited("f", "{\"credsStore\": \"pass\"}").is_err());
        assert!(login("a.example", Some("bWU6cHc=")).edited("f", "{\"credHelpers\": {\"b.example\": \"pass\"}}").is_ok());
    }
}
