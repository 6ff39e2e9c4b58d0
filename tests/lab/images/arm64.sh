# shellcheck shell=bash
# Debian 13 for arm64, under emulation: no init system, as slow as a Pi Zero. Without cron, which would bring systemd, which
# cannot be configured under every qemu.
debian arm64 trixie openssh-server,sudo,iproute2,procps
account pi
