# Unmounts $1, written $2 in mountinfo, if something is mounted there.
while read -r _ _ _ _ at _; do
  [ "$at" = "$2" ] && exec umount "$1"
done </proc/self/mountinfo
exit 0
