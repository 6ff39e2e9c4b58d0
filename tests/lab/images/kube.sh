# shellcheck shell=bash
# The API of a Kubernetes cluster and nothing behind it: etcd, and the server made from what Debian makes its kubectl of. Debian 13 left that out.
debian amd64 bookworm ca-certificates
source_of bookworm "$(mirror)" | sed 's/^Types: deb$/Types: deb-src/' >"$root/etc/apt/sources.list.d/source.sources"
install_packages busybox-static etcd-server golang-go golang-github-modern-go-reflect2-dev openssl
source=$root/go/src/k8s.io
mkdir -p "$source"
inside sh -euc 'cd /go/src/k8s.io
  apt-get -qq source --download-only kubernetes
  tar -xzf kubernetes_*.orig.tar.gz'
mv "$source"/kubernetes-[0-9]* "$source/kubernetes"
# The one that comes with it reads maps as older Gos had them, and crashes.
rm -r "$source/kubernetes/vendor/github.com/modern-go/reflect2"
cp -r "$root/usr/share/gocode/src/github.com/modern-go/reflect2" "$source/kubernetes/vendor/github.com/modern-go/"
mount --bind /proc "$root/proc"
# As its own makefile had it: below GOPATH, without modules. What describes the objects' fields is made first; by it fields are merged.
inside env HOME=/root GOPATH=/go GO111MODULE=off CGO_ENABLED=0 sh -euc 'cd /go/src/k8s.io/kubernetes
  described=$(grep -rl --include="*.go" "+k8s:openapi-gen=" vendor/k8s.io/*/ pkg cmd | grep -v -e /code-generator/ -e /sample-apiserver/ | xargs -n1 dirname | sort -u | sed "s|^|k8s.io/kubernetes/|" | paste -sd,)
  go run ./vendor/k8s.io/kube-openapi/cmd/openapi-gen -i "$described" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
    -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r /dev/null
  go build -trimpath -ldflags "-s -w" -o /usr/bin/kube-apiserver ./cmd/kube-apiserver'
umount "$root/proc"
node=$root.node
rm -rf "$node"
mkdir -p "$node"/{bin,etc/kube,proc,sys,dev,run,tmp}
cp "$root/bin/busybox" "$root/usr/bin/etcd" "$root/usr/bin/kube-apiserver" "$node/bin/"
for applet in sh cat mkdir; do ln -s busybox "$node/bin/$applet"; done
for lib in $(inside ldd /usr/bin/etcd | grep -o '/[^ ]*'); do install -D "$root$lib" "$node$lib"; done
inside openssl genrsa 2048 >"$node/etc/kube/accounts.key"
token=$(inside openssl rand -hex 16)
echo "$token,lab,lab" >"$node/etc/kube/tokens"
cat >"$node/etc/kube/config" <<CONF
apiVersion: v1
kind: Config
current-context: lab
clusters:
  - { name: lab, cluster: { server: "https://$home.20:6443", insecure-skip-tls-verify: true } }
users:
  - { name: lab, user: { token: "$token" } }
contexts:
  - { name: lab, context: { cluster: lab, user: lab } }
CONF
# It begins anew with each start.
cat >"$node/bin/kube" <<'START'
#!/bin/sh
etcd --log-level error --data-dir /run/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 &
exec kube-apiserver --v 0 --etcd-servers http://127.0.0.1:2379 --secure-port 6443 --cert-dir /run/kube --token-auth-file /etc/kube/tokens --authorization-mode AlwaysAllow \
  --disable-admission-plugins ServiceAccount --service-cluster-ip-range 10.96.0.0/24 \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file /etc/kube/accounts.key --service-account-signing-key-file /etc/kube/accounts.key
START
chmod 755 "$node/bin/kube"
rm -rf --one-file-system "$root"
mv "$node" "$root"
