//! A sandbox node behind a TCP line: the controller is a process of its own, and the server none of it.

use crate::line::{Fate, Line};
use crate::site::{Ended, Site};
use homelab::transport::sandbox::{Sandbox, SandboxSpec, Server};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// One node, `pi`, and the site that describes it.
pub struct Remote {
    pub site: Site,
    pub line: Line,
    _server: Server,
    _runtime: tokio::runtime::Runtime,
}

impl Remote {
    /// A node for a play with these tasks; `head` are further keys of the play.
    pub fn new(head: &str, tasks: &str) -> Remote {
        Remote::in_site(Site::bare(), head, tasks)
    }

    /// The same in a site that is there already.
    pub fn in_site(site: Site, head: &str, tasks: &str) -> Remote {
        let spec = SandboxSpec { name: "pi".into(), user: "pi".into(), sudo_password: None, shell: None };
        let sandbox = Sandbox::prepare(&site.path(".sandbox/pi"), &spec).unwrap_or_else(|d| panic!("{}", d.message));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = Server::start(&sandbox, Some(Path::new(env!("CARGO_BIN_EXE_homelab")))).unwrap_or_else(|d| panic!("{}", d.message));
        let line = Line::to(runtime.block_on(server.listen(0)).unwrap());
        site.write(
            "inventory.yaml",
            &format!(
                "playbooks: [site.yaml]\nhosts:\n  pi:\n    address: 127.0.0.1\n    port: {}\n    user: pi\n    key: {}\n    host_key: \"{}\"\n    become: true\n",
                line.port,
                sandbox.client_key_path().display(),
                sandbox.pin(),
            ),
        );
        site.play(head, tasks);
        Remote { site, line, _server: server, _runtime: runtime }
    }

    /// Runs `homelab` to its end under this fate; answers also the most memory that it had, in KiB.
    pub fn run(&self, args: &[&str], fate: Fate) -> (Ended, u64) {
        self.line.expect(fate);
        let child = self.site.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        self.line.controller(pid);
        let watch = std::thread::spawn(move || {
            let mut most = 0;
            // The kernel keeps the peak itself; only what comes within the last 5 ms can be missed.
            while let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
                let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
                most = peak.trim().trim_end_matches(" kB").parse().unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ended = Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        (ended, watch.join().unwrap())
    }

    /// The lock goes by itself, at the latest when the command that was under way has ended.
    pub fn released(&self) {
        let lock = self.site.inside("pi", "/var/lib/homelab/lock");
        let since = Instant::now();
        while lock.exists() {
            assert!(since.elapsed() < Duration::from_secs(20), "the lock is still held");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The last process number given out on the node, whoever asks: all that runs there, sudo and the stand-in for sshd's
    /// children included, counts, and so does this question, once. `None` where processes have no namespace of their own.
    pub fn last_pid(&self) -> Option<u64> {
        let root = self.site.inside("pi", "/").canonicalize().ok()?;
        let ours = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let inside = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path()).find(|process| {
            let apart = std::fs::read_link(process.join("ns/pid")).is_ok_and(|theirs| theirs != ours);
            let same = |path: &std::path::Path| path.join("etc/homelab-sandbox").metadata().ok().map(|meta| (meta.dev(), meta.ino()));
            apart && same(&root).is_some() && same(&process.join("root")) == same(&root)
        })?;
        // The kernel tells everybody the last number of the namespace that the reader is in.
        let asked = std::process::Command::new("nsenter").arg("-t").arg(inside.file_name()?).args(["-p", "cat", "/proc/loadavg"]).output().ok()?;
        String::from_utf8(asked.stdout).ok()?.split_whitespace().nth(4)?.parse().ok()
    }
}
