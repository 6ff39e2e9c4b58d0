# The guard itself: waits for its time, then takes the run back alone.
# Nobody reads along, and a full disk must not end it.
h_f() { printf '@%s %s %s%s\n%s' "$n" "$1" "${#3}" "${2:+ $2}" "$3" 2>/dev/null || :; }
trap - EXIT
trap : PIPE HUP
trap 'exit 0' TERM
# A moment after a boot for what must be up to take things back.
h_settle=10
h_wait() {
  due=
  while :; do
    h_line "$G/pid"
    [ "${v%% *}" = $$ ] || exit 0
    [ -e "$G/firing" ] && return
    a=
    { IFS=' ' read -r a h_secs c d <"$G/armed"; } 2>/dev/null
    [ "$a" ] || { [ -e "$G/armed" ] || [ -e "$G/firing" ] || exit 0; sleep 1; continue; }
    h_up
    k=$v a= b=
    { IFS=' ' read -r a b <"$G/due"; } 2>/dev/null
    if [ "$a" = "$boot" ] && [ "$b" ]; then due=$b
    elif [ -z "$due" ]; then
      # This is another boot. One that the run asked for leaves the controller the time to come back.
      h_line "$G/expected"
      [ "$v" ] || { v=$h_settle; [ "$h_secs" -lt "$v" ] && v=$h_secs; }
      due=$((k + v))
    fi
    t=$((due - k))
    if [ "$t" -le 0 ]; then
      if h_working; then t=1
      else
        # Either this rename succeeds or that of a new login.
        mv "$G/armed" "$G/firing" 2>/dev/null && return
        continue
      fi
    fi
    [ "$t" -gt 2 ] && t=2
    sleep $t
  done
}
h_fire() {
  trap '' TERM
  { IFS=' ' read -r h_r a b h_b <"$G/firing"; } 2>/dev/null
  R=$S/runs/$h_r
  if [ -s "$R/journal" ] && ! grep -q '^X' "$R/journal"; then
    if true >>"$R/guard"; then exec >>"$R/guard"; fi 2>/dev/null
    h_oust
    # Nobody else begins while there is a guard: the lock is signed over as it is.
    h_born $$
    h_me="$$ $v $boot $(date +%s)"
    mkdir -p "$S/lock"
    h_sign 'the guard on this node'
    h_note N
    sync "$R/journal"
    t=0
    # What does not go back at once may a little later.
    until h_unwind "$h_r" || [ "$t" -ge 2 ]; do
      run=$h_r t=$((t + 1))
      sleep 5
    done
    run=
    c=
    grep -q '^X' "$R/journal" && c=y
    sync "$R/journal" "$S"
    h_unguard
    h_unlock
    # What was read at boot is what has just been taken back.
    if [ "$c" ] && [ "$h_b" != "$boot" ]; then
      sync
      h_restart
    fi
  else h_unguard
  fi
}
h_born $$
printf '%s %s\n' $$ "$v" >"$G/pid"
h_wait
h_fire
exit 0
