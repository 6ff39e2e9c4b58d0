# The guard that watches us, into x: what it was armed for, its deadline, and the time since boot.
h_watched() {
  h_line "$S/guard/armed"
  [ "$v" ] || h_line "$S/guard/firing"
  [ "$v" ] || return
  x=$v$nl
  h_line "$S/guard/due"
  # Another boot's deadline says nothing.
  case $v in "$boot "*) ;; *) v='- 0' ;; esac
  x=$x$v$nl
  h_line /proc/uptime
  x=$x$v$nl
}
# What the node keeps of us, receipts if $1. Only reads.
h_state() {
  h_sums=$nl
  [ "$S" ] && [ -d "$S" ] || { h_f state 0 ''; return; }
  h_line "$S/number"
  h_f state "${v:-0}" ''
  h_slurp "$S/sums"
  h_sums=$nl$v
  for k in pending kept open; do h_slurp "$S/$k"; [ "$v" ] && h_f "$k" '' "$v"; done
  [ "$1" ] && [ -s "$S/receipts" ] && h_f receipts '' "$(exec cat "$S/receipts")"
  h_watched && h_f guard '' "$x"
  [ -d "$S/lock" ] && h_held && h_f lock "$ls" "$lw"
}
