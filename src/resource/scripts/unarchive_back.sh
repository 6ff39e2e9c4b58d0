# Takes back what was unpacked into $1 as the record $3: what was there before is there again.
# shellcheck disable=SC2154 # of archives.sh
id=${3%% *}
rm -rf -- "$1/.homelab-unpacked"
if [ -e "$kept/$id.ready" ]; then
  while IFS= read -r path; do
    if [ -e "$kept/$id.old/$path" ] || [ -h "$kept/$id.old/$path" ]; then cp -a -- "$kept/$id.old/$path" "$1/$path.homelab" && mv -f -- "$1/$path.homelab" "$1/$path" || exit
    else rm -f -- "$1/$path"
    fi
  done <"$kept/$id.list"
  # The deepest first; what somebody put into one keeps it.
  sed '1!G;h;$!d' "$kept/$id.dirs" | while IFS= read -r dir; do rmdir -- "$1/$dir" 2>/dev/null; done
  # Else something newer is recorded.
  if ! { read -r now <"$kept/now" && [ "${now%% *}" != "$id" ]; } 2>/dev/null; then
    if [ -e "$kept/$id.was" ]; then cp -- "$kept/$id.was" "$kept/now"; else rm -f -- "$kept/now"; fi
  fi
fi
rm -rf -- "$kept/$id.old" "$kept/$id.list" "$kept/$id.all" "$kept/$id.dirs" "$kept/$id.ready" "$kept/$id.was"
exit 0
