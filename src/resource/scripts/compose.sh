# Has docker compose make a project what its files say, and tells how it stands. What was made of which inputs is recorded on the
# node, for its owner only: digests of secrets can be guessed. All of it is in the environment that compose itself reads, and in "$@".

# Where the record of a project is.
kept() {
  if [ "$(id -u)" = 0 ]; then kept=/var/lib/homelab
  else kept=${XDG_STATE_HOME:-$HOME/.local/state}/homelab; fi
  record=$kept/compose/$1
}

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@" </dev/null; else docker-compose "$@" </dev/null; fi
}

# What runs: the containers of the project, a line each. Health that is still starting is not told apart from health.
live() {
  ids=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False) || return
  [ -z "$ids" ] && return
  # shellcheck disable=SC2086 # numbers
  docker container inspect --format '{{$l := .Config.Labels}}live {{index $l "com.docker.compose.service"}} {{index $l "com.docker.compose.container-number"}} {{if eq .State.Status "exited"}}exited:{{.State.ExitCode}}{{else if and (eq .State.Status "running") .State.Health}}{{if eq .State.Health.Status "unhealthy"}}unhealthy{{else}}running{{end}}{{else}}{{.State.Status}}{{end}} {{index $l "com.docker.compose.config-hash"}} {{.Image}} {{.Config.Image}}
dir {{index $l "com.docker.compose.project.working_dir"}}
files {{index $l "com.docker.compose.project.config_files"}}' $ids
}

# project: the version of compose, what was recorded, what runs, and which images the names in both stand for now.
look() {
  command -v docker >/dev/null 2>&1 || exit 127
  v=$(docker compose version --short 2>/dev/null) || v=$(docker-compose version --short 2>/dev/null) || v=none
  printf 'compose %s\n' "$v"
  kept "$1"
  was=$([ ! -e "$record" ] || { h=$(sha256sum <"$record") && printf 'record %s\n' "${h%% *}" && sed 's/^/was /' "$record"; }) || exit
  now=$(live "$1") || exit
  printf '%s\n%s\n' "$was" "$now" | sed '/^$/d' | LC_ALL=C sort -u
  printf '%s\n%s\n' "$was" "$now" | sed -n 's/^was runs .* //p; s/^live .* //p' | LC_ALL=C sort -u | while IFS= read -r name; do
    id=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null </dev/null) || id=none
    printf 'image %s %s\n' "$id" "$name"
  done
}

# What is recorded goes aside under its own digest, so that it can come back; the ten last ones stay.
aside() {
  [ -e "$record" ] || return 0
  h=$(sha256sum <"$record") && mv -f "$record" "$record.${h%% *}" || return
  find "${record%/*}" -name "${record##*/}.*" -exec ls -t {} + | sed 1,10d | while IFS= read -r old; do rm -f "$old"; done
}

# Waits until nothing of the project is still on its way, twice in a row and a second apart: one that dies at once is not up.
settle() {
  end=$(($(date +%s) + $2)) last=
  while :; do
    ids=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False) || return
    [ -z "$ids" ] && return
    # shellcheck disable=SC2086 # numbers
    now=$(docker container inspect --format '{{.Name}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}} {{.State.ExitCode}} {{.RestartCount}}' $ids) || now='? gone - 0 0'
    bad=$(printf '%s\n' "$now" | sed -n 's|^/||; / unhealthy /p; / exited - 0 /d; / exited /p; / dead /p')
    wait=$(printf '%s\n' "$now" | sed -n 's|^/||; / starting /p; / created /p; / restarting /p; / gone /p')
    [ -z "$bad" ] || break
    [ -z "$wait" ] && [ "$now" = "$last" ] && return
    [ "$(date +%s)" -lt "$end" ] || break
    last=$now
    sleep 1
  done
  printf '%s\n' "${bad:-$wait}" | while read -r name state health code _; do
    docker logs --tail 10 "$name" 2>&1 | sed "s|^|$name: |" >&2
    case $state in
    exited | dead) echo "$name ended with status $code" >&2 ;;
    *) [ "$health" = - ] && echo "$name is $state, and was not up within $2 s" >&2 || echo "$name is $health" >&2 ;;
    esac
  done
  return 1
}

# project, profiles, up or stopped, its inputs: records what was made of them.
note() {
  kept "$1"
  (
    umask 077
    mkdir -p "${record%/*}"
  ) && (
    umask 077
    printf 'state %s\nprofiles %s\n' "$3" "$2"
    project=$1
    shift 3
    for input; do
      h=$(sha256sum <"$input") || exit
      printf 'input %s %s\n' "${h%% *}" "$input"
    done
    now=$(live "$project") || exit
    printf '%s\n' "$now" | sed -n 's/^live /runs /p' | LC_ALL=C sort
  ) >"$record.new" && chmod 600 "$record.new" && mv -f "$record.new" "$record" && sync "$record"
}

# project, profiles, directory, up or stopped, seconds to wait, options of `up`, services to make anew; then the inputs
up() {
  project=$1 profiles=$2 dir=$3 state=$4 patience=$5 options=$6 anew=$7
  shift 7
  kept "$project"
  aside || return
  if [ "$state" = stopped ]; then
    # shellcheck disable=SC2086 # words
    compose --project-directory "$dir" up --no-start $options && compose --project-directory "$dir" stop || return
  else
    compose --project-directory "$dir" unpause >/dev/null 2>&1
    # shellcheck disable=SC2086 # words
    if [ "$anew" ]; then compose --project-directory "$dir" up --detach --no-deps --force-recreate $anew || return; fi
    # shellcheck disable=SC2086 # words
    compose --project-directory "$dir" up --detach $options || return
    [ -z "$patience" ] || settle "$project" "$patience" || return
  fi
  note "$project" "$profiles" "$state" "$@"
}

# project: its containers and networks go; volumes stay. What is known of it by labels is enough for compose.
down() {
  kept "$1"
  aside || return
  cd / && compose --project-name "$1" down --remove-orphans
}

# Names, with the images that they are to stand for; what stood for nothing is left.
tagged() {
  while [ $# -gt 1 ]; do
    [ "$2" = none ] || [ "$(docker image inspect --format '{{.Id}}' "$1" 2>/dev/null)" = "$2" ] || docker tag "$2" "$1" || return
    shift 2
  done
}

# record: the digests of what it was made of
inputs() { sed -n 's/^input //p' "$1" 2>/dev/null; }

# digest: whether the files that are back are others than those that the containers started with. Compose does not see what is mounted.
other() {
  [ "$1" ] && [ -e "$record.$1" ] || return 1
  if [ -e "$record" ]; then [ "$(inputs "$record")" != "$(inputs "$record.$1")" ]; fi
}

# project, the digest of its record, directory, names and the images that ran under them, names and the images that they stood for;
# then its containers as they were, SERVICE-NUMBER STATE
restore() {
  project=$1 digest=$2 dir=$3 ran=$4 stood=$5
  shift 5
  # shellcheck disable=SC2086 # words
  tagged $ran || return
  kept "$project"
  anew=''
  if other "$digest"; then anew=--force-recreate; fi
  case " $* " in
  *' running '* | *' unhealthy '* | *' restarting '* | *' paused '*) how=--detach ;;
  *) how=--no-start ;;
  esac
  # shellcheck disable=SC2086 # a word, or none
  compose --project-directory "$dir" up $how --pull missing --no-build --remove-orphans $anew || return
  # shellcheck disable=SC2086 # words
  tagged $stood || return
  before=" $* "
  now=$(live "$project") || return
  printf '%s\n' "$now" | sed -n 's/^live \([^ ]*\) \([^ ]*\) .*/\1 \2/p' | while read -r service number; do
    id=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" \
      --filter "label=com.docker.compose.container-number=$number" </dev/null)
    case $before in
    *" $service-$number "running* | *" $service-$number "unhealthy* | *" $service-$number "restarting*) ;;
    *" $service-$number "paused*) docker pause "$id" >/dev/null </dev/null ;;
    *" $service-$number "*) docker stop "$id" >/dev/null </dev/null ;;
    *) docker rm --force "$id" >/dev/null </dev/null ;;
    esac || exit
  done || return
  if [ -e "$record" ] && h=$(sha256sum <"$record") && [ "${h%% *}" = "$digest" ]; then return; fi
  rm -f "$record"
  [ -z "$digest" ] || ! [ -e "$record.$digest" ] || cp -p "$record.$digest" "$record"
}
