# shellcheck shell=bash
# Debian 13 for arm64, under emulation: no init system, as slow as a Pi Zero.
debian arm64 trixie openssh-server,sudo,iproute2,procps
account pi
