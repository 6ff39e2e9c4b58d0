# Of each locale, given by its name and as `locale -a` writes it: `NAME STATE CHARSET`. The state is `archive` where locale-gen made it, `made` where it is there
# otherwise, else `missing`; the character set is `-` where the C library has none of this name.
command -v locale-gen >/dev/null 2>&1 || exit 127
nl='
'
there=$nl$(locale -a 2>/dev/null)$nl
kept=$nl$(localedef --list-archive 2>/dev/null)$nl
while [ $# -gt 1 ]; do
  state=missing
  case $there in *"$nl$1$nl"* | *"$nl$2$nl"*) state=made ;; esac
  case $kept in *"$nl$1$nl"* | *"$nl$2$nl"*) state=archive ;; esac
  found=-
  for file in /usr/share/i18n/SUPPORTED /usr/local/share/i18n/SUPPORTED; do
    [ -r "$file" ] || continue
    while read -r name charset _; do
      [ "$name" = "$1" ] && { found=$charset; break; }
    done <"$file"
  done
  echo "$1 $state ${found:--}"
  shift 2
done
