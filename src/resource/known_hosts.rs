//! `known_hosts`: by which keys the ssh of a node knows other machines.

use super::shared::attrs::{clean, wrong};
use super::shared::edit::Edit;
use super::shared::names;
use super::shared::put::Manner;
use super::shared::ssh_file::SshFile;
use super::shared::ssh_key::Key;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::inventory::known_line::{Mark, fields, hashed_name, is, without};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Op, Probe, World};
use sha2::{Digest, Sha256};

/// The declaration.
pub static KNOWN_HOSTS: KindSpec = KindSpec {
    name: "known_hosts",
    summary: "Tells a node's ssh by which keys it knows another machine, or lets it forget one",
    description: "\
For a node that calls others over SSH: a backup, a `git` checkout, a jump box. It keeps lines of the account's `~/.ssh/known_hosts`, or with `path` of another file: `/etc/ssh/ssh_known_hosts` is read for every account.
(What homelab itself knows nodes by is `homelab trust`.)

A key that the file has of this name and type is replaced by the one given; keys of other types stay, unless `exclusive`. Names are compared as ssh does, hashed ones too. Lines with wildcards, and those marked
`@cert-authority` or `@revoked`, stay as they are; a key that the file revokes for this name is refused. With `state: absent` the machine is forgotten, or only the keys that are given.

Nothing is fetched: `ssh-keyscan` believes whoever answers. Take the key from the machine itself, where it is `/etc/ssh/ssh_host_ed25519_key.pub`, or from its maker's page.

A new file has mode 0600, the directory 0700, and both belong to the account; a new file at `path` has mode 0644. Taken back exactly.",
    params: &[
        Param::required("name", Ty::Str, "The machine, as it is called in `ssh NAME`; with a port of its own, `[NAME]:2222`.").aliases(&["host"]),
        Param::new("key", Ty::Str, "Its public key, or several, one a line: `type key [comment]`, or a line of a known_hosts file. Blank lines and comments are skipped."),
        Param::new("user", Ty::Str, "Whose `~/.ssh/known_hosts`."),
        Param::new("path", Ty::Path, "A file, instead of an account's."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is known.").default("present"),
        Param::new("exclusive", Ty::Bool, "It has no other keys, of whatever type.").default("false"),
        Param::new("hash_host", Ty::Bool, "A new line has the name hashed, so that nobody can read it there.").default("as the file's other lines have it"),
    ],
    bare: "",
    example: "\
- name: The backup knows where it goes
  known_hosts:
    user: backup
    name: '[nas.lan]:2222'
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
",
    build,
};

#[derive(Debug)]
enum Place {
    Of(SshFile),
    At(Edit),
}

#[derive(Debug)]
struct Known {
    place: Place,
    name: String,
    keys: Vec<Key>,
    present: bool,
    exclusive: bool,
    hash: Option<bool>,
}

/// `name` as ssh looks it up: in small letters, without a port that is the usual one.
fn host(args: &Args) -> Result<String, Diagnostic> {
    let name = args.str("name").unwrap_or_default().trim().to_lowercase();
    let (bare, port) = match name.strip_prefix('[').map(|rest| rest.split_once("]:")) {
        None => (name.as_str(), None),
        Some(Some((bare, port))) => (bare, Some(port)),
        Some(None) => ("", None),
    };
    let good = !bare.is_empty() && bare.chars().all(|c| c.is_alphanumeric() || "._-:%".contains(c)) && !bare.starts_with('-');
    match port.map(str::parse::<u16>) {
        Some(Ok(22)) if good => Ok(bare.to_owned()),
        None | Some(Ok(1..)) if good => Ok(name),
        _ => Err(wrong(args, "name", format!("`{}` is not a machine's name", name.escape_debug()), "", "a name or an address, with a port as `[nas.lan]:2222`; one for each task")),
    }
}

/// One line of `key`: a public key, or a line of a known_hosts file, which must be about `name`.
fn key(args: &Args, line: &str, name: &str) -> Result<Key, Diagnostic> {
    if line.starts_with('@') {
        return Err(wrong(args, "key", "a key with a mark is not one to know a machine by", "", "leave `@cert-authority` and `@revoked` out; such a line is a task of `lineinfile`"));
    }
    let of_host = line.split_once([' ', '\t']).filter(|(names, _)| names.split(',').any(|known| is(known, name)));
    let parsed = match of_host {
        Some((_, rest)) => Key::parse(rest),
        None => Key::parse(line),
    };
    match parsed {
        Ok(key) if key.options.is_empty() => Ok(Key { comment: String::new(), ..key }),
        Ok(key) => Err(wrong(args, "key", format!("the key is one of `{}`, not of `{name}`", key.options.escape_debug()), "", "give the key alone, or the line that is about `name`")),
        Err(fault) => {
            let (label, hint) = fault.explain();
            Err(wrong(args, "key", "`key` is not an OpenSSH public key", label, hint))
        }
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let present = args.str("state") != Some("absent");
    let name = problems.take(host(args).map_err(Into::into)).unwrap_or_default();
    let mut keys: Vec<Key> = Vec::new();
    for line in args.str("key").unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match key(args, line, &name) {
            Ok(key) if !keys.iter().any(|other| other.same(&key)) => keys.push(key),
            Ok(_) => {}
            Err(problem) => {
                problems.push(problem);
                break;
            }
        }
    }
    for name in ["name", "key"].into_iter().filter(|name| args.is_secret(name)) {
        problems.push(wrong(args, name, format!("`{name}` must not be secret"), "", "it names in plans what is known; a public key is public"));
    }
    if present && keys.is_empty() && problems.is_empty() {
        problems.push(wrong(args, "key", "`known_hosts` does not say by which key", "", "give `key`, or `state: absent` to forget the machine"));
    }
    let exclusive = args.bool("exclusive", false);
    if exclusive && !present {
        problems.push(wrong(args, "exclusive", "`exclusive` has no meaning with `state: absent`", "", "leave `key` out to forget all keys of the machine"));
    }
    let user = args.str("user").and_then(|user| problems.take(names::account(args, "user", "user", user)));
    let path = args.str("path").map(|path| clean(path).0);
    if args.has("user") == args.has("path") {
        let problem = Diagnostic::config("`known_hosts` does not say whose").maybe_at(args.span.as_ref());
        problems.push(problem.hint("give either `user`, whose file it is, or `path`: `/etc/ssh/ssh_known_hosts` is read for every account"));
    }
    let place = match path {
        Some(path) => Place::At(Edit { path, create: true, removes: !present, secret: false, manner: Manner::default() }),
        None => Place::Of(SshFile { name: "known_hosts", user: user.unwrap_or_default(), path: None, strict: false, manage_dir: true, present }),
    };
    let hash = args.has("hash_host").then(|| args.bool("hash_host", false));
    problems.into_result(Box::new(Known { place, name, keys, present, exclusive, hash }) as Box<dyn Resource>)
}

impl Known {
    /// The machine, by the types of keys that are owned.
    fn claimed(&self) -> Vec<String> {
        if self.exclusive || self.keys.is_empty() {
            return vec![self.name.clone()];
        }
        let mut kinds: Vec<&str> = self.keys.iter().map(|key| key.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(|kind| format!("{} {kind}", self.name)).collect()
    }

    /// Whether a line with this key of the machine's is to be gone.
    fn goes(&self, key: &str, blob: &str) -> bool {
        match self.present {
            false => self.keys.is_empty() || self.keys.iter().any(|ours| ours.blob == blob),
            true => !self.keys.iter().any(|ours| ours.blob == blob) && (self.exclusive || self.keys.iter().any(|ours| ours.kind == key)),
        }
    }

    fn edited(&self, old: &str) -> Result<String, Block> {
        let mut new = String::with_capacity(old.len());
        let mut missing: Vec<&Key> = self.keys.iter().filter(|_| self.present).collect();
        let mut hashed = false;
        for (at, line) in old.split_inclusive('\n').enumerate() {
            let Some((mark, names, blob)) = fields(line) else {
                new.push_str(line);
                continue;
            };
            let named = names.split(',').any(|known| is(known, &self.name));
            let ours = missing.iter().position(|key| key.blob == blob);
            match mark {
                Mark::Revoked if named && self.present && self.keys.iter().any(|key| key.blob == blob) => {
                    return Err(Block::refused(
                        format!("line {} of the file revokes this key of {}", at + 1, self.name),
                        "see why; if it is good again, take the line away with `lineinfile: {state: absent}`",
                    ));
                }
                Mark::Trusted => {
                    hashed |= names.starts_with("|1|");
                    let kind = line.split_ascii_whitespace().nth(1).unwrap_or_default();
                    if named && self.goes(kind, blob) {
                        let rest = without(line, names, &self.name).unwrap_or_default();
                        new.push_str(&String::from_utf8_lossy(&rest));
                        continue;
                    }
                    if let Some(ours) = ours.filter(|_| named) {
                        missing.remove(ours);
                    }
                }
                _ => {}
            }
            new.push_str(line);
        }
        if !missing.is_empty() && !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        for key in missing {
            let name = if self.hash.unwrap_or(hashed) { hashed_name(&self.name, &salt(&self.name, key)) } else { self.name.clone() };
            new.push_str(&format!("{name} {} {}\n", key.kind, key.blob));
        }
        Ok(new)
    }
}

/// Another for each line, and the same for the same line: a plan that is made again is the same plan.
fn salt(name: &str, key: &Key) -> [u8; 20] {
    let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(&key.blob).finalize();
    std::array::from_fn(|at| digest[at])
}

impl Resource for Known {
    fn id(&self) -> Id {
        let key = match &self.place {
            Place::Of(file) => file.key(),
            Place::At(edit) => edit.path.clone(),
        };
        Id { kind: KNOWN_HOSTS.name.into(), key, slice: self.claimed().join(",") }
    }

    fn claims(&self) -> Vec<Claim> {
        let path = match &self.place {
            Place::Of(file) => file.usual_path(),
            Place::At(edit) => edit.path.clone(),
        };
        self.claimed().into_iter().map(|slice| Claim::Slice(path.clone(), slice)).collect()
    }

    fn look(&self) -> Vec<Probe> {
        match &self.place {
            Place::Of(file) => file.look(),
            Place::At(edit) => edit.look(),
        }
    }

    fn look_more(&self, world: &World) -> Vec<Probe> {
        match &self.place {
            Place::Of(file) => file.look_more(world),
            Place::At(_) => Vec::new(),
        }
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        match &self.place {
            Place::Of(file) => file.plan(world, false, |old| Ok(Some(self.edited(old)?).filter(|new| new != old))),
            Place::At(edit) => edit.plan(world, |old| self.edited(old)),
        }
    }

    fn slice(&self, text: &str) -> Option<String> {
        let all = self.exclusive || self.keys.is_empty();
        let ours = |line: &&str| {
            let kind = line.split_ascii_whitespace().nth(1).unwrap_or_default();
            fields(line).is_some_and(|(mark, names, _)| {
                mark == Mark::Trusted && names.split(',').any(|known| is(known, &self.name)) && (all || self.keys.iter().any(|key| key.kind == kind))
            })
        };
        // Without the names: others may share the line.
        let said = |line: &str| line.split_ascii_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
        Some(text.lines().filter(ours).map(said).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lang::{Data, Value};
    use crate::resource::shared::edit::tests::after;
    use proptest::prelude::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP/+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4uHg";
    const EC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAAABeA==";

    fn known(name: &str, key: &str, flags: &[&str]) -> Box<dyn Resource> {
        let mut args = Args::default();
        let mut set = |name: &str, data: Data| drop(args.values.insert(name.into(), Value::from(data)));
        set("path", Data::Str("/f".into()));
        set("name", Data::Str(name.into()));
        set("key", Data::Str(key.into()));
        for flag in flags {
            match *flag {
                "absent" => set("state", Data::Str("absent".into())),
                flag => set(flag, Data::Bool(true)),
            }
        }
        build(&args).unwrap()
    }

    #[test]
    fn ssh_keygen_finds_what_was_written() {
        for (name, flags) in [("nas.lan", vec![]), ("nas.lan", vec!["hash_host"]), ("[nas.lan]:2222", vec!["hash_host"])] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), after("pi.lan x y\n", known(name, ONE, &flags).as_ref()).unwrap()).unwrap();
            let found = |name: &str| std::process::Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(file.path()).output().unwrap().stdout;
            assert!(String::from_utf8(found(name)).unwrap().contains(ONE), "{name} {flags:?}");
            assert!(found("nas").is_empty());
        }
    }

    fn line() -> impl Strategy<Value = String> {
        let names = prop_oneof![Just("pi"), Just("nas"), Just("nas,pi"), Just("[pi]:22"), Just("p*"), Just("|1|c2FsdA==|aGFzaA=="), Just("@cert-authority pi"), Just("#")];
        let hashed = Just(hashed_name("pi", &[7; 20]));
        let key = prop_oneof![Just(ONE), Just(TWO), Just(EC), Just("x")];
        (prop_oneof![3 => names.prop_map(str::to_owned), 1 => hashed], key).prop_map(|(names, key)| format!("{names} {key}"))
    }

    proptest! {
        /// Whatever is in the file: after one go ssh knows the machine by the key and no other of its type, or not at all; other machines' lines stay.
        #[test]
        fn one_go_is_enough(lines in prop::collection::vec(line(), 0..8), ends in any::<bool>(), flags in prop::sample::subsequence(vec!["hash_host", "absent"], 0..=2)) {
            let text = lines.join("\n") + if ends { "\n" } else { "" };
            let new = after(&text, known("pi", ONE, &flags).as_ref()).unwrap();
            let of = |text: &str, name: &str| -> Vec<String> {
                let of = text.lines().filter(|line| fields(line).is_some_and(|(mark, names, _)| mark == Mark::Trusted && names.split(',').any(|known| is(known, name))));
                of.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
            };
            let (absent, known) = (flags.contains(&"absent"), of(&new, "pi"));
            prop_assert_eq!(known.iter().any(|key| key == ONE), !absent, "{:?}", new);
            prop_assert!(absent || !known.iter().any(|key| key == TWO), "{:?}", new);
            prop_assert_eq!(of(&text, "nas"), of(&new, "nas"));
            prop_assert_eq!(text.matches(EC).count(), new.matches(EC).count());
        }
    }
}
