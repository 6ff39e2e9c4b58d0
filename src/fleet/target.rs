//! From hosts of the inventory to ways in: addresses, keys, jump hosts, privilege; and sandboxes.

use crate::inventory::Inventory;
use crate::lang::{Diagnostic, Diagnostics};
use crate::transport::sandbox::{SandboxSpec, Shell};
use crate::transport::{Become, Defaults, Method, Secret, Target};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A way in.
#[derive(Debug, Clone)]
pub enum Way {
    /// Over the network.
    Ssh(Target),
    /// Into a throwaway node on this machine.
    Sandbox {
        /// How to log in to it; its key and pin are known once it is prepared.
        target: Target,
        /// Where it lives.
        dir: PathBuf,
        /// What it is to be.
        spec: SandboxSpec,
    },
}

impl Way {
    /// The target to log in to, with or without privilege. Tasks say whether, the host says how: sudo, where it does
    /// not say. A login that is root needs nothing.
    pub fn target_for(&self, privileged: bool) -> Target {
        let mut target = self.target().clone();
        let root = target.user == "root" && target.privilege.as_ref().is_none_or(|privilege| privilege.user == "root");
        if !privileged || root {
            target.privilege = None;
        } else if target.privilege.is_none() {
            target.privilege = Some(Become { method: Method::Sudo, user: "root".into(), password: None });
        }
        target
    }

    /// The target to log in to.
    pub fn target(&self) -> &Target {
        match self {
            Way::Ssh(target) | Way::Sandbox { target, .. } => target,
        }
    }
}

/// The ways to all hosts of an inventory.
#[derive(Debug)]
pub struct Targets {
    ways: BTreeMap<String, Way>,
}

impl Targets {
    /// Of `inventory`. `password` is what sudo asks for where a host does not say.
    pub fn new(inventory: &Inventory, password: Option<String>) -> Result<Targets, Diagnostics> {
        let defaults = Defaults { become_password: password.map(Secret::new), ..Defaults::of_user() };
        let ways = inventory.hosts.keys().map(|host| (host.clone(), way(inventory, host, &defaults))).collect();
        Ok(Targets { ways })
    }

    /// The way to `host`.
    pub fn of(&self, host: &str) -> Result<&Way, Diagnostics> {
        self.ways.get(host).ok_or_else(|| Diagnostic::config(format!("there is no host `{host}`")).hint("is it in the inventory?").into())
    }
}

/// What tells a host's node from others in the facts cache.
pub fn cache_name(inventory: &Inventory, host: &str) -> String {
    if inventory.hosts.get(host).is_some_and(|found| found.connection.sandbox.is_some()) {
        return format!("sandbox:{}", sandbox_dir(inventory, host).display());
    }
    let target = Target::of(inventory, host, &Defaults::of_user());
    format!("{}@{}", target.user, target.endpoint())
}

/// A sandbox lives beside the inventory that names it.
fn sandbox_dir(inventory: &Inventory, host: &str) -> PathBuf {
    let beside = inventory.path.parent().unwrap_or(Path::new("."));
    let beside = std::path::absolute(beside).unwrap_or_else(|_| beside.to_owned());
    beside.join(".sandbox").join(host)
}

fn way(inventory: &Inventory, host: &str, defaults: &Defaults) -> Way {
    let mut target = Target::of(inventory, host, defaults);
    let Some(connection) = inventory.hosts.get(host).map(|host| &host.connection) else { return Way::Ssh(target) };
    let Some(sandbox) = &connection.sandbox else { return Way::Ssh(target) };
    let user = connection.user.clone().unwrap_or_else(|| "pi".into());
    target.user.clone_from(&user);
    target.agent = false;
    target.jumps.clear();
    let spec = SandboxSpec {
        name: host.to_owned(),
        user,
        sudo_password: sandbox.sudo_password.as_ref().and_then(|value| value.as_str()).map(str::to_owned),
        shell: sandbox.shell.and_then(|shell| Shell::parse(shell).ok()),
    };
    if let (Some(privilege), Some(secret)) = (&mut target.privilege, &spec.sudo_password) {
        privilege.password.get_or_insert_with(|| Secret::new(secret.clone()));
    }
    Way::Sandbox { target, dir: sandbox_dir(inventory, host), spec }
}
