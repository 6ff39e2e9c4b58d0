# An image of docker's: what its name stands for, and how it comes to be.

# A directory's files, as one digest: names and content, no times.
digest() { (cd -- "$1" 2>/dev/null && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -c 1-64); }

# name, [image that it is to stand for], [directory to build it from]
look() {
  command -v docker >/dev/null 2>&1 || exit 127
  said=$(docker image inspect --format 'image {{.Id}}
label {{with .Config.Labels}}{{index . "homelab.context"}}{{end}}{{range .RepoDigests}}
digest {{.}}{{end}}' "$1" 2>&1) || case $said in
  *[Nn]"o such image"* | *"not found"*) said='image none' ;;
  *) printf '%s\n' "$said" >&2; exit 1 ;;
  esac
  printf '%s\n' "$said"
  case $said in 'image none') ;; *) printf 'used %s\n' "$(docker ps --all --quiet --filter "ancestor=$1" | wc -l)" ;; esac
  [ -z "$2" ] || { said=$(docker image inspect --format '{{.Id}}' "$2" 2>/dev/null) || said=none; printf 'source %s\n' "$said"; }
  [ -z "$3" ] || printf 'context %s\n' "$(digest "$3")"
}

# name, directory, digest of how it is built, options of `docker build`
build() {
  name=$1 dir=$2 how=$3
  shift 3
  said=$(docker build --quiet --force-rm --label "homelab.context=$(digest "$dir")-$how" --tag "$name" "$@" -- "$dir" 2>&1) && return
  # The older builder ends with the command that failed; why is what that said last.
  printf '%s\n' "$said" | sed "s/$(printf '\033')\[[0-9;]*m//g" | awk '
    NF { print }
    NF && !/^ --->/ { before = last; last = $0 }
    END { if (last ~ /^The command .* returned a non-zero code/ && before !~ /^Step /) print "a command of the recipe failed: " before }' >&2
  return 1
}

# name, what it stood for: that is there still, for an image that loses its name is not removed
back() {
  if [ "$2" != none ]; then docker tag "$2" "$1"
  elif docker image inspect --format . "$1" >/dev/null 2>&1; then docker image rm --force "$1"
  fi
}

# name, what it stood for, where that can be pulled from
again() {
  docker image inspect --format . "$2" >/dev/null 2>&1 || docker pull --quiet "$3" || return
  docker tag "$2" "$1"
}
