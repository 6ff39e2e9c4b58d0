#!/bin/sh
set -e
tar -C /etc -czf "/srv/backup/etc-$(date +%F).tar.gz" .
find /srv/backup -name "*.tar.gz" -mtime +28 -delete
