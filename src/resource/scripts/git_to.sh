# Brings $1, a clone of $2 or nothing yet, to the commit $3 of the ref $4 (`-`: none). $5: how many commits deep; $6: `y` for
# submodules too; $7: `y` to lose local changes; $8: a key for ssh.
set -e
export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="ssh -o BatchMode=yes${8:+ -o IdentitiesOnly=yes -i $8}"
dest=$1
g() { git -c safe.directory="$dest" -c advice.detachedHead=false -C "$dest" "$@"; }
[ -e "$1/.git" ] || git init -q "$1"
g remote set-url origin "$2" 2>/dev/null || g remote add origin "$2"
has() { g cat-file -e "$1^{commit}" 2>/dev/null; }
case $4 in
refs/heads/*) g fetch -q ${5:+"--depth=$5"} origin "+$4:refs/remotes/origin/${4#refs/heads/}" ;;
refs/tags/*) g fetch -q ${5:+"--depth=$5"} origin "+$4:$4" ;;
# Not every server gives a commit by its name.
*) has "$3" || g fetch -q ${5:+"--depth=$5"} origin "$3" 2>/dev/null || g fetch -q --tags origin '+refs/heads/*:refs/remotes/origin/*' ;;
esac
has "$3" || { echo "$2 has moved on, and the commit $3 is not there" >&2; exit 1; }
old=$(g rev-parse -q --verify HEAD) && g update-ref refs/homelab/before "$old"
g update-ref refs/homelab/at "$3"
[ "$7" != y ] || { [ -z "$old" ] || g reset -q --hard; }
case $4 in
refs/heads/*)
  g checkout -q -B "${4#refs/heads/}" "$3"
  g branch -q --set-upstream-to="origin/${4#refs/heads/}" >/dev/null 2>&1 || :
  ;;
*) g checkout -q --detach "$3" ;;
esac
if [ "$6" = y ] && [ -e "$1/.gitmodules" ]; then g submodule -q sync --recursive; g submodule -q update --init --recursive ${5:+"--depth=$5"}; fi
