//! The tools of a sandbox: copies of this machine's, with their libraries. They belong to homelab: another version
//! copies them anew, and nothing else of the node is touched then.

use super::elf::{Elf, Loader};
use super::{Shell, trouble, trouble_at};
use crate::lang::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Changed whenever the lists below are.
const GENERATION: u32 = 1;

/// Without these no node.
const ESSENTIAL: &str = "sh awk base64 cat chmod chown cp cut date dd env false find grep head id ln ls mkdir mkfifo mktemp mv od \
    readlink rm rmdir sed sha256sum sleep sort stat sync tail tar test touch tr true uname wc xargs";

/// Taken where this machine has them.
const WANTED: &str = "dash bash [ arch b2sum base32 basename basenc cksum comm csplit dir dircolors dirname du echo egrep expand expr \
    factor fgrep fmt fold groups gunzip gzip zcat hostid install join link logname md5sum mknod nice nl nohup nproc numfmt \
    paste pathchk pinky pr printenv printf ptx pwd realpath seq sha1sum sha224sum sha384sum sha512sum shred shuf split stdbuf \
    stty sum tac tee timeout truncate tsort tty unexpand uniq unlink users vdir who whoami yes chgrp df mawk gawk xz bzip2 zstd \
    cmp diff patch getent getopt flock setsid setpriv setarch runuser su hostname ip ss kill ps pgrep pkill uptime free sysctl \
    useradd userdel usermod groupadd groupdel groupmod groupmems gpasswd chpasswd chage passwd pwck grpck newgrp \
    crontab iptables iptables-save iptables-restore ip6tables ip6tables-save nft mountpoint findmnt mount umount \
    logger openssl ssh-keygen visudo which tzselect locale localedef clear less";

/// Tools that homelab wraps, because they show the machine where there is no namespace to hide it.
pub const WRAPPED: &[&str] = &["hostname", "uname"];
/// Where the wrapped ones are.
pub const ASIDE: &str = "usr/lib/homelab-sandbox";

/// Modules of PAM, which the account tools load by name.
const PAM: &[&str] = &["pam_unix.so", "pam_permit.so", "pam_rootok.so", "pam_deny.so"];

/// Copies the tools into `root`, unless the stamp in `dir` says that they are these already.
pub fn install(dir: &Path, root: &Path, shell: Option<Shell>) -> Result<(), Diagnostic> {
    let stamp = dir.join("tools");
    let wished = format!("{} {GENERATION} {}\n", env!("CARGO_PKG_VERSION"), shell.map_or("default", Shell::name));
    let before = fs::read_to_string(&stamp).unwrap_or_default();
    if before.starts_with(&wished) {
        return Ok(());
    }
    let mut copier =
        Copier { root, loader: Loader::new(), placed: BTreeMap::new(), libraries: BTreeSet::new(), lib_dir: None, made: BTreeSet::new() };
    if shell == Some(Shell::Busybox) {
        busybox(&mut copier)?;
    } else {
        machine(&mut copier, shell)?;
    }
    // What an earlier homelab brought and this one does not is taken away; what the user put there stays.
    for old in before.lines().skip(1).filter(|old| !copier.made.contains(*old)) {
        let _ = fs::remove_file(root.join(old));
    }
    let made: String = copier.made.iter().map(|path| format!("{path}\n")).collect();
    fs::write(&stamp, wished + &made).map_err(|e| trouble_at("write", &stamp, e))
}

fn machine(copier: &mut Copier<'_>, shell: Option<Shell>) -> Result<(), Diagnostic> {
    let sh = match shell {
        Some(Shell::Bash) => find("bash").ok_or_else(|| missing("bash"))?,
        Some(_) => find("dash").ok_or_else(|| missing("dash"))?,
        None => find("dash").or_else(|| find("sh")).ok_or_else(|| missing("sh"))?,
    };
    for tool in ESSENTIAL.split_whitespace().chain(WANTED.split_whitespace()) {
        let source = if tool == "sh" { Some(sh.clone()) } else { find(tool) };
        match source {
            Some(path) => copier.tool(tool, &path)?,
            None if ESSENTIAL.split_whitespace().any(|e| e == tool) => return Err(missing(tool)),
            None => {}
        }
    }
    let security: Vec<PathBuf> = copier.lib_dir.iter().flat_map(|lib| [lib.join("security"), PathBuf::from("/usr/lib/security")]).collect();
    for module in PAM {
        if let Some(path) = security.iter().map(|dir| dir.join(module)).find(|path| path.is_file()) {
            let at = copier.lib_dest().join("security").join(module);
            copier.file(&path, &at)?;
            copier.libraries_of(&path)?;
        }
    }
    Ok(())
}

/// A busybox node has its applets and nothing else: no account tools of another family, no bash.
fn busybox(copier: &mut Copier<'_>) -> Result<(), Diagnostic> {
    let path = find("busybox").ok_or_else(|| missing("busybox"))?;
    let list = std::process::Command::new(&path).arg("--list-full").output().map_err(|e| trouble_at("run", &path, e))?;
    copier.tool("busybox", &path)?;
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let Some(name) = line.rsplit('/').next().filter(|name| !name.is_empty() && *name != "busybox") else { continue };
        // What would act on the machine, or shadow homelab's own.
        if ["init", "linuxrc", "reboot", "halt", "poweroff", "rpm", "dpkg", "dpkg-deb", "hwclock", "insmod", "modprobe", "rmmod"].contains(&name) {
            continue;
        }
        let folder = if line.contains("sbin/") { "usr/sbin" } else { "usr/bin" };
        copier.link(&home(name, folder), "/usr/bin/busybox")?;
    }
    Ok(())
}

fn missing(tool: &str) -> Diagnostic {
    trouble("a sandbox cannot be made of this machine's tools", format_args!("`{tool}` is not in PATH"))
        .hint(format!("install `{tool}`; on Debian it comes with {}", match tool {
            "busybox" => "the package busybox-static",
            "dash" | "bash" => "the package of that name",
            "awk" => "the package mawk",
            "xargs" | "find" => "the package findutils",
            _ => "every installation (coreutils, sed, grep, tar)",
        }))
}

/// Where this machine keeps `tool`; the sbin directories are searched though a user's PATH may lack them.
fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().map(PathBuf::from).chain(std::env::split_paths(&path)).map(|dir| dir.join(tool)).find(|path| {
        path.is_absolute() && fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
    })
}

struct Copier<'a> {
    root: &'a Path,
    loader: Loader,
    /// By device and inode of the source: a multi-call binary is copied once and linked.
    placed: BTreeMap<(u64, u64), PathBuf>,
    libraries: BTreeSet<PathBuf>,
    /// Where this machine's libc is: all libraries go there, since the loader looks there without a cache.
    lib_dir: Option<PathBuf>,
    /// All that was put there, relative to the root.
    made: BTreeSet<String>,
}

/// Where a tool goes. Two are kept aside: scripts of homelab stand before them (see `skeleton`).
fn home(name: &str, folder: &str) -> PathBuf {
    if WRAPPED.contains(&name) { Path::new(ASIDE).join(name) } else { Path::new(folder).join(name) }
}

impl Copier<'_> {
    fn tool(&mut self, name: &str, source: &Path) -> Result<(), Diagnostic> {
        let folder = if source.parent().is_some_and(|p| p.ends_with("sbin")) { "usr/sbin" } else { "usr/bin" };
        let inside = home(name, folder);
        let at = self.root.join(&inside);
        let meta = fs::metadata(source).map_err(|e| trouble_at("read", source, e))?;
        if let Some(first) = self.placed.get(&(meta.dev(), meta.ino())) {
            let target = Path::new("/").join(first).to_string_lossy().into_owned();
            return self.link(&inside, &target);
        }
        if fs::File::open(source).is_err() {
            // Some tools may be run but not read by everyone (`sudo`): the node does without.
            return Ok(());
        }
        self.file(source, &at)?;
        self.placed.insert((meta.dev(), meta.ino()), inside);
        self.libraries_of(source)
    }

    fn libraries_of(&mut self, source: &Path) -> Result<(), Diagnostic> {
        let bytes = fs::read(source).map_err(|e| trouble_at("read", source, e))?;
        let Some(elf) = Elf::parse(&bytes) else { return Ok(()) };
        if let Some(interpreter) = elf.interpreter.as_deref().map(Path::new)
            && self.libraries.insert(interpreter.to_owned())
        {
            let at = self.inside(interpreter);
            self.file(interpreter, &at)?;
        }
        let real = source.canonicalize().unwrap_or_else(|_| source.to_owned());
        // The loader may be named as a library too; it is where it must be already.
        for name in elf.needed.iter().filter(|name| !name.starts_with("ld-")) {
            let Some(path) = self.loader.find(name, &elf, &real) else { continue };
            if name.starts_with("libc.") && self.lib_dir.is_none() {
                self.lib_dir = path.parent().map(Path::to_owned);
            }
            if self.libraries.insert(PathBuf::from(name)) {
                let at = self.lib_dest().join(name);
                self.file(&path, &at)?;
                self.libraries_of(&path)?;
            }
        }
        Ok(())
    }

    fn lib_dest(&self) -> PathBuf {
        self.inside(self.lib_dir.as_deref().unwrap_or(Path::new("/usr/lib")))
    }

    /// Where a path of this machine is in the root, whose `/lib` and `/bin` are links into `/usr`.
    fn inside(&self, path: &Path) -> PathBuf {
        let rest = path.strip_prefix("/").unwrap_or(path);
        let merged = ["lib", "lib64", "lib32", "bin", "sbin"].iter().any(|top| rest.starts_with(top));
        if merged { self.root.join("usr").join(rest) } else { self.root.join(rest) }
    }

    /// Copies one file, by way of a new name: the old one may be running.
    fn file(&mut self, source: &Path, at: &Path) -> Result<(), Diagnostic> {
        let folder = at.parent().unwrap_or(self.root);
        fs::create_dir_all(folder).map_err(|e| trouble_at("make", folder, e))?;
        let fresh = folder.join(".homelab-new");
        let _ = fs::remove_file(&fresh);
        fs::copy(source, &fresh)
            // Set-uid and set-gid bits stay behind: nothing in a sandbox gains privileges by being run.
            .and_then(|_| fs::set_permissions(&fresh, Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&fresh, at))
            .map_err(|e| trouble_at("copy to", at, e))?;
        self.note(at);
        Ok(())
    }

    /// Makes `path` of the root a link that says `target`, replacing what is there.
    fn link(&mut self, path: &Path, target: &str) -> Result<(), Diagnostic> {
        let at = self.root.join(path);
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder).map_err(|e| trouble_at("make", folder, e))?;
        }
        let _ = fs::remove_file(&at);
        symlink(target, &at).map_err(|e| trouble_at("link", &at, e))?;
        self.note(&at);
        Ok(())
    }

    fn note(&mut self, at: &Path) {
        if let Ok(path) = at.strip_prefix(self.root) {
            self.made.insert(path.to_string_lossy().into_owned());
        }
    }
}
