# The other ops, each alone: journalled with what was, done, taken back.
# number, path below /proc/sys, value: kernel parameters and the host name
h_sysctl() {
  y=$1
  e=$({ cat "/proc/sys/$2" >"$R/before/$y.val"; } 2>&1) || { h_fail "$y" "$e"; return 1; }
  h_enc "$2"
  h_journal "$y" "B $y sysctl y - - - - $e$nl" 1 || return
  e=$({ printf '%s\n' "$3" >"/proc/sys/$2"; } 2>&1) && h_done "$y" || h_fail "$y" "$e"
}
u_sysctl() {
  y=$2
  h_slurp "$R/before/$y.val"
  # One that cannot be written never changed.
  e=$({ [ "$(cat "/proc/sys/$p")$nl" = "$v" ] || printf '%s' "$v" >"/proc/sys/$p"; } 2>&1) && h_undone "$y" || h_stick "$y" "$e"
}
# A user's crontab, by crontab or by its file: user, - (from input), -l or -r
h_tab() {
  if h_has crontab; then
    if [ "$uid" = 0 ]; then crontab -u "$1" "$2"; else crontab "$2"; fi
    return
  fi
  a=/var/spool/cron/crontabs
  [ -d "$a" ] || { echo 'there is no cron on this node' >&2; return 1; }
  case $2 in
  -l) cat "$a/$1" ;;
  -r) rm -f "$a/$1" ;;
  *) cat >"$a/$1.new" && chmod 600 "$a/$1.new" && chown "$1" "$a/$1.new" && mv -f "$a/$1.new" "$a/$1" || { rm -f "$a/$1.new"; return 1; } ;;
  esac
}
# number, user, then the text unless it is to go
h_cron() {
  y=$1 c=-
  x=$(h_tab "$2" -l 2>/dev/null && echo .)
  # One that cannot be kept is not one that is not there.
  if [ "$x" ]; then c=y; e=$({ printf %s "${x%.}" >"$R/before/$y.cron"; } 2>&1) || { h_fail "$y" "$e"; return 1; }; fi
  h_enc "$2"
  h_journal "$y" "B $y crontab $c - - - - $e$nl" 1 || return
  if [ $# -gt 2 ]; then e=$(printf %s "$3" | h_tab "$2" - 2>&1)
  elif [ "$c" = y ]; then e=$(h_tab "$2" -r 2>&1)
  fi && h_done "$y" || h_fail "$y" "$e"
}
u_crontab() {
  y=$2
  if [ "$4" = y ]; then [ "$(h_tab "$p" -l 2>/dev/null)" = "$(cat "$R/before/$y.cron")" ] || e=$(h_tab "$p" - 2>&1 <"$R/before/$y.cron")
  elif h_tab "$p" -l >/dev/null 2>&1; then e=$(h_tab "$p" -r 2>&1)
  fi && h_undone "$y" || h_stick "$y" "$e"
}
h_systemd() { [ -d /run/systemd/system ] || { h_fail "$1" 'systemd does not run on this node'; return 1; }; }
# number, act, unit
h_unit() {
  y=$1
  h_has systemctl || { h_fail "$y" 'there is no systemd on this node'; return 1; }
  # Boot-time settings need no running systemd, the rest does.
  case $2 in start | stop | restart | reload) h_systemd "$y" || return ;; esac
  a=$(systemctl is-active -- "$3" 2>/dev/null)
  b=$(systemctl is-enabled -- "$3" 2>/dev/null)
  h_enc "$3"
  h_journal "$y" "B $y unit $2 ${a:--} ${b:--} - - $e$nl" || return
  e=$(systemctl -q "$2" -- "$3" 2>&1) && h_done "$y" && return
  # The reason is in the unit's own log.
  [ "$2" = start ] || [ "$2" = restart ] || [ "$2" = reload ] && e=$e$nl$(journalctl -q -n 10 --no-pager -o cat -u "$3" 2>/dev/null)
  h_fail "$y" "$e"
}
# B number unit act active enabled: what needs files put back first waits in h_after
u_unit() {
  y=$2 a=
  case $4:$5:$6 in
  enable:*:enabled | disable:*:disabled | start:active:* | stop:inactive:* | stop:failed:* | mask:*:masked) ;;
  enable:*) a=disable ;;
  disable:*:enabled) a=enable ;;
  mask:*) a=unmask ;;
  unmask:*:masked) a=mask ;;
  start:* | restart:inactive:* | restart:failed:*) a=stop ;;
  stop:active:*) h_after="$h_after $h_i:$y:start:$p"; return ;;
  restart:active:* | reload:active:*) h_after="$h_after $h_i:$y:$4:$p"; return ;;
  esac
  # shellcheck disable=SC2086 # words
  [ -z "$a" ] || e=$(systemctl -q $a -- "$p" 2>&1) || { h_stick "$y" "$e"; return; }
  [ "$a" != stop ] || h_stopped="$h_stopped $p "
  # A boot in between started what was enabled, and nothing else.
  case $4 in
  enable | disable | mask | unmask)
    case $5:$(systemctl is-active -- "$p" 2>/dev/null) in
    active:inactive | active:failed) h_after="$h_after $h_i:$y:start:$p"; return ;;
    inactive:active | failed:active) e=$(systemctl -q stop -- "$p" 2>&1) || { h_stick "$y" "$e"; return; } ;;
    esac
    ;;
  esac
  h_undone "$y"
}
h_reload() {
  h_systemd "$1" || return
  h_journal "$1" "B $1 reload - - - - - -$nl" || return
  e=$(systemctl daemon-reload 2>&1) && h_done "$1" || h_fail "$1" "$e"
}
u_reload() { h_again="$h_again $h_i:$2"; }
# By its path: busybox's shell would not look for a file.
h_restart() {
  if [ -d /run/systemd/system ]; then systemctl reboot; return; fi
  IFS=:
  for p in $PATH; do
    [ -x "$p/reboot" ] && { unset IFS; "$p/reboot"; return; }
  done
  unset IFS
  return 127
}
# number, message, seconds that the controller needs to come back. Which boot it was is in the journal: nobody needs a clock.
h_reboot() {
  y=$1
  h_has systemctl || h_has reboot || { h_fail "$y" 'there is nothing to reboot with'; return 1; }
  h_journal "$y" "B $y reboot $boot - - - - -$nl" || return
  [ -e "$S/guard/armed" ] && printf '%s\n' "$3" >"$S/guard/expected"
  [ -z "$2" ] || ! h_has wall || printf '%s\n' "$2" | wall >/dev/null 2>&1
  sync
  (
    sleep 1
    h_restart
  ) </dev/null >/dev/null 2>&1 &
  h_f rebooting "$y $boot" ''
}
h_booted() { if grep -q "^B $1 reboot $boot " "$R/journal"; then h_fail "$1" 'this is still the boot from before'; else h_done "$1"; fi; }
u_reboot() { [ "$4" = "$boot" ] || h_anew=1; h_undone "$2"; }
# After the last restore: one daemon-reload, then each unit once.
h_afterwards() {
  if [ "$h_again" ]; then
    e=$(systemctl daemon-reload 2>&1) && a= || a=$e
    for s in $h_again; do
      h_i=${s%:*}
      [ -z "$a" ] && h_undone "${s#*:}" || h_stick "${s#*:}" "$a"
    done
  fi
  w=
  for s in $h_after; do
    h_i=${s%%:*} s=${s#*:}
    y=${s%%:*} s=${s#*:}
    # What the run itself brought or started has nothing to take up any more.
    case $s in start:*) ;; *)
      case $h_stopped in *" ${s#*:} "*) h_undone "$y"; continue ;; esac
      [ "$(systemctl show -p LoadState --value -- "${s#*:}" 2>/dev/null)" != not-found ] || { h_undone "$y"; continue; }
      ;;
    esac
    case " $w " in *" $s "*) ;; *)
      w="$w $s"
      e=$(systemctl -q "${s%%:*}" -- "${s#*:}" 2>&1) || { h_stick "$y" "$e"; continue; }
      ;;
    esac
    h_undone "$y"
  done
  h_tell
}
# The handlers that the run had flushed, in their order, each once, on what is there again.
h_tell() {
  for s in $h_told; do
    h_i=${s%:*} y=${s#*:}
    h_slurp "$R/before/$y.undo"
    p=$v
    h_line "$R/before/$y.good"
    x=$v
    h_line "$R/before/$y.as"
    if [ -e "$R/before/$y.in" ]; then e=$(h_sh "$v" 2>&1 <"$R/before/$y.in"); else e=$(h_sh "$v" 2>&1 </dev/null); fi
    c=$?
    case " $x " in
    *" $c "*) h_undone "$y" ;;
    *) h_stick "$y" "run once more, it ended with status $c$nl$e" ;;
    esac
  done
}
# paths: what is done next brings them, and its undo takes them away with all below them. Without this note they would be somebody else's.
h_brings() {
  for e; do h_enc "$e"; printf '%s\n' "$e"; done 2>/dev/null >>"$R/brings"
}
# number, user, good statuses, script, whether it has an undo (y a user's, t a tool's; h: when all else is back, and without one the script once more), undo's user, undo, [standard input]
h_run() {
  y=$1
  if [ "$5$7" = h ]; then
    e=$({
      printf '%s' "$4" >"$R/before/$y.undo" && printf '%s' "$2" >"$R/before/$y.as" && printf '%s' "$3" >"$R/before/$y.good" &&
        if [ $# -gt 7 ]; then printf '%s' "$8" >"$R/before/$y.in"; fi
    } 2>&1) || { h_fail "$y" "$e"; return 1; }
  elif [ "$5" != - ]; then
    e=$({ printf '%s' "$7" >"$R/before/$y.undo" && printf '%s' "$6" >"$R/before/$y.as" && printf 0 >"$R/before/$y.good"; } 2>&1) || { h_fail "$y" "$e"; return 1; }
  fi
  h_journal "$y" "B $y run $5 - - - - -$nl" "$5" || return
  p=$4
  unset i
  [ $# -gt 7 ] && i=$8
  h_fed "$2" >"$R/out" 2>"$R/err"
  c=$?
  x=@$n:$c
  if [ -s "$R/out" ] || [ -s "$R/err" ]; then
    x=$(head -c 1048576 "$R/err"; printf %s "@$n"; head -c 1048576 "$R/out"; printf %s ":$c")
  fi
  : >"$R/out"
  : >"$R/err"
  h_f ran "$y $n" "$x"
  case " $3 " in
  *" $c "*) h_done "$y" ;;
  *) h_fail "$y" "it ended with status $c" ;;
  esac
}
u_run() {
  y=$2
  [ "$4" = h ] && { h_told="$h_i:$2 $h_told"; return; }
  [ "$4" != - ] || { h_note "U $h_i"; h_f left "$y" ''; return; }
  h_slurp "$R/before/$y.undo"
  p=$v
  h_line "$R/before/$y.as"
  e=$(h_sh "$v" 2>&1 </dev/null) && h_undone "$y" || h_stick "$y" "$e"
}
