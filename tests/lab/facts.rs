//! Facts, against what each node's own tools say to a plain `ssh`.

use crate::nodes::{Lab, NODES, logged_in, members};
use serde_json::Value;
use std::collections::BTreeMap;

/// A line for each thing; what a node has no tool for is left out.
const ASK: &str = r#"
say() { v=$("$@" 2>/dev/null) && echo "$k=$v"; }
k=hostname; say hostname
k=kernel_arch; say uname -m
k=kernel; say uname -r
k=package_arch; say dpkg --print-architecture
k=cpus; say nproc
k=boot_id; say cat /proc/sys/kernel/random/boot_id
k=init; say cat /proc/1/comm
k=user.name; say id -un
k=user.uid; say id -u
echo "user.home=$HOME"
[ ! -r /etc/os-release ] || (. /etc/os-release; echo "os.id=$ID"; echo "os.version=$VERSION_ID"; echo "os.codename=$VERSION_CODENAME"; echo "os.name=$PRETTY_NAME")
while read -r k v u; do [ "$k" != MemTotal: ] || echo "memory_mib=$((v / 1024))"; done </proc/meminfo
ip -o addr show | while read -r n i f a r; do case $f in inet*) echo "address=${i%%@*} $a" ;; esac; done
ip route show default | while read -r d via g dev i r; do [ "$d" != default ] || { echo "gateway=$g"; echo "interface=$i"; }; done
"#;

fn at<'a>(facts: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(facts, |value, key| &value[key])
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn facts_are_what_the_nodes_own_tools_say() {
    let Some(lab) = Lab::up() else { return };
    lab.site.tasks("- file: {path: /srv, state: directory}");
    let said = lab.site.expect(0, &["facts", "inventory.yaml", "--json"]).out;
    let said: Value = serde_json::from_str(&said).unwrap();
    let mut hosts: Vec<&String> = said["hosts"].as_object().unwrap().keys().collect();
    hosts.sort();
    assert_eq!(hosts, members("all"), "tests/lab/nodes.rs has other nodes than the inventory");

    let mut wrong = Vec::new();
    for (node, groups) in NODES {
        let facts = &said["hosts"][node];
        let mut addresses: Vec<(String, String)> = Vec::new();
        let mut judged: BTreeMap<&str, String> = BTreeMap::new();
        let answer = logged_in(node, ASK);
        for (key, value) in answer.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "address" => addresses.extend(value.split_once(' ').map(|(name, address)| (name.to_owned(), address.to_owned()))),
                "gateway" => drop(judged.insert("default_route.gateway", value.to_owned())),
                "interface" => drop(judged.insert("default_route.interface", value.to_owned())),
                "init" => drop(judged.insert("init", if value == "systemd" { "systemd" } else { "none" }.to_owned())),
                _ => drop(judged.insert(key, value.to_owned())),
            }
        }
        let apt = if groups.contains(&"debian") { "apt" } else { "none" };
        judged.insert("package_manager", apt.to_owned());
        judged.insert("sandbox", "false".to_owned());
        judged.insert("uids", "all".to_owned());
        assert!(judged.len() >= 14 && !addresses.is_empty(), "{node} says too little:\n{answer}");
        for (path, is) in &judged {
            let fact = plain(at(facts, path));
            if fact != *is {
                wrong.push(format!("{node}: {path}: the fact is {fact}, the node says {is}"));
            }
        }
        let mut found: Vec<(String, String)> = facts["interfaces"].as_array().unwrap().iter().flat_map(|interface| {
            interface["addresses"].as_array().unwrap().iter().map(|address| (plain(&interface["name"]), plain(address)))
        }).collect();
        found.sort();
        addresses.sort();
        if found != addresses {
            wrong.push(format!("{node}: interfaces: the facts are {found:?}, the node says {addresses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    for (node, machine, arch, package, platform) in [
        ("arm64", "aarch64", "arm64", "arm64", "linux/arm64"),
        ("armhf", "armv7l", "armv7", "armhf", "linux/arm/v7"),
        ("trixie", "x86_64", "amd64", "amd64", "linux/amd64"),
        ("busybox", "x86_64", "amd64", "", "linux/amd64"),
    ] {
        let facts = &said["hosts"][node];
        let is = ["kernel_arch", "arch", "package_arch", "docker_platform"].map(|key| plain(&facts[key]));
        if node == "busybox" {
            assert_eq!((&*is[0], &*is[1], &*is[3]), (machine, arch, platform), "{node}");
        } else {
            assert_eq!(is, [machine, arch, package, platform], "{node}");
        }
    }
}
