# Takes locales out of the archive that locale-gen keeps: by the names that they have there, and behind `--` those that others call them by.
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  localedef --delete-from-archive "$1" 2>/dev/null
  shift
done
[ $# -gt 0 ] && shift
[ -r /usr/share/locale/locale.alias ] || exit 0
while read -r alias locale _; do
  for gone; do
    if [ "$locale" = "$gone" ]; then localedef --delete-from-archive "$alias" 2>/dev/null; fi
  done
done </usr/share/locale/locale.alias
exit 0
