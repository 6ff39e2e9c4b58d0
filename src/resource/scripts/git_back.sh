# Takes the clone $1 back to the commit $2, on the branch $3 (`-`: none), from the repository $4; $5: `y` for submodules too. A commit
# that is called `none` or `empty` was none: then the clone goes, and the directory if there was none.
set -e
case $2 in
none) rm -rf -- "$1"; exit ;;
empty) [ ! -d "$1" ] || find "$1" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +; exit ;;
esac
dest=$1
g() { git -c safe.directory="$dest" -c advice.detachedHead=false -C "$dest" "$@"; }
if [ "$2" != unborn ]; then
  if [ "$3" = - ]; then g checkout -qf --detach "$2"; else g checkout -qf -B "$3" "$2"; fi
  if [ "$5" = y ] && [ -e "$1/.gitmodules" ]; then g submodule -q update --init --recursive; fi
fi
if [ "$4" ]; then g remote set-url origin "$4"; else g remote remove origin 2>/dev/null || :; fi
