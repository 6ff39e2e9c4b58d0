//! A real machine as a node that things go wrong on, and all that is compared of it.

use crate::disk::Reader;
use crate::faults::{self, Place, State};
use crate::line::Line;
use crate::nodes::{Lab, by_hand, root};
use crate::site::Site;
use crate::tree::Times;
use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;

/// What a living machine writes by itself, and what is compared otherwise.
const BUT: &[&str] = &[
    "proc", "sys", "dev", "run", "tmp", "var/tmp", // the kernel's, and what lives till the next boot
    "var/log", "var/lib/lastlog", "var/lib/wtmpdb", "var/lib/sudo", // who came, and what was said
    "var/lib/systemd", // clocks of timers, seeds
    "var/lib/containerd", // docker's own
    "var/lib/nfs", // locks of the server
    "var/cache", "var/lib/apt", // caches of packages and of their lists
    "var/backups", // dpkg's, kept by a timer
    "var/lib/dpkg", // by what dpkg-query says of it
];

/// Packages, units and the kernel, by what they say. Not of what ran once at a boot, comes with a login, or is only the kernel's in systemd's words.
const SAYS: &str = r"
echo host $(cat /proc/sys/kernel/hostname)
echo ttl $(cat /proc/sys/net/ipv4/ip_default_ttl)
dpkg-query -W -f 'package ${binary:Package} ${db:Status-Abbrev}${Version}\n'
systemctl list-unit-files --no-legend --plain | while read -r unit state rest; do echo file $unit $state; done
systemctl list-units --no-legend --plain --state=active,activating,deactivating,failed | while read -r unit load active sub rest; do
  case $unit:$sub in *:exited | *.scope:* | *.slice:* | *.mount:* | *.device:* | user@*:* | user-runtime-dir@*:*) ;; *) echo unit $unit $active $sub ;; esac
done
for unit in served passing greeterd cron dpkg-db-backup.timer; do
  echo about $unit $(systemctl show -p LoadState,ActiveState,UnitFileState,NeedDaemonReload,Description,Environment $unit)
done
";

/// What the playbook makes, and more that an earlier test may have left.
const CLEAN: &str = r"
exec >/dev/null 2>&1
systemctl disable --now served passing greeterd
rm -rf /etc/systemd/system/served.service /etc/systemd/system/served.service.d /etc/systemd/system/passing.service
dpkg --purge greeterd greeter tune choir
systemctl unmask dpkg-db-backup.timer apt-daily.timer apt-daily-upgrade.timer systemd-tmpfiles-clean.timer
systemctl daemon-reload
systemctl enable --now cron dpkg-db-backup.timer
systemctl start apt-daily.timer apt-daily-upgrade.timer systemd-tmpfiles-clean.timer
crontab -u lab -r
userdel -r lab; userdel -r guest; groupdel extra
rm -rf /srv/c /etc/cron.d/chaos /etc/sysctl.d/99-homelab-net.ipv4.ip_default_ttl.conf /var/gate
echo 64 >/proc/sys/net/ipv4/ip_default_ttl
sed '/ side-.$/d; / pi-a pi-b$/d' /etc/hosts >/tmp/hosts && cat /tmp/hosts >/etc/hosts
sed -i '/BEGIN HOMELAB/,/END HOMELAB/d' /etc/motd
echo NAME >/etc/hostname && cp /etc/hostname /proc/sys/kernel/hostname
:
";

/// Its names are known to it, else sudo asks the network. Nothing begins by itself meanwhile.
const PREPARE: &str = "echo 127.0.1.1 pi-a pi-b >>/etc/hosts; systemctl -q mask --now apt-daily.timer apt-daily-upgrade.timer systemd-tmpfiles-clean.timer; systemctl reset-failed";

pub struct Machine {
    pub name: &'static str,
    lab: Lab,
    line: Line,
    root: RefCell<PathBuf>,
    reader: RefCell<Reader>,
}

impl Machine {
    /// The machine, ready for the playbook. Its line, or that of the one that leads to it, can be cut.
    pub fn new(name: &'static str) -> Machine {
        let lab = Lab::up().unwrap();
        let inventory = std::fs::read_to_string(lab.site.path("inventory.yaml")).unwrap();
        let first = if name == "inner" { "router" } else { name };
        let (_, after) = inventory.split_once(&format!("\n  {first}:")).unwrap();
        let port: u16 = after.split_once("port: ").unwrap().1.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
        let line = Line::to(([127, 0, 0, 1], port).into());
        lab.site.write("inventory.yaml", &inventory.replace(&format!("port: {port}"), &format!("port: {}", line.port)));
        let machine = Machine { name, lab, line, root: RefCell::default(), reader: RefCell::default() };
        machine.clean();
        machine.lab.offers_packages(&[name]);
        by_hand(name, PREPARE);
        machine
    }

    /// Takes away what the playbook makes.
    pub fn clean(&self) {
        by_hand(self.name, &CLEAN.replace("NAME", self.name));
        self.lab.withdraws_packages(&[self.name]);
    }
}

impl Place for Machine {
    fn name(&self) -> &str {
        self.name
    }

    fn site(&self) -> &Site {
        &self.lab.site
    }

    fn line(&self) -> &Line {
        &self.line
    }

    fn root(&self) -> PathBuf {
        let mut known = self.root.borrow_mut();
        // Each boot has another one.
        if !known.join("etc").exists() {
            *known = root(self.name);
        }
        known.clone()
    }

    fn state(&self) -> State {
        let root = self.root();
        let mut state = self.reader.borrow_mut().disk(&root, Times::OfFiles, &[BUT, &faults::but_accounts()].concat());
        state.extend(faults::accounts(&root));
        let pid = root.parent().and_then(|dir| dir.file_name()).unwrap();
        let said = Command::new("nsenter").arg("-at").arg(pid).args(["sh", "-c", SAYS]).output().unwrap();
        assert!(said.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&said.stderr));
        for line in String::from_utf8(said.stdout).unwrap().lines() {
            let mut words = line.splitn(3, ' ');
            let what = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
            state.insert(what, words.next().unwrap_or_default().to_owned());
        }
        // `systemctl` makes its links anew.
        for (_, what) in state.iter_mut().filter(|(path, what)| path.starts_with("etc/systemd/system/") && what.contains("-> ")) {
            what.truncate(what.find(" m ").unwrap());
        }
        // Into each crontab cron writes when it came.
        for (path, what) in state.iter_mut().filter(|(path, _)| path.starts_with("var/spool/cron/crontabs/")) {
            let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            let whose: Vec<&str> = what.split(' ').take(2).collect();
            *what = format!("{} {:?}", whose.join(" "), text.lines().filter(|line| !line.starts_with("# (")).collect::<Vec<_>>());
        }
        // What apt has installed for others' sake.
        state.insert("extended states".to_owned(), std::fs::read_to_string(root.join("var/lib/apt/extended_states")).unwrap_or_default());
        // What the unit has read when it was started.
        state.insert("run/served".to_owned(), std::fs::read_to_string(root.join("run/served")).unwrap_or_default());
        state
    }
}
