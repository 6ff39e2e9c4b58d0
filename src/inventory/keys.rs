//! The keys of an inventory: one table for the loader, for "did you mean" and for the editor's schema.

use super::fields::{Key, Shape};

/// How a host is reached: on a host, on a group, or at the top as a default; the deeper place wins.
pub const CONNECTION: &[Key] = &[
    Key::new("address", Shape::Text, "Name or address to connect to; by default the host's name."),
    Key::new("port", Shape::Int, "Port of its SSH server; by default 22."),
    Key::new("user", Shape::Text, "Login name; by default yours."),
    Key::new("host_key", Shape::Texts, "Pin of its host key, like `SHA256:…`, or several; by default known_hosts decides."),
    Key::new("key", Shape::Texts, "Private key file, or several; relative to the inventory."),
    Key::new("jump", Shape::Text, "Go through this host: one of the inventory, or `user@host:port`. `false` takes a default back."),
    Key::new("become", Shape::Any, "How to become root: `true` for sudo, or a map with `method`, `user`, `password`."),
    Key::new("optional", Shape::Bool, "May be off: not reaching it is not a failure."),
    Key::new("sandbox", Shape::Any, "A throwaway node on this machine: `true`, or a map of options."),
    Key::new("connect_timeout", Shape::Seconds, "How long to wait for a connection; by default 10 seconds."),
];

/// Keys that hold variables, at every level.
pub const VARIABLES: &[Key] = &[
    Key::new("vars", Shape::Map, "Variables."),
    Key::new("vars_files", Shape::Texts, "YAML files of variables, relative to this file; `vars` beside them win."),
];

/// Keys of the top level only.
pub const TOP: &[Key] = &[
    Key::new("playbooks", Shape::Texts, "What is applied when no playbook is named; relative to this file."),
    Key::new("groups", Shape::Map, "Groups of hosts, by name."),
    Key::new("hosts", Shape::Map, "Hosts, by name or range (`pi-[1:3]`)."),
];

/// Keys of a group only.
pub const GROUP: &[Key] = &[
    Key::new("hosts", Shape::Texts, "Its hosts, by name or range (`pi-[1:3]`)."),
    Key::new("children", Shape::Texts, "Groups that belong to it."),
];

/// Keys of `become:`.
pub const BECOME: &[Key] = &[
    Key::new("method", Shape::Choice(&["sudo", "doas"]), "What gives the privilege; by default `sudo`."),
    Key::new("user", Shape::Text, "Whom to become; by default `root`."),
    Key::new("password", Shape::Text, "The password it asks for; best an encrypted value."),
];

/// Keys of `sandbox:`.
pub const SANDBOX: &[Key] = &[
    Key::new("sudo_password", Shape::Text, "sudo on the sandbox node asks for this password."),
    Key::new("shell", Shape::Choice(SHELLS), "What `sh` is there, and with it the family of tools."),
];

/// The shells of a sandbox.
pub const SHELLS: &[&str] = &["dash", "bash", "busybox"];

/// All keys of the top level.
pub fn top() -> Vec<Key> {
    [TOP, VARIABLES, CONNECTION].concat()
}

/// All keys of a group.
pub fn group() -> Vec<Key> {
    [GROUP, VARIABLES, CONNECTION].concat()
}

/// All keys of a host.
pub fn host() -> Vec<Key> {
    [CONNECTION, VARIABLES].concat()
}
