# shellcheck shell=bash disable=SC2154
# The tools of bench/peers: how each is set up, told of the nodes and run. Each by its own documented settings for speed. Sourced.

tools() { echo homelab mitogen ansible pyinfra; }

# site WORK NODES: all that the tools read, in `$site`.
site() {
  local n count=0
  site=$work/site
  rm -rf "$site"
  mkdir -p "$site/files" "$site/home"
  case $1 in
    files*)
      count=${1#files}
      cp "$here"/files/* "$site/"
      # A few hundred bytes each, all different.
      awk -v count="$count" -v dir="$site/files" 'BEGIN {
        for (n = 1; n <= count; n++) {
          out = dir "/file-" n
          for (line = 0; line <= n % 7; line++) printf "the file number %d, line %d, with a few words in it\n", n, line >out
          close(out)
        }
      }'
      ;;
    *) cp -r "$here/$1"/* "$site/" ;;
  esac
  [ -e "$site/vars.yaml" ] || echo "count: $count" >"$site/vars.yaml"
  : >"$site/known_hosts"
  for n in $(seq "$2"); do
    printf '[%s]:%s %s\n' "$(address "$n")" "$(port "$n")" "$(cut -d' ' -f1,2 "$image/etc/ssh/ssh_host_ed25519_key.pub")" >>"$site/known_hosts"
  done

  {
    echo 'playbooks: [homelab.yaml]'
    echo "user: root"
    echo "key: $cache/login"
    echo 'vars:'
    sed 's/^/  /' "$site/vars.yaml"
    echo 'hosts:'
    for n in $(seq "$2"); do echo "  node-$n: { address: $(address "$n"), port: $(port "$n"), vars: { node_name: node-$n } }"; done
  } >"$site/inventory.yaml"

  # Ansible: pipelining, a fork a node, one connection kept, nothing gathered and nothing guessed. `free` is no slower than `linear`, and lets no
  # node wait for another.
  {
    echo 'all:'
    echo '  vars:'
    echo '    ansible_user: root'
    echo "    ansible_ssh_private_key_file: $cache/login"
    echo '    ansible_python_interpreter: /usr/bin/python3'
    sed 's/^/    /' "$site/vars.yaml"
    echo '  hosts:'
    for n in $(seq "$2"); do echo "    node-$n: { ansible_host: $(address "$n"), ansible_port: $(port "$n"), node_name: node-$n }"; done
  } >"$site/ansible-hosts.yaml"
  ansible_cfg free >"$site/ansible.cfg"
  ansible_cfg mitogen_free >"$site/mitogen.cfg"

  {
    echo 'import yaml'
    echo
    echo "with open('vars.yaml') as file:"
    echo '    given = yaml.safe_load(file)'
    echo "given |= dict(ssh_user='root', ssh_key='$cache/login', ssh_known_hosts_file='$site/known_hosts', ssh_strict_host_key_checking='yes', ssh_allow_agent=False, ssh_look_for_keys=False)"
    echo 'nodes = ['
    for n in $(seq "$2"); do echo "    ('node-$n', given | dict(ssh_hostname='$(address "$n")', ssh_port=$(port "$n"), node_name='node-$n')),"; done
    echo ']'
  } >"$site/hosts.py"
}
address() { local at; at=$(far "$1"); echo "${at%:*}"; }
port() { local at; at=$(far "$1"); echo "${at#*:}"; }

ansible_cfg() {
  cat <<CFG
[defaults]
inventory = $site/ansible-hosts.yaml
forks = 50
gathering = explicit
strategy = $1
strategy_plugins = $plugins
deprecation_warnings = False
retry_files_enabled = False
local_tmp = $site/home/tmp
[ssh_connection]
pipelining = True
control_path_dir = $work/cp
ssh_args = -F none -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes -o UserKnownHostsFile=$site/known_hosts
CFG
}

# run_tool TOOL: applies the work, in the site.
run_tool() {
  cd "$site" || return 1
  export HOME=$site/home
  unset SSH_AUTH_SOCK
  case $1 in
    homelab) XDG_CACHE_HOME=$site/home/cache HOMELAB_KNOWN_HOSTS=$site/known_hosts exec "$binary" apply inventory.yaml --yes --forks 50 ;;
    ansible | mitogen) ANSIBLE_CONFIG=$site/$1.cfg ANSIBLE_HOME=$site/home/.ansible exec "$venv/bin/ansible-playbook" ansible.yaml ;;
    pyinfra) exec "$venv/bin/pyinfra" --yes --parallel 50 --no-wait hosts.py pyinfra.py ;;
  esac
}

version_of() {
  case $1 in
    homelab) "$binary" --version | cut -d' ' -f2 ;;
    ansible) pinned ansible-core ;;
    mitogen) echo "$(pinned mitogen) with ansible-core $(pinned ansible-core)" ;;
    pyinfra) pinned pyinfra ;;
  esac
}
pinned() { sed -n "s/^$1==//p" "$here/requirements.txt"; }

# What a cell's figure depends on beside its name: the work and the settings; of homelab, the binary.
digest_of() { # TOOL WORK
  local dir=$here/$2
  case $2 in files*) dir=$here/files ;; esac
  {
    find "$dir" -type f | sort | xargs cat
    declare -f site ansible_cfg run_tool
    version_of "$1"
    if [ "$1" = homelab ]; then sha256sum <"$binary"; fi
  } | sha256sum | cut -c1-12
}
