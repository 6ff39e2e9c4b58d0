# Lets apt read the lists of the repositories in the file $1 alone, if it is there. Waits at most $2 seconds for another's lock.
[ -e "$1" ] || exit 0
n=0
until said=$(DEBIAN_FRONTEND=noninteractive apt-get -q update -o Dir::Etc::SourceList="$1" -o Dir::Etc::SourceParts=/dev/null -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any 2>&1 </dev/null); do
  case $said in *'Could not get lock'*) ;; *) n=$2 ;; esac
  if [ "$n" -ge "$2" ]; then
    printf '%s\n' "$said" >&2
    printf '%s\n' "$said" | grep '^E:' | head -n 1 >&2
    exit 1
  fi
  n=$((n + 2))
  sleep 2
done
