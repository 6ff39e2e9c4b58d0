//! `apt_repository`: where apt gets packages from, and whose signature it takes for it.

use super::shared::apt_offer::{self, Suite};
use super::shared::attrs::{answered, stat, wrong};
use super::shared::openpgp;
use super::shared::put::Manner;
use super::shared::tool::{answer, says, script};
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::{Diagnostics, Value};
use crate::node::op::{Body, ToolOp, Turn};
use crate::node::probe::Node;
use crate::node::{Command, Content, Op, Probe, World};

/// The declaration.
pub static APT_REPOSITORY: KindSpec = KindSpec {
    name: "apt_repository",
    summary: "Has apt get packages from a repository, signed by a key",
    description: "\
Writes `/etc/apt/sources.list.d/NAME.sources` (deb822, which apt knows since Debian 8) and the key to `/etc/apt/keyrings/NAME.asc`, for this repository alone, and lets apt read
the repository's lists: a `package` task after it finds them. The names are those of Ansible's `deb822_repository`.

The key is a file of the controller's; with `fingerprint`, it must hold that key, so that a wrong file is found before anything is contacted. A key that
the node has already is named by `signed_by`.

When something is to be written, the repository is asked while planning, by the node: a suite that it does not have is refused, so are a component
and the node's architecture, and what it does have is named. Where it cannot be asked, the plan says so.

Taken back exactly; lists that apt has read meanwhile stay until it cleans them up.",
    params: &[
        Param::required("name", Ty::Str, "The name of its files."),
        Param::new("uris", Ty::Strs, "Where it is; needed, unless it is to go."),
        Param::new("suites", Ty::Strs, "Suites, as `bookworm`; or one path that ends with `/`. Needed, unless it is to go."),
        Param::new("components", Ty::Strs, "Components, as `main`; needed with a suite that is not a path."),
        Param::new("architectures", Ty::Strs, "Architectures, as `arm64`.").default("the node's"),
        Param::new("types", Ty::Strs, "`deb`, `deb-src`.").default("deb"),
        Param::new("key", Ty::LocalFile, "The file with the key that signs it, armoured or not."),
        Param::new("fingerprint", Ty::Str, "The fingerprint of a key that must be in the file."),
        Param::new("signed_by", Ty::Path, "The node's file with the key, instead of `key`."),
        Param::new("trusted", Ty::Bool, "Take its packages without a signature.").default("false"),
        Param::new("enabled", Ty::Bool, "Whether apt uses it.").default("true"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("update_cache", Ty::Bool, "Let apt read its lists.").default("true"),
        Param::new("lock_timeout", Ty::Duration, "How long to wait for apt's lock.").default("120s"),
    ],
    bare: "",
    example: "\
- name: Have docker's own packages
  apt_repository:
    name: docker
    uris: https://download.docker.com/linux/debian
    suites: \"{{ facts.os.codename }}\"
    components: stable
    signed_by: /etc/apt/keyrings/docker.asc
",
    build,
};

#[derive(Debug)]
struct Repository {
    name: String,
    /// `None`: absent.
    source: Option<Content>,
    key: Option<(String, Content)>,
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    architectures: Vec<String>,
    refresh: bool,
    lock_timeout: i64,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let name = args.str("name").unwrap_or_default().to_owned();
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        refuse("name", format!("`{}` cannot name apt's files", name.escape_debug()), "letters, digits, `_`, `-` and `.`");
    }
    if args.str("signed_by").is_some_and(|path| path.chars().any(|c| c.is_whitespace() || c.is_control())) {
        refuse("signed_by", "apt takes a path without blanks".into(), "as `/etc/apt/keyrings/docker.asc`");
    }
    let present = args.str("state") != Some("absent");
    let lists = ["uris", "suites", "components", "architectures", "types"];
    for list in lists {
        // Each is a word of one line of the file.
        if let Some(odd) = args.strs(list).into_iter().find(|word| word.is_empty() || word.starts_with('-') || word.chars().any(|c| c.is_whitespace() || c.is_control())) {
            refuse(list, format!("`{}` is not one word", odd.escape_debug()), "write a list of words");
        }
        if args.is_secret(list) {
            refuse(list, "every user of the node can read where apt gets its packages".into(), "put the login into /etc/apt/auth.conf.d with `copy`");
        }
    }
    let [uris, suites, components, architectures, mut types] = lists.map(|list| args.strs(list));
    if let Some(odd) = uris.iter().find(|uri| !["http://", "https://", "file:/"].iter().any(|scheme| uri.starts_with(scheme))) {
        refuse("uris", format!("`{}` is not where a repository is", odd.escape_debug()), "write it as `https://server/path`");
    }
    if types.is_empty() {
        types.push("deb".into());
    } else if types.iter().any(|word| word != "deb" && word != "deb-src") {
        refuse("types", "apt knows `deb` and `deb-src`".into(), "leave `types` out for packages");
    }
    for (list, words) in [("uris", &uris), ("suites", &suites)] {
        if present && words.is_empty() {
            refuse("name", format!("the repository has no `{list}`"), "say where it is and which suite of it, as `bookworm`");
        }
    }
    let flat = suites.iter().filter(|suite| suite.ends_with('/')).count();
    if flat > 0 && (flat < suites.len() || !components.is_empty()) {
        refuse("suites", "a suite that is a path has no components".into(), "leave `components` out, and have suites with names in a repository of their own");
    } else if present && flat == 0 && components.is_empty() && !suites.is_empty() {
        refuse("suites", "the suites have no `components`".into(), "as `main`; or a path that ends with `/` as the only suite");
    }
    let content = match args.contents.get("key") {
        Some(Loaded::File(content)) => Some(content.clone()),
        Some(Loaded::Dir(_)) => {
            refuse("key", "`key` is a directory".into(), "name the file with the key");
            None
        }
        None => None,
    };
    let keys = content.as_ref().and_then(|content| match &content.body {
        Body::Inline(bytes) => openpgp::read(bytes),
        Body::Local(_) => None,
    });
    match (&content, &keys) {
        (Some(_), None) => refuse("key", "the file holds no public key".into(), "it begins with `-----BEGIN PGP PUBLIC KEY BLOCK-----`, or is what `gpg --export` writes"),
        (_, Some(keys)) if args.has("fingerprint") => {
            let wished = args.str("fingerprint").unwrap_or_default().replace([' ', ':'], "").to_uppercase();
            if wished.len() < 40 {
                refuse("fingerprint", "a short number does not tell keys apart".into(), "write the whole fingerprint, as `gpg --show-keys FILE` prints it");
            } else if !keys.fingerprints.contains(&wished) {
                refuse("fingerprint", format!("the file has another key: {}", keys.fingerprints.join(", ")), "get the right file; or, if you trust this one, write its fingerprint");
            } else if keys.primaries.len() > 1 {
                // Whatever any of them has signed would be taken.
                refuse("fingerprint", format!("the file has several keys: {}", keys.primaries.join(", ")), "export the one that you trust: `gpg --export FINGERPRINT`");
            }
        }
        _ => {}
    }
    let ways = [content.is_some(), args.has("signed_by"), args.bool("trusted", false)].iter().filter(|given| **given).count();
    if present && ways != 1 {
        let message = if ways == 0 { "nothing says whose signature to take" } else { "two ways of trusting it are given" };
        refuse("name", message.into(), "give one of `key`, `signed_by` and `trusted: true`");
    }
    if args.has("fingerprint") && content.is_none() {
        refuse("fingerprint", "`fingerprint` is that of the file in `key`".into(), "give `key`, too");
    }
    let ending = if keys.is_some_and(|keys| !keys.armoured) { "gpg" } else { "asc" };
    let keyring = format!("/etc/apt/keyrings/{name}.{ending}");
    let signed = if content.is_some() { Some(keyring.clone()) } else { args.string("signed_by") };
    let mut text = format!("Types: {}\nURIs: {}\nSuites: {}\n", types.join(" "), uris.join(" "), suites.join(" "));
    for (field, words) in [("Components", &components), ("Architectures", &architectures)] {
        if !words.is_empty() {
            text.push_str(&format!("{field}: {}\n", words.join(" ")));
        }
    }
    text.extend(signed.map(|path| format!("Signed-By: {path}\n")));
    if args.bool("trusted", false) {
        text.push_str("Trusted: yes\n");
    }
    let enabled = args.bool("enabled", true);
    if !enabled {
        text.push_str("Enabled: no\n");
    }
    let repository = Repository {
        source: present.then(|| Content::inline(text, false)),
        key: content.map(|content| (keyring, content)),
        uris,
        suites,
        components,
        architectures,
        refresh: present && enabled && args.bool("update_cache", true),
        lock_timeout: args.values.get("lock_timeout").and_then(Value::as_int).unwrap_or(120),
        name,
    };
    problems.into_result(Box::new(repository) as Box<dyn Resource>)
}

/// What apt calls the list of a suite, without its last part.
fn list(uri: &str, suite: &str) -> String {
    let place = uri.split_once(':').map_or(uri, |(_, rest)| rest.trim_start_matches("//"));
    let place = place.split_once('@').map_or(place, |(_, rest)| rest);
    let mut out = String::new();
    for c in format!("{}/dists/{suite}", place.trim_end_matches('/')).chars() {
        match c {
            '/' => out.push('_'),
            c if "\\|{}[]<>\"^~_=!@#$%*".contains(c) => out.push_str(&format!("%{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

impl Repository {
    fn path(&self) -> String {
        format!("/etc/apt/sources.list.d/{}.sources", self.name)
    }

    /// Pairs of where and which; of a suite that is a path nothing is asked.
    fn named(&self) -> impl Iterator<Item = (&String, &String)> {
        self.uris.iter().flat_map(|uri| self.suites.iter().map(move |suite| (uri, suite))).filter(|(_, suite)| !suite.ends_with('/'))
    }

    fn lists(&self) -> Command {
        let lists: Vec<String> = self.named().map(|(uri, suite)| list(uri, suite)).collect();
        script(include_str!("scripts/apt_lists.sh"), &lists.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn suites(&self) -> Vec<Suite<'_>> {
        self.named().map(|(uri, suite)| Suite { uri, suite, components: &self.components, architectures: &self.architectures }).collect()
    }

    fn files(&self, world: &World) -> Result<Vec<Op>, Block> {
        let Some(source) = &self.source else {
            let paths = [self.path(), format!("/etc/apt/keyrings/{}.asc", self.name), format!("/etc/apt/keyrings/{}.gpg", self.name)];
            return Ok(paths.into_iter().filter(|path| !matches!(world.path(path), None | Some(Node::Absent))).map(|path| Op::Remove { path }).collect());
        };
        let mut ops = Vec::new();
        if let Some((path, key)) = &self.key {
            if world.path("/etc/apt/keyrings") == Some(Node::Absent) {
                ops.push(Op::Mkdir { path: "/etc/apt/keyrings".into(), mode: 0o755, owner: None, group: None });
            }
            ops.extend(Manner::default().plan(path, key, world)?);
        }
        ops.extend(Manner::default().plan(&self.path(), source, world)?);
        Ok(ops)
    }
}

impl Resource for Repository {
    fn id(&self) -> Id {
        Id { kind: APT_REPOSITORY.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let key = self.key.iter().map(|(path, _)| Claim::Content(path.clone()));
        [Claim::Content(self.path())].into_iter().chain(key).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::Run(self.lists()), stat("/etc/apt/keyrings")];
        match &self.source {
            Some(source) => Manner::default().look(&self.path(), source, &mut probes),
            None => probes.extend(["sources.list.d/{}.sources", "keyrings/{}.asc", "keyrings/{}.gpg"].map(|file| stat(&format!("/etc/apt/{}", file.replace("{}", &self.name))))),
        }
        if let Some((path, key)) = &self.key {
            Manner::default().look(path, key, &mut probes);
        }
        probes
    }

    /// A node that is as wished asks nobody.
    fn look_more(&self, world: &World) -> Vec<Probe> {
        let changes = self.source.is_some() && self.files(world).is_ok_and(|ops| !ops.is_empty());
        if changes && self.named().next().is_some() { vec![Probe::Run(apt_offer::question(&self.suites()))] } else { Vec::new() }
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let lists = answer(world, &self.lists(), "apt-get", "this is for Debian and its like: give the task `when: facts.package_manager == \"apt\"`")?;
        let mut ops = self.files(world)?;
        if !self.refresh || (ops.is_empty() && lists.stdout.trim() == "there") {
            return Ok(ops);
        }
        let unasked = if ops.is_empty() { None } else { apt_offer::judge(&self.suites(), world)? };
        let mut what = vec![format!("let apt read the lists of {}", self.name)];
        what.extend(unasked);
        ops.push(Op::Tool(ToolOp {
            says: what,
            turn: Turn::Run,
            command: script(include_str!("scripts/apt_update.sh"), &[&self.path(), &self.lock_timeout.to_string()]),
            again: true,
            answers: vec![(self.lists(), says("there\n"))],
            ..ToolOp::default()
        }));
        Ok(ops)
    }

    fn within(&mut self, seconds: u64) {
        self.lock_timeout = self.lock_timeout.min(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    /// As apt names them on a Debian 13.
    #[test]
    fn lists_are_called_as_apt_calls_them() {
        assert_eq!(list("https://download.docker.com/linux/debian", "bookworm"), "download.docker.com_linux_debian_dists_bookworm");
        assert_eq!(list("http://u:p@host:8080/a_b/", "stable/updates"), "host:8080_a%5fb_dists_stable_updates");
        assert_eq!(list("file:/srv/repo", "x"), "_srv_repo_dists_x");
    }
}
