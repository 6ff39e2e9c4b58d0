# Has kubectl make a cluster hold what a manifest says, and tells how it differs. What was applied is recorded on the node, for its
# owner only: a manifest may hold secrets. Manifests come on standard input and go to kubectl's; of objects only documents that
# name them are in "$@". The environment says which cluster: KUBECONFIG, HL_CONTEXT, HL_NAMESPACE, HL_MANAGER, HL_FORCE.
# The numbers of objects, with a space before each: of what comes on standard input kubectl makes a list, also where it is one.
numbers='jsonpath={.metadata.uid}{range .items[*]} {.metadata.uid}{end}'

# Where the record of that name is.
kept() {
  if [ "$(id -u)" = 0 ]; then kept=/var/lib/homelab
  else kept=${XDG_STATE_HOME:-$HOME/.local/state}/homelab; fi
  record=$kept/kubernetes/$1
}

k() { kubectl ${HL_CONTEXT:+--context "$HL_CONTEXT"} ${HL_NAMESPACE:+--namespace "$HL_NAMESPACE"} "$@"; }

# Of whole objects compared: the lines that differ, below those that say where they are. What the cluster counts, times and numbers by
# itself differs each time, and so may addresses of what is not there yet.
differing() {
  awk '
    /^@@ / && !(o + n) {
      split($2, a, ","); split($3, b, ",")
      o = a[2] == "" ? 1 : a[2] + 0; n = b[2] == "" ? 1 : b[2] + 0
      fresh = o == 0; told = depth = 0; top = sub2 = ""
      if (fresh) { print "new " file; told = 1 }
      next
    }
    !(o + n) { if ($1 == "+++") { file = $2; gsub(/^.*\//, "", file) } next }
    /^\\/ { next }
    {
      sign = substr($0, 1, 1); line = substr($0, 2)
      if (sign != "+") o--
      if (sign != "-") n--
      match(line, /^ */); level = 2 * RLENGTH
      if (substr(line, RLENGTH + 1, 2) == "- ") level++
      # A secret that is not there, as kubectl masks it.
      if ($0 == "-null" && o + 0 == 0 && !told) { print "new " file; fresh = told = 1 }
      key = line; sub(/^ */, "", key); sub(/:.*/, "", key)
      if (level == 0) { top = key; sub2 = "" }
      if (level == 4) sub2 = key
      if (fresh || top == "status") next
      if (top == "metadata" && sub2 ~ /^(creationTimestamp|generation|managedFields|resourceVersion|uid)$/) next
      while (depth > 0 && at[depth] >= level) depth--
      if (sign != " ") {
        if (!told) { print "changed " file; told = 1 }
        for (i = 1; i <= depth; i++) if (!shown[i]) { print " " above[i]; shown[i] = 1 }
        print sign line
      }
      depth++; at[depth] = level; above[depth] = line; shown[depth] = sign != " "
    }
    END { print "end" }'
}

# name, or nothing; the manifest on standard input, or nothing: what is recorded under the name, and how the cluster differs.
look() {
  command -v kubectl >/dev/null 2>&1 || exit 127
  if [ "$1" ]; then
    kept "$1"
    if [ -e "$record" ]; then h=$(sha256sum <"$record") && echo "record ${h%% *}" || exit; fi
    [ ! -e "$record.new" ] || echo begun
    for known in "$record" "$record.new"; do
      [ ! -e "$known" ] || sed -n '/^---/q; s/^# homelab: /was /p' "$known" || exit
    done
  fi
  wished=$(cat)
  text=
  if [ "$wished" ]; then
    text=$(printf '%s\n' "$wished" | KUBECTL_EXTERNAL_DIFF='diff -N -U99999' k diff --server-side ${HL_FORCE:+--force-conflicts} --field-manager "$HL_MANAGER" -f -)
    c=$?
    # Old ones end with 1 also where they fail.
    [ $c = 1 ] && [ -z "$text" ] && c=2
    [ $c -le 1 ] || exit $c
  fi
  printf '%s\n' "$text" | differing
}

# What is recorded goes aside under its own digest, so that it can come back; the ten last ones stay.
aside() {
  [ -e "$record" ] || return 0
  h=$(sha256sum <"$record") && cp -p "$record" "$record.${h%% *}" || return
  find "${record%/*}" -name "${record##*/}.????????????????????????????????????????????????????????????????" -exec ls -t {} + | sed 1,10d |
    while IFS= read -r old; do rm -f "$old"; done
}

# file: has the cluster hold it, and keeps the numbers of its objects in uids: one may be known under another version of its kind.
holds() {
  k apply --server-side ${HL_FORCE:+--force-conflicts} --field-manager "$HL_MANAGER" -f - <"$1" || return
  uids=$(k get -f - -o "$numbers" <"$1") || return
  [ "$uids" ] || { echo 'the cluster does not say which objects it has' >&2; return 1; }
}

# documents that name objects: they go, but for those in uids
remove() {
  for doc; do
    if ! said=$(printf '%s\n' "$doc" | k get -f - --ignore-not-found -o "$numbers" 2>&1); then
      # Nobody knows the kind any more, so nothing of it is there.
      case $said in *'no matches for kind'*) continue ;; esac
      printf '%s\n' "$said" >&2
      return 1
    fi
    uid=${said##* }
    [ "$uid" ] || continue
    case " $uids " in *" $uid "*) continue ;; esac
    printf '%s\n' "$doc" | k delete -f - --ignore-not-found --timeout 120s || return
  done
}

# name, seconds to wait; then `remove DOCUMENT`, `rollout DOCUMENT`, `ready DOCUMENT` and `complete DOCUMENT`. The record on standard input.
apply() {
  kept "$1"
  patience=$2
  shift 2
  (
    umask 077
    mkdir -p "${record%/*}" && cat >"$record.new"
  ) && aside && holds "$record.new" || return
  while [ $# -gt 1 ]; do
    case $1 in
    remove) remove "$2" ;;
    rollout) printf '%s\n' "$2" | k rollout status -f - --timeout "${patience}s" ;;
    *) printf '%s\n' "$2" | k wait -f - --for "condition=$1" --timeout "${patience}s" ;;
    esac || return
    shift 2
  done
  mv -f "$record.new" "$record" && sync "$record"
}

# name, then documents: what was recorded goes
absent() {
  kept "$1"
  shift
  uids=
  aside && remove "$@" && rm -f "$record.new" "$record"
}

# name, the digest of what was recorded, or nothing; then documents of what came since
restore() {
  kept "$1"
  old=$2
  uids=
  shift 2
  if [ "$old" ]; then
    file=$record.$old
    [ -e "$file" ] || file=$record
    if ! h=$(sha256sum <"$file") || [ "${h%% *}" != "$old" ]; then
      echo "the record of what was applied before is gone from ${record%/*}" >&2
      return 1
    fi
    HL_FORCE=y
    holds "$file" || return
  fi
  remove "$@" && rm -f "$record.new" || return
  if [ -z "$old" ]; then rm -f "$record"
  elif [ "$file" != "$record" ]; then cp -p "$file" "$record"; fi
}
