# How what was unpacked of the archive $2 into $1 stands: its record, `GENERATION DIGEST OPTIONS`; or `incomplete GENERATION PATH`; or `none`.
# shellcheck disable=SC2154 # of archives.sh
case $2 in *.zip | *.jar | *.war) command -v unzip >/dev/null || exit 127 ;; esac
[ -s "$kept/now" ] || { echo none; exit; }
read -r now <"$kept/now"
if [ -r "$kept/${now%% *}.list" ]; then
  while IFS= read -r path; do
    [ -e "$1/$path" ] || [ -h "$1/$path" ] || { echo "incomplete ${now%% *} $path"; exit; }
  done <"$kept/${now%% *}.list"
else echo "incomplete ${now%% *} its list"; exit
fi
echo "$now"
