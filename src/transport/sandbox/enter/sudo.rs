//! `sudo` without set-uid: the program of that name in the sandbox is a script that tells the sandbox's first process,
//! which is root there, its process number. What is wished, by whom, and on which descriptors, is read from that
//! process's entry in `/proc`, where it cannot be forged.

use super::account::Account;
use super::request::Request;
use super::saying;
use crate::transport::sandbox::skeleton::{SUDO, SUDO_DIR, password_is};
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::time::Duration;

const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the script keeps its stdin and stdout.
const STDIN: u32 = 7;
const STDOUT: u32 = 8;
/// Variables that sudo lets through.
const KEPT: &[&str] = &["TERM", "LANG", "LANGUAGE", "LINGUAS", "TZ", "COLORS", "LS_COLORS", "DISPLAY", "COLORTERM"];

/// The serving side.
pub struct Sudo {
    proc: File,
    single: bool,
    ask: Mutex<File>,
    /// What was started here and who waits for its end. Locked while something is being started, so that its end cannot
    /// be seen before it is written down.
    running: Mutex<BTreeMap<i32, mpsc::Sender<i32>>>,
    started: Condvar,
}

impl Sudo {
    /// Makes the place where it is asked. `proc` is the `/proc` in which the askers' numbers mean something; `single`
    /// says that everybody is user 0.
    pub fn open(proc: File, single: bool) -> Result<Arc<Sudo>, String> {
        let dir = Path::new("/").join(SUDO_DIR);
        let _ = fs::remove_dir_all(&dir);
        saying(dir.display(), fs::create_dir_all(&dir))?;
        saying(dir.display(), fs::set_permissions(&dir, Permissions::from_mode(0o1777)))?;
        let ask = dir.join("ask");
        saying(ask.display(), nix::unistd::mkfifo(&ask, Mode::from_bits_truncate(0o622)))?;
        saying(ask.display(), fs::set_permissions(&ask, Permissions::from_mode(0o622)))?;
        // Open for both, so that it never ends while nobody asks.
        let ask = saying(ask.display(), OpenOptions::new().read(true).write(true).open(&ask))?;
        Ok(Arc::new(Sudo { proc, single, ask: Mutex::new(ask), running: Mutex::default(), started: Condvar::new() }))
    }

    /// Whether nothing that was started here runs.
    pub fn idle(&self) -> bool {
        self.running().is_empty()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i32, mpsc::Sender<i32>>> {
        self.running.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Waits for every child, adopted ones included; never returns.
    pub fn reap(&self) {
        loop {
            // Looked at first without taking it away: whoever is just starting it may have to do that.
            let ended = waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            let mut running = self.running();
            let Some(pid) = ended.ok().and_then(|status| status.pid()) else {
                let _ = self.started.wait_timeout(running, Duration::from_millis(200));
                continue;
            };
            let code = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => code,
                Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
                _ => continue,
            };
            if let Some(waiting) = running.remove(&pid.as_raw()) {
                let _ = waiting.send(code);
            }
        }
    }

    /// Answers whoever asks; never returns while the pipe can be read.
    pub fn serve(self: Arc<Self>) {
        let mut record = [0u8; 16];
        loop {
            let read = self.ask.lock().unwrap_or_else(|e| e.into_inner()).read_exact(&mut record);
            if read.is_err() {
                return;
            }
            let Some(pid) = std::str::from_utf8(&record).ok().and_then(|text| text.trim().parse::<i32>().ok()) else { continue };
            let this = self.clone();
            std::thread::spawn(move || {
                let code = this.perform(pid).unwrap_or(1);
                answer(pid, code);
            });
        }
    }

    fn perform(&self, pid: i32) -> Option<i32> {
        let asker = Asker::of(&self.proc, pid, self.single)?;
        let mut stderr = asker.open(2, OFlag::O_WRONLY);
        let mut say = |text: &str| {
            if let Some(stderr) = &mut stderr {
                let _ = stderr.write_all(text.as_bytes());
            }
        };
        let request = match Request::parse(&asker.args) {
            Ok(request) => request,
            Err(problem) => {
                say(&format!("sudo: {problem}\nusage: sudo [-nS] [-p prompt] [-u user] [--] command [arg ...]\n"));
                return Some(1);
            }
        };
        if request.version {
            say("Sudo version 1.9 (homelab sandbox)\n");
            return Some(0);
        }
        let nothing = request.command.is_empty() && request.shell.is_none();
        if nothing && request.forget && !request.validate {
            return Some(0);
        }
        if nothing && !request.validate && !request.list {
            say("usage: sudo [-nS] [-p prompt] [-u user] [--] command [arg ...]\n");
            return Some(1);
        }
        let wished = request.user.as_deref().unwrap_or("root");
        let found = wished.strip_prefix('#').map_or_else(|| Account::named(wished), |uid| Account::numbered(uid.parse().ok()?));
        let Some(target) = found else {
            say(&format!("sudo: unknown user {wished}\nsudo: error initializing audit plugin sudoers_audit\n"));
            return Some(1);
        };
        if !self.allowed(&asker, &request, &mut say) {
            return Some(1);
        }
        if nothing {
            if request.list {
                say(&format!("User {} may run the following commands on this sandbox:\n    (ALL : ALL) ALL\n", asker.user.name));
            }
            return Some(0);
        }
        let started = match self.start(&asker, request, &target) {
            Ok(started) => started,
            Err(problem) => {
                say(&format!("sudo: {problem}\n"));
                return Some(1);
            }
        };
        started.recv().ok()
    }

    /// Whether the asker may, and knows the password where there is one.
    fn allowed(&self, asker: &Asker<'_>, request: &Request, say: &mut dyn FnMut(&str)) -> bool {
        let name = &asker.user.name;
        if asker.user.uid == 0 && !asker.login {
            return true;
        }
        if !asker.user.groups.iter().any(|(_, group)| group == "sudo") {
            say(&format!("{name} is not in the sudoers file.\n"));
            return false;
        }
        let Ok(sealed) = fs::read_to_string(Path::new("/").join(SUDO)) else { return true };
        if request.non_interactive {
            say("sudo: a password is required\n");
            return false;
        }
        if !request.stdin {
            say("sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n");
            return false;
        }
        let mut stdin = asker.open(STDIN, OFlag::O_RDONLY);
        let prompt = request.prompt.clone().unwrap_or_else(|| format!("[sudo] password for {name}: "));
        let prompt = prompt.replace("%p", name).replace("%u", name).replace("%%", "%");
        for attempt in 0..3 {
            say(&prompt);
            let Some(line) = stdin.as_mut().and_then(line) else {
                say("\nsudo: no password was provided\n");
                say(&match attempt {
                    0 => "sudo: a password is required\n".to_owned(),
                    n => format!("sudo: {n} incorrect password attempt{}\n", if n == 1 { "" } else { "s" }),
                });
                return false;
            };
            if password_is(&sealed, &line) {
                return true;
            }
            say(if attempt < 2 { "Sorry, try again.\n" } else { "sudo: 3 incorrect password attempts\n" });
        }
        false
    }

    fn start(&self, asker: &Asker<'_>, request: Request, target: &Account) -> Result<mpsc::Receiver<i32>, String> {
        let mut words = request.command.clone();
        let mut dir = asker.dir.clone();
        if let Some(login) = request.shell {
            let script = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
            words = vec![target.shell.clone().into_os_string()];
            if !script.is_empty() {
                words.extend(["-c".into(), script.into()]);
            }
            if login {
                dir = target.home.clone();
            }
        }
        let program = words.first().cloned().unwrap_or_default();
        let Some(path) = lookup(&program, &dir) else {
            return Err(format!("{}: command not found", program.to_string_lossy()));
        };
        let mut command = Command::new(path);
        command.arg0(&program).args(&words[1..]).env_clear().current_dir(if dir.is_dir() { dir } else { "/".into() }).process_group(0);
        for (name, value) in &asker.env {
            let text = name.to_string_lossy();
            if request.keep_env || KEPT.contains(&&*text) || text.starts_with("LC_") {
                command.env(name, value);
            }
        }
        command.env("PATH", SECURE_PATH).env("HOME", &target.home).env("SHELL", &target.shell);
        command.env("USER", &target.name).env("LOGNAME", &target.name).env("MAIL", format!("/var/mail/{}", target.name));
        command.env("SUDO_USER", &asker.user.name).env("SUDO_UID", asker.user.uid.to_string()).env("SUDO_GID", asker.user.gid.to_string());
        command.env("SUDO_COMMAND", words.join(std::ffi::OsStr::new(" ")));
        command.envs(request.assign);
        let null = || saying("/dev/null", OpenOptions::new().read(true).write(true).open("/dev/null"));
        command.stdin(asker.open(STDIN, OFlag::O_RDONLY).map_or_else(null, Ok)?);
        command.stdout(asker.open(STDOUT, OFlag::O_WRONLY).map_or_else(null, Ok)?);
        command.stderr(asker.open(2, OFlag::O_WRONLY).map_or_else(null, Ok)?);
        if !self.single && target.uid != 0 {
            command.uid(target.uid).gid(target.gid);
        }
        let (sender, receiver) = mpsc::channel();
        let mut running = self.running();
        let child = saying(program.to_string_lossy(), command.spawn())?;
        running.insert(child.id() as i32, sender);
        self.started.notify_all();
        Ok(receiver)
    }
}

/// The process that asked.
struct Asker<'a> {
    proc: &'a File,
    pid: i32,
    /// Whose the process is.
    owner: (u32, u32),
    user: Account,
    /// It is the login's, though it has user 0 as everything has.
    login: bool,
    args: Vec<Vec<u8>>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
}

impl<'a> Asker<'a> {
    fn of(proc: &'a File, pid: i32, single: bool) -> Option<Asker<'a>> {
        let status = String::from_utf8(entry(proc, pid, "status", None)?).ok()?;
        let number = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u32>().ok());
        let (uid, gid) = (number("Uid:")?, number("Gid:")?);
        let read = |name: &str| entry(proc, pid, name, Some((uid, gid)));
        let split = |bytes: Vec<u8>| bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0).map(<[u8]>::to_vec).collect::<Vec<_>>();
        // The shell, the script, then what sudo was given.
        let args = split(read("cmdline")?).into_iter().skip(2).collect();
        let env: Vec<(OsString, OsString)> = split(read("environ")?)
            .into_iter()
            .filter_map(|entry| {
                let at = entry.iter().position(|byte| *byte == b'=')?;
                Some((OsString::from_vec(entry[..at].to_vec()), OsString::from_vec(entry[at + 1..].to_vec())))
            })
            .collect();
        let dir = as_owner((uid, gid), || readlinkat(proc, format!("{pid}/cwd").as_str()).ok()).map_or_else(|| "/".into(), PathBuf::from);
        let get = |name: &str| env.iter().find(|(key, _)| key.as_os_str() == name).map(|(_, value)| value.to_string_lossy().into_owned());
        // Where everybody is user 0, only what sudo itself has started is root.
        let login = (single && get("SUDO_USER").is_none()).then(|| get("LOGNAME").or(login_name())).flatten();
        let user = login.as_deref().and_then(Account::named).or_else(|| Account::numbered(uid))?;
        let login = login.is_some();
        Some(Asker { proc, pid, owner: (uid, gid), user, login, args, env, dir })
    }

    /// One of its descriptors, opened once more. A file keeps its place.
    fn open(&self, number: u32, flags: OFlag) -> Option<File> {
        let text = String::from_utf8(entry(self.proc, self.pid, &format!("fdinfo/{number}"), Some(self.owner))?).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let append = field("flags:").and_then(|flags| i32::from_str_radix(flags, 8).ok()).is_some_and(|bits| bits & OFlag::O_APPEND.bits() != 0);
        let flags = flags | OFlag::O_CLOEXEC | if append { OFlag::O_APPEND } else { OFlag::empty() };
        let path = format!("{}/fd/{number}", self.pid);
        let fd = as_owner(self.owner, || openat(self.proc, path.as_str(), flags, Mode::empty()).ok())?;
        let mut file = File::from(fd);
        if let Some(place) = field("pos:").and_then(|pos| pos.parse().ok()).filter(|pos| *pos > 0) {
            let _ = file.seek(SeekFrom::Start(place));
        }
        Some(file)
    }
}

/// What a file of process `pid`'s entry in `/proc` says.
fn entry(proc: &File, pid: i32, name: &str, owner: Option<(u32, u32)>) -> Option<Vec<u8>> {
    let read = || {
        let fd = openat(proc, format!("{pid}/{name}").as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
        let mut bytes = Vec::new();
        File::from(fd).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    match owner {
        Some(owner) => as_owner(owner, read),
        None => read(),
    }
}

/// Tries as root, and then, in this thread, as the owner: root without the right to trace (in a container) may not look
/// into the processes of others, but their owner may.
fn as_owner<T>(owner: (u32, u32), attempt: impl Fn() -> Option<T>) -> Option<T> {
    attempt().or_else(|| {
        setfsgid(Gid::from_raw(owner.1));
        setfsuid(Uid::from_raw(owner.0));
        let outcome = attempt();
        setfsuid(Uid::from_raw(0));
        setfsgid(Gid::from_raw(0));
        outcome
    })
}

/// The login that the sandbox was made for.
fn login_name() -> Option<String> {
    let marker = fs::read_to_string("/etc/homelab-sandbox").ok()?;
    marker.lines().find_map(|line| line.strip_prefix("login=")).map(str::to_owned)
}

/// Tells the waiting script the status. It may be gone: then nobody has the pipe open, and nothing is to be said.
fn answer(pid: i32, code: i32) {
    let path = Path::new("/").join(SUDO_DIR).join(pid.to_string());
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    for _ in 0..200 {
        if let Ok(mut file) = OpenOptions::new().write(true).custom_flags(flags.bits()).open(&path) {
            let _ = file.write_all(format!("{code}\n").as_bytes());
            break;
        }
        // It asks before it opens the pipe for the answer.
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = fs::remove_file(&path);
}

/// One line, read a byte at a time: what follows belongs to the command.
fn line(file: &mut File) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0u8];
    while file.read(&mut byte).is_ok_and(|n| n == 1) {
        if byte[0] == b'\n' {
            return Some(line);
        }
        line.push(byte[0]);
    }
    (!line.is_empty()).then_some(line)
}

fn lookup(program: &OsString, dir: &Path) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(dir.join(program)).filter(|path| path.is_file());
    }
    SECURE_PATH.split(':').map(|dir| Path::new(dir).join(program)).find(|path| path.is_file())
}

/// Escaped as sudo escapes what it hands to a shell.
fn quoted(word: &OsString) -> String {
    let keep = |c: char| c.is_alphanumeric() || "_-$".contains(c);
    word.to_string_lossy().chars().map(|c| if keep(c) { c.to_string() } else { format!("\\{c}") }).collect()
}
