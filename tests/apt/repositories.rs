//! Repositories that are signed, asked for what they offer, and read by apt.

use crate::debian::Debian;
use crate::web::Web;

/// A signed repository in `/srv/signed`, made of the packages in `/srv/repo`, and its key.
const MADE: &str = r#"
set -e
arch=$(dpkg --print-architecture)
export GNUPGHOME=/root/gnupg
mkdir -m 700 $GNUPGHOME
gpg -q --batch --passphrase '' --quick-gen-key 'Tests <tests@example>' ed25519 sign never
gpg --armor --export >/root/key.asc
mkdir -p /srv/signed/dists/stable/main/binary-$arch
cp /srv/repo/*.deb /srv/signed
sed 's#^Filename: \./#Filename: #' /srv/repo/Packages >/srv/signed/dists/stable/main/binary-$arch/Packages
cd /srv/signed/dists/stable
{
  printf 'Origin: tests\nSuite: stable\nCodename: stable\nArchitectures: %s\nComponents: main\nDate: %s\nSHA256:\n' "$arch" "$(date -Ru)"
  f=main/binary-$arch/Packages; echo " $(sha256sum $f | cut -d' ' -f1) $(stat -c %s $f) $f"
} >Release
gpg -q --batch --clearsign -o InRelease Release
rm -f /etc/apt/sources.list /var/lib/apt/lists/*Packages*
"#;

fn serve(node: &Debian, web: &Web) {
    for path in node.by_hand("cd /srv/signed && find . -type f").lines() {
        let path = path.trim_start_matches('.');
        web.has(&format!("/deb{path}"), std::fs::read(node.inside(&format!("/srv/signed{path}"))).unwrap());
    }
}

#[test]
fn a_signed_repository_brings_packages() {
    let Some(node) = Debian::with_tools() else { return };
    let web = Web::serve();
    node.by_hand(MADE);
    serve(&node, &web);
    node.site.write("key.asc", &node.text("/root/key.asc"));
    let print = node.by_hand("GNUPGHOME=/root/gnupg gpg --fingerprint --with-colons | sed -n 's/^fpr:*\\(.*\\):/\\1/p'").trim().to_owned();
    let task = |suite: &str, more: &str| format!("- apt_repository: {{name: tests, uris: \"http://127.0.0.1:{}/deb\", suites: {suite}, components: main, key: key.asc, fingerprint: \"{print}\"{more}}}\n", web.port);
    let files = || node.by_hand("ls /etc/apt/keyrings /etc/apt/sources.list.d | grep tests || :").trim().to_owned();

    // What is not offered is refused, with what is.
    for (tasks, says) in [
        (task("trixie", ""), "has no suite `trixie`"),
        (task("stable", ", architectures: [armhf]"), "has nothing for armhf in `stable`, but for amd64"),
        (task("stable", "").replace("components: main", "components: extra"), "has no component `extra` in `stable`, but main"),
        (task("stable", "").replace(&print, &"A".repeat(40)), &format!("another key: {print}")),
    ] {
        node.site.tasks(&tasks);
        let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
        let says = says.replace("amd64", node.by_hand("dpkg --print-architecture").trim());
        assert!(refused.err.contains(&says), "{says}: {}", refused.err);
    }
    node.fails(&task("stable", ""));
    assert_eq!(files(), "");

    let install = "- package: greeter";
    node.apply(&(task("stable", "") + install));
    assert_eq!(files(), "tests.asc\ntests.sources");
    assert!(node.packages().contains("greeter 1.1"), "{}", node.packages());
    web.asked();
    node.has_nothing_to_do();
    assert_eq!(web.asked(), Vec::<String>::new(), "a repository is asked for what is as wished");

    // Broken off before apt had read the lists: they are missing, and read.
    node.by_hand("rm /var/lib/apt/lists/*signed* /var/lib/apt/lists/127*; ls /var/lib/apt/lists");
    node.site.tasks(&task("stable", ""));
    assert!(node.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]).out.contains("let apt read the lists of tests"));
    node.site.apply();
    node.has_nothing_to_do();

    // A key of somebody else's is no signature.
    node.site.write("key.asc", include_str!("../support/archive-key.asc"));
    let other = "7762 B0A4 3F40 E385 4F03 69E4 60B0 11E5 A572 8B37";
    node.site.tasks(&task("stable", "").replace(&print, other));
    let unsigned = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(unsigned.err.contains("signed") || unsigned.err.contains("verif"), "{}", unsigned.err);
    assert_eq!(node.text("/etc/apt/keyrings/tests.asc"), node.text("/root/key.asc"));

    node.apply("- apt_repository: {name: tests, state: absent}");
    assert_eq!(files(), "");
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(files(), "tests.asc\ntests.sources");
}

#[test]
fn a_repository_that_cannot_be_asked_is_said_to_be_not_asked() {
    let Some(node) = Debian::start() else { return };
    let task = |port: u16| format!("- apt_repository: {{name: far, uris: \"http://127.0.0.1:{port}/deb\", suites: stable, components: main, trusted: true}}");
    node.site.tasks(&task(1));
    let plan = node.site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("not asked what http://127.0.0.1:1/deb offers"), "{}", plan.out);
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("127.0.0.1:1") || failed.err.contains("Failed to fetch"), "{}", failed.err);
    assert!(!node.inside("/etc/apt/sources.list.d/far.sources").exists());
    // By apt's own downloader.
    let web = Web::serve();
    node.site.tasks(&task(web.port));
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("has no suite `stable`"));
    assert_eq!(node.by_hand("ls /dev/shm").trim(), "");
}
