# Asks $1 once. $2: `n` where certificates are not to be checked; $3: seconds; then headers, for wget. What curl is told comes by standard
# input. `status NUMBER`, or `none`; with `why` set, `none WHY`: that has times in it, and a plan made from it would be stale at once.
why() { [ -z "${why-}" ] || printf '%s\n' "$1" | grep -v '^ *$' | sed -n '$s/^/ /p'; }
if command -v curl >/dev/null; then
  insecure=
  [ "$2" = y ] || insecure=-k
  # shellcheck disable=SC2086 # a word or none
  if said=$(curl -q -sSL $insecure --proto '=http,https' --max-time "$3" -o /dev/null -w '%{http_code}' -K - 2>&1); then echo "status $said"
  else echo "none$(why "$(printf '%s\n' "$said" | sed -e 's/^000//' -e 's/000$//')")"
  fi
elif command -v wget >/dev/null; then
  url=$1 insecure=
  [ "$2" = y ] || insecure=--no-check-certificate
  limit=$3
  shift 3
  # shellcheck disable=SC2086 # a word or none
  said=$(wget -S -T "$limit" $insecure -O /dev/null "$@" "$url" 2>&1 </dev/null)
  status=$(printf '%s\n' "$said" | sed -n 's/^ *HTTP\/[0-9.]* \([0-9]*\).*/\1/p' | tail -n 1)
  if [ "$status" ]; then echo "status $status"; else echo "none$(why "$said")"; fi
else exit 127
fi
