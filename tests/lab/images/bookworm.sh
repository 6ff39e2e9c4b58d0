# shellcheck shell=bash
# Debian 12 with systemd, sshd and docker. `pi` needs no password for sudo.
debian amd64 bookworm systemd-sysv,dbus,openssh-server,sudo,cron,iproute2,procps,iptables,docker.io
account pi
with_systemd
inner_docker
