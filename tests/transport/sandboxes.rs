//! The runtime in a sandbox: the whole path without a port.

use crate::sshd::{pool, text};
use crate::talk::facts;
use homelab::transport::sandbox::{Sandbox, SandboxSpec, Server};
use homelab::transport::{Become, Method, Secret, Target};
use std::path::Path;

#[tokio::test]
async fn a_sandbox_is_looked_at_as_login_and_as_root() {
    let dir = tempfile::tempdir().unwrap();
    for password in [None, Some("open sesame")] {
        let spec = SandboxSpec { name: "box".into(), user: "pi".into(), sudo_password: password.map(str::to_owned), shell: None };
        let sandbox = Sandbox::prepare(dir.path(), &spec).map_err(|d| text(&d)).unwrap();
        let server = Server::start(&sandbox, Some(Path::new(env!("CARGO_BIN_EXE_homelab")))).map_err(|d| text(&d)).unwrap();
        let mut target = Target::new("box", "box", "pi");
        (target.keys, target.pins) = (vec![sandbox.client_key_path()], vec![sandbox.pin()]);
        let known = dir.path().join("known_hosts");
        let become_root = |password: Option<&str>| Some(Become { method: Method::Sudo, user: "root".into(), password: password.map(Secret::new) });
        for (privilege, works) in [(None, true), (become_root(password), true), (become_root(Some("wrong")), password.is_none())] {
            let pool = pool(&known);
            let mine = server.clone();
            pool.route(target.endpoint(), move || mine.connect());
            target.privilege = privilege;
            match facts(&pool, &target).await {
                Ok(_) => assert!(works),
                Err(diagnostic) => {
                    let said = text(&diagnostic);
                    assert!(!works && said.contains("password for sudo was not accepted"), "{password:?} {:?}: {said}", target.privilege);
                }
            }
        }
    }
}
