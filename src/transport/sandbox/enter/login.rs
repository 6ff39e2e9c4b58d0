//! One login: enters the running sandbox, becomes the user, runs the command by the user's shell, and ends as it ended.

use super::account::Account;
use super::{Rung, let_go, saying};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `command` in the sandbox whose first process is `pid`.
pub fn login(pid: &str, rung: Rung, root: &Path, user: &str, command: &OsStr) -> Result<u8, String> {
    let _ = nix::unistd::setsid();
    join(pid, rung, root)?;
    umask(Mode::from_bits_truncate(0o022));
    let account = Account::named(user).ok_or_else(|| format!("there is no user `{user}` in its /etc/passwd"))?;
    if rung != Rung::Single {
        become_user(&account)?;
    }
    let home = if account.home.is_dir() { account.home.as_path() } else { Path::new("/") };
    let path = if account.uid == 0 {
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    } else {
        "/usr/local/bin:/usr/bin:/bin:/usr/games"
    };
    let mut child = saying(
        account.shell.display(),
        Command::new(&account.shell)
            .arg0(account.shell.file_name().unwrap_or(OsStr::new("sh")))
            .arg("-c")
            .arg(command)
            .env_clear()
            .env("HOME", &account.home)
            .env("USER", &account.name)
            .env("LOGNAME", &account.name)
            .env("SHELL", &account.shell)
            .env("PATH", path)
            .current_dir(home)
            .process_group(0)
            .stdin(Stdio::inherit())
            .spawn(),
    )?;
    // The pipes are the command's alone from here on: it must be able to close them.
    let_go()?;
    let status = saying("wait", child.wait())?;
    if let Some(signal) = status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        // So the server sees what sshd would see; SIGPIPE is ignored here and falls through to the shells' number.
        let _ = kill(nix::unistd::getpid(), signal);
    }
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

fn join(pid: &str, rung: Rung, root: &Path) -> Result<(), String> {
    if rung == Rung::Chroot {
        saying(root.display(), nix::unistd::chroot(root))?;
        return saying("/", nix::unistd::chdir("/"));
    }
    let mut kinds = vec![
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("net", CloneFlags::CLONE_NEWNET),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    if rung != Rung::Plain {
        // First: it brings the right to enter the others.
        kinds.insert(0, ("user", CloneFlags::CLONE_NEWUSER));
    }
    // All are opened before the first is entered, since `/proc` is another one then.
    let files: Result<Vec<File>, String> =
        kinds.iter().map(|(kind, _)| saying("its namespaces", File::open(format!("/proc/{pid}/ns/{kind}")))).collect();
    for (file, (kind, flag)) in files?.iter().zip(kinds) {
        saying(format_args!("its {kind} namespace"), setns(file, flag))?;
    }
    Ok(())
}

fn become_user(account: &Account) -> Result<(), String> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    // As under sshd, the login owns its pipes: `> /dev/stderr` opens them by name.
    let _ = nix::unistd::fchown(std::io::stdin(), Some(uid), Some(gid));
    let _ = nix::unistd::fchown(std::io::stdout(), Some(uid), Some(gid));
    let _ = nix::unistd::fchown(std::io::stderr(), Some(uid), Some(gid));
    let groups: Vec<Gid> = std::iter::once(gid).chain(account.groups.iter().map(|(gid, _)| Gid::from_raw(*gid))).collect();
    saying("setgroups", nix::unistd::setgroups(&groups))?;
    saying("setgid", nix::unistd::setgid(gid))?;
    saying("setuid", nix::unistd::setuid(uid))
}
