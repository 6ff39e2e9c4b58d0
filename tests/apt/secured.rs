//! The way back from an upgrade and a removal when nobody offers the old version any more.

use crate::debian::Debian;

/// Takes version 1.0 out of the repository, and all out of apt's own archive.
const GONE: &str = "apt-get clean; cd /srv/repo && rm greeter_1.0_all.deb && \
    sed -n -i '/^Package: greeter$/{N;/1\\.0$/{:a;n;/./ba;d}};p' Packages && ! grep -A1 'greeter$' Packages | grep -q 1.0 && apt-get -qq update";

/// A node with version 1.0, whose files are not as the package brought them.
fn old() -> Option<Debian> {
    let node = Debian::start()?;
    node.apply("- package: greeter=1.0");
    std::fs::write(node.inside("/etc/greeter.conf"), "by hand\n").unwrap();
    Some(node)
}

/// What the package has on the node, times but for.
fn files(node: &Debian) -> String {
    node.by_hand("dpkg -L greeter | sort | while read f; do stat -c '%n %F %a %U:%G %h' $f; done; cat /etc/greeter.conf; readlink /usr/bin/greet; greeter; dpkg --verify greeter; true")
}

#[test]
fn an_upgrade_goes_back_to_what_the_repository_has_no_more() {
    let Some(node) = old() else { return };
    node.by_hand(GONE);
    let before = (node.packages(), files(&node));
    let ended = node.fails("- package: {name: greeter, state: latest}");
    assert!(ended.out.contains("greeter 1.0 → 1.1") && ended.out.contains("[undo: equivalent]"), "{}", ended.out);
    assert_eq!((node.packages(), files(&node)), before, "upgraded");
    node.fails("- package: {name: greeter, state: absent}");
    assert_eq!((node.packages(), files(&node)), before, "removed");
    node.fails("- package: {name: greeter, state: absent, purge: true}");
    assert_eq!((node.packages(), files(&node)), before, "purged");
    node.fails("- package: choir");
    assert_eq!((node.packages(), files(&node)), before, "upgraded on the way");
    assert!(node.by_hand("grep -h ' packages ' /var/lib/homelab/runs/*/journal").contains(" greeter_1.0_all\n"), "the journal says what was secured");
    node.apply("- package: {name: greeter, state: latest}");
    assert_eq!(node.text("/etc/greeter.conf"), "by hand\n");
    node.has_nothing_to_do();
}

#[test]
fn a_library_goes_back_though_its_name_has_its_architecture() {
    let Some(node) = Debian::start() else { return };
    node.apply("- package: tune=1.0");
    let before = node.packages();
    assert!(node.by_hand("dpkg-query -W -f '${binary:Package}' tune").starts_with("tune:"));
    node.fails("- package: {name: tune, state: latest}");
    assert_eq!(node.packages(), before);
}

#[test]
fn what_apt_still_has_is_taken_as_it_is() {
    let Some(node) = old() else { return };
    let made = node.by_hand("sha256sum </srv/repo/greeter_1.0_all.deb");
    node.by_hand(&format!("cp /srv/repo/greeter_1.0_all.deb /tmp; {GONE}; mv /tmp/greeter_1.0_all.deb /var/cache/apt/archives/"));
    node.apply("- package: {name: greeter, state: latest}");
    assert_eq!(node.by_hand("cat /var/lib/homelab/runs/*/before/1.debs/greeter.deb | sha256sum"), made);
}

#[test]
fn what_cannot_be_secured_is_not_touched() {
    let Some(node) = old() else { return };
    node.by_hand(GONE);
    node.by_hand("rm /var/lib/dpkg/info/greeter.list");
    let before = node.packages();
    node.site.tasks("- copy: {dest: /srv/first, content: x}\n- name: Upgrade\n  package: {name: greeter, state: latest}");
    let ended = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.err.contains("the installed greeter cannot be secured: "), "{}", ended.err);
    assert_eq!(node.packages(), before);
    assert_eq!(node.by_hand("greeter"), "hello\n");
    assert!(!node.inside("/srv/first").exists());
}

/// Debian's own packages, made again from a node that has them: what their original files hold.
#[test]
fn a_package_file_made_again_holds_what_the_original_does() {
    let Some(node) = Debian::start() else { return };
    // Links in the place of directories, diversions, setuid, hard links, scripts and triggers.
    let some = "libc6 passwd perl-base dash tzdata mount bash";
    node.by_hand("mkdir -p /srv/orig && cp /var/cache/apt/archives/*.deb /srv/orig && apt-get clean");
    let functions = String::from_utf8(homelab::node::runtime::apply_preamble(1).wire("n")).unwrap();
    let (_, functions) = functions.split_once('\n').unwrap();
    std::fs::write(node.inside("/srv/functions"), functions).unwrap();
    let list = "dpkg-deb --fsys-tarfile $f | tar -tvf - --full-time | sed -E 's/ +[0-9]+ [0-9]{4}-[0-9-]+ [0-9:.]+ / /' | sort; \
        dpkg-deb -f $f | grep -v '^Description-md5' | sort; dpkg-deb -I $f | sed -n -E 's/^ +[0-9]+ bytes,.*lines +\\*? +([a-z0-9]+)( .*)?$/\\1/p' | sort; \
        dpkg-deb --ctrl-tarfile $f | tar -xOf - ./conffiles 2>/dev/null | sort; true";
    let again = |name: &str| {
        node.by_hand(&format!(
            "n=x S=/srv nl='\n'; h_f() {{ :; }}; . /srv/functions >/dev/null 2>&1; e=; cd /; p=$(dpkg-query -W -f '${{binary:Package}}' {name}); h_repack $p /srv/{name}.deb || {{ echo \"$e\"; exit; }}; f=/srv/{name}.deb; {list}"
        ))
    };
    for name in some.split(' ') {
        let again = again(name);
        let original = node.by_hand(&format!("f=$(echo /srv/orig/{name}_*.deb); {list}"));
        assert!(original.lines().count() > 10);
        let diff = similar::TextDiff::from_lines(&original, &again).unified_diff().context_radius(0).to_string();
        assert!(diff.is_empty(), "{name}:\n{diff}");
    }
    // And what the node itself or an override has made another.
    again("base-files");
    again("cron");
    let before = node.packages();
    node.by_hand("dpkg -i --force-confold /srv/*.deb >/dev/null 2>/srv/said || { cat /srv/said; exit 1; }");
    assert_eq!(node.packages(), before);
    let verified = node.by_hand(&format!("dpkg --verify base-files cron {some}; readlink /lib /var/run /bin"));
    assert_eq!(verified, "usr/lib\n/run\nusr/bin\n");
}
