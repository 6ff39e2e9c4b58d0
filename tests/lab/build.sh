# shellcheck shell=bash
# How images are made: `image NAME` has the image of `images/NAME.sh` in docker's store, from there, from the cache, or by its recipe.
# That of a whole machine stays an archive in the cache.
# Sourced after `lib.sh` and `recipe.sh`.

parent() { sed -n 's/^from \([a-z0-9]*\).*/\1/p' "$lab/images/$1.sh"; }

# What an image is made of: its recipe, its parent's, and what all share.
tag() {
  local up
  up=$(parent "$1")
  { cat "$lab/images/$1.sh" "$lab/recipe.sh"; mirror; apt_conf; [ -z "$up" ] || tag "$up"; } | sha256sum | cut -c1-16
}

image() {
  local name=$1 tag base root from
  tag=$(tag "$name")
  from=$(parent "$name")
  base=$cache/images/$name
  mkdir -p "$cache/images"
  # A second one waits here, and finds it done.
  exec 9>"$base.lock"
  flock 9
  if [ ! -s "$base-$tag.tar.gz" ]; then
    if docker image inspect "homelab-lab-$name:$tag" >/dev/null 2>&1; then return; fi
    [ -z "$from" ] || (image "$from")
    say "making the image $name${from:+ from $from}"
    root=$cache/roots/$name
    clear_root "$root"
    mkdir -p "$root"
    # Not `set -e` alone: in a condition or a list it would not hold.
    if ! root=$root bash -euo pipefail -c '. "$0/lib.sh"; . "$0/recipe.sh"; . "$0/build.sh"; trap "unmount_below \"$root\"" EXIT; . "$0/images/$1.sh"; finish' \
      "$lab" "$name" >"$base.log" 2>&1; then
      cat "$root/debootstrap/debootstrap.log" >>"$base.log" 2>/dev/null || true
      tail -n 20 "$base.log" >&2
      die "the image $name was not made; all that was said is in $base.log"
    fi
    rm -f "$base"-*.tar.gz
    tar -C "$root" --numeric-owner --one-file-system -c . | gzip -1 >"$base.part"
    mv "$base.part" "$base-$tag.tar.gz"
    clear_root "$root"
  fi
  [ "$name" != cloud ] || return 0
  docker image inspect "homelab-lab-$name:$tag" >/dev/null 2>&1 || {
    docker import --change 'ENTRYPOINT ["/lab/init"]' "$base-$tag.tar.gz" "homelab-lab-$name:$tag" >/dev/null
    # Of older recipes nothing is kept, unless a node still runs on it.
    docker image ls --format '{{.Repository}}:{{.Tag}}' "homelab-lab-$name" | grep -v ":$tag\$" | xargs -r docker image rm >/dev/null 2>&1 || true
    say "the image $name is ready"
  }
}

clear_root() {
  unmount_below "$1"
  rm -rf --one-file-system "$1"
}
