//! `user`: an account.

use super::group::number;
use super::shared::attrs::{clean, wrong};
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::UserOp;
use crate::node::probe::{Account, Depth};
use crate::node::{Need, Op, Probe, Standing, World};

/// The declaration of `user`.
pub static USER: KindSpec = KindSpec {
    name: "user",
    summary: "Makes an account, with its groups, shell and password, or removes it",
    description: "\
What is not given is left as it is; a new account gets the node's defaults and, without `group`, a group of its own name.

`password` takes what `/etc/shadow` holds, never the password itself: make a hash with `mkpasswd` or `openssl passwd -6` and keep it as a
secret. `\"!\"` locks the password (keys still work). It is never shown, and it reaches the node's tools on their standard input only.

`groups` is the whole list of supplementary groups; with `append: true` these are added to what is there.
Changing `home` does not move files, and changing `uid` changes the owner of files in the home only.
`system` and `create_home` count only when the account is created. The account that homelab logs in with is never removed.
Taking back is *equivalent*: a removed account comes back with its number, groups and password.",
    params: &[
        Param::required("name", Ty::Str, "The login name.").aliases(&["user"]),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("uid", Ty::Int, "Its number."),
        Param::new("group", Ty::Str, "Its primary group, by name or number."),
        Param::new("groups", Ty::Strs, "Its supplementary groups; `[]` means none."),
        Param::new("append", Ty::Bool, "Add `groups` to those it is in, and leave the others.").default("false"),
        Param::new("comment", Ty::Str, "The comment field: a full name."),
        Param::new("home", Ty::Path, "Its home directory."),
        Param::new("create_home", Ty::Bool, "Make the home directory when the account is created.").aliases(&["createhome"]).default("true"),
        Param::new("shell", Ty::Path, "Its login shell, which must be there."),
        Param::new("password", Ty::Str, "A crypt hash, or `\"!\"` to lock the password.").secret(),
        Param::new("update_password", Ty::Choice(&["always", "on_create"]), "`on_create` leaves the password of an account that is there.").default("always"),
        Param::new("system", Ty::Bool, "Take a number from the system's range when the account is created.").default("false"),
        Param::new("remove", Ty::Bool, "With `state: absent`: remove the home directory too.").default("false"),
    ],
    bare: "name",
    example: "\
- name: Who carries the backups
  user:
    name: backup
    groups: [backup-readers]
    shell: /bin/bash
    password: \"!\"
",
    build,
};

#[derive(Debug)]
struct User {
    name: String,
    present: bool,
    uid: Option<u32>,
    group: Option<String>,
    groups: Option<Vec<String>>,
    append: bool,
    comment: Option<String>,
    home: Option<String>,
    create_home: bool,
    shell: Option<String>,
    password: Option<Hash>,
    on_create: bool,
    system: bool,
    remove: bool,
    secret: bool,
}

/// A password field. It has no way to be printed.
struct Hash(String);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Told apart from another, without saying it.
        write!(f, "‹secret {}›", crate::node::op::sha256(self.0.as_bytes()))
    }
}

impl Hash {
    /// `!` means any locked field: what useradd, passwd and adduser write for it differs.
    fn is(&self, field: &str) -> bool {
        if self.0 == "!" { field.starts_with(['!', '*']) } else { self.0 == field }
    }
}

/// Whether `text` is something `/etc/shadow` means as a password field: a modern crypt hash, or a lock.
fn is_password_field(text: &str) -> bool {
    let hash = text.trim_start_matches('!');
    if matches!(hash, "" | "*") {
        return !text.is_empty();
    }
    let Some((scheme, rest)) = hash.strip_prefix('$').and_then(|rest| rest.split_once('$')) else { return false };
    !scheme.is_empty()
        && scheme.len() <= 8
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && rest.len() >= 20
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '$' | '=' | ',' | '+' | '-'))
}

fn password(args: &Args) -> Result<Option<Hash>, Diagnostics> {
    match args.str("password") {
        None => Ok(None),
        Some(text) if is_password_field(text) => Ok(Some(Hash(text.to_owned()))),
        Some(text) => {
            let message = if text.is_empty() { "an empty password would let anyone in" } else { "`password` is not a crypt hash" };
            Err(wrong(
                args,
                "password",
                message,
                "not a field of /etc/shadow",
                "make a hash with `openssl passwd -6` or `mkpasswd`, and keep it with `homelab secret encrypt`; `\"!\"` locks the password",
            ).into())
        }
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = problems.take(names::account(args, "name", "user", args.str("name").unwrap_or_default()));
    let uid = problems.take(number(args, "uid")).flatten();
    let mut group_name = |param: &str, text: &str| {
        // A primary group is compared by number too; the node lists the others by name.
        let numeric = param == "group" && text.parse::<u32>().is_ok();
        let checked = if numeric { Ok(text.to_owned()) } else { names::account(args, param, "group", text) };
        problems.take(checked)
    };
    let group = args.str("group").and_then(|text| group_name("group", text));
    let groups = args.has("groups").then(|| {
        let listed = args.strs("groups");
        // Ansible also takes one text with commas.
        let names = listed.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty());
        let mut groups: Vec<String> = names.filter_map(|text| group_name("groups", text)).collect();
        groups.sort();
        groups.dedup();
        groups
    });
    let comment = args.str("comment").and_then(|text| problems.take(names::field(args, "comment", text)));
    let home = args.str("home").and_then(|text| problems.take(names::field(args, "home", &clean(text).0)));
    let shell = args.str("shell").and_then(|text| problems.take(names::field(args, "shell", &clean(text).0)));
    let password = problems.take(password(args)).flatten();
    let present = args.str("state") != Some("absent");
    if !present && name.as_deref() == Some("root") {
        problems.push(wrong(args, "name", "the account root cannot be removed", "needed by the system", "to lock its password, use `password: \"!\"`"));
    }
    if present && args.bool("remove", false) {
        problems.push(wrong(args, "remove", "`remove` has no meaning without `state: absent`", "not used", "set `state: absent`, or drop `remove`"));
    }
    if args.bool("append", false) && groups.is_none() {
        problems.push(wrong(args, "append", "`append` has no meaning without `groups`", "nothing to add", "say which `groups` to add"));
    }
    // A lock is no secret, and a diff is worth having.
    let secret = args.values.iter().any(|(key, value)| key != "password" && value.is_secret()) || password.as_ref().is_some_and(|hash| hash.0.contains('$'));
    let user = User {
        name: name.unwrap_or_default(),
        present,
        uid,
        group,
        groups,
        append: args.bool("append", false),
        comment,
        home,
        create_home: args.bool("create_home", true),
        shell,
        password,
        on_create: args.str("update_password") == Some("on_create"),
        system: args.bool("system", false),
        remove: args.bool("remove", false),
        secret,
    };
    problems.into_result(Box::new(user))
}

impl User {
    fn create(&self, world: &World) -> UserOp {
        // `useradd` refuses to make a group that is there: then that group is meant.
        let own = || world.group(&self.name).flatten().map(|_| self.name.clone());
        UserOp {
            name: self.name.clone(),
            present: true,
            exists: false,
            uid: self.uid,
            group: self.group.clone().or_else(own),
            groups: self.groups.clone(),
            comment: self.comment.clone(),
            home: self.home.clone(),
            shell: self.shell.clone(),
            password: self.password.as_ref().map(|hash| hash.0.clone()),
            system: self.system,
            create_home: self.create_home,
            remove_home: false,
        }
    }

    fn change(&self, now: &Account) -> Result<Option<UserOp>, Block> {
        let differs = |wished: &Option<String>, is: &str| wished.clone().filter(|wished| wished != is);
        let groups = self.groups.as_ref().map(|wished| {
            let mut all = wished.clone();
            if self.append {
                all.extend(now.groups.iter().cloned());
            }
            all.sort();
            all.dedup();
            all
        });
        let password = match (&self.password, &now.password) {
            (Some(_), _) if self.on_create => None,
            (Some(_), None) => {
                return Err(Block::refused(
                    format!("the password field of {} could not be read", self.name),
                    "the task needs root: set `become: true` on it or on its play",
                ));
            }
            (Some(hash), Some(field)) if !hash.is(field) => Some(hash.0.clone()),
            _ => None,
        };
        let op = UserOp {
            name: self.name.clone(),
            present: true,
            exists: true,
            uid: self.uid.filter(|uid| *uid != now.uid),
            group: differs(&self.group, &now.group).filter(|group| group.parse() != Ok(now.gid)),
            groups: groups.filter(|groups| *groups != now.groups),
            comment: differs(&self.comment, &now.comment),
            home: differs(&self.home, &now.home),
            shell: differs(&self.shell, &now.shell),
            password,
            ..UserOp::default()
        };
        let untouched = UserOp { name: op.name.clone(), present: true, exists: true, ..UserOp::default() };
        Ok((op != untouched).then_some(op))
    }
}

impl Resource for User {
    fn id(&self) -> Id {
        Id { kind: "user".into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("user:{}", self.name))]
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes = vec![Probe::User { name: self.name.clone() }];
        if !self.present {
            return probes;
        }
        let own = [self.group.as_ref().unwrap_or(&self.name)];
        let groups = own.into_iter().chain(self.groups.iter().flatten()).filter(|group| group.parse::<u32>().is_err());
        probes.extend(groups.map(|group| Probe::Group { name: group.clone() }));
        // What is in the home is asked about by later tasks; whether the home is new is known only from here.
        let home = self.home.clone().unwrap_or_else(|| names::usual_home(&self.name));
        probes.extend([Some(home), self.shell.clone()].into_iter().flatten().map(|path| Probe::Path { path, depth: Depth::Stat }));
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        names::answered(world, &Probe::User { name: self.name.clone() }, &format!("whether there is an account {}", self.name), "see that `/etc/passwd` can be read there")?;
        let now = world.user(&self.name).flatten();
        if !self.present {
            if now.is_none() {
                return Ok(Vec::new());
            }
            if world.facts.user.name == self.name {
                return Err(Block::refused(
                    format!("{} is the account that homelab logs in with", self.name),
                    "log in with another account (`user:` of the host), then remove this one",
                ));
            }
            names::tools(world, "accounts")?;
            return Ok(vec![Op::User(UserOp { name: self.name.clone(), exists: true, remove_home: self.remove, ..UserOp::default() })]);
        }
        let op = match &now {
            None => Some(self.create(world)),
            Some(now) => self.change(now)?,
        };
        let Some(op) = op else { return Ok(Vec::new()) };
        names::tools(world, "accounts")?;
        let password_only = UserOp { name: op.name.clone(), present: true, exists: true, password: op.password.clone(), ..UserOp::default() };
        if now.is_some() && op != password_only {
            names::usermod(world, &format!("the account {}", self.name), "usermod")?;
        }
        if let Some(shell) = &op.shell {
            // useradd takes a shell that is not there, and nobody can log in.
            let need = Need::Path(shell.clone());
            if world.need(&need) == Standing::Refuted {
                return Err(Block::Unmet(need));
            }
        }
        Ok(vec![Op::User(op)])
    }

    fn secret(&self) -> bool {
        self.secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_fields() {
        for good in ["!", "!!", "*", "!*", "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2", "!$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"] {
            assert!(is_password_field(good), "{good}");
        }
        for bad in ["", "hunter2", "abJnggxhB/yWI", "$6$", "$6$short", "a:b", "$6$salt$with\nnewline0000000000000000000"] {
            assert!(!is_password_field(bad), "{bad}");
        }
    }
}
