//! What a sandbox's root has beside the tools: its own `/etc`, accounts, homes and empty directories, made once and then
//! the user's; and the few files that are homelab's and are brought up to date each time.

use super::tools::{ASIDE, WRAPPED};
use super::{SandboxSpec, Shell, keys, root::all_uids, trouble_at};
use crate::lang::diagnostic::Diagnostic;
use russh::keys::PublicKey;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// Says that this is a sandbox and what it lacks; the runtime's facts read it.
pub const MARKER: &str = "etc/homelab-sandbox";
/// Salt and digest of the sudo password; root's only.
pub const SUDO: &str = "etc/homelab-sandbox.sudo";
/// Where `reboot` asks the sandbox's first process to end.
pub const POWER: &str = "run/homelab-power";
/// Where `sudo` asks the sandbox's first process.
pub const SUDO_DIR: &str = "run/homelab-sudo";

const DIRS: &[(&str, u32)] = &[
    ("usr/bin", 0o755), ("usr/sbin", 0o755), ("usr/lib", 0o755), ("usr/lib64", 0o755), ("usr/local/bin", 0o755),
    ("usr/local/sbin", 0o755), ("usr/share", 0o755), (ASIDE, 0o755), ("etc", 0o755), ("etc/default", 0o755), ("etc/skel", 0o755),
    ("etc/pam.d", 0o755), ("etc/ssh", 0o755), ("etc/ssh/authorized_keys.d", 0o755), ("etc/local.d", 0o755), ("etc/sysctl.d", 0o755), ("etc/security", 0o755), ("root", 0o700), ("home", 0o755), ("boot", 0o755),
    ("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("run", 0o755), ("run/lock", 0o1777), ("tmp", 0o1777), ("opt", 0o755),
    ("srv", 0o755), ("mnt", 0o755), ("media", 0o755), ("var", 0o755), ("var/tmp", 0o1777), ("var/lib", 0o755), ("var/log", 0o755),
    ("var/cache", 0o755), ("var/mail", 0o755), ("var/spool", 0o755), ("var/spool/cron", 0o755), ("var/spool/cron/crontabs", 0o1730),
];

/// Base accounts, as Debian numbers them.
const USERS: &str = "daemon:1 bin:2 sys:3 games:5 man:6 mail:8 news:9 proxy:13 www-data:33 backup:34 list:38 nobody:65534";
const GROUPS: &str = "root:0 daemon:1 bin:2 sys:3 adm:4 tty:5 disk:6 lp:7 mail:8 news:9 man:12 proxy:13 kmem:15 dialout:20 cdrom:24 \
    floppy:25 tape:26 sudo:27 audio:29 dip:30 www-data:33 backup:34 operator:37 list:38 src:40 shadow:42 utmp:43 video:44 plugdev:46 \
    staff:50 games:60 users:100 crontab:101 input:102 gpio:103 i2c:104 spi:105 netdev:106 nogroup:65534";

/// Makes the root once. A stamp in `dir` is written last, so that one that was interrupted is done again.
pub fn make(dir: &Path, root: &Path, spec: &SandboxSpec) -> Result<(), Diagnostic> {
    let stamp = dir.join("made");
    if stamp.exists() {
        return Ok(());
    }
    for (path, mode) in DIRS {
        directory(&root.join(path), *mode)?;
    }
    directory(root, 0o755)?;
    for name in ["bin", "sbin", "lib", "lib64"] {
        link(&root.join(name), &format!("usr/{name}"))?;
    }
    link(&root.join("var/run"), "../run")?;
    link(&root.join("etc/mtab"), "../proc/self/mounts")?;
    for (path, mode, text) in files(spec) {
        file(&root.join(path), mode, &text)?;
    }
    give(&root.join("etc/shadow"), 0, 42)?;
    give(&root.join("etc/gshadow"), 0, 42)?;
    give(&root.join("var/mail"), 0, 8)?;
    give(&root.join("var/spool/cron/crontabs"), 0, 101)?;
    file(&stamp, 0o644, "")
}

/// Brings homelab's own files up to date, and the login into being.
pub fn refresh(root: &Path, spec: &SandboxSpec) -> Result<(), Diagnostic> {
    let uids = if all_uids() { "all" } else { "single" };
    let marker = format!("# Written by homelab: this is one of its sandboxes.\nuids={uids}\nlogin={}\n", spec.user);
    changed(&root.join(MARKER), 0o644, &marker)?;
    match &spec.sudo_password {
        Some(password) => {
            let old = fs::read_to_string(root.join(SUDO)).unwrap_or_default();
            if !password_is(&old, password.as_bytes()) {
                changed(&root.join(SUDO), 0o600, &seal(password))?;
            }
        }
        None => {
            let _ = fs::remove_file(root.join(SUDO));
        }
    }
    changed(&root.join("usr/bin/sudo"), 0o755, SUDO_SCRIPT)?;
    changed(&root.join("usr/sbin/reboot"), 0o755, REBOOT_SCRIPT)?;
    for name in WRAPPED.iter().filter(|name| root.join(ASIDE).join(name).symlink_metadata().is_ok()) {
        changed(&root.join("usr/bin").join(name), 0o755, &WRAPPER.replace("NAME", name))?;
    }
    login(root, spec)
}

/// Lets the controller's key in: once, since whoever takes it away means it.
pub fn authorize(dir: &Path, root: &Path, user: &str, key: &PublicKey) -> Result<(), Diagnostic> {
    let stamp = dir.join(format!("keyed-{user}"));
    if stamp.exists() {
        return Ok(());
    }
    let path = root.join(keys::place(user));
    let line = key.to_openssh().map_err(|e| trouble_at("write", &path, e))?;
    if let Some(parent) = path.parent() {
        directory(parent, 0o755)?;
    }
    file(&path, 0o644, &format!("{line}\n"))?;
    file(&stamp, 0o644, "")
}

/// Adds the login's account where there is none of that name.
fn login(root: &Path, spec: &SandboxSpec) -> Result<(), Diagnostic> {
    let name = &spec.user;
    let passwd = root.join("etc/passwd");
    let text = fs::read_to_string(&passwd).map_err(|e| trouble_at("read", &passwd, e))?;
    let field = |line: &str, n: usize| line.split(':').nth(n).map(str::to_owned);
    if text.lines().any(|line| field(line, 0).as_ref() == Some(name)) {
        return Ok(());
    }
    let uid = (1000u32..60000).find(|uid| !text.lines().any(|line| field(line, 2) == Some(uid.to_string()))).unwrap_or(1000);
    let shell = if matches!(spec.shell, Some(Shell::Bash)) { "/bin/bash" } else { "/bin/sh" };
    append(&passwd, 0o644, &format!("{name}:x:{uid}:{uid}:,,,:/home/{name}:{shell}\n"))?;
    append(&root.join("etc/shadow"), 0o640, &format!("{name}:*:19700:0:99999:7:::\n"))?;
    append(&root.join("etc/gshadow"), 0o640, &format!("{name}:!::\n"))?;
    let group = root.join("etc/group");
    let groups = fs::read_to_string(&group).map_err(|e| trouble_at("read", &group, e))?;
    let joined: String = groups
        .lines()
        .map(|line| match line.strip_prefix("sudo:") {
            Some(rest) => format!("sudo:{rest}{}{name}\n", if rest.ends_with(':') { "" } else { "," }),
            None => format!("{line}\n"),
        })
        .collect();
    file(&group, 0o644, &format!("{joined}{name}:x:{uid}:\n"))?;
    let home = root.join("home").join(name);
    directory(&home, 0o755)?;
    give(&home, uid, uid)
}

fn files(spec: &SandboxSpec) -> Vec<(&'static str, u32, String)> {
    let mut passwd = String::from("root:x:0:0:root:/root:/bin/sh\n");
    let mut shadow = String::from("root:*:19700:0:99999:7:::\n");
    for (name, id) in USERS.split_whitespace().filter_map(|entry| entry.split_once(':')) {
        let gid = if *name == *"games" { "60" } else { id };
        passwd += &format!("{name}:x:{id}:{gid}:{name}:/nonexistent:/usr/sbin/nologin\n");
        shadow += &format!("{name}:*:19700:0:99999:7:::\n");
    }
    let (mut group, mut gshadow) = (String::new(), String::new());
    for (name, id) in GROUPS.split_whitespace().filter_map(|entry| entry.split_once(':')) {
        group += &format!("{name}:x:{id}:\n");
        gshadow += &format!("{name}:*::\n");
    }
    let name = &spec.name;
    let text = str::to_owned;
    let mut files = vec![
        ("etc/passwd", 0o644, passwd),
        ("etc/shadow", 0o640, shadow),
        ("etc/group", 0o644, group),
        ("etc/gshadow", 0o640, gshadow),
        ("etc/os-release", 0o644, os_release()),
        ("etc/hostname", 0o644, format!("{name}\n")),
        ("etc/hosts", 0o644, format!("127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n::1\tlocalhost ip6-localhost\n")),
        ("etc/shells", 0o644, text("/bin/sh\n/bin/dash\n/bin/bash\n")),
        ("etc/nsswitch.conf", 0o644, text("passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files dns\n")),
        ("etc/login.defs", 0o644, text(
            "MAIL_DIR /var/mail\nUMASK 022\nUSERGROUPS_ENAB yes\nENCRYPT_METHOD SHA512\nCREATE_MAIL_SPOOL no\n\
             UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nSYS_UID_MIN 200\nSYS_UID_MAX 999\nSYS_GID_MIN 200\nSYS_GID_MAX 999\n\
             PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nENV_PATH PATH=/usr/local/bin:/usr/bin:/bin\n\
             ENV_SUPATH PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        )),
        ("etc/default/useradd", 0o644, text("SHELL=/bin/sh\nCREATE_MAIL_SPOOL=no\n")),
        ("etc/profile", 0o644, text("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n")),
        ("etc/sysctl.conf", 0o644, text("# Read when the sandbox starts, after the files in sysctl.d.\n")),
        ("etc/environment", 0o644, String::new()),
        ("etc/fstab", 0o644, String::new()),
        ("etc/timezone", 0o644, text("Etc/UTC\n")),
    ];
    for path in ["etc/pam.d/chpasswd", "etc/pam.d/newusers", "etc/pam.d/passwd", "etc/pam.d/su", "etc/pam.d/runuser", "etc/pam.d/other"] {
        files.push((path, 0o644, text(
            "auth sufficient pam_rootok.so\nauth required pam_unix.so\naccount required pam_permit.so\n\
             password required pam_unix.so sha512\nsession required pam_permit.so\n",
        )));
    }
    files
}

/// The distribution that the tools came from, marked as a sandbox.
fn os_release() -> String {
    let machine = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release")).unwrap_or_default();
    let get = |key: &str| {
        machine.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let id = get("ID").unwrap_or_else(|| "linux".into());
    let pretty = get("PRETTY_NAME").unwrap_or_else(|| id.clone());
    let mut text = format!("PRETTY_NAME=\"{pretty} (homelab sandbox)\"\nID={id}\n");
    for key in ["ID_LIKE", "VERSION_ID", "VERSION_CODENAME"] {
        if let Some(value) = get(key) {
            text += &format!("{key}=\"{value}\"\n");
        }
    }
    text + "VARIANT=\"homelab sandbox\"\nVARIANT_ID=homelab-sandbox\n"
}

/// `salt digest` of a sudo password.
fn seal(password: &str) -> String {
    let mut salt = [0u8; 16];
    let _ = fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut salt));
    let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{salt} {}\n", digest(&salt, password.as_bytes()))
}

/// Whether `password` is the one that `sealed` was made of.
pub fn password_is(sealed: &str, password: &[u8]) -> bool {
    sealed.trim_end().split_once(' ').is_some_and(|(salt, sum)| digest(salt, password) == sum)
}

fn digest(salt: &str, password: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let sum = Sha256::new().chain_update(salt).chain_update(password).finalize();
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn directory(path: &Path, mode: u32) -> Result<(), Diagnostic> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|e| trouble_at("make", path, e))
}

fn file(path: &Path, mode: u32, text: &str) -> Result<(), Diagnostic> {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|e| trouble_at("write", path, e))
}

fn append(path: &Path, mode: u32, text: &str) -> Result<(), Diagnostic> {
    let old = fs::read_to_string(path).unwrap_or_default();
    file(path, mode, &(old + text))
}

/// Replaces a file of homelab's own by renaming, if it is not so already: a running shell may be reading it.
fn changed(path: &Path, mode: u32, text: &str) -> Result<(), Diagnostic> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let mut fresh = PathBuf::from(path).into_os_string();
    fresh.push(".new");
    file(Path::new(&fresh), mode, text)?;
    fs::rename(&fresh, path).map_err(|e| trouble_at("write", path, e))
}

fn link(path: &Path, target: &str) -> Result<(), Diagnostic> {
    let _ = fs::remove_file(path);
    symlink(target, path).map_err(|e| trouble_at("link", path, e))
}

/// Gives a path away, where there are other users to give it to.
fn give(path: &Path, uid: u32, gid: u32) -> Result<(), Diagnostic> {
    if !all_uids() {
        return Ok(());
    }
    chown(path, Some(uid), Some(gid)).map_err(|e| trouble_at("give away", path, e))
}

/// Asks the sandbox's first process to do what is wished as another user: it reads the arguments, the environment, the
/// directory and the descriptors of this very process from `/proc`, so nothing has to be passed. Its answer is the status.
const SUDO_SCRIPT: &str = r#"#!/bin/sh
# homelab's sandbox has no set-uid programs; docs/sandbox.md says how this one works.
d=/run/homelab-sudo
r=$d/$$
# The shell puts its own redirections on 0 and 1; the command's are kept where they stay put.
exec 7<&0 8>&1
[ -p $d/ask ] || { echo 'sudo: the sandbox is not running' >&2; exit 1; }
[ ! -e $r ] || rm -f $r
# Not by `-m`: that needs a /proc, which a chroot alone lacks.
umask 077
mkfifo $r || exit 1
printf '%-15s\n' $$ >$d/ask
IFS= read -r code <$r || code=1
exit "$code"
"#;

/// Asks the sandbox's first process to end, and with it all others. Whoever logs in next starts it anew.
const REBOOT_SCRIPT: &str = r#"#!/bin/sh
power=/run/homelab-power
[ -w $power ] || { echo 'reboot: not permitted in this sandbox' >&2; exit 1; }
echo reboot >$power
"#;

/// Stands before a tool that would show the machine's name where there is no namespace of names.
const WRAPPER: &str = r#"#!/bin/sh
# Where the sandbox has a namespace for its name, the tool itself is right.
tool=/usr/lib/homelab-sandbox/NAME
name=/proc/sys/kernel/hostname
[ -e /proc/.homelab-stand-in ] || exec $tool "$@"
read -r host <$name
case NAME:$1 in
hostname: | hostname:-f | hostname:--fqdn | hostname:-s | hostname:--short) printf '%s\n' "$host" ;;
hostname:-*) exec $tool "$@" ;;
hostname:*) printf '%s\n' "$1" >$name ;;
uname:-n | uname:--nodename) printf '%s\n' "$host" ;;
uname:-a | uname:--all) printf '%s %s %s\n' "$($tool -s)" "$host" "$($tool -rvmo)" ;;
*) exec $tool "$@" ;;
esac
"#;
