# Images: whether each is here; else what is offered, asked by the daemon as it would pull, with its mirrors, proxies and certificates, and with
# the login that docker has at the registry. The daemon's own interface is spoken through the one program that is there wherever docker is.
# A login goes through pipes and the shell's own commands only: it is no argument of a process, lies in no other file, and is not answered.

# What a JSON text on standard input says of the registry $1, or, without one, what a helper has answered; without quotes, as it stands there:
# `helper NAME`, `auth BASE64`, `identitytoken TOKEN`, `registrytoken TOKEN`, `username NAME`, `password PASSWORD`, `secret SECRET`.
found() {
  awk -v server="$1" '
    function rank(name) {
      gsub(/\\\//, "/", name)
      if (name == server) return 2
      sub(/^https?:\/\//, "", name); sub(/\/.*/, "", name)
      return name == server
    }
    function value(word) {
      if (server == "") { if (depth == 1) says[tolower(key[1])] = word }
      else if (depth == 1 && key[1] == "credsStore") { if (!own) helper = word }
      else if (depth == 2 && key[1] == "credHelpers") { if (key[2] == server) { own = 1; helper = word } }
      else if (depth == 3 && key[1] == "auths") {
        if (rank(key[2]) > best) { best = rank(key[2]); entry = key[2]; split("", says) }
        if (best && key[2] == entry) says[key[3]] = word
      }
    }
    { text = text $0 "\n" }
    END {
      for (;;) {
        sub(/^[ \t\r\n,:]+/, "", text)
        if (text == "") break
        if (depth == 0 && text !~ /^[{]/) exit 1
        if (match(text, /^"([^"\\]|\\.)*"/)) {
          word = substr(text, 2, RLENGTH - 2)
          text = substr(text, RLENGTH + 1)
          if (text ~ /^[ \t\r\n]*:/) key[depth] = word; else value(word)
        }
        else if (match(text, /^[{[]/)) { key[++depth] = ""; text = substr(text, 2) }
        else if (match(text, /^[]}]/)) { depth--; text = substr(text, 2) }
        else if (match(text, /^[-+.0-9A-Za-z]+/)) text = substr(text, RLENGTH + 1)
        else exit 1
      }
      if (depth != 0) exit 1
      if (helper != "") print "helper " helper
      n = split("auth identitytoken registrytoken username password secret", all, " ")
      for (i = 1; i <= n; i++) if (says[all[i]] != "") print all[i] " " says[all[i]]
    }'
}

# $2 of what `found` has said in $1, into v.
of() {
  v=
  case $nl$1$nl in *"$nl$2 "*) v=$nl$1$nl v=${v#*"$nl$2 "} v=${v%%"$nl"*} ;; esac
}

# Docker's login at the registry of the image $1, as its daemon takes it, into `login`; why there is none where there should be, into `without`.
login() {
  login='' without='' server=docker.io
  case $1 in */*) case ${1%%/*} in *.* | *:* | localhost) server=${1%%/*} ;; esac ;; esac
  case $server in docker.io | index.docker.io) server=https://index.docker.io/v1/ ;; esac
  file=${DOCKER_CONFIG:-${HOME:-/root}/.docker}/config.json
  [ -e "$file" ] || return 0
  said=$(found "$server" <"$file" 2>/dev/null) || { without="the logins in $file cannot be read"; return 0; }
  of "$said" helper
  helper=$v
  if [ "$helper" ]; then
    case $helper in *[!A-Za-z0-9._-]*) without="$file names no helper that can be asked"; return 0 ;; esac
    if ! { said=$(printf %s "$server" | timeout 10 "docker-credential-$helper" get 2>/dev/null) && said=$(printf '%s\n' "$said" | found ''); }; then
      without="docker-credential-$helper gives no login for it"
      return 0
    fi
    of "$said" secret
    secret=$v
    of "$said" username
    # What a registry has given in place of a password.
    case $v in '<token>') said="identitytoken $secret" ;; *) said="username $v${nl}password $secret" ;; esac
  fi
  of "$said" auth
  if [ "$v" ]; then
    v=$(printf %s "$v" | base64 -d 2>/dev/null | sed 's/[\\"]/\\&/g')
    case $v in
    *[[:cntrl:]]*) without="the login in $file cannot be handed over" ;;
    *:*) said="$said${nl}username ${v%%:*}${nl}password ${v#*:}" ;;
    *) without="the login in $file cannot be read" ;;
    esac
  fi
  for what in identitytoken registrytoken username; do
    of "$said" "$what"
    [ -z "$v" ] || break
  done
  [ "$v" ] || return 0
  login="\"$what\":\"$v\""
  if [ "$what" = username ]; then of "$said" password; login="$login,\"password\":\"$v\""; fi
  login=$(printf '{%s}' "$login" | base64 | tr -d '\n' | tr +/ -_)
}

# image: the daemon's answer
ask() {
  {
    printf 'GET /distribution/%s/json HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n' "$1"
    [ -z "$login" ] || printf 'X-Registry-Auth: %s\r\n' "$login"
    printf '\r\n'
  } | timeout 30 docker system dial-stdio 2>&1
}

offers() {
  command -v docker >/dev/null 2>&1 || exit 127
  nl='
'
  end=$(($(date +%s) + 60))
  for image; do
    if docker image inspect --format . "$image" >/dev/null 2>&1; then
      echo "here $image"
      continue
    fi
    # Registries that let one wait must not let the node be taken for lost.
    if [ "$(date +%s)" -ge "$end" ]; then
      echo "asked $image not asked: others have taken a minute to answer, or not to"
      continue
    fi
    login "$image"
    said=$(ask "$image") || said="$said${nl}no answer within 30 s"
    [ -z "$without" ] || echo "without $image $without"
    printf 'asked %s ' "$image"
    printf '%s\n' "$said" | tr -d '\r' | sed -n '$p'
  done
}
offers "$@"
