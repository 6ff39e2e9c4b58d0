//! Which ops may cut the line: after them it could be that nobody can log in any more. Before the first of a play the
//! guard is armed. Judged by what they touch; a task's `guard:` knows better.

use super::World;
use super::journal::Touch;
use super::op::{Op, UserOp};
use super::probe::Command;

/// Files and directories, with all below them.
const PATHS: &[&str] = &[
    "/etc/ssh", "/etc/dropbear", "/etc/sudoers", "/etc/sudoers.d", "/etc/doas.conf", "/etc/doas.d", "/etc/pam.d", "/etc/security", "/etc/nsswitch.conf",
    "/etc/hosts.allow", "/etc/hosts.deny", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/shells",
    "/etc/network", "/etc/netplan", "/etc/NetworkManager", "/etc/systemd/network", "/etc/systemd/networkd.conf", "/etc/systemd/networkd.conf.d",
    "/etc/wpa_supplicant", "/etc/dhcpcd.conf", "/etc/dhcp", "/etc/iproute2", "/etc/wireguard",
    "/etc/nftables.conf", "/etc/nftables.d", "/etc/nftables", "/etc/iptables", "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables",
    "/etc/sysconfig/network", "/etc/sysconfig/network-scripts", "/etc/ufw", "/etc/default/ufw", "/etc/firewalld", "/etc/fail2ban",
    "/etc/fstab", "/etc/crypttab", "/boot", "/etc/default/grub", "/etc/modprobe.d", "/etc/systemd/system/ssh.service.d", "/etc/systemd/system/sshd.service.d",
];
/// Units, without their suffix.
const UNITS: &[&str] = &[
    "ssh", "sshd", "dropbear", "networking", "network", "NetworkManager", "systemd-networkd", "systemd-resolved", "dhcpcd", "wpa_supplicant", "netplan",
    "nftables", "iptables", "ip6tables", "netfilter-persistent", "ufw", "firewalld", "fail2ban", "systemd-logind", "systemd-user-sessions",
];
/// Packages whose coming, going or change does the same.
const PACKAGES: &[&str] = &[
    "openssh-server", "dropbear", "dropbear-bin", "sudo", "doas", "opendoas", "ifupdown", "netplan.io", "network-manager", "dhcpcd5", "dhcpcd", "dhcpcd-base",
    "wpasupplicant", "nftables", "iptables", "iptables-persistent", "ufw", "firewalld", "fail2ban", "systemd", "systemd-sysv", "libpam-modules", "libpam-runtime",
];
/// Groups that a login needs to have its way.
const GROUPS: &[&str] = &["sudo", "wheel", "admin", "ssh", "sshusers", "ssh-users"];
/// Programs that set what a line goes through.
const PROGRAMS: &[&str] = &[
    "iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft", "nft", "ufw",
    "firewall-cmd", "netplan", "nmcli", "ifup", "ifdown", "ifconfig", "wpa_cli", "reboot", "shutdown", "poweroff", "halt",
];

impl Op {
    /// Whether it may be that nobody can log in any more after it.
    pub fn cuts_line(&self, world: &World) -> bool {
        let login = &world.facts.user;
        match self {
            // Whom the node knows: it calls others by it.
            Op::Put { path, .. } if path.ends_with("/known_hosts") || path.ends_with("/ssh_known_hosts") => false,
            Op::Put { path, .. } | Op::Mkdir { path, .. } | Op::Attr { path, .. } | Op::Link { path, .. } => {
                listed(path) || keys(path, &login.home) || (matches!(self, Op::Attr { .. }) && above(path, &login.home))
            }
            Op::Remove { path } => listed(path) || keys(path, &login.home) || above(path, &login.home) || PATHS.iter().any(|listed| above(path, listed)),
            Op::Packages { install, remove, .. } => {
                install.iter().chain(remove).any(|wanted| PACKAGES.contains(&wanted.split(['=', ':']).next().unwrap_or(wanted)))
            }
            Op::Unit { name, .. } => unit(name),
            Op::Group { name, present, gid, .. } => {
                GROUPS.contains(&name.as_str()) && !present || (gid.is_some() && *name == login.name && world.group(name).flatten().is_some())
            }
            Op::User(user) => user.name == login.name && locks_out(user),
            Op::Sysctl { key, .. } => parameter(key),
            Op::Reboot { .. } => true,
            Op::Tool(tool) => tool.cuts_line,
            Op::Run { command, .. } => runs(command),
            Op::DaemonReload | Op::Crontab { .. } | Op::Hostname { .. } => false,
        }
    }
}

/// Whether it may be that nobody can log in as `login` any more when what a run did to `touch` is taken back. A journal tells
/// less than an op does, and is taken for the worse.
pub fn back_cuts_line(touch: &Touch, login: &str) -> bool {
    let name = touch.name.as_str();
    match touch.kind.as_str() {
        "put" | "mkdir" | "attr" | "link" | "remove" => {
            let under = |path: &str| above(name, path);
            listed(name) || name.split('/').any(|part| part == ".ssh") || under(&format!("/home/{login}")) || under("/root") || PATHS.iter().any(|path| under(path))
        }
        "unit" => unit(name),
        "packages" => name.split(',').any(|package| PACKAGES.contains(&package.split(['_', '=', ':']).next().unwrap_or(package))),
        "group" => GROUPS.contains(&name) || name == login,
        "user" => name == login,
        "sysctl" => parameter(&name.replace('/', ".")),
        _ => false,
    }
}

fn parameter(key: &str) -> bool {
    key.ends_with(".disable_ipv6") || key.ends_with(".rp_filter") || key.starts_with("net.ipv4.conf.") && !key.ends_with("forwarding")
}

fn listed(path: &str) -> bool {
    PATHS.iter().any(|listed| path == *listed || above(listed, path))
}

/// Whether `path` is `dir` or lies below it.
fn above(dir: &str, path: &str) -> bool {
    !path.is_empty() && path.strip_prefix(dir.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it is where a login's keys are looked for.
fn keys(path: &str, home: &str) -> bool {
    match path.strip_prefix(home.trim_end_matches('/')) {
        Some(rest) if !home.is_empty() => rest == "/.ssh" || rest.starts_with("/.ssh/"),
        _ => false,
    }
}

fn unit(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.split('@').next().unwrap_or(stem);
    UNITS.contains(&stem)
}

/// What of an account decides whether it can log in, and become another.
fn locks_out(user: &UserOp) -> bool {
    !user.present || user.uid.is_some() || user.group.is_some() || user.groups.is_some() || user.home.is_some() || user.shell.is_some() || user.password.is_some()
}

/// Whether a command, or a script's words, name one of the programs, or a unit for systemctl or service.
fn runs(command: &Command) -> bool {
    let words: Vec<&str> = match &command.argv[..] {
        [script] if command.shell => script.split(|c: char| c.is_whitespace() || ";|&()`\"'".contains(c)).filter(|word| !word.is_empty()).collect(),
        argv => argv.iter().map(String::as_str).collect(),
    };
    let program = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let first = if command.shell { words.len() } else { 1 };
    let names: Vec<String> = words.iter().take(first).map(|word| program(word)).collect();
    if names.iter().any(|name| PROGRAMS.contains(&name.as_str())) {
        return true;
    }
    let managed = names.iter().any(|name| ["systemctl", "service", "rc-service"].contains(&name.as_str()));
    let network = names.iter().any(|name| name == "ip") && words.iter().any(|word| ["add", "del", "delete", "set", "flush", "replace", "change"].contains(word));
    network || (managed && words.iter().any(|word| unit(word) || *word == "reboot"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::op::{Content, UnitAct};
    use crate::node::{Answers, Facts};

    fn world() -> World {
        let mut facts = Facts::default();
        facts.user.name = "pi".into();
        facts.user.home = "/home/pi".into();
        World::new(facts, Answers::new())
    }

    fn put(path: &str) -> Op {
        Op::Put { path: path.into(), content: Content::inline("x", false), mode: 0o644, owner: None, group: None, validate: None }
    }

    fn run(script: &str, shell: bool) -> Op {
        let argv = if shell { vec![script.into()] } else { script.split(' ').map(str::to_owned).collect() };
        Op::Run { command: Command { argv, shell, ..Command::default() }, undo: None, ok: vec![], creates: vec![], brings: vec![], again: false }
    }

    #[test]
    fn what_a_login_goes_through_is_guarded() {
        let unit = |name: &str| Op::Unit { name: name.into(), act: UnitAct::Restart };
        let user = |change: fn(&mut UserOp)| {
            let mut user = UserOp { name: "pi".into(), present: true, exists: true, ..UserOp::default() };
            change(&mut user);
            Op::User(user)
        };
        for op in [
            put("/etc/ssh/sshd_config"), put("/etc/sudoers.d/pi"), put("/etc/sudoers"), put("/boot/firmware/config.txt"), put("/home/pi/.ssh/authorized_keys"),
            put("/etc/nftables.conf"), put("/etc/network/interfaces"), Op::Remove { path: "/home/pi".into() }, Op::Remove { path: "/etc".into() },
            Op::Attr { path: "/home/pi".into(), mode: Some(0o777), owner: None, group: None },
            unit("ssh.service"), unit("sshd.socket"), unit("wpa_supplicant@wlan0.service"), unit("ssh"),
            user(|user| user.present = false), user(|user| user.groups = Some(vec![])), user(|user| user.shell = Some("/bin/false".into())),
            Op::Packages { install: vec![], remove: vec!["openssh-server".into()], purge: false, refresh: false, lock_timeout: 0, lost: false },
            Op::Group { name: "sudo".into(), present: false, gid: None, system: false },
            Op::Sysctl { key: "net.ipv6.conf.all.disable_ipv6".into(), value: "1".into() },
            Op::Reboot { timeout: 1, connect: None, message: String::new() },
            run("/usr/sbin/nft -f /etc/x", false), run("systemctl restart ssh", false), run("ip route replace default via 10.0.0.1", false),
            run("iptables -A INPUT -j DROP; true", true), run("systemctl restart sshd.service", true),
        ] {
            assert!(op.cuts_line(&world()), "{op:?}");
        }
    }

    #[test]
    fn what_it_does_not_go_through_is_not() {
        for op in [
            put("/etc/sshx"), put("/etc/motd"), put("/home/pi/.ssh/known_hosts"), put("/etc/ssh/ssh_known_hosts"), put("/home/pi2/.ssh/authorized_keys"), put("/home/pi/notes"), put("/etc/systemd/system/app.service"),
            Op::Mkdir { path: "/srv".into(), mode: 0o755, owner: None, group: None }, Op::Remove { path: "/etc/motd".into() },
            Op::Unit { name: "nginx.service".into(), act: UnitAct::Restart }, Op::DaemonReload,
            Op::User(UserOp { name: "pi".into(), present: true, exists: true, comment: Some("x".into()), ..UserOp::default() }),
            Op::User(UserOp { name: "deploy".into(), groups: Some(vec![]), ..UserOp::default() }),
            Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() },
            Op::Sysctl { key: "net.ipv4.conf.all.forwarding".into(), value: "1".into() },
            run("systemctl restart nginx", false), run("echo nft", false), run("ip addr show", false), run("make ssh", true),
        ] {
            assert!(!op.cuts_line(&world()), "{op:?}");
        }
    }

    #[test]
    fn a_journal_tells_what_taking_back_goes_through() {
        let touch = |kind: &str, name: &str| Touch { kind: kind.into(), class: "f".into(), name: name.into() };
        for (kind, name) in [
            ("put", "/etc/ssh/sshd_config"), ("remove", "/etc"), ("put", "/home/pi/.ssh/authorized_keys"), ("mkdir", "/root/.ssh"), ("attr", "/home/pi"), ("attr", "/home"),
            ("unit", "ssh.service"), ("packages", "nginx,openssh-server_1:9.2_arm64"), ("group", "sudo"), ("user", "pi"), ("sysctl", "net/ipv6/conf/all/disable_ipv6"),
        ] {
            assert!(back_cuts_line(&touch(kind, name), "pi"), "{kind} {name}");
        }
        for (kind, name) in [("put", "/etc/motd"), ("put", "/home/pi/notes"), ("mkdir", "/srv"), ("unit", "nginx.service"), ("packages", "nginx,ssh-audit"), ("group", "git"), ("user", "git"), ("sysctl", "net/ipv4/ip_forward"), ("run", ""), ("reboot", "")] {
            assert!(!back_cuts_line(&touch(kind, name), "pi"), "{kind} {name}");
        }
    }
}
