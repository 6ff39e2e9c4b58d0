//! Archives of each sort, unpacked by the node's own tools.

use crate::debian::Debian;

/// Two archives of each sort: the second has another file for one, one more, and a directory where the first has none.
const MADE: &str = r#"
set -e
umask 022
mkdir -p /root/one/app-1/bin /root/two/app-1/bin "/root/two/app-1/new dir"
cd /root
echo one >one/app-1/bin/tool; chmod 755 one/app-1/bin/tool; echo conf >"one/app-1/a conf"
echo two >two/app-1/bin/tool; chmod 755 two/app-1/bin/tool; echo conf >"two/app-1/a conf"; echo more >"two/app-1/new dir/more"
for n in one two; do
  (cd $n; tar -czf ../$n.tar.gz app-1; tar -cJf ../$n.tar.xz app-1; tar --zstd -cf ../$n.tar.zst app-1; busybox tar -cf ../$n.tar app-1)
done
mkdir /opt/app
"#;

fn tree(node: &Debian) -> String {
    node.by_hand("cd /opt/app && find . | sort | while read -r p; do stat -c '%n %a %U' -- \"$p\"; [ ! -f \"$p\" ] || cat -- \"$p\"; done")
}

fn the_laws_of_archives(node: &Debian, ending: &str) {
    let task = |name: &str, more: &str| format!("- unarchive: {{src: /root/{name}.{ending}, dest: /opt/app, strip_components: 1{more}}}");
    node.by_hand("rm -rf /opt/app /var/lib/homelab/archives; mkdir /opt/app; echo mine >/opt/app/mine; echo old >'/opt/app/a conf'; chmod 600 '/opt/app/a conf'");
    let before = tree(node);
    node.fails(&task("one", ""));
    assert_eq!(tree(node), before, "{ending}");
    node.apply(&task("one", ", owner: man"));
    let one = tree(node);
    assert!(one.contains("./bin/tool 755 man\none") && one.contains("./a conf 644 man\nconf") && one.contains("./mine 644 root\nmine"), "{ending}: {one}");
    node.has_nothing_to_do();

    node.fails(&task("two", ""));
    assert_eq!(tree(node), one, "{ending}");
    node.apply(&task("two", ""));
    assert!(tree(node).contains("tool 755 root\ntwo") && tree(node).contains("./new dir/more"), "{ending}: {}", tree(node));
    node.has_nothing_to_do();
    // A file that goes is drift, and comes back.
    node.by_hand("rm '/opt/app/new dir/more'");
    assert_eq!(node.site.run(&["drift", "inventory.yaml"]).code, 2);
    node.site.apply();
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert!(!node.inside("/opt/app/new dir/more").exists(), "{ending}");
}

#[test]
fn tar_archives_are_unpacked_and_taken_back() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand(MADE);
    for ending in ["tar.gz", "tar.xz", "tar.zst", "tar"] {
        the_laws_of_archives(&node, ending);
    }
    // Half an archive is none.
    node.by_hand("rm -rf /opt/app/*; head -c 100 /root/one.tar.gz >/root/half.tar.gz");
    node.site.tasks("- unarchive: {src: /root/half.tar.gz, dest: /opt/app}");
    node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(node.by_hand("ls -A /opt/app"), "");
}

#[test]
fn zip_archives_are_unpacked_and_taken_back() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand(MADE);
    for n in ["one", "two"] {
        let made = std::process::Command::new("python3")
            .args(["-m", "zipfile", "-c"])
            .arg(node.inside(&format!("/root/{n}.zip")))
            .arg(node.inside(&format!("/root/{n}/app-1")))
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return crate::untested::untested("there is no python3 here to make a zip archive");
        }
    }
    the_laws_of_archives(&node, "zip");
    node.by_hand("rm /usr/bin/unzip");
    node.site.tasks("- unarchive: {src: /root/one.zip, dest: /opt/app}");
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("package: unzip"));
}
