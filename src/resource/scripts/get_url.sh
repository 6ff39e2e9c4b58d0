# Downloads $1 to $2 by the tool $3; what curl is told comes by standard input. $4: its SHA-256, or nothing.
# $5: permissions, $6 and $7: owner and group, or nothing; $8: seconds without a sign of life; then headers, for wget.
set -e
url=$1 to=$2 tool=$3 sum=$4 mode=$5 owner=$6 group=$7 limit=$8
shift 8
trap 'rm -f -- "$to.part"' EXIT
rm -f -- "$to.part"
umask 077
config=$(cat)
try() {
  case $tool in
  curl) printf '%s\n' "$config" | curl -q -fsSL --proto '=http,https,ftp' --proto-redir '=http,https' -C - --connect-timeout "$limit" --speed-limit 1 --speed-time "$limit" -o "$to.part" -K - ;;
  wget)
    # busybox's knows no other long options.
    set -- "$@" "$url"
    wget -q -c -T "$limit" -O "$to.part" "$@" || { [ -s "$to.part" ] || rm -f -- "$to.part"; return 1; }
    ;;
  *) "$tool" -o APT::Sandbox::User=root -o Acquire::http::Timeout="$limit" -o Acquire::https::Timeout="$limit" -o Acquire::Retries=0 download-file "$url" "$to.part" ;;
  esac
}
n=0
# What came of a try that broke off is gone on with, where the server can.
until said=$(try "$@" 2>&1); do
  n=$((n + 1))
  [ $n -lt 3 ] || { printf '%s\n' "$said" >&2; echo "$url cannot be had: $(printf '%s\n' "$said" | grep -v -e '^ *$' -e '^E: Download Failed' | tail -n 1)" >&2; exit 1; }
  sleep $n
done
if [ "$sum" ]; then
  now=$(sha256sum <"$to.part")
  now=${now%% *}
  [ "$now" = "$sum" ] || { echo "what came from $url has the checksum $now, not $sum" >&2; exit 1; }
fi
if [ "$owner$group" ]; then chown "$owner${group:+:$group}" "$to.part"; fi
chmod "$mode" "$to.part"
sync "$to.part" 2>/dev/null || sync
mv -f -- "$to.part" "$to"
