use crate::sshd::{Sshd, keygen, once, pool, text};
use homelab::lang::Kind;
use homelab::transport::{keys, known_hosts};

#[tokio::test]
async fn an_unknown_key_is_refused_learned_and_then_trusted() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    let key = keygen(sshd.dir.path(), "key", &["-t", "ed25519"]);
    sshd.authorize(&key);
    let target = sshd.target_with("pi-1", &key);
    let pool = pool(&known);
    let diagnostic = once(&pool, &target, "echo done").await.unwrap_err();
    assert_eq!(diagnostic.kind, Kind::Refused);
    let said = text(&diagnostic);
    assert!(said.contains("is not known") && said.contains(&sshd.fingerprint("host_ed25519")), "{said}");
    assert!(said.contains("homelab trust INVENTORY --limit pi-1"), "{said}");

    let learned = pool.learn(&target).await.unwrap();
    assert_eq!(learned.fingerprint(), sshd.fingerprint("host_ed25519"));
    assert_eq!(learned.kind(), "ED25519");
    assert!(!sshd.log().contains("Accepted"), "learning does not log in");
    known_hosts::record(&known, &target.known_as(), &learned.0, false).unwrap();
    assert_eq!(once(&pool, &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}

#[tokio::test]
async fn the_kind_already_known_is_the_kind_asked_for() {
    let Some(sshd) = Sshd::start("") else { return };
    for name in ["host_rsa", "host_ecdsa"] {
        let known = sshd.path(&format!("known_{name}"));
        let key = keys::public(&sshd.path(&format!("{name}.pub"))).unwrap();
        known_hosts::record(&known, &format!("[127.0.0.1]:{}", sshd.port), &key, false).unwrap();
        let key = keygen(sshd.dir.path(), &format!("key_{name}"), &["-t", "ed25519"]);
        sshd.authorize(&key);
        assert_eq!(once(&pool(&known), &sshd.target_with("pi", &key), "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
    }
}

#[tokio::test]
async fn a_changed_key_shows_both_fingerprints_and_the_line() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    std::fs::write(&known, "# a comment\n").unwrap();
    let other = keygen(sshd.dir.path(), "other", &["-t", "ed25519"]);
    let target = sshd.target_with("pi", &other);
    known_hosts::record(&known, &target.known_as(), &keys::public(&sshd.path("other.pub")).unwrap(), false).unwrap();
    let diagnostic = once(&pool(&known), &target, "echo done").await.unwrap_err();
    assert_eq!(diagnostic.kind, Kind::Refused);
    let said = text(&diagnostic);
    assert!(said.contains("the host key has changed"), "{said}");
    assert!(said.contains(&format!("shown: {} (ED25519)", sshd.fingerprint("host_ed25519"))), "{said}");
    assert!(said.contains(&format!("known: {} (ED25519), {}:2", sshd.fingerprint("other"), known.display())), "{said}");
    assert!(!sshd.log().contains("Accepted"), "no login with a wrong host key");
}

#[tokio::test]
async fn a_pin_wins_over_known_hosts_and_a_revoked_key_over_both() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    let other = keygen(sshd.dir.path(), "other", &["-t", "ed25519"]);
    let mut target = sshd.target("pi", &known);
    target.pins = vec![sshd.fingerprint("other")];
    let said = text(&once(&pool(&known), &target, "echo done").await.unwrap_err());
    assert!(said.contains("not the pinned one") && said.contains(&sshd.fingerprint("other")) && said.contains(&sshd.fingerprint("host_ed25519")), "{said}");

    target.pins.push(sshd.fingerprint("host_ed25519"));
    let wrong = sshd.path("wrong_known_hosts");
    known_hosts::record(&wrong, &target.known_as(), &keys::public(&other.with_extension("pub")).unwrap(), false).unwrap();
    assert_eq!(once(&pool(&wrong), &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");

    let public = std::fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    std::fs::write(&wrong, format!("@revoked * {public}")).unwrap();
    let said = text(&once(&pool(&wrong), &target, "echo done").await.unwrap_err());
    assert!(said.contains("revoked") && said.contains(":1"), "{said}");
}

#[tokio::test]
async fn an_alias_is_looked_up_in_place_of_the_address_and_a_name_without_port_vouches() {
    let Some(sshd) = Sshd::start("") else { return };
    let known = sshd.path("known_hosts");
    let key = keygen(sshd.dir.path(), "key", &["-t", "ed25519"]);
    sshd.authorize(&key);
    let mut target = sshd.target_with("pi", &key);
    let host = keys::public(&sshd.path("host_ed25519.pub")).unwrap();
    known_hosts::record(&known, "blue", &host, false).unwrap();
    assert!(once(&pool(&known), &target, "echo done").await.is_err());
    target.host_key_alias = Some("Blue".into());
    assert!(once(&pool(&known), &target, "echo done").await.is_ok());
    target.host_key_alias = None;
    known_hosts::record(&known, "127.0.0.1", &host, false).unwrap();
    assert!(once(&pool(&known), &target, "echo done").await.is_ok(), "as ssh does for a port that is not 22");
}

#[tokio::test]
async fn a_pin_may_be_a_whole_key_of_any_kind_the_host_has() {
    let Some(sshd) = Sshd::start("") else { return };
    let key = keygen(sshd.dir.path(), "key", &["-t", "ed25519"]);
    sshd.authorize(&key);
    let mut target = sshd.target_with("pi", &key);
    target.pins = vec![std::fs::read_to_string(sshd.path("host_rsa.pub")).unwrap()];
    assert_eq!(once(&pool(&sshd.path("none")), &target, "echo done").await.map_err(|d| text(&d)).unwrap(), "done\n");
}
