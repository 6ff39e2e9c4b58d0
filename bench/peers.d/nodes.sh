# shellcheck shell=bash disable=SC2154
# The nodes of bench/peers: sshd in namespaces of its own, over a Debian that all share and none can write to. Sourced; reads `cache` and `work`.
# What a tool changes on a node is therefore exactly what lies in its upper directory, and a fresh node costs milliseconds.

image=''
node_pids=()

# shellcheck source=tests/lab/recipe.sh
. "$repo/tests/lab/recipe.sh"

# make_image: the Debian below all nodes, made once.
make_image() {
  local root
  image=$cache/image-$({ declare -f furnish; cat "$repo/tests/lab/recipe.sh" "$cache/login.pub"; } | sha256sum | cut -c1-12)
  [ ! -e "$image/.made" ] || return 0
  say 'making the image of the nodes'
  root=$image.part
  rm -rf --one-file-system "$root"
  mkdir "$root"
  # Not in a condition: `set -e` would not hold there.
  (trap 'umount -q "$root/proc" || true' EXIT; furnish) >"$cache/image.log" 2>&1 8>&- &
  wait $! || { tail -n 20 "$cache/image.log" >&2; die "the image was not made; all that was said is in $cache/image.log"; }
  rm -rf --one-file-system "$image"
  mv "$root" "$image"
}

# python3 and python3-apt are there for the peers.
furnish() {
  debian "$(dpkg --print-architecture)" trixie openssh-server,python3,python3-apt,sudo,ca-certificates,curl,less,rsync
  # Not by debootstrap: it does not order what cron leans on.
  install_packages cron tzdata
  finish
  printf '127.0.0.1\tlocalhost\n' >"$root/etc/hosts"
  echo debian >"$root/etc/hostname"
  ssh-keygen -q -t ed25519 -N '' -C node -f "$root/etc/ssh/ssh_host_ed25519_key"
  echo 'MaxStartups 100' >"$root/etc/ssh/sshd_config.d/bench.conf"
  mkdir -p "$root/run/sshd" "$root/root/.ssh"
  install -m 600 "$cache/login.pub" "$root/root/.ssh/authorized_keys"
  touch "$root/.made"
}

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
