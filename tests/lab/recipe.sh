# shellcheck shell=bash
# The words that recipes are written in. A recipe is read with `$root` set to the directory that becomes the image.
# What is changed here is another recipe for all images.

export DEBIAN_FRONTEND=noninteractive

# Debian's mirror, as this machine has it.
mirror() {
  local found
  found=$(sed -n 's|^[^#]*\(https\{0,1\}://[^ ]*/debian\)/\{0,1\}\( .*\)\{0,1\}$|\1|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true)
  found=${found%%$'\n'*}
  echo "${HOMELAB_LAB_MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# What this machine's apt needs to reach its mirrors, its nodes' need too.
apt_conf() { apt-config dump | grep -E '^Acquire::(Check-|https?::(Proxy|Verify))' || true; }

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

# from NAME: goes on from another image.
from() { tar -C "$root" --numeric-owner -xzf "$cache/images/$1-$(tag "$1").tar.gz"; }

# source_of SUITES URI
source_of() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$2" "$1"
}

# serves ARCH SOURCES: whether the lists can be had. Asked from here, which is quick.
serves() {
  local lists=$root/var/lib/apt/lists/partial.$$
  mkdir "$lists"
  apt-get -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::SourceList="$2" -o Dir::State::Lists="$lists" -o APT::Sandbox::User=root \
    -o APT::Architecture="$1" -o APT::Architectures::="$1" -o APT::Update::Error-Mode=any update
  local code=$?
  rm -rf "$lists"
  return $code
}

# debian ARCH SUITE PACKAGES: a small Debian with these.
debian() {
  local mirror sources=$root/etc/apt/sources.list.d
  mirror=$(mirror)
  debootstrap --variant=minbase --arch="$1" --include="$3" "$2" "$root" "$mirror"
  rm -f "$root/etc/apt/sources.list"
  source_of "$2 $2-updates" "$mirror" >"$sources/debian.sources"
  source_of "$2-security" "$mirror-security" >"$sources/security.sources"
  apt_conf >"$root/etc/apt/apt.conf.d/99lab"
  # Mirrors can be out of step for the lesser architectures. A node that can never refresh its lists is of no use.
  serves "$1" "$sources/security.sources" || { echo "left out: $2-security for $1"; rm "$sources/security.sources"; }
}

# install_packages PACKAGES: more of them. Nothing is started.
install_packages() {
  mount --bind /proc "$root/proc"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  inside apt-get -qq update
  inside apt-get -qq -y --no-install-recommends install "$@"
  rm "$root/usr/sbin/policy-rc.d"
  umount "$root/proc"
}

# account NAME [PASSWORD]: who logs in, and whether sudo asks.
account() {
  inside useradd --create-home --shell /bin/bash --groups sudo "$1"
  if [ $# -gt 1 ]; then echo "$1:$2" | inside chpasswd
  else echo "$1 ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$1"; chmod 440 "$root/etc/sudoers.d/$1"; fi
}

# What cannot work in a container, and would leave the machine `degraded`.
with_systemd() {
  local unit
  for unit in systemd-modules-load.service console-getty.service sys-kernel-debug.mount sys-kernel-tracing.mount systemd-udevd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
}

# An engine whose images come from the lab's registry.
inner_docker() {
  mkdir -p "$root/etc/docker" "$root/etc/systemd/system/docker.service.d"
  printf '{ "registry-mirrors": ["http://%s"] }\n' "$registry" >"$root/etc/docker/daemon.json"
  printf '[Service]\nEnvironment=DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE=1\n' >"$root/etc/systemd/system/docker.service.d/lab.conf"
}

# finish: what is a machine's own is not an image's.
finish() {
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log "$root"/etc/ssh/ssh_host_*
  mkdir -p "$root/etc"
  for f in hosts hostname resolv.conf; do : >"$root/etc/$f"; done
  if [ -e "$root/etc/machine-id" ]; then : >"$root/etc/machine-id"; fi
}
