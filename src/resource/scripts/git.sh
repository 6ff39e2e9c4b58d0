# How the clone $1 of $2 stands, and where $3 (a branch, a tag, HEAD or a whole commit) is there now. $4: `y` to ask the repository also
# where a clone is there already; $5: a key for ssh. Two lines: `none`, `empty`, `foreign` or `clone COMMIT BRANCH clean|dirty AHEAD URL`;
# `at COMMIT REF`, `missing`, `unasked` or `unreachable WHY`.
command -v git >/dev/null || exit 127
export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="ssh -o BatchMode=yes${5:+ -o IdentitiesOnly=yes -i $5}"
dest=$1
g() { git -c safe.directory="$dest" -C "$dest" "$@"; }
clone=
if [ -h "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then echo foreign
elif [ ! -d "$1" ]; then echo none
elif [ -e "$1/.git" ]; then
  clone=$(g rev-parse -q --verify HEAD) || clone=
  branch=$(g symbolic-ref -q --short HEAD) || branch=-
  dirty=clean
  [ -z "$(g status --porcelain --untracked-files=no 2>&1 | head -n 1)" ] || dirty=dirty
  # Commits that came from nowhere else.
  ahead=$(g rev-list --count HEAD --not --remotes --tags '--glob=refs/homelab/*' 2>/dev/null) || ahead=0
  echo "clone ${clone:-unborn} $branch $dirty $ahead $(g config --get remote.origin.url)"
elif [ -z "$(ls -A -- "$1")" ]; then echo empty
else echo foreign
fi
[ "$clone" ] && [ "$4" != y ] && { echo unasked; exit; }
case $3 in
*[!0-9a-f]*) ;;
????????????????????????????????????????) echo "at $3 -"; exit ;;
esac
set -- "$2" "$3"
limit=
command -v timeout >/dev/null && limit='timeout 60'
if [ "$2" = HEAD ]; then set -- --symref "$1" HEAD; else set -- "$1" "refs/heads/$2" "refs/tags/$2" "refs/tags/$2^{}"; fi
# shellcheck disable=SC2086 # words
said=$($limit git ls-remote "$@" 2>&1) || { echo "unreachable $(printf '%s\n' "$said" | grep -v '^$' | grep -v -e 'correct access rights' -e 'repository exists' -e 'Could not read from remote' | tail -n 1)"; exit; }
tab=$(printf '\t')
at='' ref='' head=''
while IFS=$tab read -r what name; do
  case $what:$name in
  ref:*:HEAD) head=${what#ref: } ;;
  *:HEAD) at=$what ref=$head ;;
  *:refs/heads/*) at=$what ref=$name ;;
  # A branch goes before a tag of its name; the commit before the object of an annotated tag.
  *:refs/tags/*) case $ref in refs/heads/*) ;; *) at=$what ref=${name%'^{}'} ;; esac ;;
  esac
done <<END
$said
END
if [ "$at" ]; then echo "at $at ${ref:--}"; else echo missing; fi
