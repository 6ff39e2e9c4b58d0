# shellcheck shell=bash
# Debian 13 with systemd and sshd, as a fresh instance has it. `pi` needs no password for sudo.
debian amd64 trixie systemd-sysv,dbus,openssh-server,sudo,cron,iproute2,procps,iptables
account pi
with_systemd
