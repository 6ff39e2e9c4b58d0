# The tool that can download here: `curl`, `wget`, the path of apt's own, or nothing.
for tool in curl wget; do
  command -v "$tool" >/dev/null && { echo "$tool"; exit; }
done
[ ! -x /usr/lib/apt/apt-helper ] || echo /usr/lib/apt/apt-helper
