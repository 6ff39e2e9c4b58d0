# shellcheck shell=bash disable=SC2154
# The nodes of bench/peers: sshd in namespaces of its own, over a Debian that all share and none can write to. Sourced; reads `cache` and `work`.
# What a tool changes on a node is therefore exactly what lies in its upper directory, and a fresh node costs milliseconds.

image=''
node_pids=()

# Debian's mirror, as this machine has it.
mirror() {
  local found
  found=$(sed -n 's|^[^#]*\(https\{0,1\}://[^ ]*/debian\)/\{0,1\}\( .*\)\{0,1\}$|\1|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true)
  found=${found%%$'\n'*}
  echo "${HOMELAB_BENCH_MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# make_image: the Debian below all nodes, made once. python3 and python3-apt are there for the peers.
make_image() {
  local own packages=openssh-server,python3,python3-apt,sudo,ca-certificates,curl,less,rsync
  image=$cache/image-$({ declare -f make_image furnish_image; cat "$cache/login.pub"; } | sha256sum | cut -c1-12)
  [ ! -e "$image/.made" ] || return 0
  say 'making the image of the nodes'
  own=$image.part
  rm -rf --one-file-system "$own"
  # In a subshell of its own: `set -e` would not hold in a condition.
  debootstrap --variant=minbase --include="$packages" trixie "$own" "$(mirror)" >"$cache/image.log" 2>&1 || die "debootstrap failed; all that it said is in $cache/image.log"
  furnish_image "$own" >>"$cache/image.log" 2>&1 &
  wait $! || die "the image was not made; all that was said is in $cache/image.log"
  rm -rf --one-file-system "$image"
  mv "$own" "$image"
}

furnish_image() (
  set -e
  inside() { chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "${@:2}"; }
  mount -t proc proc "$1/proc"
  trap 'umount "$1/proc"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$1/etc/resolv.conf"
  apt-config dump | grep -E '^Acquire::(Check-|https?::(Proxy|Verify))' >"$1/etc/apt/apt.conf.d/99bench" || true
  # Not by debootstrap: it does not order what cron leans on.
  inside "$1" apt-get -qq update
  inside "$1" apt-get -qq -y --no-install-recommends install cron locales tzdata
  rm -rf "$1/usr/sbin/policy-rc.d" "$1/etc/apt/apt.conf.d/99bench" "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/archives/*.deb
  : >"$1/etc/resolv.conf"
  printf '127.0.0.1\tlocalhost\n' >"$1/etc/hosts"
  echo debian >"$1/etc/hostname"
  rm -f "$1"/etc/ssh/ssh_host_*
  ssh-keygen -q -t ed25519 -N '' -C node -f "$1/etc/ssh/ssh_host_ed25519_key"
  echo 'MaxStartups 100' >"$1/etc/ssh/sshd_config.d/bench.conf"
  mkdir -p "$1/run/sshd" "$1/root/.ssh"
  install -m 600 "$cache/login.pub" "$1/root/.ssh/authorized_keys"
  touch "$1/.made"
)

# Addresses of the loopback: no ports to look for.
near() { echo "127.77.0.$1:2222"; }
far() { echo "127.77.1.$1:2222"; }

# start_nodes N: fresh ones, each in namespaces of its own for mounts, processes, names and IPC. They die with this shell.
generation=0
start_nodes() {
  local n dir
  stop_nodes
  generation=$((generation + 1))
  for n in $(seq "$1"); do
    dir=$work/nodes/$generation/$n
    mkdir -p "$dir"/{upper,work,root}
    # shellcheck disable=SC2016 # for the inner shell
    setpriv --pdeathsig KILL unshare --mount --uts --ipc --pid --fork --kill-child sh -ec '
      mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
      mount -t proc proc "$2/root/proc"
      hostname debian
      exec chroot "$2/root" /usr/sbin/sshd -D -e -o "ListenAddress=$3"
    ' sh "$image" "$dir" "$(near "$n")" >"$dir/log" 2>&1 </dev/null 8>&- &
    node_pids+=("$!")
  done
  for n in $(seq "$1"); do wait_for "$(near "$n")" "${node_pids[n - 1]}" || { cat "$work/nodes/$generation/$n/log" >&2; die "node $n does not start"; }; done
}

stop_nodes() {
  local pid
  for pid in "${node_pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for pid in "${node_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  node_pids=()
  # What still lies above a mount goes later: namespaces end on their own time.
  find "$work/nodes" -mindepth 1 -maxdepth 1 ! -name "$generation" -exec rm -rf {} + 2>/dev/null || true
}

# start_proxy RTT N: the line between here and the nodes.
proxy_pid=''
start_proxy() {
  local n pairs=()
  [ -z "$proxy_pid" ] || { kill "$proxy_pid" 2>/dev/null || true; wait "$proxy_pid" 2>/dev/null || true; }
  for n in $(seq "$2"); do pairs+=("$(far "$n")" "$(near "$n")"); done
  setpriv --pdeathsig KILL "$work/latency_proxy" "$1" "${pairs[@]}" >"$work/proxy.out" 2>&1 </dev/null 8>&- &
  proxy_pid=$!
  for n in $(seq 100); do
    [ "$(wc -l <"$work/proxy.out")" != "$2" ] || return 0
    sleep 0.1
  done
  cat "$work/proxy.out" >&2
  die 'the proxy does not start'
}

wait_for() { # ADDRESS:PORT PID
  for _ in $(seq 100); do
    kill -0 "$2" 2>/dev/null || return 1
    if (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  return 1
}
