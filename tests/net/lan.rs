//! A network on 127.0.0.1 for one test: nodes behind real ports, and a controller with a home of its own.

use homelab::transport::sandbox::{Forward, Sandbox, SandboxSpec, Server};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// The network, and the directory of the one who manages it.
pub struct Lan {
    runtime: Option<Runtime>,
    dir: TempDir,
}

/// A machine on it.
pub struct Node {
    pub name: String,
    pub address: SocketAddr,
    dir: PathBuf,
    spec: SandboxSpec,
    /// Who answers at the port now.
    serving: Arc<Mutex<Served>>,
}

struct Served {
    server: Server,
    /// All connections that were accepted.
    connections: usize,
    /// Those that have not ended.
    open: usize,
    /// While this has no permits, nobody who connects is answered.
    answers: Arc<Semaphore>,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Drop for Lan {
    fn drop(&mut self) {
        // Connections that are still open are nobody's concern any more; waiting for them could hang.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Lan {
    pub fn new() -> Lan {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Lan { runtime: Some(runtime), dir: tempfile::Builder::new().prefix("homelab-net-").tempdir().unwrap() }
    }

    /// A machine whose sudo asks nothing.
    pub fn node(&self, name: &str) -> Node {
        self.node_with(name, None)
    }

    /// A machine; its sudo asks for `password`.
    pub fn node_with(&self, name: &str, password: Option<&str>) -> Node {
        let spec = SandboxSpec { name: name.into(), user: "pi".into(), sudo_password: password.map(str::to_owned), shell: None };
        let dir = self.path("nodes").join(name);
        let server = boot(&dir, &spec);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Arc::new(Mutex::new(Served { server, connections: 0, open: 0, answers: Arc::new(Semaphore::new(1)) }));
        let answering = serving.clone();
        self.runtime().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (server, answers) = {
                    let mut served = answering.lock().unwrap();
                    served.connections += 1;
                    served.open += 1;
                    (served.server.clone(), served.answers.clone())
                };
                let ended = answering.clone();
                tokio::spawn(async move {
                    drop(answers.acquire().await);
                    server.serve(stream).await;
                    ended.lock().unwrap().open -= 1;
                });
            }
        });
        Node { name: name.into(), address, dir, spec, serving }
    }

    /// A port that accepts and never says a word.
    pub fn silent(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        self.runtime().spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        port
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An inventory of these hosts (lines of YAML, `name: {…}`).
    pub fn inventory(&self, hosts: &[String]) {
        let hosts: String = hosts.iter().map(|host| format!("  {host}\n")).collect();
        self.write("inventory.yaml", &format!("playbooks: [site.yaml]\nuser: pi\nhosts:\n{hosts}"));
    }

    /// The play's tasks, as root.
    pub fn tasks(&self, tasks: &str) {
        let body: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
        self.write("site.yaml", &format!("- name: Site\n  hosts: all\n  become: true\n  tasks:\n{body}"));
    }

    /// The controller's known_hosts.
    pub fn known_hosts(&self) -> PathBuf {
        self.path(".ssh/known_hosts")
    }

    pub fn known(&self) -> String {
        std::fs::read_to_string(self.known_hosts()).unwrap_or_default()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("USER", "anna")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .stdin(Stdio::null());
        for name in ["SSH_AUTH_SOCK", "HOMELAB_IDENTITY", "HOMELAB_KNOWN_HOSTS", "XDG_CONFIG_HOME", "CACHE_DIRECTORY"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output().unwrap())
    }

    /// Runs and expects this exit code.
    pub fn expect(&self, code: i32, args: &[&str]) -> Ended {
        self.run(args).expect(code, &args.join(" "))
    }

    /// Meets all hosts of the inventory.
    pub fn trust(&self) {
        self.expect(0, &["trust", "inventory.yaml", "--yes"]);
    }

    /// `text` without what differs from run to run: the directory, and the ports of `nodes`.
    pub fn plain(&self, text: &str, nodes: &[&Node]) -> String {
        let mut text = text.replace(&self.dir.path().display().to_string(), "DIR");
        for node in nodes {
            text = text.replace(&node.address.to_string(), &node.name.to_uppercase()).replace(&format!("port: {}", node.address.port()), "port: PORT").replace(&node.pin(), &format!("PIN-{}", node.name));
        }
        text
    }
}

impl Ended {
    pub fn of(Output { status, stdout, stderr }: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    pub fn expect(self, code: i32, what: &str) -> Ended {
        assert_eq!(self.code, code, "{what}\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// Standard output as the one JSON document that it must be.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.out.lines().count(), 1, "stray text on stdout: {}", self.out);
        let document: serde_json::Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out));
        assert_eq!(document["version"], 1);
        document
    }
}

impl Node {
    /// Its line in an inventory, with `more` keys.
    pub fn host(&self, more: &str) -> String {
        self.host_as(&self.name, more)
    }

    /// The same under another name.
    pub fn host_as(&self, name: &str, more: &str) -> String {
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        format!("{name}: {{address: {}, port: {}, key: {}{more}}}", self.address.ip(), self.address.port(), self.key().display())
    }

    /// Its line where it is reached by `NAME.lan`, which only a jump host knows.
    pub fn behind(&self, more: &str) -> String {
        format!("{}: {{address: {}.lan, key: {}, {more}}}", self.name, self.name, self.key().display())
    }

    /// Passes on connections to `NAME.lan:22` of `others`.
    pub fn forwards_to(&self, others: &[&Node]) {
        let forwards = others.iter().map(|node| ((format!("{}.lan", node.name), 22), Forward::Address(node.address.to_string())));
        self.serving.lock().unwrap().server.allow_forward(forwards.collect::<HashMap<_, _>>());
    }

    /// The key that its login accepts.
    pub fn key(&self) -> PathBuf {
        self.dir.join("client_key")
    }

    /// The fingerprint of its host key.
    pub fn pin(&self) -> String {
        let key = homelab::transport::sandbox::Sandbox::prepare(&self.dir, &self.spec).unwrap();
        key.pin()
    }

    /// Its host key becomes another one, as when a machine was set up anew; answers the fingerprint it had.
    pub fn reinstall(&self) -> String {
        let before = self.pin();
        std::fs::remove_file(self.dir.join("host_key")).unwrap();
        self.serving.lock().unwrap().server = boot(&self.dir, &self.spec);
        assert_ne!(self.pin(), before);
        before
    }

    pub fn connections(&self) -> usize {
        self.serving.lock().unwrap().connections
    }

    /// Connections that have not ended.
    pub fn open(&self) -> usize {
        self.serving.lock().unwrap().open
    }

    /// From now on, who connects is not answered until [`Node::answer`].
    pub fn hold(&self) {
        self.serving.lock().unwrap().answers.forget_permits(1);
    }

    /// Answers again.
    pub fn answer(&self) {
        self.serving.lock().unwrap().answers.add_permits(1);
    }

    /// A path in its file system as this machine sees it.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.dir.join("root").join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.inside(path)).unwrap_or_else(|error| panic!("{}: {path}: {error}", self.name))
    }
}

fn boot(dir: &Path, spec: &SandboxSpec) -> Server {
    let sandbox = Sandbox::prepare(dir, spec).unwrap();
    Server::start(&sandbox, Some(Path::new(env!("CARGO_BIN_EXE_homelab")))).unwrap()
}

/// A port of this machine that nobody listens at.
pub fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until the answer is something.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
