//! `docker_engine` and the role `docker` with Docker's own packages: a repository laid out as Docker's, signed by a key made here, of small packages that
//! are called and behave as Docker's and Debian's do, with stand-ins for the daemons.

use crate::debian::Debian;
use crate::web::Web;
use std::path::Path;
use std::process::Command;

/// Makes, below `/srv/ce`, what is served: signed by one key, by another, and for other machines only.
const MADE: &str = r#"
set -e
arch=$(dpkg --print-architecture) ce=/srv/ce/linux/debian
# name, version, further fields of its control file, directory: its files are there already
deb() {
  mkdir -p "$4/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Tests <tests@example>\nDescription: stands for %s\n%b' "$1" "$2" "$arch" "$1" "$3" >"$4/DEBIAN/control"
  find "$4" -type d -exec chmod 755 {} +
  dpkg-deb --root-owner-group -b "$4" "$5/$1_${2#*:}_$arch.deb" >/dev/null
}
# directory, words: a daemon, its client, its service, and its group
daemon() {
  mkdir -p "$1/usr/bin" "$1/usr/sbin" "$1/usr/lib/systemd/system" "$1/DEBIAN"
  printf '#!/bin/sh\ncase $1 in\n--help) echo --validate ;;\n--validate) ! grep -q nonsense "$3" ;;\n*) echo "%s" >/run/dockerd; cat /etc/docker/daemon.json >>/run/dockerd; exec sleep infinity ;;\nesac\n' "$2" >"$1/usr/sbin/dockerd"
  printf '[Service]\nExecStart=/usr/sbin/dockerd\nExecStopPost=rm -f /run/dockerd\n[Install]\nWantedBy=multi-user.target\n' >"$1/usr/lib/systemd/system/docker.service"
  printf '#!/bin/sh\nset -e\ngetent group docker >/dev/null || groupadd --system docker\nsystemctl daemon-reload\nsystemctl enable --quiet docker.service\nsystemctl restart docker.service\n' >"$1/DEBIAN/postinst"
  printf '#!/bin/sh\nset -e\n[ "$1" != remove ] || systemctl disable --now --quiet docker.service\n' >"$1/DEBIAN/prerm"
  printf '#!/bin/sh\nset -e\nsystemctl daemon-reload\n' >"$1/DEBIAN/postrm"
  chmod 755 "$1"/DEBIAN/p* "$1/usr/sbin/dockerd"
}
w=/root/work
mkdir -p $w $ce/pool
daemon $w/ce Docker
deb docker-ce 5:29.0.0-1 'Depends: containerd.io, docker-ce-cli\nConflicts: docker.io\nReplaces: docker.io\n' $w/ce $ce/pool
for name in docker-ce-cli docker-buildx-plugin docker-compose-plugin containerd.io; do
  mkdir -p $w/$name/usr/share/doc/$name
  case $name in containerd.io) more='Conflicts: containerd, runc\nReplaces: containerd, runc\nProvides: containerd, runc\n' ;; docker-ce-cli) more='Conflicts: docker-cli\nReplaces: docker-cli\n' ;; *) more='' ;; esac
  deb $name 5:29.0.0-1 "$more" $w/$name $ce/pool
done
# The distribution's, in the repository that the node has already.
daemon $w/io Debian
deb docker.io 26.1.5 'Depends: containerd, runc\n' $w/io /srv/repo
for name in docker-cli docker-compose containerd runc; do
  mkdir -p $w/$name/usr/share/doc/$name
  deb $name 26.1.5 '' $w/$name /srv/repo
done
# directory: the fields of its packages
list() {
  for file in $1/*.deb; do
    dpkg-deb -f "$file"
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$2/${file##*/}" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
  done
}
list /srv/repo . >/srv/repo/Packages
apt-get -qq update
export GNUPGHOME=/root/gnupg
mkdir -m 700 $GNUPGHOME
for name in one other; do
  gpg -q --batch --passphrase '' --quick-gen-key "$name <$name@example>" ed25519 sign never
  gpg --armor --export $name@example >/root/$name.asc
done
# kind, architecture, key
suite() {
  mkdir -p $1/dists/trixie/stable/binary-$2
  (cd $ce && list pool pool) >$1/dists/trixie/stable/binary-$2/Packages
  cp -r $ce/pool $1/ 2>/dev/null || :
  cd $1/dists/trixie
  {
    printf 'Origin: Docker\nLabel: Docker CE\nSuite: trixie\nCodename: trixie\nArchitectures: %s\nComponents: stable\nDate: %s\nSHA256:\n' "$2" "$(date -Ru)"
    f=stable/binary-$2/Packages
    echo " $(sha256sum $f | cut -d' ' -f1) $(stat -c %s $f) $f"
  } >Release
  gpg -q --batch -u $3@example --clearsign -o InRelease Release
  gpg -q --batch -u $3@example --armor --detach-sign -o Release.gpg Release
}
suite $ce $arch one
suite /srv/ce/forged/debian $arch other
suite /srv/ce/far/debian s390x one
gpg --with-colons --fingerprint one@example | sed -n 's/^fpr:*\(.*\):/\1/p' | head -n 1 >/root/fingerprint
"#;

/// What taking back must bring back: packages, groups of the account, the unit, apt's and docker's files. A package's own group stays.
const STATE: &str = "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' | grep -e docker -e containerd -e runc; dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' | sha256sum; id -nG pi; \
    find /etc/apt /etc/docker -type f -exec sha256sum {} + 2>/dev/null | sort -k 2 | grep -v trusted.gpg.d; systemctl show -p LoadState -p ActiveState -p UnitFileState --value docker.service | tr '\\n' ' '; \
    head -n 1 /run/dockerd 2>/dev/null || echo";

struct Ce {
    node: Debian,
    web: Web,
    fingerprint: String,
}

impl Ce {
    fn new() -> Option<Ce> {
        let node = Debian::boot_with_tools()?;
        let web = Web::serve();
        node.by_hand(MADE);
        for path in node.by_hand("cd /srv/ce && find . -type f").lines() {
            let path = path.trim_start_matches('.');
            web.has(path, std::fs::read(node.inside(&format!("/srv/ce{path}"))).unwrap());
        }
        for (from, to) in [("playbooks/roles", "roles"), ("templates", "templates")] {
            assert!(Command::new("cp").arg("-r").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).arg(node.site.path(to)).status().unwrap().success());
        }
        for key in ["one", "other"] {
            node.site.write(&format!("{key}.asc"), &node.text(&format!("/root/{key}.asc")));
        }
        node.by_hand("useradd --create-home pi");
        let fingerprint = node.text("/root/fingerprint").trim().to_owned();
        Some(Ce { node, web, fingerprint })
    }

    /// The role's task; `place` is which of the repositories.
    fn role(&self, place: &str, fingerprint: &str) -> String {
        let key = self.node.site.path("one.asc");
        format!(
            "- role: docker\n  with: {{source: docker, key: \"{}\", fingerprint: \"{fingerprint}\", repository: \"http://127.0.0.1:{}/{place}\", users: [pi]}}\n",
            key.display(), self.web.port
        )
    }

    fn state(&self) -> String {
        self.node.by_hand(STATE)
    }
}

#[test]
fn docker_from_dockers_repository_and_back() {
    let Some(ce) = Ce::new() else { return };
    let arch = ce.node.by_hand("dpkg --print-architecture").trim().to_owned();
    let bare = ce.state();
    // What does not fit is refused before anything changes, most of it before anybody is contacted.
    let docker_own = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88";
    for (place, fingerprint, says) in [
        ("linux", docker_own, format!("this is not the key {docker_own}: it holds {}", ce.fingerprint)),
        ("far", &ce.fingerprint, format!("has nothing for {arch} in `trixie`, but for s390x")),
        ("nowhere", &ce.fingerprint, "has no suite `trixie`".to_owned()),
    ] {
        ce.node.site.tasks(&("- copy: {dest: /srv/first, content: x}\n".to_owned() + &ce.role(place, fingerprint)));
        let refused = ce.node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
        assert!(refused.err.contains(&says), "{says}: {}", refused.err);
        assert!(!ce.node.inside("/srv/first").exists(), "{place}: something was done");
    }
    assert_eq!(ce.state(), bare);
    // Signed by somebody else: apt does not take it, and all is taken back.
    ce.node.site.tasks(&ce.role("forged", &ce.fingerprint));
    let forged = ce.node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(forged.err.to_lowercase().contains("sign") || forged.err.contains("verif"), "{}", forged.err);
    assert_eq!(ce.state(), bare);

    let docker = ce.role("linux", &ce.fingerprint);
    ce.node.apply(&docker);
    let there = ce.state();
    for words in ["ii  docker-ce 5:29.0.0-1\n", "ii  docker-compose-plugin 5:29.0.0-1\n", "loaded active enabled Docker\n", "/etc/apt/keyrings/docker.asc\n", "/etc/docker/daemon.json\n"] {
        assert!(there.contains(words), "{words:?} in {there}");
    }
    assert!(ce.node.by_hand("id -nG pi").trim().ends_with("docker") && ce.node.text("/run/dockerd").contains("live-restore"), "{there}");
    ce.web.asked();
    ce.node.has_nothing_to_do();
    assert_eq!(ce.web.asked(), Vec::<String>::new(), "the repository is asked for what is as wished");
    ce.node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(ce.state(), bare);

    // In place of the distribution's, which comes back.
    ce.node.apply("- role: docker\n  with: {users: [pi]}\n");
    let distro = ce.state();
    assert!(distro.contains("ii  docker.io 26.1.5\n") && distro.contains("loaded active enabled Debian\n"), "{distro}");
    ce.node.site.tasks(&docker);
    let plan = ce.node.site.expect(0, &["plan", "inventory.yaml"]).out;
    assert!(plan.contains("docker.io") && plan.contains("docker-ce"), "{plan}");
    ce.node.site.apply();
    let there = ce.state();
    assert!(!there.contains("ii  docker.io") && !there.contains("ii  runc") && there.contains("loaded active enabled Docker\n"), "{there}");
    ce.node.has_nothing_to_do();
    ce.node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(ce.state(), distro);
    // And in a run that fails at its end.
    ce.node.fails(&docker);
    assert_eq!(ce.state(), distro);
}
