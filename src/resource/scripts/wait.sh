# Asks by `check`, with the words after $4, until its answer is one of the lines $4; at most $1 seconds, after $2, each $3.
limit=$1
# shellcheck disable=SC2034 # `check` reads it
why=y
[ "$2" = 0 ] || sleep "$2"
every=$3 wished=$4
shift 4
input=$(cat)
start=$(date +%s)
while :; do
  said=$(printf '%s\n' "$input" | check "$@")
  case "
$wished
" in *"
$said
"*) exit 0 ;; esac
  now=$(date +%s)
  # A clock that was set meanwhile is no reason to wait for ever, or to give up.
  [ "$now" -ge "$start" ] && [ $((now - start)) -lt 86400 ] || start=$now
  [ $((now - start)) -lt "$limit" ] || { echo "after $limit s it is still so: $said" >&2; exit 1; }
  sleep "$every"
done
