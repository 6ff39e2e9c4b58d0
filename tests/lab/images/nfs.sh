# shellcheck shell=bash
# An NFS server that needs nothing of the kernel, and libnfs to look at it.
from plain
install_packages nfs-ganesha nfs-ganesha-vfs libnfs-utils
ln -s /dev/null "$root/etc/systemd/system/run-rpc_pipefs.mount" # the kernel's NFS client's
mkdir -p "$root/srv/nfs"
echo 'from the lab' >"$root/srv/nfs/hello"
cat >"$root/etc/ganesha/ganesha.conf" <<'CONF'
NFS_CORE_PARAM { Protocols = 3, 4; mount_path_pseudo = true; allow_set_io_flusher_fail = true; }
# Nobody's locks are left from before, and there is no Kerberos.
NFSV4 { Graceless = true; }
NFS_KRB5 { Active_krb5 = false; }
EXPORT {
  Export_Id = 1;
  Path = /srv/nfs;
  Pseudo = /srv/nfs;
  Access_Type = RW;
  Squash = No_Root_Squash;
  SecType = sys;
  FSAL { Name = VFS; }
}
CONF
