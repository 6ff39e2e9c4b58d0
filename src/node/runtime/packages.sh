# Packages: one transaction; undo compares what was installed before with what is now.
# Name and version of each; what dpkg has not finished is there too, with its state.
h_installed() {
  if h_has dpkg-query; then
    dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package} ${Version}\n' |
      sed -n -e 's/^.i  *\([^ ]* [^ ]*\)$/\1/p; t' -e 's/^.\([^nci]\).  *\([^ ]* [^ ]*\)$/\2 !\1/p'
  elif [ -d /lib/apk ]; then apk info -v | sed 's/-\([0-9][^-]*-r[0-9]*\)$/ \1/'
  else rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n'
  fi | sort
}
# Runs apt-get until nobody else holds a lock or the time is over; apt's own message names the holder.
h_apt() {
  t=0
  while :; do
    e=$(DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout="$h_wait" -o Dpkg::Options::=--force-confdef \
      -o Dpkg::Options::=--force-confold "$@" 2>&1) && return
    case $e in *"Could not get lock"* | *"Unable to acquire the dpkg frontend lock"*) ;; *) return 1 ;; esac
    [ "$t" -lt "$h_wait" ] || return 1
    t=$((t + 2))
    sleep 2
  done
}
# number, lists first (y), purge (y), seconds to wait, names to install (name or name=version), --, names to remove
h_transact() {
  y=$1 a=$2 b=$3 h_wait=$4
  shift 4
  e=$(h_installed 2>&1 >"$R/before/$y.packages") || { h_fail "$y" "$e"; return 1; }
  # The old package files are secured where they are still here.
  h_journal "$y" "B $y packages - - - - - -$nl" 1 || return
  if h_has apt-get; then
    [ "$a" = y ] && { h_apt update || { h_fail "$y" "$e"; return 1; }; }
    s=
    for p; do
      shift
      if [ "$p" = -- ]; then s=-; else set -- "$@" "$p$s"; fi
    done
    [ "$b" = y ] && b=--purge || b=
    h_apt $b --allow-downgrades install -- "$@"
  else h_other "$a" "$@"
  fi && h_done "$y" || h_fail "$y" "$e"
}
# dnf or apk: whether the lists come first, names, --, names
h_other() {
  h_has dnf && c=dnf || c=apk
  h_has $c || { e='there is no package manager that homelab knows (apt, dnf, apk)'; return 1; }
  if [ "$1" = y ]; then [ $c = dnf ] && e=$(dnf -q makecache 2>&1) || e=$(apk update 2>&1) || return; fi
  shift
  w= i=0 s=
  q=
  for p; do
    i=$((i + 1))
    if [ "$p" = -- ]; then s=1; continue; fi
    [ "$s" ] && q="$q \"\${$i}\"" && continue
    # dnf writes name-version.
    [ $c = dnf ] && case $p in *=*) p=${p%%=*}-${p#*=}; eval "h_v$i=\$p"; w="$w \"\$h_v$i\""; continue ;; esac
    w="$w \"\${$i}\""
  done
  if [ "$w" ]; then [ $c = dnf ] && s='dnf -y -q install' || s='apk add'; eval "e=\$($s $w 2>&1)" || return; fi
  if [ "$q" ]; then [ $c = dnf ] && s='dnf -y -q remove' || s='apk del'; eval "e=\$($s $q 2>&1)" || return; fi
}
u_packages() {
  y=$2 h_wait=120
  h_installed >"$R/now" 2>/dev/null
  # New names go; names that are gone or have another version come back.
  a=$(cut -d ' ' -f 1 <"$R/before/$y.packages" | sort >"$R/names"; cut -d ' ' -f 1 <"$R/now" | sort | grep -vxFf "$R/names")
  b=$(grep -vxFf "$R/now" <"$R/before/$y.packages")
  if [ "$a$b" ]; then
    set -f
    set --
    if h_has apt-get; then
      IFS=$nl
      for l in $b; do l=${l% !?}; set -- "$@" "${l%% *}=${l#* }"; done
      for l in $a; do set -- "$@" "$l-"; done
      unset IFS
      set +f
      h_apt --allow-downgrades --purge install -- "$@" || { h_stick "$y" "$e"; return; }
    else
      IFS=$nl
      for l in $b; do set -- "$@" "${l%% *}=${l#* }"; done
      set -- "$@" --
      for l in $a; do set -- "$@" "$l"; done
      unset IFS
      set +f
      h_other - "$@" || { h_stick "$y" "$e"; return; }
    fi
    h_installed >"$R/now" 2>/dev/null
    a=$(grep -vxFf "$R/now" <"$R/before/$y.packages"; grep -vxFf "$R/before/$y.packages" <"$R/now")
    [ -z "$a" ] || { h_stick "$y" "the packages are not what they were: $a"; return; }
  fi
  h_undone "$y"
}
