# shellcheck shell=bash
# busybox, dropbear and the libraries that dropbear needs: nothing else.
from plain
install_packages busybox-static dropbear-bin
node=$root.node
rm -rf "$node"
mkdir -p "$node"/{bin,etc/dropbear,etc/ssh,lib64,proc,sys,dev,run,tmp,var/log,root}
chmod 1777 "$node/tmp"
chmod 700 "$node/root"
cp "$root/bin/busybox" "$root/usr/sbin/dropbear" "$root/usr/bin/dropbearconvert" "$node/bin/"
for lib in $(inside ldd /usr/sbin/dropbear /usr/bin/dropbearconvert | grep -o '/[^ ]*' | grep -v ':$' | sort -u); do
  install -D "$root$lib" "$node$lib"
done
for applet in $(inside busybox --list); do ln -s busybox "$node/bin/$applet" 2>/dev/null || true; done
ln -s bin "$node/sbin"
echo 'root:x:0:0:root:/root:/bin/sh' >"$node/etc/passwd"
echo 'root:*:19000:0:99999:7:::' >"$node/etc/shadow"
echo 'root:x:0:' >"$node/etc/group"
echo /bin/sh >"$node/etc/shells"
chmod 600 "$node/etc/shadow"
# The Debian was only where it was taken from.
rm -rf --one-file-system "$root"
mv "$node" "$root"
