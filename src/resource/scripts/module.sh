# How the module $1 (written with underscores) stands: one word, and of a loaded one how many use it.
if [ -r /proc/modules ]; then
  while read -r name _ used _; do
    [ "$name" = "$1" ] && { echo "loaded $used"; exit; }
  done </proc/modules
fi
[ -d "/sys/module/$1" ] && { echo builtin; exit; }
dir=/lib/modules/$(uname -r)
[ -d "$dir" ] || { echo nothing; exit; }
# File names have dashes where modules have underscores, or not.
file=$(printf %s "$1" | sed 's/_/[-_]/g')
grep -q "/$file\.ko" "$dir/modules.builtin" 2>/dev/null && { echo builtin; exit; }
if grep -q "/$file\.ko[.a-z0-9]*:" "$dir/modules.dep" 2>/dev/null; then echo offered; else echo missing; fi
