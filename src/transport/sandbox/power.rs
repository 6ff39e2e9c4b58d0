//! Whether a sandbox is up: brings it up when somebody wants in, or finds it up already (another controller, or something
//! still running in it), and says how to start a login.

use super::enter::{Rung, SUBCOMMAND};
use super::{Sandbox, root::all_uids, trouble, trouble_at};
use crate::lang::diagnostic::Diagnostic;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A controller's hold on a sandbox: while it lives, the sandbox stays up.
#[derive(Debug)]
pub struct Power {
    dir: PathBuf,
    user: String,
    binary: PathBuf,
    /// Locked, shared. The kernel takes the lock away from a killed controller too.
    _hold: File,
}

/// A sandbox that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    /// Its first process, as this machine numbers it.
    pid: u32,
    /// When that started: numbers come again.
    since: String,
    rung: Rung,
}

impl Power {
    /// Brings the sandbox up. `binary` is homelab's own, whose hidden subcommand does it.
    pub fn on(sandbox: &Sandbox, binary: &Path) -> Result<Power, Diagnostic> {
        let path = sandbox.dir.join("users");
        let hold = open(&path)?;
        hold.lock_shared().map_err(|e| trouble_at("lock", &path, e))?;
        let power = Power { dir: sandbox.dir.clone(), user: sandbox.user.clone(), binary: binary.to_owned(), _hold: hold };
        power.running()?;
        Ok(power)
    }

    /// Brings the sandbox up where it went down.
    pub fn wake(&self) -> Result<(), Diagnostic> {
        self.running().map(drop)
    }

    /// The command that runs `script` as a login's; brings the sandbox up first where it went down.
    pub fn login(&self, script: &[u8]) -> Result<Command, Diagnostic> {
        let running = self.running()?;
        let mut command = self.own("login");
        command.arg(running.pid.to_string()).arg(running.rung.name()).arg(self.dir.join("root")).arg(&self.user).arg(OsStr::from_bytes(script));
        Ok(command)
    }

    fn own(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        // The controller's environment is none of the node's business.
        command.arg0("homelab").arg(SUBCOMMAND).arg(verb).env_clear().current_dir("/");
        command
    }

    fn running(&self) -> Result<Running, Diagnostic> {
        let path = self.dir.join("power.lock");
        let lock = open(&path)?;
        lock.lock().map_err(|e| trouble_at("lock", &path, e))?;
        let state = self.dir.join("power");
        if let Some(running) = fs::read_to_string(&state).ok().as_deref().and_then(Running::parse).filter(Running::alive) {
            return Ok(running);
        }
        let mut said = Vec::new();
        for rung in Rung::ladder(all_uids()) {
            match self.try_rung(*rung) {
                Ok(running) => {
                    fs::write(&state, running.to_string()).map_err(|e| trouble_at("write", &state, e))?;
                    return Ok(running);
                }
                Err(problem) => said.push(format!("{}: {problem}", rung.name())),
            }
        }
        Err(refused(&said))
    }

    fn try_rung(&self, rung: Rung) -> Result<Running, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut child = self
            .own("hold")
            .arg(&self.dir)
            .arg(rung.name())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", self.binary.display()))?;
        let mut pid = None;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.map_err(text)?;
                if let Some(number) = line.strip_prefix("pid ") {
                    pid = number.parse::<u32>().ok();
                } else if line == "ready" {
                    break;
                }
            }
        }
        let Some(pid) = pid else {
            let mut problem = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = stderr.read_to_string(&mut problem);
            }
            let _ = child.wait();
            let problem = problem.lines().map(|line| line.trim_start_matches("homelab: sandbox: ")).collect::<Vec<_>>().join("; ");
            return Err(if problem.is_empty() { "it ended without a word".into() } else { problem });
        };
        // It outlives this hold by a moment; somebody must take note of its end.
        std::thread::spawn(move || child.wait());
        let since = started(pid).ok_or("it ended at once")?;
        Ok(Running { pid, since, rung })
    }
}

fn open(path: &Path) -> Result<File, Diagnostic> {
    File::options().create(true).truncate(false).write(true).open(path).map_err(|e| trouble_at("open", path, e))
}

fn refused(said: &[String]) -> Diagnostic {
    let problem = trouble("a sandbox cannot be entered on this machine", said.join(" | "));
    problem.hint(if all_uids() {
        "as root it needs one of: the right to make namespaces, or to chroot and to make device files (a container's default capabilities do)"
    } else {
        "unprivileged user namespaces are forbidden here: allow them (`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` on \
         Ubuntu, `kernel.unprivileged_userns_clone=1` on older Debian, `--security-opt seccomp=unconfined` for a container), or run as root"
    })
}

/// When process `pid` started, in the kernel's ticks; `None` when there is none that lives.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything; what follows it is plain.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

impl Running {
    fn parse(text: &str) -> Option<Running> {
        let mut fields = text.split_whitespace();
        Some(Running { pid: fields.next()?.parse().ok()?, since: fields.next()?.to_owned(), rung: Rung::parse(fields.next()?)? })
    }

    fn alive(&self) -> bool {
        started(self.pid).as_deref() == Some(&self.since)
    }
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {} {}", self.pid, self.since, self.rung.name())
    }
}
