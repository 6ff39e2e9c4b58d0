//! A sandbox's directory: `root/` is the node's file system, beside it are its keys and the state of its power.

use super::{keys, skeleton, tools, trouble, trouble_at};
use crate::lang::diagnostic::{Diagnostic, Kind};
use russh::keys::PrivateKey;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The shell behind `/bin/sh`, and with it the family of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// dash and the machine's tools.
    Dash,
    /// bash as `sh` and the machine's tools.
    Bash,
    /// busybox and its applets, nothing else.
    Busybox,
}

/// What sandbox is wished for.
#[derive(Debug, Clone)]
pub struct SandboxSpec {
    /// The host's name in the inventory; the node's first host name.
    pub name: String,
    /// The login name.
    pub user: String,
    /// What its `sudo` asks for; `None` asks for nothing.
    pub sudo_password: Option<String>,
    /// The shell; `None` takes dash where it is, else what this machine's `sh` is.
    pub shell: Option<Shell>,
}

/// A sandbox that exists: made, but not necessarily running.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Its directory.
    pub(super) dir: PathBuf,
    /// The only login it accepts.
    pub(super) user: String,
    /// Its host key.
    pub(super) host_key: PrivateKey,
}

/// Whether this process can give files to other users; decided by the real user, since root always can.
pub(super) fn all_uids() -> bool {
    nix::unistd::geteuid().is_root()
}

impl Sandbox {
    /// Makes the sandbox at `dir` unless it is there. Later calls leave what is in it alone, except for the tools when
    /// homelab or the wished shell has changed, the sudo password, and a login that does not exist yet.
    pub fn prepare(dir: &Path, spec: &SandboxSpec) -> Result<Sandbox, Diagnostic> {
        check(spec)?;
        // 0755, so that a login without privileges can pass through; what must not be read is 0600 itself.
        DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(|e| trouble_at("make", dir, e))?;
        let dir = dir.canonicalize().map_err(|e| trouble_at("find", dir, e))?;
        owned(&dir)?;
        let lock = dir.join("lock");
        let held = File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(|e| trouble_at("lock", &lock, e))?;
        let root = dir.join("root");
        skeleton::make(&dir, &root, spec)?;
        tools::install(&dir, &root, spec.shell)?;
        skeleton::refresh(&root, spec)?;
        let host_key = keys::load_or_make(&dir.join("host_key"))?;
        let client_key = keys::load_or_make(&dir.join("client_key"))?;
        skeleton::authorize(&dir, &root, &spec.user, client_key.public_key())?;
        drop(held);
        Ok(Sandbox { dir, user: spec.user.clone(), host_key })
    }

    /// The directory that holds it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The node's file system as this machine sees it.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// The login name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The fingerprint of its host key: `SHA256:…`.
    pub fn pin(&self) -> String {
        self.host_key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string()
    }

    /// The private key that its login accepts.
    pub fn client_key_path(&self) -> PathBuf {
        self.dir.join("client_key")
    }
}

fn check(spec: &SandboxSpec) -> Result<(), Diagnostic> {
    let plain = |name: &str, more: &str| {
        !name.is_empty() && name.len() < 33 && !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !plain(&spec.user, "_-") {
        return Err(Diagnostic::config(format!("`{}` cannot be a login name in a sandbox", spec.user))
            .hint("use up to 32 letters, digits, `_` and `-`"));
    }
    if !(spec.name.len() < 64 && plain(spec.name.get(..32).unwrap_or(&spec.name), "-.") && spec.name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))) {
        return Err(Diagnostic::config(format!("`{}` cannot be the name of a sandbox: it is its host name too", spec.name))
            .hint("use up to 63 letters, digits, `-` and `.`"));
    }
    if spec.sudo_password.as_deref().is_some_and(|p| p.contains(['\n', '\0'])) {
        return Err(Diagnostic::config("the sandbox's sudo password holds a line break, which sudo could never read")
            .hint("leave it out of the password"));
    }
    Ok(())
}

/// A sandbox of another user cannot be worked on: neither its files nor its keys would be right.
fn owned(dir: &Path) -> Result<(), Diagnostic> {
    let marker = dir.join("root");
    let Ok(meta) = fs::metadata(&marker) else { return Ok(()) };
    let me = nix::unistd::geteuid().as_raw();
    if meta.uid() == me {
        return Ok(());
    }
    Err(trouble(format_args!("the sandbox at {} belongs to user {}", dir.display(), meta.uid()), format_args!("this is user {me}"))
        .hint(format!("run as the user that made it, or remove {} to have it made anew", dir.display())))
}

impl Shell {
    /// How it is written in an inventory.
    pub fn parse(word: &str) -> Result<Shell, Diagnostic> {
        match word {
            "dash" => Ok(Shell::Dash),
            "bash" => Ok(Shell::Bash),
            "busybox" => Ok(Shell::Busybox),
            _ => Err(Diagnostic::new(Kind::Config, format!("`{word}` is not a shell that a sandbox can have"))
                .hint("use `dash`, `bash` or `busybox`")),
        }
    }

    /// The same word back.
    pub fn name(self) -> &'static str {
        match self {
            Shell::Dash => "dash",
            Shell::Bash => "bash",
            Shell::Busybox => "busybox",
        }
    }
}
