# What the node is: lines of a key and a raw value; nothing is judged here. What costs a process is found where it is named:
# machine, addresses, clock.
h_k() { h_line "$2"; [ "$v" ] && x="$x$1 $v$nl"; }
h_facts() {
  h_w=" $* "
  x="uid $uid${nl}gid $gid$nl"
  h_k hostname /proc/sys/kernel/hostname
  h_k kernel /proc/sys/kernel/osrelease
  case $h_w in *' clock '*) x="${x}clock $(exec date +%s)$nl" ;; esac
  [ "$boot" ] && x="${x}boot_id $boot$nl"
  h_slurp /etc/os-release
  [ "$v" ] || h_slurp /usr/lib/os-release
  while [ "$v" ]; do
    case $v in ID=* | ID_LIKE=* | VERSION_ID=* | VERSION_CODENAME=* | PRETTY_NAME=*) x="${x}os ${v%%"$nl"*}$nl" ;; esac
    v=${v#*"$nl"}
  done
  h_k pid1 /proc/1/comm
  [ -d /run/systemd/system ] && x="${x}init systemd$nl"
  [ -d /run/openrc ] && x="${x}init openrc$nl"
  [ -h /sbin/init ] && [ /sbin/init -ef /bin/busybox ] 2>/dev/null && x="${x}init busybox$nl"
  for p in apt-get dnf apk; do command -v "$p" >/dev/null 2>&1 && x="${x}pm $p$nl"; done
  { command -v groupadd && x="${x}accounts shadow$nl" || { command -v addgroup && x="${x}accounts busybox$nl"; }; } >/dev/null 2>&1
  case $h_w in *' machine '*)
    x="${x}machine $(exec uname -m)$nl"
    v=
    command -v dpkg >/dev/null 2>&1 && v=$(exec dpkg --print-architecture 2>/dev/null)
    if [ "$v" ]; then x="${x}arch $v$nl"
    else
      # shellcheck disable=SC2046 # words
      set -- $(exec od -An -tx1 -N20 /bin/sh 2>/dev/null)
      x="${x}elf $*$nl"
    fi
    ;;
  esac
  h_k memory /proc/meminfo
  h_k cpus /sys/devices/system/cpu/online
  [ "$v" ] || { while read -r a b; do
    case $a in Cpus_allowed_list:) x="${x}cpus $b$nl"; break ;; esac
  done </proc/self/status; } 2>/dev/null
  for p in /sys/class/net/*; do
    v=
    [ -e "$p" ] && h_line "$p/address"
    [ -e "$p" ] && x="${x}net ${p##*/} $v$nl"
  done
  h_slurp /proc/net/route
  while [ "$v" ]; do x="${x}route ${v%%"$nl"*}$nl"; v=${v#*"$nl"}; done
  h_addr=
  case $h_w in *' addresses '*) h_addr=$(exec ip -o addr 2>/dev/null) ;; esac
  for p in /boot/firmware /boot; do
    [ -f "$p/config.txt" ] && [ -f "$p/cmdline.txt" ] && { x="${x}boot $p$nl"; break; }
  done
  h_k model /proc/device-tree/model
  h_line /sys/devices/virtual/dmi/id/board_asset_tag
  case $v in i-*)
    x="${x}ec2 $v$nl"
    [ -r /run/cloud-init/instance-data.json ] &&
      x="${x}region $(sed -n 's/^ *"region": *"\([a-z0-9-]*\)".*/\1/p;' /run/cloud-init/instance-data.json 2>/dev/null)$nl"
    ;;
  esac
  h_k uidmap /proc/self/uid_map
  [ -e /etc/homelab-sandbox ] && x="${x}sandbox 1$nl"
  x="${x}login ${SUDO_USER:-${DOAS_USER:-}}$nl${SUDO_UID:+login_uid $SUDO_UID$nl}"
  h_slurp /etc/passwd
  while [ "$v" ]; do
    l=${v%%"$nl"*}
    v=${v#*"$nl"}
    a=${l#*:*:}
    [ "${a%%:*}" = "$uid" ] && x="${x}me $l$nl"
    case $l in
    "${SUDO_USER:-${DOAS_USER:-:}}":*) x="${x}them $l$nl" ;;
    esac
  done
  h_f facts '' "$x"
  h_f addr '' "$h_addr"
}
