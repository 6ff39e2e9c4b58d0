//! Scenario D without docker: the real Verdaccio, from npm, with the configuration that the shipped role renders, and real npm clients with the
//! `.npmrc` of the shipped role.

use crate::site::Site;
use crate::untested::untested;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Verdaccio, made once in `target/nodes`; what the lab has made of it is as good. None, with a line that says so, where it cannot be had or was not asked for.
fn verdaccio() -> Option<PathBuf> {
    if std::env::var_os("HOMELAB_TEST_QUICK").is_some_and(|value| value == "1") {
        eprintln!("NOT TESTED: HOMELAB_TEST_QUICK=1");
        return None;
    }
    if !["node", "npm"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())) {
        untested("it takes node and npm");
        return None;
    }
    let nodes = Path::new(env!("CARGO_BIN_EXE_homelab")).ancestors().nth(2).unwrap().join("nodes");
    std::fs::create_dir_all(&nodes).unwrap();
    let lock = File::create(nodes.join("verdaccio.lock")).unwrap();
    lock.lock().unwrap();
    let (root, part) = (nodes.join("verdaccio-6.2.1"), nodes.join("verdaccio.part"));
    if !root.exists() {
        let _ = std::fs::remove_dir_all(&part);
        let cache = std::env::var_os("HOMELAB_LAB_CACHE").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/homelab-lab")));
        let made = cache.map(|cache| cache.join("images/verdaccio-6.2.1.tar")).filter(|archive| archive.exists());
        let done = match made {
            Some(archive) => {
                std::fs::create_dir(&part).unwrap();
                Command::new("tar").arg("-C").arg(&part).arg("-xf").arg(archive).args(["--strip-components=3", "./opt/verdaccio"]).output()
            }
            None => Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/verdaccio")).arg(&part).stdin(Stdio::null()).output(),
        };
        let done = done.unwrap();
        assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        std::fs::rename(&part, &root).unwrap();
    }
    Some(root)
}

/// A registry that runs until it is dropped.
struct Registry {
    child: Child,
    url: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Registry {
    /// From the configuration as it was rendered. Whoever is behind its uplink cannot be reached.
    fn start(verdaccio: &Path, site: &Site, port: u16) -> Registry {
        let log = File::create(site.path("verdaccio.log")).unwrap();
        let child = Command::new("node")
            .arg(verdaccio.join("node_modules/verdaccio/bin/verdaccio"))
            .arg("--config")
            .arg(site.inside("pi", "/srv/verdaccio/conf/config.yaml"))
            .args(["--listen", &format!("http://127.0.0.1:{port}")])
            .envs([("https_proxy", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut registry = Registry { child, url: format!("http://127.0.0.1:{port}") };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = registry.child.try_wait().unwrap();
            let said = || std::fs::read_to_string(site.path("verdaccio.log")).unwrap();
            assert!(ended.is_none() && start.elapsed() < Duration::from_secs(60), "verdaccio does not start: {}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        registry
    }

    /// What `npm adduser` asks for, or `npm login` of one who has an account: the token, or what the registry says.
    fn adduser(&self, name: &str, password: &str, has_one: bool) -> Result<String, String> {
        let script = "
const [url, name, password, has] = process.argv.slice(1);
const headers = {'content-type': 'application/json'};
if (has === 'true') headers.authorization = 'Basic ' + Buffer.from(name + ':' + password).toString('base64');
fetch(url + '/-/user/org.couchdb.user:' + name, {method: 'PUT', headers, body: JSON.stringify({name, password})})
  .then(async answer => { const body = await answer.json(); console.log(body.token ? 'token ' + body.token : answer.status + ' ' + JSON.stringify(body)); });";
        let output = Command::new("node").args(["-e", script, &self.url, name, password, &has_one.to_string()]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        said.strip_prefix("token ").map(str::to_owned).ok_or(said)
    }
}

/// Somebody with a home and an `.npmrc` of the role's.
struct Client<'a> {
    site: &'a Site,
    name: &'static str,
}

impl Client<'_> {
    fn home(&self) -> PathBuf {
        self.site.inside("pi", &format!("/srv/{}", self.name))
    }

    fn npm(&self, dir: &Path, args: &[&str]) -> Output {
        std::fs::create_dir_all(dir).unwrap();
        // Of what this machine has set for npm, nothing.
        let path = std::env::var_os("PATH").unwrap();
        let mut command = Command::new("npm");
        command.args(args).args(["--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0", "--globalconfig=/dev/null", "--userconfig"]).arg(self.home().join(".npmrc"));
        command.current_dir(dir).env_clear().env("PATH", path).env("HOME", self.home()).stdin(Stdio::null()).output().unwrap()
    }

    fn publish(&self, name: &str, version: &str) -> Result<(), String> {
        let dir = self.home().join("package");
        std::fs::create_dir_all(&dir).unwrap();
        let data = dir.join("data");
        if !data.exists() {
            let mut random = std::io::Read::take(File::open("/dev/urandom").unwrap(), 12_000_000);
            std::io::copy(&mut random, &mut File::create(data).unwrap()).unwrap();
        }
        std::fs::write(dir.join("package.json"), format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}")).unwrap();
        let output = self.npm(&dir, &["publish"]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// The package's content, as it was installed.
    fn install(&self, name: &str, version: &str) -> Vec<u8> {
        let dir = self.home().join("project");
        let _ = std::fs::remove_dir_all(&dir);
        let output = self.npm(&dir, &["install", &format!("{name}@{version}")]);
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        std::fs::read(dir.join("node_modules").join(name).join("data")).unwrap()
    }
}

#[test]
fn a_registry_of_ones_own_serves_its_clients() {
    let Some(verdaccio) = verdaccio() else { return };
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    for (from, to) in [("playbooks/roles", "roles"), ("templates", "templates")] {
        assert!(Command::new("cp").arg("-r").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).arg(site.path(to)).status().unwrap().success());
    }
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    // The role's parameters, and the tokens of those who have one.
    let apply = |with: &str, tokens: &[(&str, &str)]| {
        let client = |name: &str| {
            let token = tokens.iter().find(|(of, _)| *of == name).map_or("", |(_, token)| token);
            format!("- file: {{path: /srv/{name}, state: directory, mode: 0700}}\n- role: npm_client\n  with: {{file: /srv/{name}/.npmrc, owner: root, scope: \"@lab\", registry: \"{url}\", token: \"{token}\"}}\n")
        };
        site.tasks(&format!("- role: verdaccio\n  with: {{port: {port}, scopes: [\"@lab\"]{with}}}\n{}{}{}", client("ann"), client("bob"), client("eve")));
        site.apply();
    };
    let (ann, bob, eve) = (Client { site: &site, name: "ann" }, Client { site: &site, name: "bob" }, Client { site: &site, name: "eve" });

    apply(", registration: open, publishers: [ann], max_body_size: 500mb", &[]);
    let registry = Registry::start(&verdaccio, &site, port);
    let tokens = ["ann", "eve"].map(|name| (name, registry.adduser(name, "long enough for it", false).unwrap()));
    let tokens: Vec<(&str, &str)> = tokens.iter().map(|(name, token)| (*name, token.as_str())).collect();
    apply(", registration: open, publishers: [ann], max_body_size: 500mb", &tokens);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);

    ann.publish("@lab/big", "1.0.0").unwrap();
    let data = std::fs::read(ann.home().join("package/data")).unwrap();
    assert!(bob.install("@lab/big", "1.0.0") == data, "what is installed is not what was published");
    // Who is not named may not, nor who says no name; and there is only one of each version.
    for (who, status) in [(&eve, "403"), (&bob, "401")] {
        let refused = who.publish("@lab/other", "1.0.0").unwrap_err();
        assert!(refused.contains(status) || refused.contains("need auth") || refused.contains("ENEEDAUTH"), "{}: {refused}", who.name);
    }
    assert!(ann.publish("@lab/big", "1.0.0").is_err());
    // The uplink, which cannot be reached, is asked for what is not of the scope, and for nothing else.
    for (name, status) in [("left-pad", "E503"), ("@lab/none", "E404")] {
        let output = bob.npm(&bob.home(), &["view", name, "--registry", &registry.url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(status), "{name}: {said}");
    }
    drop(registry);

    // With the size that Verdaccio has by itself, it is refused; what is there stays there.
    apply(", publishers: [ann]", &tokens);
    let registry = Registry::start(&verdaccio, &site, port);
    let refused = ann.publish("@lab/big", "1.0.1").unwrap_err();
    assert!(refused.contains("413"), "{refused}");
    assert!(bob.install("@lab/big", "1.0.0") == data);
    // Closed means closed; who has an account still has it.
    let refused = registry.adduser("mallory", "long enough for it", false).unwrap_err();
    assert!(refused.starts_with("409") || refused.starts_with("403"), "{refused}");
    assert!(registry.adduser("ann", "long enough for it", true).is_ok());
    drop(registry);

    // Accounts that the inventory names.
    apply(", users: {carl: \"his password\"}", &tokens);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    let registry = Registry::start(&verdaccio, &site, port);
    assert!(registry.adduser("carl", "his password", true).is_ok());
    assert!(registry.adduser("carl", "another", true).is_err() && registry.adduser("ann", "long enough for it", true).is_err());
}
