# shellcheck shell=bash
# Debian's docker-registry, as the only process.
from plain
install_packages docker-registry
cat >"$root/etc/docker/registry/config.yml" <<'CONF'
version: 0.1
log: { level: warn }
storage: { filesystem: { rootdirectory: /var/lib/docker-registry } }
http: { addr: ":5000" }
CONF
