//! A real sshd for one test: own port, own host keys, own authorized keys; ended with the test.

use bytes::Bytes;
use homelab::lang::Diagnostic;
use homelab::transport::{Cost, KnownHosts, NoPrompt, Part, Pool, Program, Prompt, Secret, Session, Target, known_hosts};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub struct Sshd {
    pub dir: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a tool that must be there.
pub fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Whether `program` is there. Without it a test says so and ends, but not under CI.
pub fn have(program: &str) -> bool {
    let there = Path::new(program).exists();
    if !there {
        crate::untested::untested(&format!("{program} is not installed"));
    }
    there
}

pub const SSHD: &str = "/usr/sbin/sshd";

/// Makes a key pair and gives its private file.
pub fn keygen(dir: &Path, name: &str, args: &[&str]) -> PathBuf {
    let path = dir.join(name);
    let mut all = vec!["-q", "-C", name, "-f", path.to_str().unwrap()];
    if !args.contains(&"-N") {
        all.extend(["-N", ""]);
    }
    all.extend(args);
    run("ssh-keygen", &all);
    path
}

pub fn me() -> String {
    run("id", &["-un"]).trim().to_owned()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Sshd {
    /// None where there is no sshd. `extra` goes ahead of the configuration, so it wins.
    pub fn start(extra: &str) -> Option<Sshd> {
        Self::start_under(&[], extra)
    }

    /// With another program that execs it.
    pub fn start_under(wrapper: &[&str], extra: &str) -> Option<Sshd> {
        if !have(SSHD) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        keygen(dir.path(), "host_ed25519", &["-t", "ed25519"]);
        keygen(dir.path(), "host_ecdsa", &["-t", "ecdsa"]);
        keygen(dir.path(), "host_rsa", &["-t", "rsa"]);
        std::fs::write(dir.path().join("authorized_keys"), "").unwrap();
        // Other users' logins read it as themselves.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        if me() == "root" {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        let keys = if extra.contains("HostKey ") { String::new() } else { format!("HostKey {}\nHostKey {}\nHostKey {}\n", at("host_ed25519"), at("host_ecdsa"), at("host_rsa")) };
        let extra = extra.replace("DIR", &dir.path().display().to_string());
        let config = format!(
            "{extra}\nListenAddress 127.0.0.1:{port}\n{keys}PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nAuthorizedKeysFile {}\nMaxStartups 100\nUseDNS no\nPrintMotd no\n",
            at("authorized_keys")
        );
        std::fs::write(dir.path().join("sshd_config"), config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let config = at("sshd_config");
        let mut argv: Vec<&str> = wrapper.to_vec();
        argv.extend([SSHD, "-D", "-e", "-f", &config]);
        let child = Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let sshd = Sshd { dir, port, child };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "sshd does not start: {}", sshd.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets `key` in.
    pub fn authorize(&self, key: &Path) {
        let public = std::fs::read_to_string(format!("{}.pub", key.display())).unwrap();
        let file = self.path("authorized_keys");
        let old = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, old + &public).unwrap();
    }

    /// A target for it that logs in with a fresh key. Its host key is written to `known`.
    pub fn target(&self, name: &str, known: &Path) -> Target {
        let key = keygen(self.dir.path(), &format!("key_{name}"), &["-t", "ed25519"]);
        self.authorize(&key);
        self.trust(known);
        self.target_with(name, &key)
    }

    pub fn target_with(&self, name: &str, key: &Path) -> Target {
        let mut target = Target::new(name, "127.0.0.1", me());
        target.port = self.port;
        target.keys = vec![key.to_owned()];
        target
    }

    /// Writes its ed25519 host key to `known`.
    pub fn trust(&self, known: &Path) {
        let key = homelab::transport::keys::public(&self.path("host_ed25519.pub")).unwrap();
        known_hosts::record(known, &format!("[127.0.0.1]:{}", self.port), &key, false).unwrap();
    }

    pub fn fingerprint(&self, key: &str) -> String {
        let out = run("ssh-keygen", &["-lf", self.path(key).to_str().unwrap()]);
        out.split(' ').nth(1).unwrap().to_owned()
    }
}

/// A pool with nothing of this machine's user in it.
pub fn pool(known: &Path) -> Pool {
    pool_asking(known, NoPrompt)
}

pub fn pool_asking(known: &Path, prompt: impl Prompt) -> Pool {
    Pool::new(Arc::new(prompt), KnownHosts::at(known), Cost::new()).with_identity(None, None)
}

/// Answers with the same passphrase, and counts.
#[derive(Clone)]
pub struct Answers(pub &'static str, pub Arc<AtomicUsize>);

impl Prompt for Answers {
    fn passphrase(&self, _: &Path, _: bool) -> Option<Secret> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Some(Secret::new(self.0))
    }
}

pub fn program(command: &str, greeting: &str) -> Program {
    Program { command: command.into(), greeting: Bytes::copy_from_slice(greeting.as_bytes()) }
}

/// Runs `command` there with `input`, and gives what it printed when it has printed a line that is `done`.
pub async fn ask(session: &mut Session, input: &str) -> Result<String, homelab::transport::Lost> {
    let mut said = Vec::new();
    let parts = vec![Part::Bytes(Bytes::copy_from_slice(input.as_bytes()))];
    session
        .exchange(parts, Duration::from_secs(20), |bytes| {
            said.extend_from_slice(bytes);
            if said.len() > 1 << 20 {
                return Err("an answer without end".into());
            }
            let text = String::from_utf8_lossy(&said).into_owned();
            Ok(text.ends_with("done\n").then_some(text))
        })
        .await
}

/// Opens, runs `command` (which must end with `echo done`) and closes.
pub async fn once(pool: &Pool, target: &Target, command: &str) -> Result<String, Diagnostic> {
    let mut session = pool.open_program(target, &program(command, "")).await?;
    let said = ask(&mut session, "").await.map_err(|lost| lost.diagnostic(target))?;
    session.close().await;
    Ok(said)
}

/// Everything a diagnostic says, for assertions.
pub fn text(diagnostic: &Diagnostic) -> String {
    let mut all = format!("{:?}: {}\n", diagnostic.kind, diagnostic.message);
    for note in &diagnostic.notes {
        all += &format!("note: {}\n", note.message);
    }
    all + &format!("hint: {}\n", diagnostic.hint.as_deref().unwrap_or("NONE"))
}
