# Unpacks the archive $2 into $1, as the record $3 (`GENERATION DIGEST OPTIONS`); the first $4 directories are left out. $5: owner and
# group, or nothing; then names that are left out. Beside what is there, first: what cannot be unpacked changes nothing.
# shellcheck disable=SC2154 # of archives.sh
set -e
dest=$1 archive=$2 record=$3 strip=$4 own=$5
shift 5
id=${record%% *}
new=$dest/.homelab-unpacked
old=$kept/$id.old
sum=$(sha256sum <"$archive")
case $record in "$id ${sum%% *} "*) ;; *) false ;; esac || { echo "$archive is not what it was" >&2; exit 1; }
trap 'rm -rf -- "$new"' EXIT
rm -rf -- "$new" "$old" "$kept/$id.list" "$kept/$id.dirs" "$kept/$id.was"
# As many as there are runs to take back.
rm -rf -- "$kept/$((id - 10))".*
mkdir -p -- "$kept"
mkdir -m 700 -- "$new"
case $archive in
*.zip | *.jar | *.war)
  [ $# = 0 ] || set -- -x "$@"
  unzip -q -o "$archive" "$@" -d "$new"
  # unzip cannot leave directories out.
  while [ "$strip" -gt 0 ]; do
    strip=$((strip - 1))
    mkdir -- "$new/.homelab-inner"
    find "$new" -mindepth 2 -maxdepth 2 ! -path "$new/.homelab-inner*" -exec mv -- {} "$new/.homelab-inner/" \;
    find "$new" -mindepth 1 -maxdepth 1 ! -name .homelab-inner -exec rm -rf -- {} +
    find "$new/.homelab-inner" -mindepth 1 -maxdepth 1 -exec mv -- {} "$new/" \;
    rmdir -- "$new/.homelab-inner"
  done
  ;;
*)
  n=$#
  while [ "$n" -gt 0 ]; do
    set -- "$@" "--exclude=$1"
    shift
    n=$((n - 1))
  done
  [ "$strip" = 0 ] || set -- "$@" "--strip-components=$strip"
  tar -C "$new" -xf "$archive" "$@"
  ;;
esac
[ -z "$own" ] || chown -Rh "$own" "$new"
(cd "$new" && find . -mindepth 1 -type d) | sed 's/^\.\///' >"$kept/$id.all"
(cd "$new" && find . -mindepth 1 ! -type d) | sed 's/^\.\///' >"$kept/$id.list"
# Which directories are new, and what was in the way, is known before anything moves.
while IFS= read -r dir; do
  [ -d "$dest/$dir" ] || printf '%s\n' "$dir"
done <"$kept/$id.all" >"$kept/$id.dirs"
[ ! -s "$kept/now" ] || cp -- "$kept/now" "$kept/$id.was"
mkdir -p -- "$old"
while IFS= read -r path; do
  if [ -d "$dest/$path" ] && [ ! -h "$dest/$path" ]; then echo "$dest/$path is a directory, and a file in the archive" >&2; exit 1; fi
  if [ -e "$dest/$path" ] || [ -h "$dest/$path" ]; then
    case $path in */*) mkdir -p -- "$old/${path%/*}" ;; esac
    cp -a -- "$dest/$path" "$old/$path"
  fi
done <"$kept/$id.list"
: >"$kept/$id.ready"
while IFS= read -r dir; do
  [ -d "$dest/$dir" ] || { mkdir -- "$dest/$dir" && chmod "$(stat -c %a -- "$new/$dir")" "$dest/$dir" && chown "$(stat -c %u:%g -- "$new/$dir")" "$dest/$dir"; }
done <"$kept/$id.all"
while IFS= read -r path; do mv -f -- "$new/$path" "$dest/$path"; done <"$kept/$id.list"
rm -f -- "$kept/$id.all"
printf '%s\n' "$record" >"$kept/now.new"
mv -f -- "$kept/now.new" "$kept/now"
