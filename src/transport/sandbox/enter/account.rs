//! The sandbox's accounts, read from its own files: this process has no business with the machine's.

use std::fs;
use std::path::PathBuf;

/// One line of `/etc/passwd`, with the groups the user is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
    pub shell: PathBuf,
    /// Supplementary groups' numbers, and their names.
    pub groups: Vec<(u32, String)>,
}

impl Account {
    /// The account of this name.
    pub fn named(name: &str) -> Option<Account> {
        find(&read("/etc/passwd"), &read("/etc/group"), |fields| fields[0] == name)
    }

    /// The account of this number.
    pub fn numbered(uid: u32) -> Option<Account> {
        find(&read("/etc/passwd"), &read("/etc/group"), |fields| fields[2] == uid.to_string())
    }
}

fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn find(passwd: &str, group: &str, wanted: impl Fn(&[&str]) -> bool) -> Option<Account> {
    let fields: Vec<&str> = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.len() == 7 && wanted(fields))?;
    let name = fields[0].to_owned();
    let groups = group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.len() == 4 && fields[3].split(',').any(|member| member == name))
        .filter_map(|fields| Some((fields[2].parse().ok()?, fields[0].to_owned())))
        .collect();
    let shell = if fields[6].is_empty() { "/bin/sh" } else { fields[6] };
    Some(Account { uid: fields[2].parse().ok()?, gid: fields[3].parse().ok()?, home: fields[5].into(), shell: shell.into(), groups, name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn groups_are_those_that_list_the_user() {
        let passwd = "broken\nroot:x:0:0:root:/root:/bin/sh\npi:x:1000:1001:,,,:/home/pi:\n";
        let group = "sudo:x:27:other,pi\npi:x:1001:\npip:x:5:pip\n";
        let pi = find(passwd, group, |f| f[0] == "pi").unwrap();
        assert_eq!((pi.uid, pi.gid, pi.shell.to_str().unwrap()), (1000, 1001, "/bin/sh"));
        assert_eq!(pi.groups, [(27, "sudo".to_owned())]);
    }
}
