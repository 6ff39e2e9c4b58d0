//! A throwaway directory with an inventory, a playbook and sandbox nodes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A site with one sandbox node, `pi`, unless said otherwise.
pub struct Site {
    dir: TempDir,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Site {
    /// A site whose one play for `all`, with `become`, has these tasks (YAML, unindented).
    pub fn new(tasks: &str) -> Site {
        let site = Site::bare();
        site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
        site.tasks(tasks);
        site
    }

    /// An empty site.
    pub fn bare() -> Site {
        Site { dir: tempfile::Builder::new().prefix("homelab-").tempdir().unwrap() }
    }

    /// Replaces the play's tasks.
    pub fn tasks(&self, tasks: &str) {
        self.play("", tasks);
    }

    /// Replaces the play: `head` are further keys of it.
    pub fn play(&self, head: &str, tasks: &str) {
        let body: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
        let head: String = head.lines().map(|line| format!("  {line}\n")).collect();
        self.write("site.yaml", &format!("- name: Site\n  hosts: all\n  become: true\n{head}  tasks:\n{body}"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A path inside the root of the sandbox `host`.
    pub fn inside(&self, host: &str, path: &str) -> PathBuf {
        self.path(".sandbox").join(host).join("root").join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.inside("pi", path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("HOMELAB_IDENTITY")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(std::process::Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// Runs and expects this exit code.
    pub fn expect(&self, code: i32, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, code, "homelab {}\n--- out\n{}\n--- err\n{}", args.join(" "), ended.out, ended.err);
        ended
    }

    pub fn apply(&self) -> Ended {
        self.expect(0, &["apply", "inventory.yaml", "--yes"])
    }

    /// Every path in the sandbox but homelab's own state, with its type, mode, content or target.
    pub fn snapshot(&self, host: &str) -> Vec<String> {
        let root = self.inside(host, "/");
        let mut out = Vec::new();
        walk(&root, &root, &mut out);
        out.sort();
        out
    }
}

fn walk(root: &Path, dir: &Path, out: &mut Vec<String>) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if ["var/lib/homelab", "proc", "dev", "sys", "run", "tmp"].contains(&name.as_str()) || name.contains(".local/state/homelab") {
            continue;
        }
        let meta = path.symlink_metadata().unwrap();
        let what = if meta.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if meta.is_dir() {
            "dir".to_owned()
        } else {
            format!("{:?}", std::fs::read(&path).map(|bytes| blake(&bytes)))
        };
        out.push(format!("{name} {:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid()));
        if meta.is_dir() {
            walk(root, &path, out);
        }
    }
}

fn blake(bytes: &[u8]) -> String {
    homelab::node::op::sha256(bytes)
}
