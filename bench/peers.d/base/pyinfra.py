# What a machine gets first. The same list as in homelab.yaml and ansible.yaml, in the same order.
from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.operations import apt, crontab, files, server


def put(src, dest, mode="644", **rest):
    files.put(f"files/{src}", dest, mode=mode, **rest)


def template(src, dest, mode="644", user=None, group=None, **values):
    files.template(f"templates/{src}.j2", dest, mode=mode, user=user, group=group, node_name=host.data.node_name, services=host.data.services, **values)


apt.packages(["ca-certificates", "cron", "curl", "less", "rsync", "sudo"])
server.group("keepers", gid=2000)
for one in host.data.people:
    home = f"/home/{one['name']}"
    server.user(one["name"], uid=one["uid"], group="keepers", groups=["sudo"], comment=one["comment"], home=home, create_home=True, shell="/bin/bash", ensure_home=False)
for one in host.data.people:
    files.directory(f"/home/{one['name']}/.ssh", user=one["name"], group="keepers", mode="700")
for one in host.data.people:
    template("authorized_keys", f"/home/{one['name']}/.ssh/authorized_keys", "600", one["name"], "keepers", item=one)
for one in host.data.people:
    put("bash_aliases", f"/home/{one['name']}/.bash_aliases", user=one["name"], group="keepers")
put("sudoers", "/etc/sudoers.d/keepers", "440")
template("hostname", "/etc/hostname")
files.line("/etc/hosts", r"^127\.0\.1\.1\b.*", replace=f"127.0.1.1 {host.data.node_name}")
for one in host.data.services:
    files.line("/etc/hosts", f".* {one['name']}$", replace=f"{one['address']} {one['name']}")
files.block("/etc/hosts", "192.168.7.31 router\n192.168.7.32 registry", marker="# {mark} neighbours")
template("motd", "/etc/motd")
put("issue.net", "/etc/issue.net")
put("timezone", "/etc/timezone")
files.link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin", force=True)
for path in ["/etc/homelab", "/etc/systemd/journald.conf.d", "/srv/backup"]:
    files.directory(path, mode="755")
put("journald.conf", "/etc/systemd/journald.conf.d/50-bench.conf")
template("profile.sh", "/etc/profile.d/bench.sh")
template("machine.json", "/etc/homelab/machine.json")
template("sshd.conf", "/etc/ssh/sshd_config.d/50-bench.conf", "600")
put("auto-upgrades", "/etc/apt/apt.conf.d/20auto-upgrades")
put("logrotate", "/etc/logrotate.d/bench")
put("limits.conf", "/etc/security/limits.d/50-bench.conf")
put("sysctl.conf", "/etc/sysctl.d/50-bench.conf")
files.line("/etc/login.defs", r"^UMASK\b.*", replace="UMASK 027")
files.line("/etc/skel/.bashrc", "export EDITOR=vi")
put("backup.sh", "/usr/local/bin/backup", "755")
put("cron", "/etc/cron.d/bench")
crontab.crontab("/usr/local/bin/backup", cron_name="backup", hour="3", minute="17")
files.link("/usr/local/bin/backup-now", "backup")
files.file("/etc/cron.daily/apt-compat", present=False)
if not host.get_fact(File, path="/etc/homelab/since"):
    server.shell(["umask 022; date +%Y > /etc/homelab/since"])
