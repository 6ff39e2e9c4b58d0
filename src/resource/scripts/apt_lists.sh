# Whether apt has the lists of all repositories that the words name, as its files are called: `there` or `missing`.
command -v apt-get >/dev/null || exit 127
for list; do
  [ -e "/var/lib/apt/lists/${list}_InRelease" ] || [ -e "/var/lib/apt/lists/${list}_Release" ] || { echo missing; exit; }
done
echo there
