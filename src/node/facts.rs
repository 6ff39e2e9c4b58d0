//! What a node is. Gathered by the runtime in the same answer as the probes.

use serde::{Deserialize, Serialize};

/// Facts of a node, as templates see them (`facts.os.family`). Text fields are empty and numbers 0 where the node can't say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Running host name.
    pub hostname: String,
    /// The kernel's machine: `aarch64`, `armv7l`, `armv6l`, `x86_64`.
    pub kernel_arch: String,
    /// The userland's: `arm64`, `armv7`, `armv6`, `amd64` (a 32-bit userland on a 64-bit kernel is a normal Pi).
    pub arch: String,
    /// The package manager's word for it: `arm64`, `armhf`, `amd64`.
    pub package_arch: String,
    /// `linux/arm64`, `linux/arm/v7`, `linux/arm/v6`, `linux/amd64`.
    pub docker_platform: String,
    /// Kernel release.
    pub kernel: String,
    /// Distribution.
    pub os: Os,
    /// `systemd`, `openrc`, `busybox`, `none`.
    pub init: String,
    /// `apt`, `dnf`, `apk`, `none`.
    pub package_manager: String,
    /// Whose tools make accounts and groups: `shadow`, `busybox`, `none`.
    pub accounts: String,
    /// MiB of memory.
    pub memory_mib: u64,
    /// Processors online.
    pub cpus: u64,
    /// Interfaces by name order.
    pub interfaces: Vec<Interface>,
    /// The way out.
    pub default_route: Route,
    /// `/boot/firmware` or `/boot` on a Pi, else empty.
    pub boot_firmware: String,
    /// `Raspberry Pi 4 Model B Rev 1.4`, else empty.
    pub pi_model: String,
    /// On EC2.
    pub ec2: Ec2,
    /// Changes at every boot. Volatile.
    pub boot_id: String,
    /// Seconds since 1970 by the node's clock. Volatile.
    pub clock: i64,
    /// `all`, or `single` where only the login's own uid can own files (an unprivileged sandbox).
    pub uids: String,
    /// Whether this is homelab's own sandbox.
    pub sandbox: bool,
    /// The login's name, numeric uid and home.
    pub user: Login,
    /// Who the program runs as: root behind `become`, else the login. What it makes belongs to this one.
    pub identity: Login,
}

/// A distribution, from os-release.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Os {
    /// `ID`: `debian`, `raspbian`, `amzn`, `alpine`.
    pub id: String,
    /// `debian`, `redhat`, `alpine`, …: by `ID` and `ID_LIKE`.
    pub family: String,
    /// `VERSION_ID`.
    pub version: String,
    /// `VERSION_CODENAME`.
    pub codename: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// `eth0`.
    pub name: String,
    /// Hardware address.
    pub mac: String,
    /// Addresses with prefix length, IPv4 first.
    pub addresses: Vec<String>,
}

/// The default route.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// Next hop.
    pub gateway: String,
    /// Interface.
    pub interface: String,
    /// The node's own address on it.
    pub address: String,
}

/// Where in EC2.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ec2 {
    /// `i-…`.
    pub instance_id: String,
    /// `eu-central-1`.
    pub region: String,
}

/// Who the program runs as, and who logged in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Login {
    /// Login name (under sudo: the one who logged in).
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its home.
    pub home: String,
}

/// Facts that cost the node a process, by what finds them. A look asks for those that are read; the others come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Costly {
    /// Architectures, the kernel's and the userland's.
    pub machine: bool,
    /// Interfaces' addresses, and with them the default route.
    pub addresses: bool,
    /// The clock.
    pub clock: bool,
}

impl Costly {
    /// All of them.
    pub const ALL: Costly = Costly { machine: true, addresses: true, clock: true };

    /// Those that are behind the dotted name of a fact, or of several: `os.family`, `interfaces.0.name`; all behind the empty one.
    pub fn behind(name: &str) -> Self {
        match name.split('.').next().unwrap_or_default() {
            "" => Costly::ALL,
            "kernel_arch" | "arch" | "package_arch" | "docker_platform" => Costly { machine: true, ..Costly::default() },
            "interfaces" | "default_route" => Costly { addresses: true, ..Costly::default() },
            "clock" => Costly { clock: true, ..Costly::default() },
            _ => Costly::default(),
        }
    }

    /// These and those.
    pub fn and(self, other: Self) -> Self {
        Costly { machine: self.machine || other.machine, addresses: self.addresses || other.addresses, clock: self.clock || other.clock }
    }

    /// Whether all of `other` are among these.
    pub fn covers(self, other: Self) -> bool {
        self.and(other) == self
    }

    /// `seen`, where these were asked for, with the others as they were before.
    pub fn complete(self, mut seen: Facts, before: &Facts) -> Facts {
        let Facts { kernel_arch, arch, package_arch, docker_platform, interfaces, default_route, clock, .. } = before.clone();
        if !self.machine {
            (seen.kernel_arch, seen.arch, seen.package_arch, seen.docker_platform) = (kernel_arch, arch, package_arch, docker_platform);
        }
        if !self.addresses {
            (seen.interfaces, seen.default_route) = (interfaces, default_route);
        }
        if !self.clock {
            seen.clock = clock;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_that_was_not_asked_for_is_what_it_was() {
        let before = Facts {
            hostname: "old".into(),
            kernel_arch: "armv7l".into(),
            arch: "armv7".into(),
            package_arch: "armhf".into(),
            docker_platform: "linux/arm/v7".into(),
            interfaces: vec![Interface { name: "eth0".into(), ..Interface::default() }],
            default_route: Route { interface: "eth0".into(), ..Route::default() },
            clock: 7,
            ..Facts::default()
        };
        let seen = Facts { hostname: "new".into(), clock: 8, ..Facts::default() };
        let clock = Costly::behind("clock");
        assert_eq!(clock.complete(seen.clone(), &before), Facts { hostname: "new".into(), clock: 8, ..before.clone() });
        assert_eq!(Costly::default().complete(seen.clone(), &before), Facts { hostname: "new".into(), ..before.clone() });
        assert_eq!(Costly::ALL.complete(seen.clone(), &before), seen);
        assert!(Costly::behind("").covers(Costly::behind("default_route.gateway").and(Costly::behind("arch"))));
        assert!(!clock.covers(Costly::behind("arch")));
    }
}
