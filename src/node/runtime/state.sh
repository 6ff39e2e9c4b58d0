# What the node keeps of us, receipts if $1. Only reads.
h_state() {
  h_sums=$nl
  [ "$S" ] && [ -d "$S" ] || { h_f state 0 ''; return; }
  h_line "$S/number"
  h_f state "${v:-0}" ''
  h_slurp "$S/sums"
  h_sums=$nl$v
  for k in pending kept open; do h_slurp "$S/$k"; [ "$v" ] && h_f $k '' "$v"; done
  [ "$1" ] && [ -s "$S/receipts" ] && h_f receipts '' "$(exec cat "$S/receipts")"
  h_slurp "$S/guard/armed"
  [ "$v" ] || h_slurp "$S/guard/firing"
  [ "$v" ] && { x=$v; h_slurp "$S/guard/due"; x=$x${v:-$nl}; h_slurp /proc/uptime; h_f guard '' "$x$v"; }
  [ -d "$S/lock" ] && h_held && h_f lock "$ls" "$lw"
}
