# Packages, units, accounts, crontabs, kernel parameters, read-only commands.
# kind (dpkg, rpm, apk or none is found here), then names
h_packages() {
  if command -v dpkg-query >/dev/null 2>&1; then
    x=$(exec dpkg-query -W -f '${Package} ${Architecture} ${db:Status-Abbrev}${Version}\n' -- "$@" 2>/dev/null)
    h_f packages dpkg "$x"
  elif [ -d /var/lib/rpm ] || [ -d /usr/lib/sysimage/rpm ]; then
    x=$(rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\n' -- "$@" 2>/dev/null)
    h_f packages rpm "$x"
  elif [ -d /lib/apk ]; then
    x=$(apk list -I -- "$@" 2>/dev/null)
    h_f packages apk "$x"
  else h_f packages none ''
  fi
}
h_candidates() {
  if command -v apt-cache >/dev/null 2>&1; then
    x=$(exec apt-cache policy -- "$@" 2>/dev/null)
    h_f candidates apt "$x"
  elif command -v dnf >/dev/null 2>&1; then
    x=$(dnf -q -C repoquery --latest-limit=1 --qf '%{name} %{version}-%{release}\n' -- "$@" 2>/dev/null)
    h_f candidates dnf "$x"
  elif command -v apk >/dev/null 2>&1; then
    x=$(apk policy -- "$@" 2>/dev/null)
    h_f candidates apk "$x"
  else h_f candidates none ''
  fi
}
h_units() {
  [ -d /run/systemd/system ] || { h_f units none ''; return; }
  x=$(exec systemctl show -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload -- "$@" 2>&1) && v=systemd || v=failed
  # shellcheck disable=SC2086 # words
  h_f units $v "$x"
}
# Both files whole; of shadow only the lines of the names given.
h_accounts() {
  h_slurp /etc/passwd
  h_f passwd '' "$v"
  h_slurp /etc/group
  h_f group '' "$v"
  [ -r /etc/shadow ] || { h_f shadow none ''; return; }
  x=
  while IFS= read -r l; do
    for p; do case $l in "$p":*) x=$x$l$nl ;; esac; done
  done </etc/shadow
  h_f shadow '' "$x"
}
# number, user
h_crontab() {
  if command -v crontab >/dev/null 2>&1; then
    if [ "$uid" = 0 ]; then x=$(crontab -u "$2" -l 2>&1; echo ".$?")
    else x=$(crontab -l 2>&1; echo ".$?")
    fi
  else
    for p in /var/spool/cron/crontabs/"$2" /var/spool/cron/"$2"; do
      [ -f "$p" ] && { x=$(cat "$p"; echo ".$?"); h_f crontab "$1" "$x"; return; }
    done
    x="no crontab for $2$nl.1"
  fi
  h_f crontab "$1" "$x"
}
# paths below /proc/sys, each answered by number
# By one process for all: a shell that reads byte by byte is given a number's first digit and no more.
h_sysctls() {
  x=$(cd /proc/sys && exec grep '' /dev/null "$@" 2>/dev/null)$nl
  i=0
  for p; do
    i=$((i + 1))
    if [ ! -e "/proc/sys/$p" ]; then h_f sysctl "$i none" ''; continue; fi
    if [ ! -r "/proc/sys/$p" ]; then h_f sysctl "$i unreadable" ''; continue; fi
    v= l=$nl$x
    while :; do
      case $l in *"$nl$p:"*) ;; *) break ;; esac
      l=${l#*"$nl$p:"}
      v=$v${l%%"$nl"*}$nl
      l=$nl${l#*"$nl"}
    done
    h_f sysctl "$i value" "$v"
  done
}
h_hostname() { h_line /proc/sys/kernel/hostname; h_f hostname '' "$v"; }
# The script in p through descriptor 9 to a shell of its own, as user $1 if given: it never is an argument of a process.
# shellcheck disable=SC2016 # for later
h_script='s=$(cat <&9); exec 9<&-; eval "$s"'
h_sh() {
  if [ "$1" ]; then
    if [ "$uid" != 0 ]; then
      h_user=$(id -un)
      [ "$h_user" = "$1" ] || { echo "running as $1 needs become" >&2; return 126; }
    else
      set -- su -s /bin/sh "$1" -c "$h_script"
    fi
  fi
  [ $# -gt 1 ] || set -- sh -c "$h_script"
  "$@" 9<<H_EOF
$p
H_EOF
}
# With standard input i if it is set.
h_fed() {
  if [ "${i+x}" ]; then printf %s "$i" | h_sh "$1"
  else h_sh "$1" </dev/null
  fi
}
# number, user, script [, stdin]: answered by standard error, the nonce, standard output, a colon and the status
h_ran() {
  k=$1 p=$3
  unset i
  [ $# -gt 3 ] && i=$4
  x=$({ o=$(h_fed "$2"; echo ":$?"); } 2>&1; printf '%s' "@$n$o")
  h_f ran "$k $n" "$x"
}
