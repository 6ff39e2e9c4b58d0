# shellcheck shell=bash
# A docker of the lab's own, for machines where none runs: started and ended here, and nothing of it left. Sourced after `lib.sh`.

# found NAME VALUE: remembered once, so that it can be put back.
found() { [ -e "$run/$1" ] || printf '%s\n' "$2" >"$run/$1"; }

start_docker() {
  ! docker_answers || return 0
  say 'starting docker'
  export DOCKER_HOST=unix://$run/docker.sock
  found ip_forward "$(cat /proc/sys/net/ipv4/ip_forward)"
  found forward "$(iptables -S FORWARD | head -n 1)"
  # One that was killed takes a moment to go.
  local pid
  pid=$(cat "$run/dockerd.pid" 2>/dev/null || true)
  for _ in {1..100}; do [ -n "$pid" ] && [ -e "/proc/$pid" ] || break; sleep 0.1; done
  # What it keeps is below the cache, what it needs while it runs below `$run`. What the caller has open, such as a lock, it does not keep.
  (
    for fd in /proc/self/fd/*; do [ "${fd##*/}" -le 2 ] || eval "exec ${fd##*/}>&-"; done
    exec setsid dockerd --host "$DOCKER_HOST" --data-root "$cache/docker" --exec-root "$run/docker" --pidfile "$run/dockerd.pid" \
      --bridge none --cgroup-parent /homelab-lab
  ) >"$cache/dockerd.log" 2>&1 &
  pid=$!
  for _ in {1..300}; do
    ! docker_answers || return 0
    [ -e /proc/$pid ] || break
    sleep 0.1
  done
  tail -n 5 "$cache/dockerd.log" >&2
  die "docker does not start; all that it said is in $cache/dockerd.log"
}

stop_docker() {
  local pid table rule chains chain group
  pid=$(cat "$run/dockerd.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && grep -aq "$run/dockerd.pid" "/proc/$pid/cmdline" 2>/dev/null; then
    kill "$pid"
    for _ in {1..150}; do [ -e "/proc/$pid" ] || break; sleep 0.1; done
    [ ! -e "/proc/$pid" ] || die "docker ($pid) does not end"
  fi
  # One that was killed leaves its store mounted on itself.
  while mountpoint -q "$cache/docker"; do umount "$cache/docker"; done
  # Its chains, which it leaves. The rules that lead there first.
  for table in filter nat; do
    iptables -t $table -S | sed -n '/^-A DOCKER/d; /^-A.* -j DOCKER/s/^-A/-D/p' | while read -r rule; do
      # shellcheck disable=SC2086 # words of a rule
      iptables -t $table $rule
    done
    chains=$(iptables -t $table -S | sed -n 's/^-N \(DOCKER.*\)/\1/p')
    for chain in $chains; do iptables -t $table -F "$chain"; done
    for chain in $chains; do iptables -t $table -X "$chain"; done
  done
  if [ -e "$run/forward" ]; then
    # shellcheck disable=SC2046 # words of a rule
    iptables $(cat "$run/forward")
    cat "$run/ip_forward" >/proc/sys/net/ipv4/ip_forward
  fi
  for group in /sys/fs/cgroup/homelab-lab /sys/fs/cgroup/*/homelab-lab; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
  done
}
