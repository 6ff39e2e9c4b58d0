//! `authorized_key`: who may log in to an account with which SSH key.

use super::shared::attrs::{clean, wrong};
use super::shared::names;
use super::shared::ssh_file::SshFile;
use super::shared::ssh_key::Key;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Op, Probe, World};

/// The declaration of `authorized_key`.
pub static AUTHORIZED_KEY: KindSpec = KindSpec {
    name: "authorized_key",
    summary: "Lets SSH keys log in to an account, or keeps them out",
    description: "\
Keeps lines of the account's `~/.ssh/authorized_keys`. A key is the same when its type and its body are; comments do not count, options do:
a key that is there with other options gets those of the task. Other lines stay as they are, unless `exclusive`.

With `exclusive: true` the account has exactly these keys: any other line that is not a comment goes. Taking away the key that you log in
with locks you out.

The directory gets mode 0700, the file 0600, both owned by the account, as sshd demands. The account may be one that an earlier task
creates. A link in place of either is refused: writing through it as root would be a gift to whoever placed it.",
    params: &[
        Param::required("user", Ty::Str, "Whose account."),
        Param::required("key", Ty::Str, "One public key, or several, one a line: `[options] type key [comment]`. Blank lines and comments are skipped."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether they may log in.").default("present"),
        Param::new("key_options", Ty::Str, "Options for every key given, instead of those before it."),
        Param::new("exclusive", Ty::Bool, "No other key may log in.").default("false"),
        Param::new("comment", Ty::Str, "Written after the key instead of its own comment."),
        Param::new("manage_dir", Ty::Bool, "Make the directory and set its mode and owner; `false` where `path` is given."),
        Param::new("path", Ty::Path, "Another file than `~/.ssh/authorized_keys`."),
    ],
    bare: "",
    example: "\
- name: The backup host may only run the backup
  authorized_key:
    user: backup
    key_options: restrict,command=\"/usr/local/bin/backup\"
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f backup@router
",
    build,
};

#[derive(Debug)]
struct Keys {
    file: SshFile,
    keys: Vec<Key>,
    exclusive: bool,
    secret: bool,
}

/// The keys of `key`; a fault is placed at its line where the text was written as it is.
fn keys(args: &Args) -> Result<Vec<Key>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let text = args.str("key").unwrap_or_default();
    if text.starts_with("http://") || text.starts_with("https://") {
        return Err(wrong(args, "key", "`key` is an address, not a key", "nothing is fetched", "paste the keys themselves, so that a plan shows who is let in").into());
    }
    let options = match args.str("key_options") {
        Some(options) => problems.take(names::line(args, "key_options", options)),
        None => None,
    };
    let comment = args.str("comment").and_then(|comment| problems.take(names::line(args, "comment", comment)));
    let mut keys: Vec<Key> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match Key::parse(line) {
            Ok(mut key) => {
                key.options = options.clone().unwrap_or(key.options);
                key.comment = comment.clone().unwrap_or(key.comment);
                match keys.iter().find(|have| have.same(&key)) {
                    Some(have) if have.options != key.options => {
                        problems.push(wrong(args, "key", format!("the key {} is given twice with different options", key.fingerprint()), "the same key", "keep one of the two"));
                    }
                    Some(_) => {}
                    None => keys.push(key),
                }
            }
            Err(fault) => {
                let (label, hint) = fault.explain();
                problems.push(at_line(args, line, Diagnostic::config("`key` is not an OpenSSH public key").label(label).hint(hint)));
                if fault == super::shared::ssh_key::Fault::Private {
                    // The other lines of it would each be a problem of their own.
                    break;
                }
            }
        }
    }
    if problems.is_empty() && keys.is_empty() {
        problems.push(wrong(args, "key", "`key` holds no key", "only blank lines and comments", "paste the line of a `.pub` file"));
    }
    problems.into_result(keys)
}

fn at_line(args: &Args, line: &str, problem: Diagnostic) -> Diagnostic {
    let place = args.place("key");
    match place.and_then(|span| span.text().find(line).map(|at| span.part(at..at + line.len()))) {
        Some(part) => problem.at(&part),
        None => problem.maybe_at(place),
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let user = problems.take(names::account(args, "user", "user", args.str("user").unwrap_or_default()));
    let keys = problems.take(keys(args)).unwrap_or_default();
    let present = args.str("state") != Some("absent");
    let exclusive = args.bool("exclusive", false);
    if exclusive && !present {
        problems.push(wrong(args, "exclusive", "`exclusive` has no meaning with `state: absent`", "not used", "remove `exclusive`, or set `state: present`"));
    }
    let path = args.str("path").map(|path| clean(path).0);
    let manage_dir = args.bool("manage_dir", path.is_none());
    let resource = Keys {
        file: SshFile { name: "authorized_keys", user: user.unwrap_or_default(), path, strict: true, manage_dir, present },
        keys,
        exclusive,
        secret: ["key", "key_options", "comment"].iter().any(|key| args.is_secret(key)),
    };
    problems.into_result(Box::new(resource))
}

impl Keys {
    /// The file's new text; `None`: as wished.
    fn edit(&self, old: &str) -> Option<String> {
        let mut missing: Vec<&Key> = self.keys.iter().collect();
        let mut lines: Vec<String> = Vec::new();
        for line in names::lines(old) {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with('#') {
                lines.push(line.to_owned());
                continue;
            }
            let there = Key::parse(bare).ok();
            let ours = there.as_ref().and_then(|there| self.keys.iter().find(|key| key.same(there)));
            match (there, ours) {
                (Some(_), Some(_)) if !self.file.present => {}
                (Some(there), Some(ours)) => {
                    let first = missing.iter().any(|key| key.same(ours));
                    missing.retain(|key| !key.same(ours));
                    if there.options == ours.options {
                        lines.push(line.to_owned());
                    } else if first {
                        lines.push(ours.line());
                    }
                    // A second line with other options would let the key in by those.
                }
                _ if self.exclusive => {}
                _ => lines.push(line.to_owned()),
            }
        }
        if self.file.present {
            lines.extend(missing.into_iter().map(Key::line));
        }
        let same = lines.iter().map(String::as_str).eq(names::lines(old));
        (!same).then(|| lines.iter().map(|line| format!("{line}\n")).collect())
    }
}

impl Resource for Keys {
    fn id(&self) -> Id {
        let mut prints: Vec<String> = self.keys.iter().map(Key::fingerprint).collect();
        prints.sort();
        let slice = if self.exclusive { String::new() } else { prints.join(",") };
        Id { kind: "authorized_key".into(), key: self.file.key(), slice }
    }

    fn claims(&self) -> Vec<Claim> {
        let path = self.file.usual_path();
        if self.exclusive {
            return vec![Claim::Content(path)];
        }
        self.keys.iter().map(|key| Claim::Slice(path.clone(), key.fingerprint())).collect()
    }

    fn look(&self) -> Vec<Probe> {
        self.file.look()
    }

    fn look_more(&self, world: &World) -> Vec<Probe> {
        self.file.look_more(world)
    }

    fn slice(&self, text: &str) -> Option<String> {
        let ours = |line: &&str| Key::parse(line.trim()).is_ok_and(|there| self.keys.iter().any(|key| key.same(&there)));
        (!self.exclusive).then(|| names::lines(text).filter(ours).collect::<Vec<_>>().join("\n"))
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.file.plan(world, self.secret, |old| Ok(self.edit(old)))
    }

    fn secret(&self) -> bool {
        self.secret
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP/+/fz7+vn49/b19PPy8fDv7u3s6+rp6Ofm5eTj4uHg";

    fn keys(options: &str, present: bool, exclusive: bool) -> Keys {
        let key = Key { options: options.into(), ..Key::parse(ONE).unwrap() };
        let file = SshFile { name: "authorized_keys", user: "root".into(), path: None, strict: true, manage_dir: true, present };
        Keys { file, keys: vec![key], exclusive, secret: false }
    }

    fn file() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just(ONE.to_owned()), Just(format!("{ONE} me")), Just(format!("no-pty {ONE}")), Just(format!("  {ONE}  ")),
            Just(TWO.to_owned()), Just("# mine".to_owned()), Just(String::new()), Just("what is this".to_owned()),
        ];
        (prop::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, end)| lines.join("\n") + if end { "\n" } else { "" })
    }

    proptest! {
        /// Whatever is in the file: an edit is settled, lets the key in by its options only, and leaves other lines.
        #[test]
        fn an_edit_is_settled(old in file(), options in prop_oneof![Just(""), Just("no-pty"), Just("restrict")], present in any::<bool>(), exclusive in any::<bool>()) {
            let wished = keys(options, present, exclusive && present);
            let new = wished.edit(&old).unwrap_or(old.clone());
            prop_assert_eq!(wished.edit(&new), None, "{:?}", new);
            let ours: Vec<Key> = new.lines().filter_map(|line| Key::parse(line).ok()).filter(|key| key.same(&wished.keys[0])).collect();
            prop_assert_eq!(ours.is_empty(), !present);
            prop_assert!(ours.iter().all(|key| key.options == options));
            let others = |text: &str| text.lines().filter(|line| !line.contains(ONE) && (!wished.exclusive || line.starts_with('#') || line.is_empty())).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(others(&new), others(&old));
        }

        /// No text makes the reader of keys fail badly, and what it reads it writes back.
        #[test]
        fn reading_is_total(text in "\\PC{0,80}") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert_eq!(Key::parse(&key.line()), Ok(key));
            }
        }
    }
}
