# Unwinding: backwards over the journal, each record from its before-image, checked, and marked so that it is done once.
h_unwind() {
  h_ours || return
  run=$1 R=$S/runs/$1
  [ -s "$R/journal" ] || { h_f failed unwind "there is no journal of run $1"; return 1; }
  # What was sent is not needed any more, and the disk may be full.
  rm -rf "$R/s"
  i=0 h_u=' ' h_stuck= h_after= h_again= h_told= h_marks= h_ks=' ' h_ended= h_stay= h_tried= h_anew=
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
      h_ours || return
      set -f
      h_record $h_l
      ;;
    esac
    h_i=$((h_i - 1))
  done
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
  while [ $i -lt "$h_all" ]; do
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
h_undone() { h_note "U $h_i"; h_f undone "$1" ''; }
h_stick() { h_stuck=1; h_f stuck "$1" "$2"; }
# As h_pending, without a record.
h_mark() {
  h_was=$run run=
  h_pending "$@" 2>/dev/null
  x=$?
  run=$h_was
  return $x
}
# A record: B number kind class mode uid gid group path, or P set|clear handler
h_record() {
  set +f
  if [ "$1" = P ]; then
    [ "$2" = set ] && c=clear || c=set
    h_mark $c "$3" || { h_stick 0 'the handlers that are pending cannot be written'; return; }
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
      mkdira) rmdir -- "$p" 2>/dev/null || h_aside "$y" "$p" ;;
      attr* | mkdir*) ;;
      *) h_aside "$y" "$p" ;;
      esac
    fi
    case $kind$c in
    mkdira)
      if [ -d "$p" ] && [ ! -h "$p" ]; then e=$(rmdir -- "$p" 2>&1) || { h_stick "$y" "$e"; return; }; fi
      h_undone "$y"
      return
      ;;
    *a)
      [ -d "$p" ] && [ ! -h "$p" ] && { h_stick "$y" "$p is a directory now"; return; }
      if [ -e "$p" ] || [ -h "$p" ]; then e=$(rm -f -- "$p" 2>&1) || { h_stick "$y" "$e"; return; }; fi
      h_undone "$y"
      return
      ;;
    attr* | mkdir*)
      e=$({ chown -h "$6:$7" "$p" && { [ "$c" = l ] || chmod "0000$5" "$p"; }; } 2>&1) || { h_stick "$y" "$e"; return; }
      ;;
    removed)
      if [ -d "$b" ]; then
        x=$(stat -c %d -- "$b" "${p%/*}/" 2>&1)
        [ -d "$p" ] && rm -rf -- "$p"
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
    h_undone "$y"
    ;;
  *) "u_$kind" "$@" ;;
  esac
}
