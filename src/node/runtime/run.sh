# A run: the lock, the journal, the boundary at which a program may stop, the end.
run= R= stop=
trap h_bye EXIT
# The input is over, or the line is gone: what is open is left for resume or rollback, and nobody is kept out. A run that
# has not acted has nothing to resume: what was sent for it goes.
h_bye() {
  [ "$H" ] && ! h_mine && H= run=
  # Where nothing was done, nothing was interrupted.
  if [ "$run" ] && ! grep -q '^[BPK] ' "$R/journal"; then h_note E; h_closed; run=; fi 2>/dev/null
  [ "$run" ] && { h_note I; sync "$R/journal"; } 2>/dev/null
  run=
  h_unlock
}
h_closed() { h_line "$S/open"; [ "$v" != "$run" ] || rm -rf "$R/s" "$S/open"; }
h_unlock() {
  [ "$H" ] || return 0
  H=
  mv "$S/lock" "$S/lock.$$" 2>/dev/null && rm -rf "$S/lock.$$"
}
# Is the lock still this program's?
h_mine() { { IFS= read -r h_v <"$S/lock/owner"; } 2>/dev/null && [ "$h_v" = "$h_me" ]; }
# Whose lock was taken over does and writes nothing more, and says to whom the node belongs now.
h_ours() {
  h_mine && return
  ls=0 lw=
  { { IFS=' ' read -r l l l ls; IFS= read -r lw; } <"$S/lock/owner"; } 2>/dev/null
  H= run= stop=1
  h_f taken "$ls" "$lw"
  return 1
}
h_sign() { printf '%s\n%s\n' "$h_me" "$1" >"$S/lock/owner" && H=1; }
# who, since, y to take it over from whoever lives. A stale lock is never removed, only signed over, by the one who made `taking` in it and still found it stale.
h_lock() {
  h_born $$
  h_me="$$ $v $boot $2"
  t=0
  while :; do
    if mkdir "$S/lock" 2>/dev/null; then h_sign "$1"; return; fi
    [ -d "$S/lock" ] || { t=$((t + 1)); [ "$t" -lt 50 ] && continue; h_f failed begin "no lock can be made in $S"; return 1; }
    if h_held; then
      [ "$lp" = $$ ] && return 0
      [ "$3" ] || { h_f locked "$ls" "$lw"; return 75; }
    fi
    t=$((t + 1))
    if [ -z "$lp" ] && [ "$t" -lt 3 ]; then sleep 1
    elif mkdir "$S/lock/taking" 2>/dev/null; then
      h_held && a=$lp || a=
      if [ "$a" ] && [ -z "$3" ]; then rmdir "$S/lock/taking"; continue; fi
      h_sign "$1"
      rmdir "$S/lock/taking"
      [ -z "$a" ] || h_yields "$a"
      return 0
    elif [ "$t" -gt 6 ]; then rmdir "$S/lock/taking"; t=0
    else sleep 1
    fi
  done
}
# A process and what descends from it, into w.
h_kin() {
  x=
  for p in /proc/[0-9]*; do
    h_line "$p/stat"
    v=${v##*) ? }
    x="$x ${p#/proc/}:${v%% *}"
  done
  w=$1 a=
  while [ "$a" != "$w" ]; do
    a=$w
    for p in $x; do
      case " $w " in
      *" ${p%:*} "*) ;;
      *" ${p#*:} "*) [ "${p%:*}" = $$ ] || w="$w ${p%:*}" ;;
      esac
    done
  done
}
# A process that has lost the lock. What it has under way goes on beside us: it is waited for a little, then it is told.
h_yields() {
  t=0
  while h_kin "$1"; [ "$w" != "$1" ]; do
    t=$((t + 1))
    [ "$t" -gt 10 ] || { sleep 1; continue; }
    x=
    for p in $w; do
      [ "$p" = "$1" ] && continue
      h_line "/proc/$p/stat"
      v=${v#*(}
      x="$x, ${v%)*} $p"
    done
    h_line "$S/open"
    a='0 '
    { while IFS= read -r l; do case $l in *%) ;; 'S '*) a=${l#S * } ;; esac; done <"$S/runs/$v/journal"; } 2>/dev/null
    h_dec "${a#* }"
    h_f still "${a%% *}" "${x#, }$nl$e"
    return
  done
}
# What the ops of a run that was killed had not put in its place yet.
h_sweep() {
  { while IFS= read -r l; do
    case $l in *%) continue ;; 'B '*) ;; *) continue ;; esac
    h_dec "${l#* * * * * * * * }"
    y=${l#B }
    t=${e%/*}/.homelab-$1-${y%% *}
    { [ -e "$t" ] || [ -h "$t" ]; } && rm -rf -- "$t"
  done <"$S/runs/$1/journal"; } 2>/dev/null
}
# Whether no guard but this run's own watches the node. One that is not there any more, for want of a hook at boot, is started.
h_free() {
  h_watched || return 0
  case $x in "$1 "*) [ ! -e "$S/guard/firing" ] && return ;; esac
  h_line "$S/guard/pid"
  # shellcheck disable=SC2086 # words
  set -- $v
  if [ $# -lt 2 ] || ! h_born "$1" || [ "$v" != "$2" ]; then (sh "$S/guard/run" </dev/null >/dev/null 2>&1 &); fi
  h_f guarded '' "$x"
  return 75
}
# run, who, since, y to take the lock over
h_begin() {
  [ "$S" ] || { h_f failed begin 'there is no HOME to keep state below'; return 1; }
  # Others have a use for what is above it.
  [ -d "$S" ] || e=$({ (umask 022 && mkdir -p "${S%/*}") && mkdir -p "$S"; } 2>&1) || { h_f failed begin "$e"; return 1; }
  h_free "$1" || return
  h_lock "$2" "$3" "$4" || return
  h_line "$S/open"
  [ -z "$v" ] || h_sweep "$v"
  h_cut=
  R=$S/runs/$1
  if [ ! -s "$R/journal" ]; then
    # Once another run has begun, nobody resumes the one before it.
    [ ! -s "$S/open" ] || rm -rf "$S"/runs/*/s
    h_line "$S/number"
    e=$({ mkdir -p "$R/before" "$R/s" && printf '%s\n' $((${v:-0} + 1)) >"$S/number" &&
      printf 'homelab-journal 1\nR %s %s %s\nQ %s\nA %s\n' "$1" "$3" "$2" $((${v:-0} + 1)) "$boot" >"$R/journal"; } 2>&1) || { h_f failed begin "$e"; h_unlock; return 1; }
  else
    h_cutoff
    h_note "O $3 $2${nl}A $boot"
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
# A line that was cut off, because the disk is full or the power went, is made void by a `%` at its end: it must not become another one.
h_cut=
h_cutoff() {
  h_cut=
  while IFS= read -r l; do :; done <"$R/journal"
  [ -z "$l" ] || h_cut=1
}
h_note() { h_mine && { printf '%s\n' "${h_cut:+%$nl}$1" >>"$R/journal" && h_cut= || { h_cut=1; return 1; }; }; }
# Is this still to go on?
h_on() {
  [ "$dead" ] && { h_bye; exit 0; }
  [ -z "$stop" ] && h_ours
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
  h_ours || return
  e=$({ printf '%s' "${h_cut:+%$nl}$2" >>"$R/journal" && if [ "$3" ]; then sync -f "$R" || sync; else sync "$R/journal" || sync; fi; } 2>&1) && h_cut= && return
  h_cut=1
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
  while [ "$v" ] && [ "$i" -lt 250 ]; do
    l=${v%%"$nl"*} v=${v#*"$nl"} p=${l%%// *}
    case $nl$a in
    *"$nl$p// "*) ;;
    *) [ -f "$p" ] && a=$a$l$nl i=$((i + 1)) ;;
    esac
  done
  { printf '%s' "$a" >"$S/sums.new" && mv -f "$S/sums.new" "$S/sums"; } 2>/dev/null
}
# What stat says of the paths of this run's file ops into h_t, a line each; `- PATH` of what is not there.
h_stamp() {
  h_t= h_w=
  set --
  while IFS= read -r l; do
    case $l in 'B '*) k=${l#B * } ;; *) continue ;; esac
    case ${k%% *} in put | mkdir | attr | link | remove) ;; *) continue ;; esac
    k=${l#* * * * * * * * }
    h_dec "$k"
    if [ -e "$e" ] || [ -h "$e" ]; then set -- "$@" "$e"; h_w=$h_w$k$nl; else h_t="$h_t- $k$nl"; fi
    [ $# -lt 500 ] || { h_stat "$@"; set --; }
  done <"$R/journal"
  [ $# = 0 ] || h_stat "$@"
}
h_stat() {
  x=$(exec stat -c '%f %u %g %s %Y %i %Z' -- "$@" 2>/dev/null)$nl
  while [ "$h_w" ]; do
    h_t="$h_t${x%%"$nl"*} ${h_w%%"$nl"*}$nl" x=${x#*"$nl"} h_w=${h_w#*"$nl"}
  done
}
# Only the last ten runs are kept, and of them the newest that fit into 512 MiB; their names sort by time, unless clocks differ.
h_prune() {
  set -- "$S"/runs/*
  while [ $# -gt 10 ] && [ "$1" != "$R" ]; do rm -rf "$1"; shift; done
  [ $# -gt 1 ] || return 0
  x=$(exec du -sk "$@" 2>/dev/null)
  t=0
  set -f
  IFS=$nl
  for l in $x; do t=$((t + ${l%%[!0-9]*})); done
  for l in $x; do
    [ "$t" -gt 524288 ] && [ $# -gt 1 ] && [ "$1" != "$R" ] || break
    t=$((t - ${l%%[!0-9]*}))
    rm -rf "$1"
    shift
  done
  unset IFS
  set +f
}
# receipts and digests of large files as texts, since when it is over
h_finish() {
  h_ours || return
  # A run that did nothing is none to come back to.
  if grep -q '^[BPK] ' "$R/journal"; then
    h_stamp
    {
      [ -e "$R/wrote" ] || [ ! -e "$S/receipts" ] || ln -f "$S/receipts" "$R/receipts" || cp -p "$S/receipts" "$R/receipts"
    } && printf '%s' "$1" >"$R/wrote" && printf '%s' "$h_t" >"$R/after" || { h_f failed finish "what taking back needs cannot be written"; return 1; }
    h_t=1
  else h_t=
  fi
  printf '%s' "$1" >"$S/receipts.new" && mv -f "$S/receipts.new" "$S/receipts" || { h_f failed finish "the receipts cannot be written"; return 1; }
  # Without it the next look hashes, no more.
  [ -z "$2" ] || h_hashed "$2"
  h_note "E${3:+ $3}"
  rm -rf "$R/s" "$S/open"
  sync "$S" "$S/receipts" "$R/journal"
  run=
  [ "$h_t" ] || rm -rf "$R"
  h_prune
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
  printf '%s' "$v" >"$S/pending.new" && mv -f "$S/pending.new" "$S/pending" || return
  sync "$S" "$S/pending" || :
}
# name as one word, value in base64. What was kept before the run is no part of the journal: it may be secret.
h_keep() {
  h_slurp "$S/kept"
  if [ "$run" ]; then
    [ -e "$R/before/kept" ] || printf '%s' "$v" >"$R/before/kept" || return
    h_note "K $1"
    sync "$R/before/kept" "$R/journal"
  fi
  a=
  while [ "$v" ]; do
    l=${v%%"$nl"*} v=${v#*"$nl"}
    case $l in "$1 "*) ;; *) a=$a$l$nl ;; esac
  done
  printf '%s' "$a$1 $2$nl" >"$S/kept.new" && mv -f "$S/kept.new" "$S/kept" && sync "$S" "$S/kept"
}
