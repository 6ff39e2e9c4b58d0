use crate::sshd::{Answers, Sshd, have, keygen, me, once, pool, pool_asking, run, text};
use homelab::lang::Kind;
use homelab::transport::Pool;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn every_kind_of_key_file_gets_in() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let pool = pool(&known);
    for (name, args) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("ecdsa256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa384", &["-t", "ecdsa", "-b", "384"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ecdsa-pem", &["-t", "ecdsa", "-m", "PEM"]),
        ("ecdsa-pkcs8", &["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        let key = keygen(sshd.dir.path(), name, args);
        sshd.authorize(&key);
        match once(&pool, &sshd.target_with(name, &key), "echo $0; echo done").await {
            Ok(said) => assert!(said.ends_with("done\n")),
            Err(diagnostic) => panic!("{name}: {}{}", text(&diagnostic), sshd.log()),
        }
    }
}

#[tokio::test]
async fn an_encrypted_key_asks_once_for_many_hosts() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    for (name, args) in [
        ("openssh", &["-t", "ed25519", "-N", "open sesame"][..]),
        ("pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "open sesame"]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"]),
    ] {
        let key = keygen(sshd.dir.path(), name, args);
        sshd.authorize(&key);
        let asked = Arc::new(AtomicUsize::new(0));
        let pool = pool_asking(&known, Answers("open sesame", asked.clone()));
        let target = sshd.target_with(name, &key);
        let (a, b, c) = tokio::join!(once(&pool, &target, "echo done"), once(&pool, &target, "echo done"), once(&pool, &target, "echo done"));
        for result in [a, b, c] {
            assert_eq!(result.map_err(|d| format!("{name}: {}", text(&d))).unwrap(), "done\n");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{name}");
    }
}

#[tokio::test]
async fn nobody_is_asked_for_a_key_that_is_not_wanted() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let key = keygen(sshd.dir.path(), "stranger", &["-t", "ed25519", "-N", "open sesame"]);
    let asked = Arc::new(AtomicUsize::new(0));
    let pool = pool_asking(&known, Answers("open sesame", asked.clone()));
    let diagnostic = once(&pool, &sshd.target_with("pi", &key), "echo done").await.unwrap_err();
    assert!(text(&diagnostic).contains("stranger (ssh-ed25519): refused"), "{}", text(&diagnostic));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_encrypted_key_without_an_answer_says_what_to_do() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let key = keygen(sshd.dir.path(), "locked", &["-t", "ed25519", "-N", "open sesame"]);
    sshd.authorize(&key);
    let target = sshd.target_with("pi", &key);
    let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
    assert!(said.contains("nobody to ask") && said.contains("ssh-add"), "{said}");
    let asked = Arc::new(AtomicUsize::new(0));
    let said = text(&once(&pool_asking(&known, Answers("wrong", asked.clone())), &target, "echo done").await.unwrap_err());
    assert!(said.contains("wrong three times"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_wrong_key_lists_what_was_tried_and_what_is_accepted() {
    let Some(sshd) = Sshd::start("Banner DIR/banner") else { return };
    std::fs::write(sshd.path("banner"), "Authorised use \x1b[31monly\n").unwrap();
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let key = keygen(sshd.dir.path(), "stranger", &["-t", "ed25519"]);
    let diagnostic = once(&pool(&known), &sshd.target_with("pi", &key), "echo done").await.unwrap_err();
    assert_eq!(diagnostic.kind, Kind::Refused);
    let said = text(&diagnostic);
    assert!(said.contains(&format!("pi (127.0.0.1:{}): login as {} was refused", sshd.port, me())), "{said}");
    assert!(said.contains("stranger (ssh-ed25519): refused") && said.contains("the server accepts: publickey"), "{said}");
    assert!(said.contains("the server says: Authorised use") && !said.contains('\x1b'), "{said}");
    assert!(said.contains("authorized_keys"), "{said}");
}

#[tokio::test]
async fn unusable_key_files_are_explained_before_connecting_is_over() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let garbage = sshd.path("garbage");
    std::fs::write(&garbage, "hello\n").unwrap();
    std::fs::set_permissions(&garbage, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let open = keygen(sshd.dir.path(), "open", &["-t", "ed25519"]);
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for (path, expected) in [(sshd.path("missing"), "no such file"), (garbage, "not a private key"), (open, "chmod 600")] {
        let diagnostic = once(&pool(&known), &sshd.target_with("pi", &path), "echo done").await.unwrap_err();
        assert_eq!(diagnostic.kind, Kind::Config);
        assert!(text(&diagnostic).contains(expected), "{}", text(&diagnostic));
    }
}

/// An agent that ends with the test.
struct Agent(Child);

impl Agent {
    fn start(socket: &Path) -> Agent {
        let child = Command::new("ssh-agent").args(["-D", "-a"]).arg(socket).stdout(Stdio::null()).spawn().unwrap();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Agent(child)
    }

    fn add(socket: &Path, key: &Path) {
        let status = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", socket).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_agent_signs() {
    let Some(sshd) = Sshd::start("") else { return };
    if !have("/usr/bin/ssh-agent") {
        return;
    }
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let socket = sshd.path("agent");
    let _agent = Agent::start(&socket);
    for (name, args) in [("stranger", &["-t", "ed25519"][..]), ("rsa", &["-t", "rsa"]), ("ed", &["-t", "ed25519"])] {
        let key = keygen(sshd.dir.path(), name, args);
        Agent::add(&socket, &key);
        if name != "stranger" {
            std::fs::write(sshd.path("authorized_keys"), "").unwrap();
            sshd.authorize(&key);
            let mut target = sshd.target_with("pi", &key);
            target.keys.clear();
            let pool = || pool(&known).with_identity(Some(socket.clone()), None);
            assert_eq!(once(&pool(), &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n", "{name}");
            // A public key file names a key of the agent.
            target.keys = vec![sshd.path(&format!("{name}.pub"))];
            assert_eq!(once(&pool(), &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n", "{name}.pub");
            target.keys.clear();
            target.agent = false;
            assert!(text(&once(&pool(), &target, "echo done").await.unwrap_err()).contains("no key to offer"));
        }
    }
    // An encrypted file whose key the agent holds asks nobody.
    let key = keygen(sshd.dir.path(), "locked", &["-t", "ed25519"]);
    Agent::add(&socket, &key);
    run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "secret", "-f", key.to_str().unwrap()]);
    sshd.authorize(&key);
    let pool = pool(&known).with_identity(Some(socket), None);
    assert_eq!(once(&pool, &sshd.target_with("pi", &key), "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}

#[tokio::test]
async fn default_keys_are_those_of_the_home() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    sshd.trust(&known);
    let home = sshd.path("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    keygen(&home.join(".ssh"), "id_rsa", &["-t", "rsa"]);
    let right = keygen(&home.join(".ssh"), "id_ecdsa", &["-t", "ecdsa"]);
    sshd.authorize(&right);
    let mut target = sshd.target_with("pi", &right);
    target.keys.clear();
    let pool: Pool = pool(&known).with_identity(None, Some(home));
    assert_eq!(once(&pool, &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}

#[tokio::test]
async fn servers_that_want_something_else_say_so() {
    for (config, expected) in [
        ("PasswordAuthentication yes\nAuthenticationMethods publickey,password", "taken, but the server wants more: password"),
        ("PasswordAuthentication yes\nPubkeyAuthentication no", "the server accepts: password"),
    ] {
        let Some(sshd) = Sshd::start(config) else { return };
        let known = sshd.path("known_hosts");
        let target = sshd.target("pi", &known);
        let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
        assert!(said.starts_with("Refused") && said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_after_too_many_keys_is_a_refusal() {
    let Some(sshd) = Sshd::start("MaxAuthTries 2") else { return };
    let known = sshd.path("known_hosts");
    let mut target = sshd.target("pi", &known);
    let right = target.keys.remove(0);
    target.keys = (0..3).map(|i| keygen(sshd.dir.path(), &format!("wrong{i}"), &["-t", "ed25519"])).collect();
    target.keys.push(right.clone());
    let diagnostic = once(&pool(&known), &target, "echo done").await.unwrap_err();
    let said = text(&diagnostic);
    assert!(diagnostic.kind == Kind::Refused && said.contains("wrong0 (ssh-ed25519): refused") && said.contains("the server hung up"), "{said}");
    target.keys.swap(0, 3);
    assert!(once(&pool(&known), &target, "echo done").await.is_ok());
}

#[tokio::test]
async fn no_more_keys_are_offered_than_a_server_bears() {
    let Some(sshd) = Sshd::start("MaxAuthTries 20") else { return };
    let known = sshd.path("known_hosts");
    let mut target = sshd.target("pi", &known);
    target.keys = (0..8).map(|i| keygen(sshd.dir.path(), &format!("wrong{i}"), &["-t", "ed25519"])).collect();
    let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
    assert!(said.matches(": refused").count() == 6 && said.contains("more keys than 6"), "{said}");
}
