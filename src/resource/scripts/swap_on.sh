# Makes the swap file $1 (written $2 in /proc/swaps) of $3 bytes, and swaps there; one that is there is made anew. Nothing may be
# in it that the kernel could not read later: no holes, no copy on write.
set -e
new=$1.homelab
on() {
  while read -r file _; do
    [ "$file" = "$1" ] && return
  done </proc/swaps
  return 1
}
# Filling the disk would find that out, too.
df -Pk -- "${1%/*}/" | {
  read -r _
  read -r _ _ _ free _
  [ "$free" -gt $(($3 / 1024)) ] || { echo "there is no room for $(($3 / 1048576)) MiB beside $1" >&2; exit 1; }
}
umask 077
rm -f -- "$new"
trap 'rm -f -- "$new"' EXIT
: >"$new"
# On btrfs; elsewhere it has no meaning.
chattr +C "$new" 2>/dev/null || :
dd if=/dev/zero of="$new" bs=1048576 count=$(($3 / 1048576)) 2>/dev/null || { echo "$new cannot be written" >&2; exit 1; }
mkswap "$new" >/dev/null
if on "$2"; then swapoff "$1"; fi
mv -f -- "$new" "$1"
swapon "$1"
