# shellcheck shell=bash
# A whole machine, whose kernel is another: Debian 13 as a fresh instance of a cloud's has it. `admin` needs no password for sudo; the host keys
# are made at the first boot.
from plain
# A cloud's instance has python, to be told of itself.
install_packages udev kmod python3 ca-certificates
inside userdel --remove pi
rm "$root/etc/sudoers.d/pi"
account admin
# What only a container cannot do.
find "$root/etc/systemd/system" -maxdepth 1 -lname /dev/null -delete
# Whenever systemd reads its units again it runs all of these, and starting a process takes long on such a kernel.
mkdir -p "$root/etc/systemd/system-generators"
for one in "$root"/usr/lib/systemd/system-generators/*; do
  case $one in *-fstab-* | *-getty-* | *-sysv-*) ;; *) ln -s /dev/null "$root/etc/systemd/system-generators/${one##*/}" ;; esac
done
inside systemctl enable systemd-networkd
echo '/dev/ubda / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
rm "$root/etc/machine-id"
# The kernel is without nftables for IP.
for tool in iptables ip6tables; do inside update-alternatives --set $tool /usr/sbin/$tool-legacy; done
