# A run: the lock, the journal, the boundary at which a program may stop, the end.
run= R= stop=
trap h_bye EXIT
# The input is over, or the line is gone: what is open is left for resume or rollback, and nobody is kept out. A run that
# has not acted has nothing to resume: what was sent for it goes.
h_bye() {
  # Where nothing was done, nothing was interrupted.
  if [ "$run" ] && ! grep -q '^[BP] ' "$R/journal"; then h_note E; h_closed; run=; fi 2>/dev/null
  [ "$run" ] && { printf 'I\n' >>"$R/journal"; sync "$R/journal"; } 2>/dev/null
  run=
  h_unlock
}
h_closed() { h_line "$S/open"; [ "$v" != "$run" ] || rm -rf "$R/s" "$S/open"; }
h_unlock() {
  [ "$H" ] || return 0
  H=
  mv "$S/lock" "$S/lock.$$" 2>/dev/null && rm -rf "$S/lock.$$"
}
h_sign() { printf '%s\n%s\n' "$h_me" "$1" >"$S/lock/owner" && H=1; }
# who, since. A stale lock is never removed, only signed over, by the one who made `taking` in it and still found it stale.
h_lock() {
  h_born $$
  h_me="$$ $v $boot $2"
  t=0
  while :; do
    if mkdir "$S/lock" 2>/dev/null; then h_sign "$1"; return; fi
    [ -d "$S/lock" ] || { t=$((t + 1)); [ $t -lt 50 ] && continue; h_f failed begin "no lock can be made in $S"; return 1; }
    if h_held; then
      [ "$lp" = $$ ] && return 0
      h_f locked "$ls" "$lw"
      return 75
    fi
    t=$((t + 1))
    if [ -z "$lp" ] && [ $t -lt 3 ]; then sleep 1
    elif mkdir "$S/lock/taking" 2>/dev/null; then
      if h_held; then rmdir "$S/lock/taking"; else h_sign "$1"; rmdir "$S/lock/taking"; return; fi
    elif [ $t -gt 6 ]; then rmdir "$S/lock/taking"; t=0
    else sleep 1
    fi
  done
}
# Whether no guard but this run's own watches the node. One that is not there any more, for want of a hook at boot, is started.
h_free() {
  h_watched || return 0
  case $x in "$1 "*) [ ! -e "$S/guard/firing" ] && return ;; esac
  h_line "$S/guard/pid"
  set -- $v
  if [ $# -lt 2 ] || ! h_born "$1" || [ "$v" != "$2" ]; then (sh "$S/guard/run" </dev/null >/dev/null 2>&1 &); fi
  h_f guarded '' "$x"
  return 75
}
# run, who, since
h_begin() {
  [ "$S" ] || { h_f failed begin 'there is no HOME to keep state below'; return 1; }
  [ -d "$S" ] || e=$(mkdir -p "$S" 2>&1) || { h_f failed begin "$e"; return 1; }
  h_free "$1" || return
  h_lock "$2" "$3" || return
  R=$S/runs/$1
  if [ ! -s "$R/journal" ]; then
    # Once another run has begun, nobody resumes the one before it.
    [ ! -s "$S/open" ] || rm -rf "$S"/runs/*/s
    h_line "$S/number"
    e=$({ mkdir -p "$R/before" "$R/s" && printf '%s\n' $((${v:-0} + 1)) >"$S/number" &&
      printf 'homelab-journal 1\nR %s %s %s\n' "$1" "$3" "$2" >"$R/journal"; } 2>&1) || { h_f failed begin "$e"; h_unlock; return 1; }
  fi
  run=$1
  printf '%s\n' "$1" >"$S/open"
  h_f begun "$1" ''
}
# The journal's own words: a path or name as one line.
h_enc() {
  e=$1
  case $e in *[%"$nl"]*) ;; *) return ;; esac
  a=$e e=
  while [ "$a" ]; do
    case $a in
    %*) e=$e%25 ;;
    "$nl"*) e=$e%0A ;;
    *) b=${a%%[%"$nl"]*} e=$e$b a=${a#"$b"}; continue ;;
    esac
    a=${a#?}
  done
}
h_dec() {
  e=$1
  case $e in *%*) ;; *) return ;; esac
  a=$e e=
  while [ "$a" ]; do
    case $a in
    %25*) e=$e% a=${a#???} ;;
    %0A*) e=$e$nl a=${a#???} ;;
    %*) e=$e% a=${a#?} ;;
    *) b=${a%%\%*} e=$e$b a=${a#"$b"} ;;
    esac
  done
}
h_note() { printf '%s\n' "$1" >>"$R/journal"; }
# Is this still to go on?
h_on() {
  [ "$dead" ] && { h_bye; exit 0; }
  [ -z "$stop" ]
}
h_done() {
  for y in $1; do h_note "D $y"; h_f op "$y done" ''; done
}
h_fail() {
  stop=1
  h_note "F $1"
  h_f op "$1 failed" "$2"
}
# Journal lines that must be on disk before what they announce.
h_journal() {
  e=$({ printf '%s' "$2" >>"$R/journal" && if [ "$3" ]; then sync -f "$R" || sync; else sync "$R/journal" || sync; fi; } 2>&1) && return
  h_fail "$1" "the journal cannot be written: $e"
  return 1
}
# What the batch made is on disk when the batch is answered.
h_flush() {
  q= i=0
  for p; do
    i=$((i + 1))
    [ -d "$p" ] && q="$q \"\${$i}\""
  done
  eval "sync -- \"\$R/journal\" $q 2>/dev/null || sync"
}
# Digests of large files as a text; besides, what else is recorded and still there, not without end.
h_hashed() {
  h_slurp "$S/sums"
  a=$1 i=0
  while [ "$v" ] && [ $i -lt 250 ]; do
    l=${v%%"$nl"*} v=${v#*"$nl"} p=${l%%// *}
    case $nl$a in
    *"$nl$p// "*) ;;
    *) [ -f "$p" ] && a=$a$l$nl i=$((i + 1)) ;;
    esac
  done
  { printf '%s' "$a" >"$S/sums.new" && mv -f "$S/sums.new" "$S/sums"; } 2>/dev/null
}
# receipts and digests of large files as texts
h_finish() {
  printf '%s' "$1" >"$S/receipts.new" && mv -f "$S/receipts.new" "$S/receipts" || { h_f failed finish "the receipts cannot be written"; return 1; }
  # Without it the next look hashes, no more.
  [ -z "$2" ] || h_hashed "$2"
  h_note E
  rm -rf "$R/s" "$S/open"
  sync "$S" "$S/receipts" "$R/journal"
  run=
  # A run that did nothing is none to come back to.
  grep -q '^[BP] ' "$R/journal" || rm -rf "$R"
  # Only the last five runs are kept; their names sort by time.
  set -- "$S"/runs/*
  while [ $# -gt 5 ]; do rm -rf "$1"; shift; done
  h_unlock
  h_f finished '' ''
}
h_abandon() { h_bye; h_f abandoned '' ''; }
# set or clear, the handler's id as one word
h_pending() {
  h_slurp "$S/pending"
  case $nl$v in
  *"$nl$2$nl"*) [ "$1" = set ] && return; v=$nl$v
    a=${v%%"$nl$2$nl"*} b=${v#*"$nl$2$nl"} v=$a$nl$b
    v=${v#"$nl"}
    ;;
  *) [ "$1" = clear ] && return; v=$v$2$nl ;;
  esac
  [ "$run" ] && h_note "P $1 $2"
  printf '%s' "$v" >"$S/pending.new" && mv -f "$S/pending.new" "$S/pending" && sync "$S" "$S/pending"
}
# name as one word, value in base64
h_keep() {
  h_slurp "$S/kept"
  a=
  while [ "$v" ]; do
    l=${v%%"$nl"*} v=${v#*"$nl"}
    case $l in "$1 "*) ;; *) a=$a$l$nl ;; esac
  done
  printf '%s' "$a$1 $2$nl" >"$S/kept.new" && mv -f "$S/kept.new" "$S/kept" && sync "$S" "$S/kept"
}
