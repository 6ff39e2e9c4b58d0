# Packages: one transaction, for which the old package files are secured; undo compares what was installed with what is now.
# Name and version of each; what dpkg has not finished is there too, with its state.
h_installed() {
  if h_has dpkg-query; then
    dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package} ${Version}\n' |
      sed -n -e 's/^.i  *\([^ ]* [^ ]*\)$/\1/p; t' -e 's/^.\([^nci]\).  *\([^ ]* [^ ]*\)$/\2 !\1/p'
  elif [ -d /lib/apk ]; then apk info -v | sed 's/-\([0-9][^-]*-r[0-9]*\)$/ \1/'
  else rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n'
  fi | sort
}
# Runs apt-get until nobody else holds a lock or the time is over; apt's own message names the holder. Its errors come first.
h_apt() {
  t=$(date +%s)
  while :; do
    e=$(DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout="$h_wait" -o Dpkg::Options::=--force-confdef \
      -o Dpkg::Options::=--force-confold "$@" 2>&1) && return
    case $e in *"Could not get lock"* | *"Unable to acquire the dpkg frontend lock"*) ;; *) break ;; esac
    # Of some locks apt itself has waited for, of others it never does.
    [ $(($(date +%s) - t)) -lt "$h_wait" ] || break
    sleep 2
  done
  e=$(printf '%s\n' "$e" | sed -n -e '/^E: /!H' -e 's/^E: //p' -e '$ {' -e x -e 's/^\n//p' -e '}')
  # What it said while it waited can be before this, on the same line.
  case $e in
  'Could not get lock '*) ;;
  *'Could not get lock '*) h_x=${e##*Could not get lock } e="Could not get lock ${h_x%%"$nl"*}$nl$e" ;;
  esac
  return 1
}
# What dpkg was cut off in is finished first: before that apt does nothing.
h_mend() {
  for p in /var/lib/dpkg/updates/[0-9]*; do
    [ -e "$p" ] || return 0
    DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a </dev/null >/dev/null 2>&1
    return 0
  done
}
# The name of a package's file into f. What follows a colon apt takes for an architecture, and does nothing without a word.
h_file() { case $1 in *:*) f=${1%%:*}%3a${1#*:}.deb ;; *) f=$1.deb ;; esac; }
# Before anything changes: the package file of each package that is to be replaced or removed, from apt's own archive, else made again.
# number, apt's arguments; their names into j
h_secure() {
  d=$R/before/$1.debs j= h_c=
  shift
  h_apt -s "$@" || return
  # New ones need no file, nor do those of which only the configuration goes, but the journal names them.
  q=$(printf '%s\n' "$e" | sed -n -e 's/^Inst \([^ ]*\) (.*/\1/p' -e 's/^Purg \([^ ]*\) *$/\1/p')
  for p in $q; do j=$j,$p; done
  w=$(printf '%s\n' "$e" | sed -n 's/^[IRP][a-z]* \([^ ]*\) \[.*/\1/p')
  p=$w
  # shellcheck disable=SC2086 # words
  h_left "$y" $q $w || return
  w=$p
  [ "$w$h_c" ] || return 0
  # shellcheck disable=SC2086 # words
  e=$(mkdir -p -- "$d" 2>&1 && { [ -z "$w" ] || dpkg-query -W -f '${db:Status-Abbrev}${binary:Package} ${Package}_${Version}_${Architecture}\n' -- $w 2>&1; }) || return
  w=$e$nl
  while [ "$w" ]; do
    l=${w%%"$nl"*} w=${w#*"$nl"}
    # What dpkg has not finished is nothing to go back to.
    case $l in ?i*) ;; *) continue ;; esac
    l=${l#???}
    p=${l%% *} s=${l#* }
    j=$j,$s
    [ ! -e "/var/lib/dpkg/info/$p.conffiles" ] || h_c="$h_c /var/lib/dpkg/info/$p.conffiles"
    case $s in *:*) s=${s%%:*}%3a${s#*:} ;; esac
    s=/var/cache/apt/archives/$s.deb
    h_file "$p"
    if [ -s "$s" ]; then ln -f -- "$s" "$d/$f" 2>/dev/null || e=$(cp -- "$s" "$d/$f" 2>&1); else h_repack "$p" "$d/$f"; fi ||
      { e="the installed $p cannot be secured: $e"; return 1; }
  done
  # shellcheck disable=SC2086 # words
  [ -z "$h_c" ] || e=$(cat -- $h_c | while read -r p; do [ ! -f "$p" ] || printf '%s\n' "${p#/}"; done | tar -C / --verbatim-files-from -T - -cf "$d/conffiles.tar" 2>&1)
}
# number, packages: which of them had been removed, and the configuration that was left of them
h_left() {
  [ $# -gt 1 ] || return 0
  k= s= c=
  w=$(shift && exec dpkg-query -W -f '${db:Status-Abbrev}${binary:Package}\n${Conffiles}\n' -- "$@" 2>/dev/null)$nl
  while [ "$w" ]; do
    l=${w%%"$nl"*} w=${w#*"$nl"}
    case $l in
    '') ;;
    ' '*) [ -z "$c" ] || { l=${l# }; s=$s${l%% *}$nl; } ;;
    ?c*) c=1 k=$k${l#???}$nl ;;
    *) c= ;;
    esac
  done
  [ "$k" ] || return 0
  e=$({ printf %s "$k" >"$R/before/$1.residue" && printf %s "$s" >"$R/before/$1.left"; } 2>&1) && h_c=" $R/before/$1.left"
}
# A package file of what is installed: name, file
h_repack() {
  i=/var/lib/dpkg/info/$1 t=$2.d
  e=$({
    umask 022
    mkdir -p -- "$t/DEBIAN" && a=$nl$(cat -- "$i.list")$nl || exit
    dpkg-query -s "$1" | sed -e '/^Status: /d' -e '/^Conffiles:/,/^[^ ]/{' -e '/^Conffiles:/d' -e '/^ /d' -e '}' >"$t/DEBIAN/control"
    for p in "$i".*; do
      case ${p#"$i."} in *.* | list | conffiles) ;; *) cp -p -- "$p" "$t/DEBIAN/${p#"$i."}" || exit ;; esac
    done
    if [ -e "$i.conffiles" ]; then
      while read -r p; do [ ! -f "$p" ] || printf '%s\n' "$p"; done <"$i.conffiles" >"$t/DEBIAN/conffiles"
    fi
    # A conffile that was changed must not be taken for the package's own.
    dpkg-query -W -f '${Conffiles}\n' "$1" | sed -n 's/^ \(.*\) \([0-9a-f]\{32\}\)$/\2  \1/p' | md5sum -c --quiet 2>/dev/null >"$t.changed"
    # What another package has diverted is where it was moved to.
    b=
    while read -r p && read -r c && read -r l; do
      case $l$a in "${1%%:*}$nl"*) ;; *"$nl$p$nl"*) b=$b$nl$p$nl a="${a%%"$nl$p$nl"*}$nl${a#*"$nl$p$nl"}"; [ ! -e "$c" ] || { mkdir -p -- "$t${p%/*}" && cp -a -- "$c" "$t$p"; } || exit ;; esac
    done </var/lib/dpkg/diversions
    printf '%s' "$a" | while read -r p; do
      case $p in '' | /.) continue ;; esac
      # A link by which the package's own files are reached is not the package's.
      if [ -h "$p" ]; then case $a in *"$nl$p/"*) continue ;; esac; elif [ ! -e "$p" ]; then continue; fi
      printf '%s\n' "${p#/}"
    done | tar -C / --no-recursion --verbatim-files-from -T - -cf - | tar -C "$t" -xpf - &&
      while IFS=: read -r p l; do [ ! -f "$t$p" ] || echo >>"$t$p"; done <"$t.changed" && dpkg-deb -Zgzip -z1 -b "$t" "$2"
  } 2>&1)
  a=$?
  rm -rf -- "$t" "$t.changed"
  return "$a"
}
# number, lists first (y), purge (y), seconds to wait, names to install (name or name=version), --, names to remove
h_transact() {
  y=$1 a=$2 b=$3 h_wait=$4
  shift 4
  h_mend
  e=$(h_installed 2>&1 >"$R/before/$y.packages") || { h_fail "$y" "$e"; return 1; }
  if h_has apt-get; then
    [ "$a" = y ] && { h_apt update || { h_fail "$y" "$e"; return 1; }; }
    s=
    for p; do
      shift
      if [ "$p" = -- ]; then s=-; else set -- "$@" "$p$s"; fi
    done
    [ "$b" = y ] && b=--purge || b=
    # shellcheck disable=SC2086 # words
    set -- $b --allow-downgrades install -- "$@"
    h_secure "$y" "$@" || { h_fail "$y" "$e"; return 1; }
    h_enc "${j#,}"
    h_journal "$y" "B $y packages - - - - - $e$nl" 1 || return
    h_apt "$@"
  else
    j=
    for p; do [ "$p" = -- ] || j=$j,${p%%=*}; done
    e=$(mkdir -p "$R/before/$y.debs" && h_confs "$@" >"$R/before/$y.confs" && { [ ! -s "$R/before/$y.confs" ] || tar -C / -cf "$R/before/$y.debs/conffiles.tar" -T "$R/before/$y.confs"; } 2>&1) ||
      { h_fail "$y" "the configuration cannot be secured: $e"; return 1; }
    h_enc "${j#,}"
    h_journal "$y" "B $y packages - - - - - $e$nl" 1 || return
    h_other "$a" "$@"
  fi
  a=$?
  # Taking it back, later, is about what it changed and nothing else.
  # By half it would say that packages are not there.
  h_installed >"$R/now" 2>/dev/null && mv -f "$R/now" "$R/before/$y.after"
  [ "$a" = 0 ] && h_done "$y" || h_fail "$y" "$e"
}
# The configuration files of packages of dnf's or apk's, as far as they are there, without their first slash.
h_confs() {
  for p; do
    shift
    [ "$p" = -- ] || set -- "$@" "${p%%=*}"
  done
  if h_has rpm; then rpm -qc -- "$@"; else apk info -qL -- "$@" | sed -n 's/^etc\//\/&/p'; fi 2>/dev/null |
    while IFS= read -r p; do case $p in /*) [ ! -f "$p" ] || printf '%s\n' "${p#/}" ;; esac; done
}
# dnf or apk: whether the lists come first, names, --, names
h_other() {
  h_has dnf && c=dnf || c=apk
  h_has "$c" || { e='there is no package manager that homelab knows (apt, dnf, apk)'; return 1; }
  if [ "$1" = y ]; then [ "$c" = dnf ] && e=$(dnf -q makecache 2>&1) || e=$(apk update 2>&1) || return; fi
  shift
  w= i=0 s=
  q= h_n= h_u=
  for p; do
    i=$((i + 1))
    if [ "$p" = -- ]; then s=1; continue; fi
    [ "$s" ] && q="$q \"\${$i}\"" && continue
    case $c:$p in
    # dnf writes name-version.
    dnf:*=*) p=${p%%=*}-${p#*=}; eval "h_v$i=\$p"; w="$w \"\$h_v$i\"" h_n="$h_n $i"; continue ;;
    # What is there, `install` leaves as it is.
    dnf:*) rpm -q --quiet -- "$p" 2>/dev/null && h_u="$h_u \"\${$i}\"" && continue ;;
    apk:*=*) ;;
    apk:*) apk info -e -- "$p" >/dev/null 2>&1 && h_u="$h_u \"\${$i}\"" && continue ;;
    esac
    w="$w \"\${$i}\""
  done
  if [ "$h_u" ]; then [ "$c" = dnf ] && s='dnf -y -q upgrade' || s='apk add -u'; eval "e=\$($s $h_u 2>&1)" || return; fi
  if [ "$w" ]; then [ "$c" = dnf ] && s='dnf -y -q install' || s='apk add'; eval "e=\$($s $w 2>&1)" || return; fi
  for i in $h_n; do
    eval "p=\$h_v$i"
    # Nor does it go back to an older version by itself.
    rpm -q --quiet -- "$p" 2>/dev/null || e=$(dnf -y -q downgrade "$p" 2>&1) || return
  done
  if [ "$q" ]; then [ "$c" = dnf ] && s='dnf -y -q remove' || s='apk del'; eval "e=\$($s $q 2>&1)" || return; fi
}
u_packages() {
  y=$2 h_wait=120 k=$R/before/$2
  h_mend
  # Where it was cut off, what is there is what it left. New names go; names that are gone or have another version come back.
  e=$({
    h_installed >"$R/now" && { [ -s "$k.after" ] || cp "$R/now" "$k.after"; } && cut -d ' ' -f 1 <"$k.packages" | sort >"$R/names" &&
      cut -d ' ' -f 1 <"$k.after" | sort | comm -13 "$R/names" - >"$k.new"
  } 2>&1) || { h_stick "$y" "$e"; return; }
  a=$(cut -d ' ' -f 1 <"$R/now" | grep -xFf "$k.new")
  b=$(grep -vxFf "$k.after" <"$k.packages" | grep -vxFf "$R/now")
  if [ "$a$b" ] || [ -s "$k.residue" ]; then
    h_orphans >"$k.orphans"
    # Of what had been removed before, the configuration stays.
    h_r=$(printf '%s\n' "$a" | grep -xFf "$k.residue" 2>/dev/null)
    [ "$h_r" ] && c= || c=--purge
    set -f
    set --
    if h_has apt-get; then
      IFS=$nl
      for l in $b; do
        l=${l% !?}
        h_file "${l%% *}"
        p=$R/before/$y.debs/$f
        [ -s "$p" ] || p=${l%% *}=${l#* }
        set -- "$@" "$p"
      done
      for l in $a; do set -- "$@" "$l-"; done
      unset IFS
      set +f
      # shellcheck disable=SC2086 # words
      h_apt --allow-downgrades $c install -- "$@" || { h_stick "$y" "$e"; return; }
      if [ "$h_r" ]; then
        a=$(printf '%s\n' "$a" | grep -vxFf "$k.residue")
        # shellcheck disable=SC2086 # words
        [ -z "$a" ] || h_apt purge -- $a || { h_stick "$y" "$e"; return; }
      fi
    else
      IFS=$nl
      for l in $b; do set -- "$@" "${l%% *}=${l#* }"; done
      set -- "$@" --
      for l in $a; do set -- "$@" "$l"; done
      unset IFS
      set +f
      h_other - "$@" || { h_stick "$y" "$e"; return; }
    fi
    # Purged or not, the configuration is what it was.
    p=$R/before/$y.debs/conffiles.tar
    [ ! -s "$p" ] || e=$(tar -C / -xpf "$p" 2>&1) || { h_stick "$y" "$e"; return; }
    e=$(h_installed 2>&1 >"$R/now") || { h_stick "$y" "$e"; return; }
    a=$(cut -d ' ' -f 1 <"$R/now" | grep -xFf "$k.new"; printf '%s\n' "$b" | grep -vxFf "$R/now")
    [ -z "$a" ] || { h_stick "$y" "the packages are not what they were: $a"; return; }
    # Some packages leave their service running when they go.
    a=$(h_orphans | grep -vxFf "$k.orphans")
    # shellcheck disable=SC2086 # words
    [ -z "$a" ] || e=$(systemctl stop -- $a 2>&1) || { h_stick "$y" "$e"; return; }
  fi
  h_undone "$y"
}
# What runs, and has no unit any more.
h_orphans() {
  [ ! -d /run/systemd/system ] || systemctl list-units --plain --no-legend --type service,socket,timer,path --state active 2>/dev/null |
    sed -n 's/^\([^ ]*\)  *not-found .*/\1/p'
}
