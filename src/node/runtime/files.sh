# Staging and the file ops, in batches: one capture, one journal and sync, the acts, one sync.
# number:digest for each staged file
h_verify() {
  w=$1
  shift
  x=$(exec sha256sum -- "$@" 2>&1)
  set -f
  IFS=$nl
  # shellcheck disable=SC2086 # words
  set -- $x
  unset IFS
  set +f
  for s in $w; do
    l=${1%%  *}
    [ "${l#\\}" = "${s#*:}" ] || { h_f unstaged "${s%%:*}" "$1"; return 1; }
    shift
  done
}
# number, digest, a file with an odd name
h_verify1() {
  x=$(exec sha256sum <"$3" 2>&1)
  [ "${x%% *}" = "$2" ] || { h_f unstaged "$1" "$x"; return 1; }
}
# number:kind:group for each path. Makes every before-image and journals it; k_N is what was there.
h_capture() {
  w=$1
  shift
  i=0 q=
  for s in $w; do
    i=$((i + 1))
    eval "p=\${$i}"
    if [ -e "$p" ] || [ -h "$p" ]; then q="$q \"\${$i}\""; fi
  done
  x=
  [ -z "$q" ] || eval "x=\$(exec stat -c '%f %a %u %g' -- $q 2>&1)" || { h_fail "${w%%:*}" "$x"; return 1; }
  j= i=0 gs= h=
  for s in $w; do
    i=$((i + 1)) y=${s%%:*} g=${s##*:} kind=${s#*:}
    kind=${kind%:*}
    eval "p=\${$i}"
    v='a 0 0 0'
    if [ -e "$p" ] || [ -h "$p" ]; then
      v=${x%%"$nl"*} x=${x#*"$nl"}
      case $v in 8???" "*) c=f ;; 4???" "*) c=d ;; a???" "*) c=l ;; *) c=o ;; esac
      v="$c ${v#* }"
      case $kind$c in
      put[flo] | link[flo] | remove[flo])
        case " $gs " in *" $g "*) ;; *) gs="$gs $g"; eval "c_$g= n_$g=" ;; esac
        eval "c_$g=\"\$c_$g \\\"\\\${$i}\\\"\" n_$g=\"\$n_$g $y:$i\""
        ;;
      removed) h="$h \"\$R/before/$g\"" ;;
      esac
    fi
    eval "k_$y=\$v"
    h_enc "$p"
    j="${j}B $y $kind $v $g $e$nl"
  done
  for g in $gs; do h="$h \"\$R/before/$g\""; done
  if [ "$h" ]; then eval "e=\$(exec mkdir -p -- $h 2>&1)" || { h_fail "${w%%:*}" "$e"; return 1; }; fi
  for g in $gs; do
    eval "q=\$c_$g" && eval "e=\$(exec cp -a -- $q \"\$R/before/$g/\" 2>&1)" && continue
    eval "w=\$n_$g"
    for s in $w; do
      eval "p=\${${s#*:}}"
      p=$R/before/$g/${p##*/}
      [ -e "$p" ] || [ -h "$p" ] || break
    done
    h_fail "${s%:*}" "its before-image cannot be made: $e"
    return 1
  done
  h_journal "${w%%:*}" "$j" "$gs"
}
# Which of these directories (or what they will be made in) are not on the filesystem where the staged files are.
h_devices() {
  far=$nl i=0 q=
  for p; do
    i=$((i + 1))
    while [ "$p" ] && [ ! -d "$p" ]; do p=${p%/*}; done
    eval "d_$i=\${p:-/}"
    q="$q \"\$d_$i\""
  done
  eval "x=\$(exec stat -L -c %d -- \"\$R\" $q 2>/dev/null)"
  l=${x%%"$nl"*}
  for p; do
    x=${x#*"$nl"}
    [ "${x%%"$nl"*}" = "$l" ] || far=$far$p$nl
  done
}
# numbers, a command, paths: all at once; if that fails one by one, to know which.
h_each() {
  h_w=$1 c=$2
  shift 2
  set -f
  e=$(exec $c -- "$@" 2>&1) && { set +f; return; }
  for y in $h_w; do
    e=$($c -- "$1" 2>&1) || { set +f; h_fail "$y" "$e"; return 1; }
    shift
  done
  set +f
}
# number, owner and group if wished, staged file: who replaced a file leaves it to whom it belonged
h_owner() {
  eval "v=\$k_$1"
  a=$2 b=$3
  case $v in f*)
    v=${v#* * }
    [ "$a" ] || [ "${v% *}" = "$uid" ] || a=${v% *}
    [ "$b" ] || [ "${v#* }" = "$gid" ] || b=${v#* }
    ;;
  esac
  [ -z "$a$b" ] || h_each "$1" "chown $a${b:+:$b}" "$4"
}
# number, command with %s, staged file
h_validate() {
  # A name that would need quoting inside the user's own quotes gets a second, plain one.
  case ${3##*/} in *[!A-Za-z0-9_.+@:,-]* | -*) ln -f -- "$3" "$R/s/$1.v" && set -- "$1" "$2" "$R/s/$1.v" ;; esac
  p=
  while case $2 in *%s*) true ;; *) false ;; esac do
    p=$p${2%%%s*}$3
    set -- "$1" "${2#*%s}" "$3"
  done
  p=$p$2
  e=$(h_sh '' 2>&1 </dev/null) || { h_fail "$1" "validate says: $e"; return 1; }
}
# numbers, target directory, staged files: renames, so that a file is either as before or whole
h_put() {
  h_w=$1 d=$2
  shift 2
  a=1
  for p; do
    p=$d/${p##*/}
    [ -d "$p" ] && [ ! -h "$p" ] && a=
  done
  case $far in *"$nl${d:-/}$nl"*) a= ;; esac
  if [ "$a" ] && e=$(exec mv -f -- "$@" "$d/" 2>&1); then h_done "$h_w"; return; fi
  for y in $h_w; do
    p=$d/${1##*/}
    if [ -e "$1" ]; then
      [ -d "$p" ] && [ ! -h "$p" ] && { h_fail "$y" "$p is a directory"; return 1; }
      t=$d/.homelab-$run-$y
      e=$(cp -p -- "$1" "$t" 2>&1 && sync "$t" 2>&1 && h_over "$t" "$p" 2>&1) || { rm -f -- "$t"; h_fail "$y" "$e"; return 1; }
    fi
    h_done "$y"
    h_on || return
    shift
  done
}
# numbers, mode, owner, paths
h_mkdir() {
  h_w=$1 m=$2 o=$3
  shift 3
  i=0 q= a= w=$h_w
  for y in $w; do
    i=$((i + 1))
    eval "p=\${$i}"
    [ -d "$p" ] || { q="$q \"\${$i}\"" a="$a $y"; }
  done
  if [ "$q" ] && ! eval "e=\$(exec mkdir -m $m -- $q 2>&1)"; then
    # Those before the one that failed are made.
    i=0
    for y in $w; do
      i=$((i + 1))
      eval "p=\${$i}"
      [ -d "$p" ] || { h_fail "$y" "$e"; return 1; }
    done
  fi
  [ -z "$o" ] || h_each "$w" "chown $o" "$@" || return
  [ "$a" = " $w" ] && [ -z "$o" ] || h_each "$w" "chmod $m" "$@" || return
  h_done "$w"
}
# numbers, mode, owner, paths
h_attr() {
  w=$1 m=$2 o=$3
  shift 3
  i=0
  for y in $w; do
    i=$((i + 1))
    eval "p=\${$i}"
    [ -h "$p" ] && [ "$m" ] && { h_fail "$y" "$p is a link; its mode means nothing"; return 1; }
  done
  [ -z "$o" ] || h_each "$w" "chown -h $o" "$@" || return
  [ -z "$m" ] || h_each "$w" "chmod $m" "$@" || return
  h_done "$w"
}
# from, over what is no directory itself. mv looks where links lead: busybox's fails at a directory or in a circle, coreutils' at a link to
# what it replaces. Then what is there goes first.
h_over() {
  if [ -h "$1" ] || [ -h "$2" ]; then mv -f -T -- "$1" "$2" 2>/dev/null || { rm -f -- "$2" && mv -f -T -- "$1" "$2"; }
  else mv -f -T -- "$1" "$2"
  fi
}
# number, target, path
h_link() {
  [ -d "$3" ] && [ ! -h "$3" ] && { h_fail "$1" "$3 is a directory"; return 1; }
  t=${3%/*}/.homelab-$run-$1
  if [ -e "$3" ] || [ -h "$3" ]; then
    e=$(ln -s -- "$2" "$t" 2>&1 && h_over "$t" "$3" 2>&1) || { rm -f -- "$t"; h_fail "$1" "$e"; return 1; }
  else e=$(ln -s -- "$2" "$3" 2>&1) || { h_fail "$1" "$e"; return 1; }
  fi
  h_done "$1"
}
# number:group for each path
h_remove() {
  w=$1 o= i=0 q=
  shift
  for s in $w; do
    i=$((i + 1)) y=${s%:*}
    eval "p=\${$i}"
    if [ -d "$p" ] && [ ! -h "$p" ]; then h_away "$y" "$p" "$R/before/${s#*:}/${p##*/}" || return
    elif [ -e "$p" ] || [ -h "$p" ]; then q="$q \"\${$i}\"" o="$o $y"
    else h_done "$y"
    fi
  done
  [ -z "$q" ] || { eval "h_each '$o' 'rm -f' $q" && h_done "$o"; }
}
# number, directory, where it is kept
h_away() {
  e=$(h_take "$2" "$3" 2>&1) || { h_fail "$1" "$e"; return 1; }
  h_done "$1"
}
# Where something is mounted, into h_m; the kernel writes a space as \040.
h_mounts() {
  h_m=$nl
  { while read -r a b a; do
    # shellcheck disable=SC2059 # it is one
    case $b in *\\*) b=$(printf "$(printf %s "$b" | sed 's/%/%%/g').") b=${b%.} ;; esac
    h_m=$h_m$b$nl
  done </proc/mounts; } 2>/dev/null
}
# directory: whether something is mounted on it or in it; where, into v
h_mounted() {
  h_mounts
  v=$(cd -P -- "$1" && pwd -P) || return
  v=${v%/}
  case $h_m in
  *"$nl$v$nl"*) ;;
  *"$nl$v/"*) b=${h_m#*"$nl$v/"} v=$v/${b%%"$nl"*} ;;
  *) return 1 ;;
  esac
}
# path, where it is kept: gone by one rename, or copied whole before it is removed
h_take() {
  # It would come along, and what is on that disk would go with the copy some day.
  if [ -d "$1" ] && h_mounted "$1"; then echo "something is mounted on $v" >&2; return 1; fi
  x=$(exec stat -c %d -- "$1" "$R" 2>&1)
  if [ "${x%%"$nl"*}" = "${x#*"$nl"}" ]; then mv -f -T -- "$1" "$2"
  else rm -rf -- "$2.part" && cp -a -- "$1" "$2.part" && mv -f -T -- "$2.part" "$2" && { sync -f "$R" || sync; } && rm -rf -- "$1"
  fi
}
