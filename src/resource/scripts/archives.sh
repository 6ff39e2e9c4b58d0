# Where what was unpacked is recorded: for the archive $2 in the directory $1, `$kept`.
state=/var/lib/homelab
[ "$(id -u)" = 0 ] || state=${XDG_STATE_HOME:-$HOME/.local/state}/homelab
kept=$(printf '%s\n%s\n' "$1" "$2" | sha256sum)
kept=$state/archives/${kept%% *}
