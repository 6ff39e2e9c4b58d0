//! What is shipped for all machines, applied to all of them: the second time there is nothing to do, and taken back, all are as before.

use crate::kinds::state_of;
use crate::nodes::{Lab, by_hand, members, repo};
use crate::tree::{Times, same};

/// Accounts by their fields, packages and units by their names, and what the kernel was told.
const SAYS: &str = r"
sort /etc/passwd /etc/shadow /etc/group
hostname; cat /proc/sys/net/ipv4/tcp_keepalive_time
[ ! -x /usr/bin/dpkg-query ] || dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n'
[ ! -x /usr/bin/apt-mark ] || apt-mark showmanual | sed 's/^/by hand: /'
[ ! -d /run/systemd/system ] || systemctl list-unit-files --no-legend --plain
[ ! -d /run/systemd/system ] || systemctl list-units --no-legend --plain --type service --state active,failed | grep -v -e '^user' -e '^apt-daily' | awk '{ print $1, $3 }'
";

#[test]
fn the_base_playbook_holds_on_every_node_and_goes_back() {
    let Some(lab) = Lab::up() else { return };
    let shipped = repo().join("inventories/lab.yaml");
    let shipped = shipped.to_str().unwrap();
    let everyone = members("all");
    let state = || state_of(&everyone, Times::None, SAYS);
    // Where homelab's own state goes on the node that has no such place yet. A first sudo leaves a note of its own.
    by_hand("busybox", "mkdir -p /var/lib");
    lab.site.expect(2, &["plan", shipped, "--detailed-exitcode"]);
    let before = state();
    let applied = lab.site.expect(0, &["apply", shipped, "--yes"]);
    lab.has_nothing_to_do(shipped, &everyone);
    lab.site.expect(0, &["plan", shipped, "--detailed-exitcode"]);
    // The last run of each is this one, and not what an earlier test did.
    assert!(!applied.out.contains("nothing to do"), "one was not as it is made: {}", applied.out);
    lab.site.expect(0, &["rollback", shipped, "--yes"]);
    same("not taken back", &before, &state());
}
