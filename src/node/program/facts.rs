//! What the node said of itself, turned into [`Facts`].

use crate::node::facts::{Facts, Interface, Login, Os, Route};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Reads the lines of the `facts` frame and the output of `ip -o addr`.
pub(super) fn facts(lines: &str, addresses: &str) -> Facts {
    let mut one: BTreeMap<&str, &str> = BTreeMap::new();
    let mut facts = Facts { uids: "all".into(), init: "none".into(), package_manager: "none".into(), accounts: "none".into(), ..Facts::default() };
    let (mut like, mut me, mut them) = ("", "", "");
    let mut interfaces: BTreeMap<String, Interface> = BTreeMap::new();
    let mut routes = Vec::new();
    for line in lines.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "os" => {
                let (name, value) = value.split_once('=').unwrap_or_default();
                let value = value.trim_matches(|c| c == '"' || c == '\'');
                match name {
                    "ID" => facts.os.id = value.into(),
                    "ID_LIKE" => like = value,
                    "VERSION_ID" => facts.os.version = value.into(),
                    "VERSION_CODENAME" => facts.os.codename = value.into(),
                    "PRETTY_NAME" => facts.os.name = value.into(),
                    _ => {}
                }
            }
            "net" => {
                let (name, mac) = value.split_once(' ').unwrap_or((value, ""));
                interfaces.insert(name.into(), Interface { name: name.into(), mac: mac.into(), addresses: Vec::new() });
            }
            "route" => routes.push(value),
            // The first that was found counts.
            "init" | "pm" => {
                one.entry(key).or_insert(value);
            }
            "accounts" => facts.accounts = value.into(),
            "me" => me = value,
            "them" => them = value,
            _ => {
                one.insert(key, value);
            }
        }
    }
    let get = |key: &str| one.get(key).copied().unwrap_or_default();
    facts.hostname = get("hostname").into();
    facts.kernel = get("kernel").into();
    facts.kernel_arch = get("machine").into();
    facts.os.family = family(&facts.os, like);
    match get("init") {
        "" if get("pid1") == "systemd" => facts.init = "systemd".into(),
        "" => {}
        // Its link is there wherever busybox's applets are; what the kernel started may be something else.
        "busybox" if !matches!(get("pid1"), "" | "init" | "linuxrc" | "busybox") => {}
        init => facts.init = init.into(),
    }
    facts.package_manager = match get("pm") {
        "apt-get" => "apt",
        "" => "none",
        other => other,
    }
    .into();
    facts.package_arch = match get("arch") {
        "" => elf(get("elf"), &facts.os.family).into(),
        arch => arch.into(),
    };
    (facts.arch, facts.docker_platform) = userland(&facts.package_arch, &facts.kernel_arch);
    facts.memory_mib = get("memory").split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024;
    facts.cpus = cpus(get("cpus"));
    for line in addresses.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (Some(name), Some(kind), Some(address)) = (words.next(), words.next(), words.next()) else { continue };
        let name = name.split('@').next().unwrap_or(name);
        if let Some(interface) = interfaces.get_mut(name).filter(|_| kind.starts_with("inet")) {
            interface.addresses.push(address.into());
        }
    }
    for interface in interfaces.values_mut() {
        interface.addresses.sort_by_key(|address| address.contains(':'));
    }
    facts.interfaces = interfaces.into_values().collect();
    facts.default_route = route(&routes, &facts.interfaces);
    facts.boot_firmware = get("boot").into();
    let model = get("model").trim_end_matches('\0');
    if model.starts_with("Raspberry Pi") {
        facts.pi_model = model.into();
    }
    facts.ec2.instance_id = get("ec2").into();
    facts.ec2.region = get("region").into();
    facts.boot_id = get("boot_id").into();
    facts.clock = get("clock").parse().unwrap_or(0);
    if get("uidmap").split_whitespace().nth(2) == Some("1") {
        facts.uids = "single".into();
    }
    facts.sandbox = get("sandbox") == "1";
    let uid = get("uid").parse().unwrap_or(0);
    facts.identity = login(me, uid);
    facts.user = if them.is_empty() { facts.identity.clone() } else { login(them, get("login_uid").parse().unwrap_or(0)) };
    facts
}

/// An account from its line in `/etc/passwd`.
fn login(line: &str, uid: u32) -> Login {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty()).map_or_else(|| uid.to_string(), str::to_owned);
    let uid = fields.nth(1).and_then(|uid| uid.parse().ok()).unwrap_or(uid);
    Login { name, uid, home: fields.nth(2).unwrap_or_default().into() }
}

fn family(os: &Os, like: &str) -> String {
    let words: Vec<&str> = std::iter::once(os.id.as_str()).chain(like.split_whitespace()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if has(&["debian", "raspbian", "ubuntu"]) {
        "debian".into()
    } else if has(&["rhel", "fedora", "centos", "amzn", "redhat"]) {
        "redhat".into()
    } else if has(&["alpine"]) {
        "alpine".into()
    } else {
        os.id.clone()
    }
}

/// The package manager's architecture and the kernel's, as userland and docker call them. On 32-bit ARM the kernel
/// tells v6 from v7: Raspberry Pi OS runs the same packages on both.
fn userland(package: &str, kernel: &str) -> (String, String) {
    let (arch, platform) = match package {
        "arm64" | "aarch64" => ("arm64", "linux/arm64"),
        "armhf" | "armel" | "armv7" | "armv7l" if kernel.starts_with("armv6") => ("armv6", "linux/arm/v6"),
        "armhf" | "armv7" | "armv7l" | "armv7hl" => ("armv7", "linux/arm/v7"),
        "armel" | "armv6" | "armv6l" => ("armv6", "linux/arm/v6"),
        "amd64" | "x86_64" => ("amd64", "linux/amd64"),
        "i386" | "x86" | "i686" => ("386", "linux/386"),
        "riscv64" => ("riscv64", "linux/riscv64"),
        other => return (other.to_owned(), if other.is_empty() { String::new() } else { format!("linux/{other}") }),
    };
    (arch.into(), platform.into())
}

/// The architecture in an ELF header (`od -An -tx1`), in the words of the family's package manager.
fn elf(dump: &str, family: &str) -> &'static str {
    let bytes: Vec<u8> = dump.split_whitespace().filter_map(|hex| u8::from_str_radix(hex, 16).ok()).collect();
    let [0x7f, b'E', b'L', b'F', ..] = bytes[..] else { return "" };
    let debian = family == "debian";
    match (bytes.get(18), bytes.get(19)) {
        (Some(0xb7), _) => if debian { "arm64" } else { "aarch64" },
        (Some(0x28), _) => if debian { "armhf" } else { "armv7" },
        (Some(0x3e), _) => if debian { "amd64" } else { "x86_64" },
        (Some(0x03), _) => if debian { "i386" } else { "x86" },
        (Some(0xf3), _) => "riscv64",
        _ => "",
    }
}

/// How many processors a list like `0-3,5` has.
fn cpus(list: &str) -> u64 {
    list.split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            Some(to.saturating_sub(from).saturating_add(1))
        })
        .fold(0, u64::saturating_add)
}

/// The default route among the lines of `/proc/net/route`, the one with the lowest metric.
fn route(lines: &[&str], interfaces: &[Interface]) -> Route {
    let best = lines
        .iter()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, "00000000", gateway, _, _, _, metric, "00000000", ..] = words[..] else { return None };
            let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_le_bytes());
            Some((metric.parse::<u64>().ok()?, name, gateway))
        })
        .min_by_key(|(metric, ..)| *metric);
    let Some((_, name, gateway)) = best else { return Route::default() };
    let addresses: Vec<&str> = interfaces
        .iter()
        .filter(|interface| interface.name == name)
        .flat_map(|interface| &interface.addresses)
        .filter(|address| !address.contains(':'))
        .map(String::as_str)
        .collect();
    let near = addresses.iter().find(|address| {
        address.parse::<ipnetwork::Ipv4Network>().is_ok_and(|network| network.contains(gateway))
    });
    let own = near.or(addresses.first()).copied().unwrap_or_default();
    Route {
        gateway: if gateway.is_unspecified() { String::new() } else { gateway.to_string() },
        interface: name.into(),
        address: own.split('/').next().unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_32_bit_userland_on_a_64_bit_kernel_is_armv7() {
        let facts = facts("machine aarch64\narch armhf\nos ID=raspbian\nos ID_LIKE=debian\ncpus 0-3\n", "");
        assert_eq!((facts.arch.as_str(), facts.docker_platform.as_str()), ("armv7", "linux/arm/v7"));
        assert_eq!((facts.os.family.as_str(), facts.cpus), ("debian", 4));
    }

    #[test]
    fn the_kernel_says_whether_a_pi_is_armv6() {
        assert_eq!(facts("machine armv6l\narch armhf", "").docker_platform, "linux/arm/v6");
    }

    #[test]
    fn busybox_is_the_init_system_only_as_the_first_process() {
        assert_eq!(facts("pid1 dropbear\ninit busybox\n", "").init, "none");
        assert_eq!(facts("pid1 init\ninit busybox\n", "").init, "busybox");
        // Where other people's processes are hidden, the link is all there is.
        assert_eq!(facts("init busybox\n", "").init, "busybox");
    }

    #[test]
    fn the_default_route_has_the_address_that_faces_the_gateway() {
        let facts = facts(
            "net eth0 02:00:00:00:00:01\nroute Iface Destination\nroute eth0 00000000 0107A8C0 0003 0 0 100 00000000 0 0 0\n",
            "2: eth0    inet 10.0.0.5/8 brd x\n2: eth0    inet 192.168.7.31/24 brd x\n2: eth0    inet6 fe80::1/64 scope link",
        );
        assert_eq!(
            facts.default_route,
            Route { gateway: "192.168.7.1".into(), interface: "eth0".into(), address: "192.168.7.31".into() }
        );
    }
}
