//! From a host of the inventory to the [`Target`] that is connected to.

use super::target::{Become, Method, Secret, Target};
use crate::inventory::{Inventory, connection};
use std::time::Duration;

/// What the inventory leaves to whoever runs homelab.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// The login name of hosts that name none.
    pub user: String,
    /// What `--ask-become-pass` was told; for hosts that become someone and have no password of their own.
    pub become_password: Option<Secret>,
}

impl Defaults {
    /// The user this process runs as.
    pub fn of_user() -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
        Defaults { user: user.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".into()), become_password: None }
    }
}

impl Target {
    /// How `host` of `inventory` is reached. Jumps through other hosts of the inventory are followed to the outermost;
    /// that they do not run in a circle has been checked when the inventory was read.
    pub fn of(inventory: &Inventory, host: &str, defaults: &Defaults) -> Target {
        let mut target = alone(inventory, host, defaults);
        let mut jumps = Vec::new();
        let mut next = inventory.hosts.get(host).and_then(|host| host.connection.jump.clone());
        // No chain is longer than the inventory; a circle would be.
        while let Some(jump) = next.take().filter(|_| jumps.len() <= inventory.hosts.len()) {
            match jump {
                connection::Jump::Host(name) => {
                    jumps.push(Target { privilege: None, ..alone(inventory, &name, defaults) });
                    next = inventory.hosts.get(&name).and_then(|host| host.connection.jump.clone());
                }
                connection::Jump::Address { user, host: address, port } => {
                    let user = user.unwrap_or_else(|| defaults.user.clone());
                    let port = port.unwrap_or(22);
                    let mut jump = Target::new("", address, user);
                    (jump.port, jump.span) = (port, target.span.clone());
                    jump.name = format!("{}@{}", jump.user, jump.endpoint());
                    jumps.push(jump);
                }
            }
        }
        jumps.reverse();
        target.jumps = jumps;
        target
    }
}

/// The host itself, without what it is behind.
fn alone(inventory: &Inventory, name: &str, defaults: &Defaults) -> Target {
    let Some(host) = inventory.hosts.get(name) else { return Target::new(name, name, defaults.user.clone()) };
    let known = &host.connection;
    let mut target = Target::new(name, inventory.address(name), known.user.clone().unwrap_or_else(|| defaults.user.clone()));
    target.port = known.port.unwrap_or(target.port);
    target.keys = known.key.clone();
    target.pins = known.host_key.clone();
    target.span = host.span.clone();
    if let Some(seconds) = known.connect_timeout {
        target.connect_timeout = Duration::from_secs(seconds.max(1));
    }
    target.privilege = known.become_.as_ref().map(|how| Become {
        method: match how.method {
            connection::Method::Sudo => Method::Sudo,
            connection::Method::Doas => Method::Doas,
        },
        user: how.user.clone(),
        password: match (&how.password, how.method) {
            (Some(value), _) => value.as_str().map(Secret::new),
            (None, connection::Method::Sudo) => defaults.become_password.clone(),
            (None, connection::Method::Doas) => None,
        },
    });
    target
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::Host;

    #[test]
    fn chains_of_jumps_are_flat_with_the_outermost_first() {
        let mut inventory = Inventory::default();
        let mut add = |name: &str, jump: Option<connection::Jump>| {
            let mut host = Host { name: name.into(), ..Host::default() };
            host.connection.jump = jump;
            host.connection.become_ = Some(connection::Become { method: connection::Method::Sudo, user: "root".into(), password: None });
            inventory.hosts.insert(name.into(), host);
        };
        let via = |name: &str| Some(connection::Jump::Host(name.into()));
        add("node", via("inner"));
        add("inner", via("outer"));
        add("outer", Some(connection::Jump::Address { user: None, host: "gate".into(), port: Some(2222) }));
        add("ring", via("ring"));
        let defaults = Defaults { user: "me".into(), become_password: Some(Secret::new("x")) };
        let target = Target::of(&inventory, "node", &defaults);
        let names: Vec<&str> = target.jumps.iter().map(|jump| jump.name.as_str()).collect();
        assert_eq!(names, ["me@gate:2222", "outer", "inner"]);
        assert!(target.jumps.iter().all(|jump| jump.privilege.is_none() && jump.user == "me"));
        assert_eq!(target.privilege.unwrap().password, Some(Secret::new("x")));
        assert!(!Target::of(&inventory, "ring", &defaults).jumps.is_empty(), "even a circle comes to an end");
    }
}
