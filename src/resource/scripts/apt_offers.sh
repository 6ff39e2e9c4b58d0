# What repositories offer, each word the URL of a suite's directory. First the node's own architecture and the foreign ones; then a line
# for each: `offers ARCHITECTURES | COMPONENTS`, `missing`, or `unasked WHY`.
echo "$(dpkg --print-architecture) $(dpkg --print-foreign-architectures | tr '\n' ' ')"
helper=/usr/lib/apt/apt-helper
if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
  # Apt's own writes to files only: in memory, for asking changes nothing.
  dir=$(mktemp -d -p /dev/shm)
  trap 'rm -rf -- "$dir"' EXIT
fi
ask() {
  case $1 in file:*) cat -- "${1#file:}"; return ;; esac
  if command -v curl >/dev/null; then curl -q -fsSL --max-time 20 "$1"
  elif command -v wget >/dev/null; then wget -q -T 20 -O - "$1" || { code=$?; [ $code != 8 ] || echo 404 >&2; return $code; }
  else "$helper" -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 download-file "$1" "${dir:?}/file" >&2 && cat "$dir/file"
  fi
}
for url; do
  for file in InRelease Release; do
    said=$(ask "$url/$file" 2>&1) && break
  done
  architectures=$(printf '%s\n' "$said" | sed -n 's/^Architectures: *//p')
  if [ "$architectures" ]; then echo "offers $architectures | $(printf '%s\n' "$said" | sed -n 's/^Components: *//p')"
  else
    case $said in
    *404*) echo missing ;;
    *) echo "unasked $(printf '%s\n' "$said" | grep -v '^ *$' | grep -v '^E: Download Failed' | tail -n 1)" ;;
    esac
  fi
done
