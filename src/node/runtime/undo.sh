# Unwinding: backwards over the journal, each record from its before-image, checked, and marked so that it is done once.
h_unwind() {
  h_ours || return
  run=$1 R=$S/runs/$1
  [ -s "$R/journal" ] || { h_f failed unwind "there is no journal of run $1"; return 1; }
  # What was sent is not needed any more, and the disk may be full.
  rm -rf "$R/s"
  i=0 h_u=' ' h_stuck= h_after= h_again= h_told= h_stopped= h_marks= h_ks=' ' h_ended= h_stay= h_tried= h_kn= h_anew=
  while IFS= read -r l; do
    case $l in
    *%) ;;
    [BP]' '*)
      i=$((i + 1))
      eval "j_$i=\$l"
      case $l in P*) h_marks="$h_marks ${l##* }" ;; esac
      ;;
    'U '*) h_u="$h_u${l#U } " ;;
    'K '*) h_ks="$h_ks${l#K } " ;;
    'A '*) [ "${l#A }" = "$boot" ] || h_anew=1 ;;
    E*) h_ended=1 h_anew= ;;
    W) h_tried=1 ;;
    esac
  done <"$R/journal"
  [ -z "$l" ] || h_cut=1
  h_note W
  # What is pending although the run came to its end, others have notified.
  if [ "$h_ended" ]; then h_slurp "$S/pending"; h_stay=$nl$v; fi
  h_i=$i h_all=$i
  while [ "$h_i" -gt 0 ]; do
    eval "h_l=\$j_$h_i"
    case $h_u in
    *" $h_i "*) ;;
    *)
      [ "$dead" ] && { h_bye; exit 0; }
      set -f
      # shellcheck disable=SC2086 # words
      h_record $h_l
      [ "$H" ] || return
      ;;
    esac
    h_i=$((h_i - 1))
  done
  # shellcheck disable=SC2119 # its own
  h_together
  [ "$H" ] || return
  h_afterwards
  for s in $h_marks; do
    case $h_stay in *"$nl$s$nl"*) h_mark set "$s" ;; esac
  done
  e=$({ h_unkeep && { [ ! -e "$R/wrote" ] || h_receipts; }; } 2>&1) || h_stick 0 "$e"
  sync -f "$S" 2>/dev/null || sync
  if [ "$h_stuck" ]; then
    # What has been notified has yet to take up what is there now.
    set -f
    for s in $h_marks; do h_mark set "$s"; done
    set +f
    return 1
  fi
  [ -z "$h_tried" ] || h_unmark
  [ -z "$h_anew" ] || h_f residue '' 'the node was rebooted; what is read only at boot is in effect until the next one'
  h_note X 2>/dev/null || { h_f failed unwind 'the journal cannot be written, so that this cannot be recorded'; return 1; }
  h_closed
  run=
  h_prune
  h_f unwound "$1" ''
}
# An earlier try that got stuck marked what had yet to be taken up. Now all of it has been: what was pending before the run is.
h_unmark() {
  i=0 h_ks=' '
  while [ "$i" -lt "$h_all" ]; do
    i=$((i + 1))
    eval "l=\$j_$i"
    case $l in P*) ;; *) continue ;; esac
    case "$h_ks$h_stay" in *" ${l##* } "* | *"$nl${l##* }$nl"*) continue ;; esac
    h_ks="$h_ks${l##* } "
    case $l in 'P set '*) h_mark clear "${l##* }" ;; *) h_mark set "${l##* }" ;; esac
  done
}
# The values that the run kept are what they were before it.
h_unkeep() {
  [ "$h_ks" != ' ' ] || return 0
  a= k=$nl
  while IFS= read -r l; do
    case $h_ks in *" ${l%% *} "*) ;; *) a=$a$l$nl ;; esac
  done <"$S/kept"
  while IFS= read -r l; do
    case $h_ks in *" ${l%% *} "*) a=$a$l$nl ;; esac
  done <"$R/before/kept"
  printf '%s' "$a" >"$S/kept.new" && mv -f "$S/kept.new" "$S/kept"
}
# number, path: what somebody made there meanwhile is nobody's to throw away.
h_aside() {
  d=$R/gone/$1
  # Of a time that was broken off.
  while [ -e "$d" ]; do d=$d+; done
  e=$({ mkdir -p "$d" && h_take "$2" "$d/${2##*/}"; } 2>&1) || { rmdir "$d" 2>/dev/null; return 1; }
  h_f residue "$1" "what was in $2 is kept on the node, in $d"
}
h_undone() { h_note "U $h_i"; h_f undone "$1" ''; }
h_stick() { h_stuck=1; h_f stuck "$1" "$2"; }
# As h_pending, without a record.
h_mark() {
  h_was=$run run=
  h_pending "$@" 2>/dev/null
  x=$?
  run=$h_was
  return "$x"
}
# A record: B number kind class mode uid gid group path, or P set|clear handler. Files that follow each other and are taken
# back in the same way wait for h_together.
h_record() {
  set +f
  h_way "$@"
  eval "p_$h_i=\$p"
  # shellcheck disable=SC2086 # words
  if [ -z "$v" ] || [ "$v" != "$h_kw" ] || [ $h_kc -ge 250 ]; then
    # shellcheck disable=SC2119 # its own
    h_together
    [ "$v" ] || { h_ours && h_one "$@"; return; }
    eval "p=\$p_$h_i"
  fi
  [ "$h_kn" ] || h_kw=$v h_kc=0 h_kp= h_kx= h_kt=$nl
  h_kn="$h_kn $h_i:$2:$8" h_kp="$h_kp \"\$p_$h_i\"" h_kx="$h_kx$5 $6 $7$nl" h_kt=$h_kt$p$nl h_kc=$((h_kc + 1))
}
# Into v how a record can be taken back together with others: gone, empty, back, as OWNER MODE; nothing: only alone. All that is
# together can be begun anew from anywhere, for none of it takes away what another needs.
h_way() {
  v= p=
  case $1$3 in Bput | Blink | Bremove | Bmkdir | Battr) ;; *) return ;; esac
  h_dec "${h_l#* * * * * * * * }"
  p=$e
  case $p in *[\\"$nl"]*) return ;; esac
  # Of two states of one path the later goes first, and is checked before the other comes.
  case $h_kn$h_kt in ' '*"$nl$p$nl"*) return ;; esac
  t=${p%/*}/.homelab-$run-$2
  { [ ! -e "$t" ] && [ ! -h "$t" ]; } || rm -rf -- "$t"
  case $3$4 in
  mkdira) [ -d "$p" ] && [ ! -h "$p" ] && v=empty ;;
  *a) { [ ! -d "$p" ] || [ -h "$p" ]; } && v=gone ;;
  attr[df] | mkdird) [ -h "$p" ] || v="as $6:$7 $5" ;;
  *f) [ -d "$p" ] || [ -h "$p" ] || v=back ;;
  esac
}
# What has waited: all at once, checked, on disk, and only then marked; if that fails one by one, to know which.
# shellcheck disable=SC2120 # its own
h_together() {
  [ "$h_kn" ] && h_ours || return
  h_as=$v h_at=$h_i w=$h_kn h_kn=
  eval "set -- $h_kp"
  if [ $# -gt 1 ] && h_alike "$@"; then
    h_settle "$@"
    x=
    for s in $w; do x="$x${x:+$nl}U ${s%%:*}"; done
    h_note "$x"
    for s in $w; do
      s=${s#*:}
      h_f undone "${s%:*}" ''
    done
  else
    for s in $w; do
      h_ours || return
      h_i=${s%%:*}
      eval "h_l=\$j_$h_i"
      set -f
      # shellcheck disable=SC2086 # words
      h_one $h_l
    done
  fi
  h_i=$h_at v=$h_as
  eval "h_l=\${j_$h_i-}"
}
h_alike() {
  case $h_kw in
  gone) e=$(exec rm -f -- "$@" 2>&1); return ;;
  empty) e=$(exec rmdir -- "$@" 2>&1); return ;;
  back) h_restore "$@" || return ;;
  *)
    a=${h_kw#as }
    e=$({ chown -h "${a% *}" "$@" && exec chmod "0000${a#* }" "$@"; } 2>&1) || return
    ;;
  esac
  x=$(exec stat -c '%a %u %g' -- "$@" 2>&1)$nl
  [ "$x" = "$h_kx" ]
}
# Files from their copies: those of a directory into one beside them, and from there each by a rename.
h_restore() {
  i=0 k= z= q=
  for s in $w ''; do
    i=$((i + 1))
    p=
    [ -z "$s" ] || eval "p=\${$i}"
    g=${s##*:}
    if [ "$g ${p%/*}" != "$k" ]; then
      [ -z "$q" ] || e=$({ mkdir -- "$t" && eval "cp -a -- $q \"\$t/\" && mv -f -- $c \"\$d/\"" && exec rmdir -- "$t"; } 2>&1) || { rm -rf -- "$t"; return 1; }
      k="$g ${p%/*}" z=$z$q q= c= d=${p%/*}
      s=${s#*:}
      t=$d/.homelab-$run-${s%:*}
    fi
    q="$q \"\$R/before/$g/\${$i##*/}\"" c="$c \"\$t/\${$i##*/}\""
  done
  eval "x=\$(exec sha256sum -- \"\$@\" $z 2>/dev/null)"
  i=0 a= b=
  set -f
  IFS=$nl
  for l in $x; do
    i=$((i + 1))
    if [ "$i" -le "$#" ]; then a=$a${l%% *}$nl; else b=$b${l%% *}$nl; fi
  done
  unset IFS
  set +f
  [ "$i" = $(($# * 2)) ] && [ "$a" = "$b" ]
}
# Before a mark says that something is as it was, it is so on the disk.
h_settle() {
  i=0 a=- q=
  for p; do
    p=${p%/*}
    [ "$p" = "$a" ] && continue
    a=$p i=$((i + 1))
    while [ "$p" ] && [ ! -d "$p" ]; do p=${p%/*}; done
    eval "d_$i=\${p:-/}"
    q="$q \"\$d_$i\""
  done
  eval "sync -f -- $q 2>/dev/null || sync"
}
h_settled() { h_settle "$p"; h_undone "$y"; }
# One record alone.
h_one() {
  set +f
  if [ "$1" = P ]; then
    [ "$2" = set ] && c=clear || c='set'
    h_mark "$c" "$3" || { h_stick 0 'the handlers that are pending cannot be written'; return; }
    h_note "U $h_i"
    return
  fi
  h_dec "${h_l#* * * * * * * * }"
  p=$e y=$2 kind=$3 c=$4
  b=$R/before/$8/${p##*/} t=${p%/*}/.homelab-$run-$y
  case $kind in
  put | link | remove | mkdir | attr)
    { [ -e "$t" ] || [ -h "$t" ]; } && rm -rf -- "$t"
    # What is in the way goes out of it.
    if [ "$h_force" ] && [ -d "$p" ] && [ ! -h "$p" ]; then
      case $kind$c in
      # What it was before is not in its own way, where removing it was never begun.
      attr* | mkdir* | removed) ;;
      *) h_aside "$y" "$p" ;;
      esac
    fi
    case $kind$c in
    mkdira)
      # What services wrote into it while the run was under way does not keep it from being taken back. Later it does: h_changed finds it.
      if [ -d "$p" ] && [ ! -h "$p" ]; then
        e=$(exec rmdir -- "$p" 2>&1) || { { [ "$h_force" ] || [ -z "$h_ended" ]; } && h_aside "$y" "$p"; } || { h_stick "$y" "$e"; return; }
      fi
      h_settled
      return
      ;;
    *a)
      [ -d "$p" ] && [ ! -h "$p" ] && { h_stick "$y" "$p is a directory now"; return; }
      if [ -e "$p" ] || [ -h "$p" ]; then e=$(rm -f -- "$p" 2>&1) || { h_stick "$y" "$e"; return; }; fi
      h_settled
      return
      ;;
    attr* | mkdir*)
      e=$({ chown -h "$6:$7" "$p" && { [ "$c" = l ] || chmod "0000$5" "$p"; }; } 2>&1) || { h_stick "$y" "$e"; return; }
      ;;
    removed)
      if [ -d "$b" ]; then
        x=$(stat -c %d -- "$b" "${p%/*}/" 2>&1)
        [ ! -d "$p" ] || rmdir -- "$p" 2>/dev/null || h_aside "$y" "$p" || { h_stick "$y" "$e"; return; }
        if [ "${x%%"$nl"*}" = "${x#*"$nl"}" ]; then e=$(mv -f -T -- "$b" "$p" 2>&1)
        else e=$({ cp -a -- "$b" "$t" && mv -f -T -- "$t" "$p"; } 2>&1)
        fi || { h_stick "$y" "$e"; return; }
      fi
      [ -d "$p" ] || { h_stick "$y" "its before-image is not there"; return; }
      ;;
    putd | linkd) ;;
    *)
      # On a full disk the before-image itself goes back: a link takes no room.
      e=$({ { cp -a -- "$b" "$t" || { [ "$c" = f ] && ln -f -- "$b" "$t"; }; } && h_over "$t" "$p"; } 2>&1) || { rm -f -- "$t"; h_stick "$y" "$e"; return; }
      if [ "$c" = f ]; then
        e=$(sha256sum <"$p" 2>&1)
        [ "$e" = "$(sha256sum <"$b")" ] || { h_stick "$y" "what was put back is not what was kept"; return; }
      fi
      ;;
    esac
    v=$(stat -c '%a %u %g' -- "$p" 2>&1)
    if [ "$c" != l ] && [ "$v" != "$5 $6 $7" ]; then h_stick "$y" "mode and owners are $v, not $5 $6 $7"; return; fi
    h_settled
    ;;
  *) "u_$kind" "$@" ;;
  esac
}
