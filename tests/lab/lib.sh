# shellcheck shell=bash
# What the lab's commands share: where things are, the table of nodes, the way to a docker daemon. Sourced, never run.
# It changes nothing by being read.

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$lab/../.." && pwd)
# What may be kept: images, keys, the daemon's own store.
cache=${HOMELAB_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/homelab-lab}
# What lives as long as the lab is up, and says what it found before it changed it.
run=/run/homelab-lab
# What `inventories/lab.yaml` reads.
site=$repo/inventories/.lab

# Two networks: `home` has the way out, `lan` has one only through the router.
home=10.207.1 lan=10.207.2
registry=$home.2:5000

# name, image, network, last number of the address, port on 127.0.0.1, login, first process
nodes() {
  cat <<'TABLE'
registry registry home 2  2250 -     docker-registry serve /etc/docker/registry/config.yml
arm64    arm64    home 12 2212 pi    /usr/sbin/sshd -D -e
armhf    armhf    home 13 2213 pi    /usr/sbin/sshd -D -e
trixie   trixie   home 10 2210 admin /sbin/init
bookworm bookworm home 11 2211 pi    /sbin/init
router   plain    home 15 2215 pi    /sbin/init
inner    plain    lan  10 -    pi    /sbin/init
aptlock  plain    home 16 2216 pi    /sbin/init
nfs      nfs      home 17 2217 pi    /sbin/init
export   nfs      home 18 2218 pi    /sbin/init
busybox  busybox  home 14 2214 root  /bin/dropbear -F -E -s -p 22 -r /etc/dropbear/key
TABLE
}

say() { printf '%4ds  %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'tests/lab: %s\n' "$*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "this takes root: sudo ${0##*/}"; }
container() { printf 'homelab-lab-%s' "$1"; }

# The daemon of this machine, or the one that `up` started.
if [ -S "$run/docker.sock" ]; then export DOCKER_HOST=unix://$run/docker.sock; fi
docker_answers() { docker info >/dev/null 2>&1; }

# ours KIND: the ids of docker's containers, networks or volumes that are the lab's.
ours() {
  case $1 in
    container) docker ps --all --quiet --no-trunc --filter label=homelab-lab ;;
    *) docker "$1" ls --quiet --filter label=homelab-lab ;;
  esac
}

# unmount_below DIR: what is mounted in it, the last first.
unmount_below() { awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | tac | xargs -r umount -l; }
