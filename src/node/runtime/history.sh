# The runs of the past: telling of them, what was touched since, and opening one again to take it back.
# Their journals, oldest first. A dot ends each, since what was cut off must be told from what was not.
h_history() {
  [ "$S" ] || return 0
  for p in "$S"/runs/*; do
    [ ! -s "$p/journal" ] || h_f journal "${p##*/}" "$(cat "$p/journal"; echo .)"
  done
}
# run: its paths as they were when it was over, and as they are; what is in the directories that it made, and not of its making.
h_changed() {
  h_r=$R R=$S/runs/$1
  if [ -e "$R/after" ]; then
    h_stamp
    h_f after '' "$(exec cat "$R/after")"
    h_f now '' "$h_t"
  fi
  h_w=$nl h_t=
  while IFS= read -r l; do
    case $l in *%) continue ;; 'B '*) k=${l#B * } ;; *) continue ;; esac
    case $k in 'mkdir a '*) h_t=$h_t${l#* * * * * * * * }$nl ;; esac
    case ${k%% *} in put | mkdir | link | attr) h_w=$h_w${l#* * * * * * * * }$nl ;; esac
  done <"$R/journal"
  h_mounts
  while [ "$h_t" ]; do
    h_dec "${h_t%%"$nl"*}"
    h_t=${h_t#*"$nl"} p=$e
    # What is mounted on it is not in it, and may be the run's own.
    case $h_m in *"$nl$p$nl"*)
      h_enc "$p"
      h_brought "$e" || h_f foreign '' "$p"
      continue
      ;;
    esac
    [ -h "$p" ] || for s in "$p"/* "$p"/.[!.]* "$p"/..?*; do
      [ -e "$s" ] || [ -h "$s" ] || continue
      h_enc "$s"
      case $h_w in *"$nl$e$nl"*) continue ;; esac
      h_brought "$e" && continue
      h_f foreign '' "$s"
      break
    done
  done
  R=$h_r
}
# Whether the run's commands and tools brought this.
h_brought() {
  [ -e "$R/brings" ] || return
  while IFS= read -r l; do
    case $1 in "$l" | "$l"/*) return 0 ;; esac
  done <"$R/brings"
  return 1
}
# run, who, since, y to take the lock over
h_reopen() {
  [ -s "$S/runs/$1/journal" ] || { h_f failed reopen "there is no run $1 here"; return 1; }
  h_free "$1" || return
  h_lock "$2" "$3" "$4" || return
  run=$1 R=$S/runs/$1
  h_cutoff
  h_note "O $3 $2"
  h_f begun "$1" ''
}
# The open run, y by force. What another run left open is not forgotten over it.
h_takeback() {
  h_ours || return
  h_force=$2
  h_line "$S/open"
  [ "$v" ] || printf '%s\n' "$1" >"$S/open"
  h_unwind "$1"
}
# The receipts that the run changed are what they were before it, unless a later run has changed them again and it is not taken back by force.
h_receipts() {
  [ -e "$R/wrote" ] || return 0
  h_slurp "$R/receipts"
  a=$nl$v
  h_slurp "$R/wrote"
  b=$nl$v h_r=' ' c=
  while IFS= read -r l; do
    case $a in *"$nl$l$nl"*) ;; *) h_r="$h_r${l%% *} " ;; esac
  done <"$R/wrote"
  if [ -e "$R/receipts" ]; then
    while IFS= read -r l; do
      case $b in *"$nl$l$nl"*) ;; *) h_r="$h_r${l%% *} " ;; esac
    done <"$R/receipts"
  fi
  h_k=' '
  while IFS= read -r l; do
    k=${l%% *}
    case $h_r in *" $k "*)
      case $b in
      *"$nl$l$nl"*) continue ;;
      *) [ "$h_force" ] && continue; h_k="$h_k$k " ;;
      esac
      ;;
    esac
    c=$c$l$nl
  done <"$S/receipts"
  if [ -e "$R/receipts" ]; then
    while IFS= read -r l; do
      case $h_r in *" ${l%% *} "*) case $h_k in *" ${l%% *} "*) ;; *) c=$c$l$nl ;; esac ;; esac
    done <"$R/receipts"
  fi
  printf '%s' "$c" >"$S/receipts.new" && mv -f "$S/receipts.new" "$S/receipts"
}
