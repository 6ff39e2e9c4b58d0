# How the swap file $1 stands: `SIZE on|off`, in bytes; `none`, or `other` where that is no file.
if [ -h "$1" ]; then echo other; exit; fi
[ -e "$1" ] || { echo none; exit; }
[ -f "$1" ] || { echo other; exit; }
size=$(stat -c %s -- "$1") || exit
on=off
{
  read -r _
  while read -r file _; do
    [ "$file" = "$2" ] && on=on
  done
} </proc/swaps
echo "$size $on"
