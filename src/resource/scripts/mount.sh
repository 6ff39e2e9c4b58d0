# What is mounted at $1, written $2 in mountinfo, and whether that comes from $3; else what is at $1. One line:
# `mounted same|other ROOT FLAGS TYPE SOURCE OPTIONS`, or `dir`, `none`, `link`, `file`.
now=
while read -r _ _ _ root at flags rest; do
  [ "$at" = "$2" ] || continue
  rest=" $rest"
  now="$root $flags ${rest#* - }"
done </proc/self/mountinfo
if [ -z "$now" ]; then
  # A dead network mount is not looked at: that would hang.
  if [ -h "$1" ]; then echo link
  elif [ -d "$1" ]; then echo dir
  elif [ -e "$1" ]; then echo file
  else echo none
  fi
  exit
fi
source=${now#* * * }
source=${source%% *}
from=$3 same=other
case $from in
UUID=*) from=/dev/disk/by-uuid/${from#*=} ;;
LABEL=*) from=/dev/disk/by-label/${from#*=} ;;
PARTUUID=*) from=/dev/disk/by-partuuid/${from#*=} ;;
PARTLABEL=*) from=/dev/disk/by-partlabel/${from#*=} ;;
esac
case $source:$from in
"$from:$from") same=same ;;
/dev/root:/dev/*) same=same ;;
/dev/loop*:/*)
  file=
  { read -r file <"/sys/block/${source#/dev/}/loop/backing_file"; } 2>/dev/null
  if [ "$file" = "$from" ] || [ "$1" -ef "$from" ]; then same=same; fi
  ;;
/*:/dev/*) [ "$source" -ef "$from" ] && same=same ;;
*:/*) [ "$1" -ef "$from" ] && same=same ;;
esac
echo "mounted $same $now"
