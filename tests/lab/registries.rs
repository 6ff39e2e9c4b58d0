//! Registries that let nobody in without a token or a password, asked and pulled from by a node's docker: Debian's own registry, and a server of tokens
//! that is made here.

use crate::docker::{DOCKER, apply, image, run, site};
use crate::nodes::{Lab, by_hand, container, docker, does, root, until};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the lab's network reaches this machine, and where its registry is.
const HERE: &str = "10.207.1.1";
const THERE: &str = "10.207.1.2";
const PASSWORD: &str = "hush-hush";
/// `htpasswd -B` of it for `lab`.
const HTPASSWD: &str = "lab:$2b$05$BW3C2WO.gVRISoTwOokuHelCzyT1zYpGH5xWZBnMRFZf9bUP6eqxK\n";
/// What stands for a login once somebody has logged in.
const IDENTITY: &str = "hush-identity";

/// Who gives tokens: for images called `lab-open` to anybody, for all others to those who have a login.
struct Tokens {
    port: u16,
    dir: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tokens {
    /// With a key and its certificate in `dir`.
    fn serve(address: &str, dir: &Path) -> Tokens {
        let key = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab", "-addext", &format!("subjectAltName=IP:{THERE}"), "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(key.status.success(), "{}", String::from_utf8_lossy(&key.stderr));
        let listener = TcpListener::bind((address, 0)).unwrap();
        let tokens = Tokens { port: listener.local_addr().unwrap().port(), dir: dir.to_owned(), asked: Arc::default() };
        let (dir, asked) = (tokens.dir.clone(), tokens.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(&stream, &dir, &asked);
            }
        });
        tokens
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(stream: &TcpStream, dir: &Path, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while lines.read_line(&mut head)? > 2 {}
    let header = |name: &str| head.lines().find_map(|line| line.split_once(": ").filter(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()));
    let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    lines.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let query = head.split(' ').nth(1).and_then(|path| path.split_once('?')).map_or(body.clone(), |(_, query)| query.to_owned());
    let said = |name: &str| query.split('&').find_map(|pair| pair.split_once('=').filter(|(is, _)| *is == name)).map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",").replace('+', " "));
    let basic = format!("Basic {}", STANDARD.encode(format!("lab:{PASSWORD}")));
    let who = match (header("authorization"), said("refresh_token")) {
        (Some(login), _) if login == basic => Some("by password"),
        (_, Some(token)) if token == IDENTITY => Some("by identity"),
        (None, None) => None,
        _ => Some("nobody"),
    };
    let scope = said("scope").unwrap_or_default();
    asked.lock().unwrap().push(format!("{scope} {}", who.unwrap_or("unasked")));
    let (status, text) = match who {
        Some("nobody") => ("401 Unauthorized", r#"{"details":"incorrect username or password"}"#.to_owned()),
        who => {
            let let_in = who.is_some() || scope.contains("/lab-open:");
            let token = token(dir, &scope, let_in);
            ("200 OK", format!(r#"{{"token":"{token}","access_token":"{token}","expires_in":300}}"#))
        }
    };
    (&*stream).write_all(format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len()).as_bytes())
}

/// As the registry wants it: signed by a key whose certificate it has.
fn token(dir: &Path, scope: &str, let_in: bool) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let access = match scope.split(':').collect::<Vec<_>>()[..] {
        ["repository", name, actions] if let_in => serde_json::json!([{"type": "repository", "name": name, "actions": actions.split(',').collect::<Vec<_>>()}]),
        _ => serde_json::json!([]),
    };
    let certificate = fs::read_to_string(dir.join("cert.pem")).unwrap().lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(serde_json::json!({"typ": "JWT", "alg": "RS256", "x5c": [certificate]}));
    let claims = part(serde_json::json!({"iss": "lab", "sub": "lab", "aud": "lab", "iat": now - 5, "nbf": now - 5, "exp": now + 300, "jti": "1", "access": access}));
    let mut signs = Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(dir.join("key.pem")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    signs.stdin.take().unwrap().write_all(format!("{header}.{claims}").as_bytes()).unwrap();
    let signature = signs.wait_with_output().unwrap().stdout;
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A further registry on the lab's, of what that holds: on `port`, with TLS, and with `auth`.
fn registry(port: u16, auth: &str, files: &[(&str, &[u8])]) {
    let dir = format!("/run/lab-registry-{port}");
    by_hand("registry", &format!("mkdir -p {dir}"));
    let at = root("registry").join(&dir[1..]);
    for (name, bytes) in files {
        fs::write(at.join(name), bytes).unwrap();
    }
    let config = format!("version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: /var/lib/docker-registry}}}}\nhttp: {{addr: \":{port}\", secret: lab, tls: {{certificate: {dir}/cert.pem, key: {dir}/key.pem}}}}\nauth: {auth}\n");
    fs::write(at.join("config.yml"), config.replace("DIR", &dir)).unwrap();
    does(&["exec", "--detach", &container("registry"), "sh", "-c", &format!("echo $$ >{dir}/pid; exec docker-registry serve {dir}/config.yml >{dir}/log 2>&1")]);
    until(&format!("the registry at {port} answers"), Duration::from_secs(20), || TcpStream::connect((THERE, port)).is_ok());
    // Docker trusts it by this file.
    by_hand(DOCKER, &format!("mkdir -p /etc/docker/certs.d/{THERE}:{port}"));
    fs::copy(at.join("cert.pem"), root(DOCKER).join(format!("etc/docker/certs.d/{THERE}:{port}/ca.crt"))).unwrap();
}

fn clean() {
    for port in [5001, 5002] {
        docker(&["exec", &container("registry"), "sh", "-c", &format!("[ ! -e /run/lab-registry-{port}/pid ] || kill $(cat /run/lab-registry-{port}/pid); rm -rf /run/lab-registry-{port}")]);
    }
    by_hand(DOCKER, &format!("rm -rf /etc/docker/certs.d /root/.docker; docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep '^{THERE}:500[12]/' | xargs -r docker image rm --force >/dev/null"));
}

/// A list of manifests, as `media` calls it, of tags of the same name that are there.
fn list(name: &str, media: &str, of: &[(&str, &str)]) {
    let script = r#"set -e
        at=http://127.0.0.1:2250/v2/library/${1%:*} tag=${1#*:} media=$2 list=''
        shift 2
        for one; do
          head=$(curl -fsSI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "$at/manifests/${one%%=*}" | tr -d '\r')
          digest=$(echo "$head" | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p') size=$(echo "$head" | sed -n 's/^[Cc]ontent-[Ll]ength: //p')
          list="$list${list:+,}{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"size\":$size,\"digest\":\"$digest\",\"platform\":${one#*=}}"
        done
        printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' "$media" "$list" | curl -fsS -X PUT -H "Content-Type: $media" --data-binary @- "$at/manifests/$tag""#;
    let platform = |text: &str| match text.split('/').collect::<Vec<_>>()[..] {
        [os, arch, variant] => format!(r#"{{"os":"{os}","architecture":"{arch}","variant":"{variant}"}}"#),
        [os, arch] => format!(r#"{{"os":"{os}","architecture":"{arch}"}}"#),
        _ => panic!("{text}"),
    };
    let words = of.iter().map(|(tag, text)| format!("{tag}={}", platform(text)));
    let output = Command::new("sh").args(["-c", script, "sh", name, media]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn registries_that_want_a_token_or_a_password_are_asked_before_anything_changes() {
    let Some(lab) = Lab::up() else { return };
    clean();
    for (tag, platform) in [("amd64", "linux/amd64"), ("arm64", "linux/arm64")] {
        for name in ["lab-open", "lab-shut"] {
            image(&lab, &format!("{name}:{tag}"), platform, tag);
        }
    }
    let (docker_list, oci_index) = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json");
    list("lab-open:1", docker_list, &[("arm64", "linux/arm64/v8"), ("arm64", "linux/arm/v7")]);
    list("lab-shut:1", oci_index, &[("arm64", "linux/arm64"), ("amd64", "linux/amd64")]);
    list("lab-shut:2", oci_index, &[("arm64", "linux/arm64")]);

    fs::create_dir(lab.site.path("keys")).unwrap();
    let tokens = Tokens::serve(HERE, &lab.site.path("keys"));
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| fs::read(lab.site.path("keys").join(name)).unwrap());
    let own: [(&str, &[u8]); 3] = [("cert.pem", &certificate), ("key.pem", &key), ("htpasswd", HTPASSWD.as_bytes())];
    registry(5001, &format!("{{token: {{realm: \"http://{HERE}:{}/token\", service: lab, issuer: lab, rootcertbundle: DIR/cert.pem}}}}", tokens.port), &own);
    registry(5002, "{htpasswd: {realm: lab, path: DIR/htpasswd}}", &own);

    let task = |port: u16, image: &str| format!("- docker_image: \"{THERE}:{port}/library/{image}\"\n");
    let plan = |tasks: &str| {
        site(&lab, DOCKER, tasks);
        lab.site.run(&["plan", "inventory.yaml", "--limit", DOCKER])
    };
    let refused = |tasks: &str, says: &str| {
        let ended = plan(tasks);
        assert!(ended.code == 1 && ended.err.contains(says), "{says}: {}{}", ended.out, ended.err);
    };
    // Anybody's, with a token all the same.
    refused(&task(5001, "lab-open:1"), &format!("{THERE}:5001/library/lab-open:1 has nothing for linux/amd64: it offers linux/arm64/v8, linux/arm/v7"));
    assert_eq!(tokens.asked(), ["repository:library/lab-open:pull unasked"]);
    // Somebody's: that it could not be asked is said, and refuses nothing.
    for port in [5001, 5002] {
        let ended = plan(&task(port, "lab-shut:2"));
        assert!(ended.code == 0 && ended.out.contains(&format!("could not ask whether {THERE}:{port}/library/lab-shut:2 is there for linux/amd64: ")), "{}{}", ended.out, ended.err);
    }
    tokens.asked();

    // With a login that the inventory brings, one after the other: it is refused before it is pulled, and taken back with the login.
    let login = |port: u16, password: &str| format!("- docker_login: {{registry_url: \"{THERE}:{port}\", username: lab, password: \"{password}\"}}\n");
    for port in [5001, 5002] {
        site(&lab, DOCKER, &(login(port, PASSWORD) + &task(port, "lab-shut:2")));
        let back = run(&lab, 3, &["apply", "inventory.yaml", "--yes"], DOCKER);
        assert!(back.err.contains("lab-shut:2 has nothing for linux/amd64: it offers linux/arm64"), "{}", back.err);
        assert_eq!(by_hand(DOCKER, "ls -A /root/.docker 2>/dev/null || true"), "", "the login is left");
    }
    assert!(tokens.asked().contains(&"repository:library/lab-shut:pull by password".to_owned()));

    // Both are let in, and a wrong password is not.
    let both = login(5001, PASSWORD) + &login(5002, PASSWORD);
    let all = both.clone() + &task(5001, "lab-shut:1") + &task(5002, "lab-shut:1");
    site(&lab, DOCKER, &all);
    let done = run(&lab, 0, &["apply", "inventory.yaml", "--yes", "-vv"], DOCKER);
    assert_eq!(by_hand(DOCKER, &format!("stat -c '%a %U' /root/.docker /root/.docker/config.json; docker image inspect --format '{{{{.Architecture}}}}' {THERE}:5001/library/lab-shut:1 {THERE}:5002/library/lab-shut:1")), "700 root\n600 root\namd64\namd64\n");
    lab.has_nothing_to_do("inventory.yaml", &[DOCKER]);
    let shown = STANDARD.encode(format!("lab:{PASSWORD}"));
    for secret in [PASSWORD, &shown] {
        assert!(!done.out.contains(secret) && !done.err.contains(secret), "a secret is shown");
        assert_eq!(by_hand(DOCKER, &format!("grep -rlF '{secret}' /var/lib/homelab/runs/*/journal /var/log 2>/dev/null || true")), "");
    }
    refused(&(both.clone() + &task(5001, "lab-shut:2") + &task(5002, "lab-shut:2")), "5002/library/lab-shut:2 has nothing for linux/amd64: it offers linux/arm64");
    run(&lab, 0, &["rollback", "inventory.yaml", "--yes"], DOCKER);
    assert_eq!(by_hand(DOCKER, "ls -A /root/.docker 2>/dev/null; docker image ls --quiet --filter reference='*/library/lab-shut'"), "");
    for port in [5001, 5002] {
        site(&lab, DOCKER, &login(port, "wrong"));
        apply(&lab, DOCKER);
        let ended = plan(&task(port, "lab-shut:2"));
        assert!(ended.code == 0 && ended.out.contains("could not ask whether"), "{}{}", ended.out, ended.err);
    }

    // As docker keeps what a registry gave in place of a password.
    fs::write(root(DOCKER).join("root/.docker/config.json"), format!("{{\"auths\": {{\"{THERE}:5001\": {{\"auth\": \"{}\", \"identitytoken\": \"{IDENTITY}\"}}}}}}", STANDARD.encode("lab:"))).unwrap();
    tokens.asked();
    refused(&task(5001, "lab-shut:2"), "lab-shut:2 has nothing for linux/amd64: it offers linux/arm64");
    assert_eq!(tokens.asked(), ["repository:library/lab-shut:pull by identity"]);

    // And where nobody listens any more.
    clean();
    let ended = plan(&task(5001, "lab-shut:2"));
    assert!(ended.code == 0 && ended.out.contains("could not ask whether"), "{}{}", ended.out, ended.err);
}
