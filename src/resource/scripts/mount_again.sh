# Mounts what the words after $1 say, unless something is mounted at $1 as mountinfo writes it.
while read -r _ _ _ _ at _; do
  [ "$at" = "$1" ] && exit 0
done </proc/self/mountinfo
shift
exec mount "$@"
