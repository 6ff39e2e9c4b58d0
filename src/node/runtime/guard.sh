# The guard: while it is armed, this node takes the run back by itself, unless a new login says in time that all is well.
G=$S/guard
# Seconds since boot: there may be no clock.
h_up() { h_line /proc/uptime; v=${v%%.*}; }
# The deadline anew. Written with built-ins, since each exchange does it.
h_renew() {
  h_up
  { printf '%s %s\n' "$boot" $((v + h_secs)) >"$G/due"; } 2>/dev/null
}
# In the middle of something: not now.
h_busy() { h_up; { printf '%s %s\n' "$v" "$h_me" >"$G/busy"; } 2>/dev/null; }
h_idle() { h_renew; { printf '' >"$G/busy"; } 2>/dev/null; }
# Whether the one that is busy lives, and has not been at it for longer than any op may take.
h_working() {
  lp=
  { IFS=' ' read -r a lp lt lb b <"$G/busy"; } 2>/dev/null
  [ "$lp" ] && [ "$lb" = "$boot" ] && h_born "$lp" && [ "$v" = "$lt" ] && h_up && [ $((v - a)) -lt 3700 ]
}
# The guard's own text, from standard input.
h_script() { e=$({ mkdir -p "$G" && cat >"$G/run.new" && mv -f "$G/run.new" "$G/run"; } 2>&1); }
# run, seconds, guard or trial
h_arm() {
  h_secs=$2
  rm -f "$G/pid"
  if h_hook && e=$({
    printf '%s\n' "$PATH" >"$G/path" && h_idle && printf '%s %s %s %s\n' "$1" "$2" "$3" "$boot" >"$G/armed.new" &&
      mv -f "$G/armed.new" "$G/armed" && h_note "G $2" && sync "$G/run" "$G/armed" "$G" "$R/journal"
  } 2>&1); then
    h_start
    t=0
    while [ ! -s "$G/pid" ] && [ "$t" -lt 50 ]; do
      sleep 0.1 2>/dev/null || { sleep 1; t=$((t + 9)); }
      t=$((t + 1))
    done
    [ -s "$G/pid" ] && { h_f armed "$k" ''; return; }
    e='it does not start'
  fi
  h_unguard
  h_f failed arm "$e"
  return 1
}
# What starts it again at the next boot, into k.
h_hook() {
  k=none h_sh=$(command -v sh) e=
  # One whose state lies elsewhere is a test, whose boots are not the machine's.
  [ "$uid" = 0 ] && [ -z "$HOMELAB_STATE" ] || return 0
  if [ -d /run/systemd/system ]; then
    # Early, and bound to nothing that the run may have broken.
    e=$({
      printf '%s\n' '[Unit]' 'Description=homelab: takes a run back unless a new login keeps it' DefaultDependencies=no \
        "RequiresMountsFor=$S" After=local-fs.target Conflicts=shutdown.target Before=shutdown.target \
        '[Service]' "ExecStart=\"$h_sh\" \"$G/run\"" KillMode=mixed TimeoutStopSec=300 >/etc/systemd/system/homelab-guard.service && chmod 644 /etc/systemd/system/homelab-guard.service &&
        mkdir -p /etc/systemd/system/sysinit.target.wants && ln -sf ../homelab-guard.service /etc/systemd/system/sysinit.target.wants/homelab-guard.service &&
        sync /etc/systemd/system/homelab-guard.service /etc/systemd/system/sysinit.target.wants
    } 2>&1) && k=systemd
  elif [ -d /etc/local.d ]; then
    e=$({ printf '#!/bin/sh\n%s %s </dev/null >/dev/null 2>&1 &\n' "'$h_sh'" "'$G/run'" >/etc/local.d/homelab-guard.start && chmod 755 /etc/local.d/homelab-guard.start; } 2>&1) && k=local.d
  elif [ -d /etc/cron.d ] && { [ -x /usr/sbin/cron ] || [ -x /usr/sbin/crond ]; }; then
    e=$({ printf '@reboot root %s %s </dev/null >/dev/null 2>&1 &\n' "'$h_sh'" "'$G/run'" >/etc/cron.d/homelab-guard && chmod 644 /etc/cron.d/homelab-guard; } 2>&1) && k=cron
  fi
  e=
}
# Apart from this session, and not its child.
h_start() {
  [ "$k" = systemd ] && systemd-run -q --description='homelab: the guard' -- "$h_sh" "$G/run" >/dev/null 2>&1 && return
  if h_has setsid; then (setsid "$h_sh" "$G/run" </dev/null >/dev/null 2>&1 &)
  else ("$h_sh" "$G/run" </dev/null >/dev/null 2>&1 &)
  fi
}
h_unguard() {
  for p in /etc/systemd/system/homelab-guard.service /etc/systemd/system/sysinit.target.wants/homelab-guard.service /etc/local.d/homelab-guard.start /etc/cron.d/homelab-guard; do
    { [ -e "$p" ] || [ -h "$p" ]; } && rm -f "$p"
  done
  rm -rf "$G"
}
# run: either this rename succeeds or the guard's does.
h_disarm() {
  if [ -e "$G/armed" ] && mv "$G/armed" "$G/gone" 2>/dev/null; then
    { printf 'g\n' >>"$S/runs/$1/journal" && sync "$S/runs/$1/journal"; } 2>/dev/null
    h_unguard
    h_f disarmed "$1" ''
  else h_verdict "$1"
  fi
}
# run: what its guard has done or is about to do
h_verdict() {
  if [ -e "$G/firing" ]; then h_f firing "$1" ''
  elif [ -e "$G/armed" ]; then h_f armed "$1" ''
  elif grep -q '^N' "$S/runs/$1/journal" 2>/dev/null; then h_f fired "$1" "$(cat "$S/runs/$1/guard" 2>/dev/null)"
  else h_f unguarded "$1" ''
  fi
}
# Whoever holds the lock goes, with all that belongs to it.
h_oust() {
  h_held || return 0
  [ "$lp" = $$ ] && return
  h_kin "$lp"
  # shellcheck disable=SC2086 # words
  kill -9 $w 2>/dev/null
  # Its parent may take a moment to notice.
  t=0
  while h_held && [ "$t" -lt 20 ]; do sleep 0.1 2>/dev/null || sleep 1; t=$((t + 1)); done
}
# run, seconds: the run's own earlier session, whose line is gone, makes room for this one when it is not in the middle of an op.
h_room() {
  h_line "$S/open"
  [ "$v" = "$1" ] || return 0
  t=0
  while h_held && h_working && [ "$t" -lt "$2" ]; do sleep 1; t=$((t + 1)); done
  h_oust
  # One that is dead and that nobody has taken note of looks alive.
  if h_held; then mv "$S/lock" "$S/lock.$$" 2>/dev/null && rm -rf "$S/lock.$$"; fi
}
