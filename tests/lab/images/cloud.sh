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
mkdir -p "$root/etc/systemd/system-generators"
ln -s /dev/null "$root/etc/systemd/system-generators/systemd-ssh-generator" # for guests of other kinds
inside systemctl enable systemd-networkd
echo '/dev/ubda / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
rm "$root/etc/machine-id"
# The kernel is without nftables for IP.
for tool in iptables ip6tables; do inside update-alternatives --set $tool /usr/sbin/$tool-legacy; done
