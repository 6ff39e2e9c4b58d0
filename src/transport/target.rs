//! Where a node is and how to get in: the resolved form of a host's connection settings.

use crate::lang::Span;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// A text that is never shown and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹masked›")
    }
}

/// How privilege is gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `sudo`
    Sudo,
    /// `doas`, which cannot take a password without a terminal.
    Doas,
}

impl Method {
    /// Its program.
    pub fn name(self) -> &'static str {
        match self {
            Method::Sudo => "sudo",
            Method::Doas => "doas",
        }
    }
}

/// As whom the node's program runs, when not as the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Become {
    /// How.
    pub method: Method,
    /// Whom; `root` unless said otherwise.
    pub user: String,
    /// What `sudo` asks for. None: it must not ask.
    pub password: Option<Secret>,
}

/// One host to connect to.
#[derive(Debug, Clone)]
pub struct Target {
    /// What messages call it: its name in the inventory, or `user@host:port`.
    pub name: String,
    /// Name or IP address, as the last jump host (or, without one, this machine) resolves it.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Key files, tried in this order; a leading `~` is the home directory. Empty: the agent's keys and the default files of `~/.ssh`.
    pub keys: Vec<PathBuf>,
    /// Whether the keys of the agent at `SSH_AUTH_SOCK` may be offered.
    pub agent: bool,
    /// Host keys that are trusted, as `SHA256:…` or as public key lines. Not empty: these and no others, whatever known_hosts says.
    pub pins: Vec<String>,
    /// The name to look up in known_hosts in place of the address.
    pub host_key_alias: Option<String>,
    /// Hosts to go through, outermost first. Their own `jumps` are not read: the list is already flat.
    pub jumps: Vec<Target>,
    /// As whom to run.
    pub privilege: Option<Become>,
    /// How long connecting and logging in may take. Time spent waiting for a person does not count.
    pub connect_timeout: Duration,
    /// How often a silent line is asked whether it is still there; after three unanswered questions it is lost.
    pub keepalive: Option<Duration>,
    /// Where the host was written, for errors.
    pub span: Option<Span>,
}

impl Target {
    /// A target with the defaults: port 22, agent and default keys, 10 s to connect, keepalive every 15 s.
    pub fn new(name: impl Into<String>, address: impl Into<String>, user: impl Into<String>) -> Self {
        Target {
            name: name.into(),
            address: address.into(),
            port: 22,
            user: user.into(),
            keys: Vec::new(),
            agent: true,
            pins: Vec::new(),
            host_key_alias: None,
            jumps: Vec::new(),
            privilege: None,
            connect_timeout: Duration::from_secs(10),
            keepalive: Some(Duration::from_secs(15)),
            span: None,
        }
    }

    /// `address:port`, an IPv6 address in brackets.
    pub fn endpoint(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }

    /// Whether it is no host of the inventory, but a jump host that was written as `user@host:port`.
    pub fn is_outside(&self) -> bool {
        self.name == format!("{}@{}", self.user, self.endpoint())
    }

    /// How `homelab trust` is told to meet it.
    pub(super) fn trust_command(&self) -> String {
        match self.is_outside() {
            true => "homelab trust INVENTORY".into(),
            false => format!("homelab trust INVENTORY --limit {}", self.name),
        }
    }

    /// The name that known_hosts files have it under: `host`, or `[host]:port` where the port is not 22.
    pub fn known_as(&self) -> String {
        match &self.host_key_alias {
            Some(alias) => alias.to_lowercase(),
            None if self.port == 22 => self.address.to_lowercase(),
            None => format!("[{}]:{}", self.address.to_lowercase(), self.port),
        }
    }

    /// What tells one login from another: targets that agree on it can share a connection.
    pub(super) fn identity(&self) -> String {
        let Target { address, port, user, keys, agent, pins, host_key_alias, .. } = self;
        format!("{user:?}@{address:?}:{port} {keys:?} {agent} {pins:?} {host_key_alias:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_endpoints_as_ssh_does() {
        let mut target = Target::new("pi", "Pi.lan", "pi");
        assert_eq!((target.endpoint().as_str(), target.known_as().as_str()), ("Pi.lan:22", "pi.lan"));
        target.port = 2222;
        assert_eq!(target.known_as(), "[pi.lan]:2222");
        target.address = "fe80::1".into();
        assert_eq!((target.endpoint().as_str(), target.known_as().as_str()), ("[fe80::1]:2222", "[fe80::1]:2222"));
        target.host_key_alias = Some("Pool".into());
        assert_eq!(target.known_as(), "pool");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let privilege = Become { method: Method::Sudo, user: "root".into(), password: Some(Secret::new("hunter2")) };
        assert!(!format!("{privilege:?}").contains("hunter2"));
    }
}
