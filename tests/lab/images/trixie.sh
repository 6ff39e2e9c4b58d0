# shellcheck shell=bash
# Debian 13 with docker and compose. sudo asks `admin` for a password.
from plain
install_packages docker.io docker-cli docker-compose
inside userdel --remove pi
rm "$root/etc/sudoers.d/pi"
account admin 'correct horse'
inner_docker
