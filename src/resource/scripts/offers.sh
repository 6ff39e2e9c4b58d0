# Images: whether each is here; else what is offered, asked by the daemon as it would pull, with its mirrors, proxies and certificates.
# The daemon's own interface is spoken through the one program that is there wherever docker is.
offers() {
  command -v docker >/dev/null 2>&1 || exit 127
  for image; do
    if docker image inspect --format . "$image" >/dev/null 2>&1; then
      echo "here $image"
      continue
    fi
    said=$(printf 'GET /distribution/%s/json HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n' "$image" | timeout 30 docker system dial-stdio 2>&1) || said="$said
no answer within 30 s"
    printf 'asked %s ' "$image"
    printf '%s\n' "$said" | tr -d '\r' | sed -n '$p'
  done
}
offers "$@"
