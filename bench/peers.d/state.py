"""What a tool made of a node: every entry of its upper directory that differs from the image, with type, mode, owner and content.

    state.py IMAGE UPPER [--times]

Left out: what a tool keeps for itself, and what tells who did it rather than what was done. With --times the time of each file's last
change is said too, so that a second pass that rewrote something shows.
"""

import hashlib
import os
import re
import stat
import sys

TRACES = re.compile(
    r"^(tmp|run|proc|var/tmp|var/log|var/cache|var/lib/homelab|var/lib/apt|var/lib/dpkg/lock.*|root/\.(ansible|cache|local)"
    r"|etc/\.pwd\.lock|etc/(passwd|group|shadow|gshadow|subuid|subgid)-|.*/__pycache__)(/|$)"
)


def content(path, name):
    with open(path, "rb") as file:
        data = file.read()
    if name == "etc/shadow":  # the day of the last change
        data = re.sub(rb"(?m)^([^:]*:[^:]*):\d*:", rb"\1::", data)
    if name.startswith("var/spool/cron/crontabs/"):  # the mark by which each tool finds its job again
        data = b"".join(line for line in data.splitlines(True) if not line.startswith(b"#") and line.strip())
        fields = [b" ".join(line.split()) for line in data.splitlines()]
        data = b"\n".join(fields)
    return hashlib.sha256(data).hexdigest()[:16]


def say(path, name, times):
    seen = os.lstat(path)
    kind = stat.S_IFMT(seen.st_mode)
    what = f"{stat.S_IMODE(seen.st_mode):04o} {seen.st_uid}:{seen.st_gid}"
    when = f" {seen.st_mtime_ns} {seen.st_ctime_ns}" if times else ""
    if kind == stat.S_IFCHR and seen.st_rdev == 0:
        return "gone"
    if kind == stat.S_IFLNK:
        return f"link {os.readlink(path)}{when}"
    if kind == stat.S_IFDIR:
        return f"directory {what}"
    return f"file {what} {content(path, name)}{when}"


def main():
    image, upper, times = sys.argv[1], sys.argv[2], "--times" in sys.argv
    lines = []
    for folder, folders, files in os.walk(upper):
        for one in folders + files:
            path = os.path.join(folder, one)
            name = os.path.relpath(path, upper)
            if TRACES.match(name):
                continue
            now = say(path, name, times)
            below = os.path.join(image, name)
            if os.path.lexists(below) and now == say(below, name, times):
                continue
            if now == "gone" and not os.path.lexists(below):
                continue
            lines.append(f"{name} {now}")
    print("\n".join(sorted(lines)))


main()
