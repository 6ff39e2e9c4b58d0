# What every session has: frames, reading without a process, who we are, where our state is.
nl='
'
dead=
# One frame: tag, fields, body. A frame that cannot go out means the line is gone: the program stops at the next boundary.
h_f() {
  [ ${#3} -le 12000000 ] || set -- toobig "$1 $2" ''
  printf '@%s %s %s%s\n%s' "$n" "$1" "${#3}" "${2:+ $2}" "$3" || dead=1
}
# First line of a file into v.
h_line() { v=; { IFS= read -r v <"$1"; } 2>/dev/null; }
# A small text file into v, each line ended.
h_slurp() {
  v=
  { while IFS= read -r l || [ "$l" ]; do v=$v$l$nl; done <"$1"; } 2>/dev/null
}
# Start time of a process into v: with the boot id it names a process for ever.
h_born() {
  h_line "/proc/$1/stat"
  v=${v##*)}
  set -f
  # shellcheck disable=SC2086 # words
  set -- $v
  set +f
  v=${20}
}
uid= gid=
{ while read -r a b c d; do
  case $a in
  Uid:) uid=$c ;;
  Gid:) gid=$c; break ;;
  esac
done </proc/self/status; } 2>/dev/null
[ "$uid" ] || { uid=$(id -u); gid=$(id -g); }
if [ "$HOMELAB_STATE" ]; then S=$HOMELAB_STATE
elif [ "$uid" = 0 ]; then S=/var/lib/homelab
elif [ "$XDG_STATE_HOME" ]; then S=$XDG_STATE_HOME/homelab
elif [ "$HOME" ]; then S=$HOME/.local/state/homelab
else S=
fi
h_line /proc/sys/kernel/random/boot_id
boot=$v
# Is the holder of the lock alive? Its lines into lp (pid), lw (who), ls (since).
h_held() {
  lp= lt= lb= ls= lw=
  { { IFS=' ' read -r lp lt lb ls; IFS= read -r lw; } <"$S/lock/owner"; } 2>/dev/null
  [ "$lp" ] && [ "$lb" = "$boot" ] && [ -d "/proc/$lp" ] && h_born "$lp" && [ "$v" = "$lt" ]
}
