# Groups and accounts, with shadow's tools or busybox's. What was is kept as text; undo makes it so again.
# file, name: the entry's line into v, its name left out
h_entry() {
  v=
  while IFS= read -r l; do
    case $l in "$2":*) v=${l#*:}; return ;; esac
  done <"$1"
  return 1
} 2>/dev/null
h_has() { command -v "$1" >/dev/null 2>&1; }
# name, number or -, -r or -
h_mkgroup() {
  g=$2 s=$3
  [ "$g" = - ] && g=
  [ "$s" = - ] && s=
  if h_has groupadd; then groupadd ${s:+-r} ${g:+-g "$g"} -- "$1"
  else addgroup ${s:+-S} ${g:+-g "$g"} "$1"
  fi
}
h_rmgroup() { if h_has groupdel; then groupdel -- "$1"; else delgroup "$1"; fi; }
# number, present or absent, gid or -, -r or -, name
h_group() {
  y=$1
  if h_entry /etc/group "$5"; then c=y v=${v#*:} a=${v%%:*} b=${v#*:}; else c=- a=- b=-; fi
  h_enc "$5"
  h_journal "$y" "B $y group $c $a ${b:--} - - $e$nl" || return
  if [ "$2" = absent ]; then [ "$c" = - ] || e=$(h_rmgroup "$5" 2>&1)
  elif [ "$c" = - ]; then e=$(h_mkgroup "$5" "$3" "$4" 2>&1)
  elif [ "$3" != - ] && [ "$3" != "$a" ]; then e=$(groupmod -g "$3" -- "$5" 2>&1)
  fi && h_done "$y" || h_fail "$y" "$e"
}
# B number group was gid members
u_group() {
  y=$2
  if h_entry /etc/group "$p"; then
    v=${v#*:}
    if [ "$4" = - ]; then e=$(h_rmgroup "$p" 2>&1)
    elif [ "${v%%:*}" != "$5" ]; then e=$(groupmod -g "$5" -- "$p" 2>&1)
    fi
  elif [ "$4" = y ]; then
    e=$({ h_mkgroup "$p" "$5" - && { [ "$6" = - ] || h_members "$6" "$p"; }; } 2>&1)
  fi && h_undone "$y" || h_stick "$y" "$e"
}
# names with commas, group
h_members() {
  if h_has gpasswd; then gpasswd -M "$1" "$2" >/dev/null
  else
    IFS=,
    for l in $1; do unset IFS; addgroup "$l" "$2" || return; done
    unset IFS
  fi
}
# An account's supplementary groups into v, with commas.
h_groups_of() {
  v=
  while IFS=: read -r a b e l; do
    case ,$l, in *,"$1",*) v=${v:+$v,}$a ;; esac
  done </etc/group
}
# number, name, add mod or del, whether its home goes too, password field or nothing, then arguments for useradd or usermod
h_user() {
  y=$1 p=$2 h_do=$3 h_home=$4 h_pw=$5
  shift 5
  c=- h_h=-
  : >"$R/before/$y.user"
  if h_entry /etc/passwd "$p"; then
    c=y h_l=$v
    h_groups_of "$p"
    b=$v
    h_entry /etc/shadow "$p"
    a=${v%%:*} h_age=${v#*:}
    v=${h_l#*:*:}
    h_g=${v%%:*} h_gn=$h_g
    while IFS=: read -r e k l g; do [ "$l" = "$h_g" ] && { h_gn=$e; break; }; done </etc/group
    e=$(printf '%s\n' "$h_l" "$a" "$b" "$h_gn" "$h_age" 2>&1 >"$R/before/$y.user") || { h_fail "$y" "$e"; return 1; }
    v=${h_l#*:*:*:*:}
    v=${v%:*}
    [ "$h_home" = y ] && h_h=$v
  else
    for l; do
      case $v in -d) h_h=$l ;; esac
      v=$l
    done
    [ "$h_h" = - ] && h_h=/home/$p
    # A home that was there before is not ours to take away.
    [ -e "$h_h" ] && h_h=-
  fi
  k=-
  h_entry /etc/group "$p" && k=y
  h_enc "$p"
  l=$e
  h_enc "$h_h"
  printf '%s\n' "$e" >"$R/before/$y.home"
  h_journal "$y" "B $y user $c $k - - - $l$nl" 1 || return
  case $h_do in
  add)
    if h_has useradd; then
      # A group of the same name is meant.
      if [ "$k" = y ]; then case " $* " in *' -g '*) ;; *) set -- -g "$p" "$@" ;; esac fi
      e=$(useradd "$@" -- "$p" 2>&1)
    else e=$(h_adduser "$p" "$@" 2>&1)
    fi ;;
  mod) [ $# = 0 ] || { if h_has usermod; then e=$(usermod "$@" -- "$p" 2>&1); else e='there is no usermod on this node' && false; fi; } ;;
  del)
    if [ "$c" = - ]; then :
    else
      if h_has userdel; then e=$(userdel -- "$p" 2>&1); else e=$(deluser "$p" 2>&1); fi &&
        if [ "$h_h" != - ] && [ -d "$h_h" ] && [ ! -h "$h_h" ]; then
          v=${h_l#*:}
          [ "$(stat -c %u -- "$h_h")" = "${v%%:*}" ] && { e=$(mkdir -p "$R/before/$y.h" 2>&1) && h_away "$y" "$h_h" "$R/before/$y.h/home"; return; }
          :
        fi
    fi ;;
  esac || { h_fail "$y" "$e"; return 1; }
  if [ "$h_pw" ]; then e=$(printf '%s:%s\n' "$p" "$h_pw" | chpasswd -e 2>&1) || { h_fail "$y" "$e"; return 1; }; fi
  h_done "$y"
}
# busybox: name, arguments as for useradd
h_adduser() {
  h_n=$1 h_G=
  shift
  set -- "$@" --
  set -f
  l= a=
  while [ "$1" != -- ]; do
    case $1 in
    -u) set -- "$@" -u "$2"; shift ;;
    -g) set -- "$@" -G "$2"; shift ;;
    -G) h_G=$2; shift ;;
    -c) set -- "$@" -g "$2"; shift ;;
    -d) set -- "$@" -h "$2"; shift ;;
    -s) set -- "$@" -s "$2"; shift ;;
    -r) set -- "$@" -S ;;
    -M) set -- "$@" -H ;;
    esac
    shift
  done
  set +f
  shift
  adduser -D "$@" "$h_n" || return
  IFS=,
  for l in $h_G; do unset IFS; addgroup "$h_n" "$l" || return; done
  unset IFS
}
# The rest of the account's line in shadow: last change, least and most days, warning, inactive, end; empty ones are -1.
h_aged() {
  [ "$1" ] && h_has chage && h_entry /etc/shadow "$p" && [ "${v#*:}" != "$1" ] || return 0
  IFS=: read -r a b c e l g x <<H_EOF
$1
H_EOF
  chage -d "${a:--1}" -m "${b:--1}" -M "${c:--1}" -W "${e:--1}" -I "${l:--1}" -E "${g:--1}" -- "$p"
}
u_user() {
  y=$2
  { IFS= read -r h_l; IFS= read -r h_pw; IFS= read -r b; IFS= read -r h_gn; IFS= read -r h_age; } <"$R/before/$y.user"
  h_line "$R/before/$y.home"
  k=$5 c=$4
  h_dec "$v"
  h_h=$e
  if [ "$c" = - ]; then
    e=
    if h_entry /etc/passwd "$p"; then
      h_g=
      [ "$k" = - ] || ! h_entry /etc/group "$p" || { v=${v#*:} && h_g=${v%%:*}; }
      # It takes the group of that name along, which was there before.
      { if h_has userdel; then e=$(userdel -- "$p" 2>&1); else e=$(deluser "$p" 2>&1); fi; } &&
        { [ -z "$h_g" ] || h_entry /etc/group "$p" || e=$(h_mkgroup "$p" "$h_g" - 2>&1); }
    fi || { h_stick "$y" "$e"; return; }
    if [ "$k" = - ] && h_entry /etc/group "$p"; then e=$(h_rmgroup "$p" 2>&1) || { h_stick "$y" "$e"; return; }; fi
    # Of a run that was over long ago, it may hold somebody's work.
    case $h_h in /?*) [ ! -d "$h_h" ] || if [ "$h_ended" ] || h_mounted "$h_h"; then h_aside "$y" "$h_h"; else e=$(rm -rf -- "$h_h" 2>&1); fi ;; esac || { h_stick "$y" "$e"; return; }
    h_undone "$y"
    return
  fi
  # Tools that have nothing to do need no room on a full disk.
  if h_entry /etc/passwd "$p" && [ "$v" = "$h_l" ] && [ ! -d "$R/before/$y.h/home" ] && h_entry /etc/group "$h_gn"; then
    x=$b
    h_groups_of "$p"
    b=$x
    [ "$v" = "$b" ] && h_entry /etc/shadow "$p" && [ "$v" = "$h_pw:$h_age" ] && { h_undone "$y"; return; }
  fi
  # x:uid:gid:comment:home:shell
  v=${h_l#*:} h_id=${v%%:*}
  v=${v#*:} h_g=${v%%:*}
  v=${v#*:} h_c=${v%%:*}
  v=${v#*:} h_d=${v%%:*} h_s=${v#*:}
  e=$(
    exec 2>&1
    h_entry /etc/group "$h_gn" || h_mkgroup "$h_gn" "$h_g" - || exit
    if h_entry /etc/passwd "$p"; then
      h_has usermod || exit 0
      usermod -u "$h_id" -g "$h_g" -G "$b" -c "$h_c" -d "$h_d" -s "$h_s" -- "$p"
    elif h_has useradd; then useradd -M -u "$h_id" -g "$h_g" -G "$b" -c "$h_c" -d "$h_d" -s "$h_s" -- "$p"
    else h_adduser "$p" -M -u "$h_id" -g "$h_gn" -G "$b" -c "$h_c" -d "$h_d" -s "$h_s"
    fi || exit
    [ -z "$h_pw" ] || printf '%s:%s\n' "$p" "$h_pw" | chpasswd -e || exit
    h_aged "$h_age" || exit
    # usermod says that there was nothing to change, userdel that a mail spool is not there: neither is an error.
    [ ! -d "$R/before/$y.h/home" ] || [ -e "$h_d" ] || cp -a -- "$R/before/$y.h/home" "$h_d"
  ) || { h_stick "$y" "$e"; return; }
  h_undone "$y"
}
