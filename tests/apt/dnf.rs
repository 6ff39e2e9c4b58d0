//! Packages by dnf: a real dnf and a real rpm, with packages made here.

use crate::debian::Debian;

const MADE: &str = r#"
set -e
export HOME=/root
for v in 1.0 1.1; do
  cat >/root/greeter.spec <<END
Name: greeter
Version: $v
Release: 1
Summary: greets
License: none
BuildArch: noarch
%description
It greets.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc
echo "echo $v" >%{buildroot}/usr/bin/greeter
echo default >%{buildroot}/etc/greeter.conf
%files
%attr(755,root,root) /usr/bin/greeter
%config(noreplace) /etc/greeter.conf
END
  rpmbuild -bb --quiet --define '_topdir /root/rpm' /root/greeter.spec
  mkdir -p /srv/$v; cp /root/rpm/RPMS/noarch/greeter-$v-1.noarch.rpm /srv/$v/
done
mkdir /srv/rpms; cp /srv/1.0/* /srv/rpms; createrepo_c -q /srv/rpms
printf '[tests]\nname=tests\nbaseurl=file:///srv/rpms\ngpgcheck=0\nmetadata_expire=0\n' >/etc/yum.repos.d/tests.repo
dnf -q makecache
"#;

fn version(node: &Debian) -> String {
    node.by_hand("rpm -q --qf '%{VERSION}' greeter || :").trim().to_owned()
}

#[test]
fn dnf_installs_upgrades_and_takes_back() {
    let Some(node) = Debian::with_dnf() else { return };
    node.by_hand(MADE);
    node.site.tasks("- package: greeter");
    let facts = node.site.expect(0, &["facts", "inventory.yaml", "--json"]).out;
    assert!(facts.contains("\"package_manager\":\"dnf\""), "{facts}");
    let none = version(&node);
    node.fails("- package: greeter");
    assert_eq!(version(&node), none);
    node.apply("- package: greeter");
    assert_eq!(version(&node), "1.0");
    node.has_nothing_to_do();

    // What is removed is had again from where it came from.
    node.by_hand("echo mine >/etc/greeter.conf");
    node.fails("- package: {name: greeter, state: absent}");
    assert_eq!(version(&node), "1.0");

    // An upgrade cannot be undone, and says so before.
    node.by_hand("cp /srv/1.1/* /srv/rpms; createrepo_c -q /srv/rpms; dnf -q makecache");
    node.site.tasks("- package: {name: greeter, state: latest}");
    let plan = node.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert!(plan.out.contains("cannot be undone"), "{}", plan.out);
    node.site.apply();
    assert_eq!(version(&node), "1.1");
    node.has_nothing_to_do();
    assert_eq!(node.text("/etc/greeter.conf"), "mine\n");
    // Down to a version that is still offered; a failure puts the newer one back, from where it came too.
    node.fails("- package: greeter=1.0-1");
    assert_eq!(version(&node), "1.1");
    node.apply("- package: greeter=1.0-1");
    assert_eq!(version(&node), "1.0");
    node.has_nothing_to_do();
    node.site.tasks("- package: nosuch");
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("nosuch"), "{}", failed.err);
    node.apply("- package: {name: greeter, state: absent}");
    node.has_nothing_to_do();
    assert_eq!(version(&node), none);
}
