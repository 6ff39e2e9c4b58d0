//! The sandbox's first process: makes its file system, does what a boot does, reaps, serves `sudo`, and ends when asked
//! to while nothing runs.

use super::sudo::Sudo;
use super::{Rung, let_go, mounts, saying, stand_in};
use crate::transport::sandbox::skeleton::POWER;
use nix::sys::stat::{Mode, umask};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Brings the sandbox in `dir` up, says `ready` on stdout, and stays: each byte on stdin asks whether it could end.
pub fn init(dir: &Path, rung: Rung) -> Result<u8, String> {
    umask(Mode::from_bits_truncate(0o022));
    let root = dir.join("root");
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim().to_owned();
    let hostname = fs::read_to_string(root.join("etc/hostname")).unwrap_or_default();
    let hostname = hostname.lines().next().map(str::trim).filter(|name| !name.is_empty()).unwrap_or("sandbox").to_owned();
    // In a `chroot` alone the numbers of its processes are the machine's, and only the machine's `/proc` knows them.
    let proc = if rung == Rung::Chroot {
        let machine = saying("/proc", File::open("/proc"))?;
        stand_in::make(&root, &hostname, &boot_id)?;
        saying(root.display(), nix::unistd::chroot(&root))?;
        saying("/", nix::unistd::chdir("/"))?;
        machine
    } else {
        saying("host name", nix::unistd::sethostname(&hostname))?;
        mounts::enter(&root, &boot_id)?;
        saying("/proc", File::open("/proc"))?
    };
    boot(rung);
    let sudo = Sudo::open(proc, rung == Rung::Single)?;
    let reaper = sudo.clone();
    std::thread::spawn(move || reaper.reap());
    let server = sudo.clone();
    std::thread::spawn(move || server.serve());
    // The first that comes to its end ends this process, and with it the kernel all others in here.
    let (ended, end) = mpsc::channel();
    if let Some(mut power) = power(rung)? {
        let ended = ended.clone();
        std::thread::spawn(move || {
            if power.read_exact(&mut [0u8]).is_ok() {
                let _ = ended.send(Ok(0));
            }
        });
    }
    std::thread::spawn(move || ended.send(serve_questions(&sudo, rung)));
    saying("its end", end.recv())?
}

/// The pipe by which a reboot is asked for. Where this process is not the first of a namespace, ending it ends nobody else.
fn power(rung: Rung) -> Result<Option<File>, String> {
    let path = Path::new("/").join(POWER);
    let _ = fs::remove_file(&path);
    if rung == Rung::Chroot {
        return Ok(None);
    }
    saying(path.display(), nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)))?;
    saying(path.display(), fs::OpenOptions::new().read(true).write(true).open(&path)).map(Some)
}

/// Answers `!` while something runs, and returns when nothing does.
fn serve_questions(sudo: &Arc<Sudo>, rung: Rung) -> Result<u8, String> {
    // The pipes are kept under other numbers, so that what this process starts does not find them on 0 and 1.
    let questions = saying("stdin", nix::unistd::dup(std::io::stdin()))?;
    let answers = saying("stdout", nix::unistd::dup(std::io::stdout()))?;
    for fd in [&questions, &answers] {
        let flag = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
        saying("close on exec", nix::fcntl::fcntl(fd, flag))?;
    }
    let_go()?;
    let (mut questions, mut answers) = (File::from(questions), File::from(answers));
    saying("stdout", answers.write_all(b"ready\n"))?;
    let mut byte = [0u8];
    while questions.read_exact(&mut byte).is_ok() {
        if idle(sudo, rung) {
            return Ok(0);
        }
        saying("stdout", answers.write_all(b"!"))?;
    }
    // The outer half was killed: nobody will ask again.
    while !idle(sudo, rung) {
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(0)
}

/// Whether nothing but this process runs in the sandbox.
fn idle(sudo: &Sudo, rung: Rung) -> bool {
    if !sudo.idle() {
        return false;
    }
    if rung == Rung::Chroot {
        return true;
    }
    let alive = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with(['Z', 'X']))
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    !pids.filter(|name| name != "1" && name.bytes().all(|byte| byte.is_ascii_digit())).any(|pid| alive(&pid))
}

/// What a boot does: the loopback interface, and the kernel parameters that files in `/etc` set.
fn boot(rung: Rung) {
    if rung != Rung::Chroot {
        // Not all machines have `ip` to copy; the sandbox then has no loopback, which only its own services would miss.
        let _ = Command::new("/usr/bin/env")
            .args(["PATH=/usr/sbin:/usr/bin", "ip", "link", "set", "lo", "up"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    let mut files: Vec<PathBuf> = fs::read_dir("/etc/sysctl.d").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "conf"));
    files.sort();
    files.push("/etc/sysctl.conf".into());
    for file in files {
        for (path, value) in settings(&fs::read_to_string(file).unwrap_or_default()) {
            let at = Path::new("/proc/sys").join(path);
            if at.is_file() {
                // What the sandbox may not set is left; a look at the node then shows it.
                let _ = fs::write(at, format!("{value}\n"));
            }
        }
    }
    // As OpenRC's `local` does.
    let mut scripts: Vec<PathBuf> = fs::read_dir("/etc/local.d").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|e| e == "start"));
    scripts.sort();
    for script in scripts {
        let mut command = Command::new("/bin/sh");
        let _ = command.arg(script).env_clear().env("PATH", "/usr/sbin:/usr/bin").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The settings of a sysctl file, with their paths below `/proc/sys`.
fn settings(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| {
            let key = key.trim().trim_start_matches('-');
            // The first separator says which one it is; the other is part of a name (`eth0.1`).
            let dots = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'.');
            let swap = |c| if c == '.' { '/' } else if c == '/' { '.' } else { c };
            (if dots { key.chars().map(swap).collect() } else { key.to_owned() }, value.trim().to_owned())
        })
        .filter(|(path, _)| !path.is_empty() && !path.starts_with('/') && !path.split('/').any(|part| part == ".."))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn sysctl_files_are_read_as_procps_reads_them() {
        let text = "# c\n;c\nnet.ipv4.ip_forward = 1\n-net/ipv4/conf/eth0.1/forwarding=0\nnet.ipv4.conf.eth0/1.forwarding=1\nno\n../x=1\n";
        let expect = [("net/ipv4/ip_forward", "1"), ("net/ipv4/conf/eth0.1/forwarding", "0"), ("net/ipv4/conf/eth0.1/forwarding", "1")];
        assert_eq!(settings(text), expect.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
