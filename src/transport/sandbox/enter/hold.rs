//! The outer half of a running sandbox: makes the namespaces, starts the first process in them, and ends it when no
//! controller holds the sandbox any more and nothing is left running in it.

use super::{Rung, SUBCOMMAND, let_go, saying};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long what still runs in a sandbox may go on after the last controller is gone.
const LINGER: Duration = Duration::from_secs(3600);

/// Brings the sandbox in `dir` up in this way, says `pid N` and `ready` on stdout, and stays.
pub fn hold(dir: &Path, rung: Rung) -> Result<u8, String> {
    // Ctrl-C at the controller's terminal is not for the node.
    let _ = nix::unistd::setsid();
    // The mounts are the first process's own: this one must go on seeing the machine's.
    let base = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNET;
    match rung {
        Rung::Mapped => {
            let mut mapper = spawn(&["map".as_ref(), std::process::id().to_string().as_ref()], Stdio::piped(), Stdio::null())?;
            saying("namespaces", unshare(base | CloneFlags::CLONE_NEWUSER))?;
            drop(mapper.stdin.take());
            if !saying("user ids", mapper.wait())?.success() {
                return Err("user ids: this root may not map them".into());
            }
        }
        Rung::Single => {
            let (uid, gid) = (geteuid(), getegid());
            saying("namespaces", unshare(base | CloneFlags::CLONE_NEWUSER))?;
            saying("setgroups", fs::write("/proc/self/setgroups", "deny"))?;
            saying("user id", fs::write("/proc/self/uid_map", format!("0 {uid} 1")))?;
            saying("group id", fs::write("/proc/self/gid_map", format!("0 {gid} 1")))?;
        }
        Rung::Plain => saying("namespaces", unshare(base))?,
        Rung::Chroot => {}
    }
    let users = saying("users", File::create(dir.join("users")))?;
    let mut child = spawn(&["init".as_ref(), dir.as_os_str(), rung.name().as_ref()], Stdio::piped(), Stdio::piped())?;
    let (Some(ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else { return Err("no pipes".into()) };
    let mut answer = BufReader::new(answer);
    let mut line = String::new();
    let ready = answer.read_line(&mut line).is_ok() && line == "ready\n";
    if !ready {
        // It has said why on stderr.
        let _ = child.wait();
        return Ok(1);
    }
    let mut stdout = std::io::stdout();
    saying("stdout", write!(stdout, "pid {}\nready\n", child.id()).and_then(|()| stdout.flush()))?;
    let_go()?;
    watch(dir, &users, &mut child, ask, answer)
}

/// Waits for the last controller to go (each holds a shared lock, which also a killed one loses), then asks the first
/// process to end; it says no while something runs.
fn watch(dir: &Path, users: &File, child: &mut Child, mut ask: ChildStdin, mut answer: BufReader<ChildStdout>) -> Result<u8, String> {
    let mut since = None;
    loop {
        saying("lock", users.lock())?;
        let mut byte = [0u8];
        let busy = ask.write_all(b"?").is_ok() && answer.read_exact(&mut byte).is_ok();
        let long = since.get_or_insert_with(Instant::now).elapsed() > LINGER;
        if !busy || long {
            let _ = child.kill();
            let _ = child.wait();
            // Under the lock, so that the next controller sees either a running sandbox or none.
            let power = dir.join("power");
            // One that has rebooted meanwhile is another one's to end.
            if fs::read_to_string(&power).is_ok_and(|text| text.split(' ').next() == Some(&child.id().to_string())) {
                let _ = fs::remove_file(power);
            }
            return Ok(0);
        }
        saying("unlock", users.unlock())?;
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Gives process `pid` all user and group ids, one to one, when its stdin ends; must run outside of its namespace.
pub fn map(pid: &str) -> Result<u8, String> {
    let _ = std::io::stdin().read(&mut [0u8]);
    for file in ["uid_map", "gid_map"] {
        // The ids that this process itself has, so that a container in which only some exist is served too.
        let have = saying("own ids", fs::read_to_string(format!("/proc/self/{file}")))?;
        let all: String = have
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace();
                let (first, _, count) = (fields.next()?, fields.next()?, fields.next()?);
                Some(format!("{first} {first} {count}\n"))
            })
            .collect();
        saying(file, fs::write(format!("/proc/{pid}/{file}"), all))?;
    }
    Ok(0)
}

fn spawn(args: &[&std::ffi::OsStr], stdin: Stdio, stdout: Stdio) -> Result<Child, String> {
    let exe = saying("own path", std::env::current_exe())?;
    saying(exe.display(), Command::new(&exe).arg(SUBCOMMAND).args(args).stdin(stdin).stdout(stdout).spawn())
}
