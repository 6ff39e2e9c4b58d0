# Ends swapping to $1 (written $2 in /proc/swaps) and removes it, unless it is to be `kept`.
while read -r file _; do
  [ "$file" = "$2" ] || continue
  swapoff "$1" || exit
done </proc/swaps
[ "$3" ] || rm -f -- "$1" "$1.homelab"
