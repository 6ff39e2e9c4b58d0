//! How a host is reached: typed, after defaults of the inventory and its groups have been laid beneath.

use super::fields::{Fields, first_line, hint_names, truth};
use super::keys;
use crate::lang::{Data, Diagnostic, Diagnostics, Span, Value};
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// How a host is reached.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connection {
    /// Name or address to connect to; `None`: the host's own name.
    pub address: Option<String>,
    /// `None`: 22.
    pub port: Option<u16>,
    /// `None`: the one who runs homelab.
    pub user: Option<String>,
    /// Pins of host keys; empty: known_hosts decides.
    pub host_key: Vec<String>,
    /// Private key files; a leading `~` is left as it is.
    pub key: Vec<PathBuf>,
    /// What to go through.
    pub jump: Option<Jump>,
    /// How to become another user; `None`: not.
    pub become_: Option<Become>,
    /// May be off.
    pub optional: bool,
    /// A throwaway node on this machine.
    pub sandbox: Option<Sandbox>,
    /// Seconds.
    pub connect_timeout: Option<u64>,
}

/// What a connection goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jump {
    /// Another host of the inventory, with all that it says of itself.
    Host(String),
    /// Any other machine.
    Address {
        /// Login name; `None`: the one who runs homelab.
        user: Option<String>,
        /// Name or address.
        host: String,
        /// `None`: 22.
        port: Option<u16>,
    },
}

/// How to become another user.
#[derive(Debug, Clone, PartialEq)]
pub struct Become {
    /// By what.
    pub method: Method,
    /// Whom.
    pub user: String,
    /// What it asks for; a value, for it is secret.
    pub password: Option<Value>,
}

/// What gives privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// sudo.
    Sudo,
    /// doas.
    Doas,
}

/// Options of a sandbox node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sandbox {
    /// Its sudo asks for this.
    pub sudo_password: Option<Value>,
    /// One of [`SHELLS`](keys::SHELLS); `None`: the machine's own.
    pub shell: Option<&'static str>,
}

/// Reads the merged, rendered fields of `host`. `dir` is the inventory's; `names` are all hosts.
pub fn read(host: &str, fields: &Value, dir: &Path, names: &[&str], problems: &mut Diagnostics) -> Connection {
    let Some(mut f) = Fields::open(fields, format!("the host `{host}`"), &keys::host(), &[], problems) else {
        return Connection::default();
    };
    let (key, become_, sandbox, jump) = (f.texts("key"), f.get("become"), f.get("sandbox"), f.get("jump"));
    let mut connection = Connection {
        address: f.text("address"),
        port: f.int("port", 1..=65_535).and_then(|port| u16::try_from(port).ok()),
        user: f.text("user"),
        host_key: f.texts("host_key").unwrap_or_default().into_iter().map(|(pin, _)| pin).collect(),
        key: key.unwrap_or_default().into_iter().map(|(path, _)| if path.starts_with('~') { path.into() } else { super::join(dir, &path) }).collect(),
        optional: f.bool("optional").unwrap_or(false),
        connect_timeout: f.seconds("connect_timeout"),
        ..Connection::default()
    };
    connection.become_ = become_.and_then(|value| read_become(value, problems));
    connection.sandbox = sandbox.and_then(|value| read_sandbox(value, problems));
    connection.jump = jump.and_then(|value| read_jump(value, names, problems));
    check_address(fields, problems);
    check_pins(fields, problems);
    connection
}

/// What `ssh` takes as one word are several keys here.
fn check_address(fields: &Value, problems: &mut Diagnostics) {
    let Some(value) = fields.as_map().and_then(|map| map.get("address")) else { return };
    let text = value.as_str().unwrap_or_default();
    if text.parse::<std::net::Ipv6Addr>().is_ok() || text.contains('%') {
        return;
    }
    let hint = match text.rsplit_once([':', '@']) {
        _ if text.contains("://") || text.contains(char::is_whitespace) => "write a name or an IP address",
        _ if text.starts_with('[') && text.ends_with(']') => "write an IPv6 address without the brackets",
        Some(_) if text.contains('@') => "who logs in is the key `user`, the port is `port`",
        Some((host, _)) if host.starts_with('[') || !host.contains(':') => "the port is a key of its own, `port`",
        Some(_) => "write a name or an IP address",
        None => return,
    };
    problems.push(Diagnostic::config(format!("`{}` is not an address", text.escape_debug())).maybe_at(value.origin.as_ref()).hint(hint));
}

fn check_pins(fields: &Value, problems: &mut Diagnostics) {
    let Some(value) = fields.as_map().and_then(|map| map.get("host_key")) else { return };
    let pins = value.as_seq().unwrap_or(std::slice::from_ref(value));
    for pin in pins {
        let Some(text) = pin.as_str() else { continue };
        let digest = text.strip_prefix("SHA256:");
        let looks_right = digest.is_some_and(|d| d.len() == 43) || text.starts_with("ssh-") || text.starts_with("ecdsa-");
        if !looks_right {
            problems.push(
                Diagnostic::config("`host_key` is not a fingerprint")
                    .maybe_at(pin.origin.as_ref())
                    .label("expected `SHA256:` and 43 characters, or a public key line")
                    .hint("`homelab trust` shows it; on the machine: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`"),
            );
        }
    }
}

fn read_become(value: &Value, problems: &mut Diagnostics) -> Option<Become> {
    let plain = Become { method: Method::Sudo, user: "root".into(), password: None };
    if let Some(yes) = truth(value) {
        return yes.then_some(plain);
    }
    if value.as_map().is_none() {
        let shown = value.as_str().map_or_else(|| value.type_name().to_owned(), |t| format!("`{t}`"));
        problems.push(
            Diagnostic::config(format!("`become` cannot be {shown}"))
                .maybe_at(value.origin.as_ref())
                .label("true, false or a map")
                .hint("write `become: true` for sudo, or `become: {method: doas, user: root}`"),
        );
        return None;
    }
    let mut f = Fields::open(value, "`become`", keys::BECOME, &[], problems)?;
    let method = match f.choice("method", &["sudo", "doas"]) {
        Some("doas") => Method::Doas,
        _ => Method::Sudo,
    };
    Some(Become { method, user: f.text("user").unwrap_or(plain.user), password: f.text("password").and(secret(&f, "password")) })
}

fn read_sandbox(value: &Value, problems: &mut Diagnostics) -> Option<Sandbox> {
    match truth(value) {
        Some(yes) => yes.then(Sandbox::default),
        None if value.as_map().is_none() => {
            problems.push(super::fields::wrong_type("sandbox", value, "true or a map of options"));
            None
        }
        None => {
            let mut f = Fields::open(value, "`sandbox`", keys::SANDBOX, &[], problems)?;
            Some(Sandbox { sudo_password: f.text("sudo_password").and(secret(&f, "sudo_password")), shell: f.choice("shell", keys::SHELLS) })
        }
    }
}

/// A password is secret wherever it was written.
fn secret(f: &Fields<'_, '_>, key: &str) -> Option<Value> {
    let value = f.get(key)?;
    let text = super::fields::plain_text(value)?;
    Some(Value { data: Data::Str(text), secret: true, ..value.clone() })
}

fn read_jump(value: &Value, names: &[&str], problems: &mut Diagnostics) -> Option<Jump> {
    if truth(value) == Some(false) {
        return None;
    }
    let Some(text) = value.as_str() else {
        problems.push(super::fields::wrong_type("jump", value, "a host of the inventory, or `user@host:port`"));
        return None;
    };
    if names.contains(&text) {
        return Some(Jump::Host(text.to_owned()));
    }
    let mut bad = |message: String, hint: String| {
        problems.push(Diagnostic::config(message).maybe_at(value.origin.as_ref()).hint(hint));
        None
    };
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (rest, None),
        },
    };
    if user.is_none() && port.is_none() && !host.contains(['.', ':']) {
        return bad(format!("no host is called `{text}`, so `jump` cannot go through it"), hint_names(text, "hosts", names.iter().copied()));
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return bad(format!("the port of the jump `{text}` is not a number from 1 to 65535"), "write it as `user@host:22`".into()),
    };
    if host.is_empty() || user.as_deref() == Some("") {
        return bad(format!("the jump `{text}` lacks a part"), "write it as `user@host:port`, or name a host of the inventory".into());
    }
    Some(Jump::Address { user, host: host.to_owned(), port })
}

/// Reports jumps through a sandbox, which listens on no network.
pub fn jumps_nowhere(connections: &IndexMap<String, (Connection, Option<Span>)>, problems: &mut Diagnostics) {
    for (connection, span) in connections.values().filter(|(connection, _)| connection.sandbox.is_none()) {
        if let Some(Jump::Host(through)) = &connection.jump
            && connections.get(through).is_some_and(|(through, _)| through.sandbox.is_some())
        {
            problems.push(
                Diagnostic::config(format!("`{through}` is a sandbox, so `jump` cannot go through it"))
                    .maybe_at(span.as_ref())
                    .hint("jump through a machine, or make this host a sandbox too: it is reached without a jump"),
            );
        }
    }
}

/// Reports jumps that lead back to where they began.
pub fn jump_cycles(connections: &IndexMap<String, (Connection, Option<Span>)>, problems: &mut Diagnostics) {
    let mut seen: Vec<&str> = Vec::new();
    for start in connections.keys() {
        let mut path: Vec<&str> = vec![start];
        let mut at = start.as_str();
        while let Some((Connection { jump: Some(Jump::Host(next)), .. }, span)) = connections.get(at) {
            if let Some(from) = path.iter().position(|name| name == next) {
                // Each cycle is reported once, from the first of its hosts that is met.
                if !path[from..].iter().any(|name| seen.contains(name)) {
                    seen.extend(&path[from..]);
                    let shown = path[from..].iter().copied().chain([next.as_str()]).collect::<Vec<_>>().join(" → ");
                    problems.push(
                        Diagnostic::config(format!("the jumps go in a circle: {shown}"))
                            .maybe_at(first_line(span.clone()).as_ref())
                            .label("closes the circle")
                            .hint("one of these hosts must be reachable without the others; `jump: false` takes a default back"),
                    );
                }
                break;
            }
            path.push(next);
            at = next;
        }
    }
}
