# shellcheck shell=bash
# Debian 12 for armhf, under emulation: the 32-bit userland of an older Pi.
debian armhf bookworm openssh-server,sudo,cron,iproute2,procps
account pi
