//! Downloads by the tools that a node has: curl and wget's stand-in where they are, and apt's own on a minimal Debian.

use crate::debian::Debian;
use crate::web::Web;
use homelab::node::op::sha256;

fn body(seed: u8) -> Vec<u8> {
    (0..300_000_u32).map(|n| (n % 251) as u8 ^ seed).collect()
}

fn the_laws_of_downloads(node: &Debian, resumes: bool) {
    let web = Web::serve();
    let (one, two) = (body(1), body(2));
    web.has("/one", one.clone());
    web.has("/two", two.clone());
    let task = |path: &str, sum: &str, more: &str| format!("- get_url: {{url: \"http://127.0.0.1:{}/{path}\", dest: /srv/got, checksum: \"sha256:{sum}\"{more}}}", web.port);
    let read = || std::fs::read(node.inside("/srv/got")).ok();
    let alone = || assert_eq!(node.by_hand("ls -A /srv | grep got || :").trim(), if read().is_some() { "got" } else { "" }, "something is left beside it");

    // What comes is not what is wished.
    node.site.tasks(&task("two", &sha256(&one), ""));
    let wrong = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(wrong.err.contains("has the checksum"), "{}", wrong.err);
    assert_eq!(read(), None);
    alone();
    node.fails(&task("one", &sha256(&one), ""));
    assert_eq!(read(), None);

    node.apply(&task("one", &sha256(&one), ", mode: 0640"));
    assert_eq!((read(), node.by_hand("stat -c '%a %U' /srv/got").trim()), (Some(one.clone()), "640 root"));
    web.asked();
    node.has_nothing_to_do();
    assert_eq!(web.asked(), Vec::<String>::new(), "a server is asked for what is there");

    node.by_hand("chown man:man /srv/got; touch -d @1 /srv/got");
    node.fails(&task("two", &sha256(&two), ""));
    assert_eq!((read(), node.by_hand("stat -c '%a %U %Y' /srv/got").trim()), (Some(one), "640 man 1"));
    alone();
    if resumes {
        web.breaks_off(1);
    }
    web.asked();
    node.apply(&task("two", &sha256(&two), ""));
    assert_eq!((read(), node.by_hand("stat -c '%a %U' /srv/got").trim()), (Some(two), "640 man"));
    if resumes {
        assert!(web.asked().iter().any(|head| head.to_lowercase().contains("range: bytes=150000-")), "it began anew");
    }
    alone();
    node.has_nothing_to_do();
    node.site.tasks(&task("gone", &"0".repeat(64), ""));
    let gone = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(gone.err.contains("404"), "{}", gone.err);
    alone();
}

#[test]
fn curl_downloads() {
    let Some(node) = Debian::with_tools() else { return };
    the_laws_of_downloads(&node, true);
    // A secret is in no list of processes, and in no output.
    let web = Web::serve();
    web.has("/secret", "x");
    node.by_hand("mv /usr/bin/curl /usr/bin/curl.real; printf '#!/bin/sh\\necho \"$@\" >>/root/told\\nexec curl.real \"$@\"\\n' >/usr/bin/curl; chmod +x /usr/bin/curl");
    node.by_hand("echo s3cr3t >/root/token");
    node.site.tasks(&format!(
        "- command: {{argv: [cat, /root/token], read_only: true}}\n  register: {{name: token, secret: true}}\n- get_url: {{url: \"http://127.0.0.1:{}/secret\", dest: /srv/secret, headers: {{Authorization: \"{{{{ token.stdout | trim }}}}\"}}}}",
        web.port
    ));
    let applied = node.site.expect(0, &["apply", "inventory.yaml", "--yes", "-vv"]);
    assert!(!applied.out.contains("s3cr3t") && !applied.err.contains("s3cr3t") && !node.text("/root/told").contains("s3cr3t"), "{}", applied.out);
    assert!(web.asked()[0].contains("Authorization: s3cr3t"));
    assert_eq!(node.by_hand("stat -c %a /srv/secret").trim(), "600");
    node.by_hand("! grep -r s3cr3t /var/lib/homelab");
}

/// busybox's wget, under the name it has on a busybox node.
#[test]
fn wget_downloads() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand("rm -f /usr/bin/curl /usr/bin/wget; ln -s busybox /usr/bin/wget");
    the_laws_of_downloads(&node, true);
}

#[test]
fn apt_downloads_where_nothing_else_can() {
    let Some(node) = Debian::start() else { return };
    the_laws_of_downloads(&node, false);
    node.site.tasks("- get_url: {url: \"http://127.0.0.1:1/x\", dest: /srv/x, headers: {A: b}}");
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("package: curl"), "{}", refused.err);
    node.by_hand("rm /usr/lib/apt/apt-helper");
    node.site.tasks("- get_url: {url: \"http://127.0.0.1:1/x\", dest: /srv/x}");
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("nothing on the node can download"));
}
