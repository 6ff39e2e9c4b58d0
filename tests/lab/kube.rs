//! `kubernetes` against a real API server, by the real kubectl of two Debians. No controller and no kubelet is behind that server: what
//! these would do to an object is said by hand.

use crate::nodes::{Lab, by_hand, docker};
use crate::untested::untested;
use std::process::Command;
use std::time::Duration;

/// Debian 13's kubectl, and Debian 12's of 2021.
const NODES: [&str; 2] = ["router", "bookworm"];

pub struct Cluster {
    /// As a node has it.
    pub config: String,
    token: String,
    url: String,
}

impl Cluster {
    /// The cluster. None where it is not up.
    pub fn up() -> Option<Cluster> {
        let found = docker(&["exec", "homelab-lab-kube", "cat", "/etc/kube/config"]);
        if !found.status.success() {
            untested("a cluster: `sudo tests/lab/kube` adds one to the lab");
            return None;
        }
        let config = String::from_utf8(found.stdout).unwrap();
        let value = |key: &str| config.split_once(key).unwrap().1.split('"').nth(1).unwrap().to_owned();
        Some(Cluster { token: value("token:"), url: value("server:"), config })
    }

    /// What the server answers, from here: the status, and what it says.
    pub fn asks(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let mut curl = Command::new("curl");
        curl.args(["-ksS", "--max-time", "10", "-w", "\n%{http_code}", "-X", method, "-H", &format!("Authorization: Bearer {}", self.token), "-H", &format!("Content-Type: {kind}")]);
        if !body.is_empty() {
            curl.args(["-d", body]);
        }
        let output = curl.arg(format!("{}{path}", self.url)).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    pub fn has(&self, path: &str) -> bool {
        let (status, body) = self.asks("GET", path, "");
        assert!(matches!(status.as_str(), "200" | "404"), "{path}: {status} {body}");
        status == "200"
    }

    /// An object that is there.
    pub fn object(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.asks("GET", path, "");
        assert_eq!(status, "200", "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A namespace that has nothing in it.
    pub fn namespace(&self, name: &str) {
        self.asks("POST", "/api/v1/namespaces", &format!(r#"{{"metadata": {{"name": "{name}"}}}}"#));
        self.empties(name);
    }

    pub fn empties(&self, namespace: &str) {
        for kind in ["api/v1/namespaces/{}/configmaps", "api/v1/namespaces/{}/secrets", "apis/apps/v1/namespaces/{}/statefulsets"] {
            self.asks("DELETE", &format!("/{}", kind.replace("{}", namespace)), "");
        }
        let services = format!("/api/v1/namespaces/{namespace}/services");
        for item in self.object(&services)["items"].as_array().unwrap() {
            self.asks("DELETE", &format!("{services}/{}", item["metadata"]["name"].as_str().unwrap()), "");
        }
    }

    /// Says what a controller would, once a stateful set's pods are ready. False while it is not there, or is as it was at `generation`.
    pub fn rolls_out(&self, set: &str, generation: i64) -> bool {
        let (status, body) = self.asks("GET", set, "");
        let object: serde_json::Value = serde_json::from_str(&body).unwrap();
        let Some(now) = object["metadata"]["generation"].as_i64().filter(|now| status == "200" && *now > generation) else { return false };
        let ready = serde_json::json!({"status": {
            "observedGeneration": now, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1, "currentRevision": format!("r{now}"), "updateRevision": format!("r{now}"),
        }});
        let (status, body) = self.asks("PATCH", &format!("{set}/status"), &ready.to_string());
        assert_eq!(status, "200", "{body}");
        true
    }
}

/// While `act` is under way, the stateful set is rolled out as soon as it is another than at `generation`.
pub fn rolling_out<T>(cluster: &Cluster, sets: &[(String, i64)], act: impl FnOnce() -> T) -> T {
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut waiting = sets.to_vec();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                waiting.retain(|(set, generation)| !cluster.rolls_out(set, *generation));
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        // Also where it panics, or the thread would be waited for.
        struct Over<'a>(&'a std::sync::atomic::AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let _over = Over(&over);
        act()
    })
}

const MANIFEST: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: red # as the first one was
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
spec:
  serviceName: web
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: web:1
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
    - {name: web, port: 9701, protocol: TCP}
---
apiVersion: v1
kind: Secret
metadata:
  name: key
stringData:
  key: plain-as-day
";
const GOES: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: goes\n";
const KUBECTL: &str = "- package: {name: kubernetes-client, update_cache: true}\n- file: {path: /root/.kube, state: directory, mode: 0700}\n- copy: {dest: /root/.kube/config, src: kubeconfig, mode: 0600}\n";

#[test]
fn two_kubectls_and_a_real_server() {
    let (Some(lab), Some(cluster)) = (Lab::up(), Lab::up().and_then(|_| Cluster::up())) else { return };
    let limit = NODES.join(",");
    let run = |code: i32, words: &[&str]| lab.site.expect(code, &[words, &["--limit", &limit]].concat());
    let apply = || run(0, &["apply", "inventory.yaml", "--yes"]);
    let at = |node: &str, path: &str| {
        let group = if path.starts_with("statefulsets") { "apis/apps/v1" } else { "api/v1" };
        format!("/{group}/namespaces/lab-{node}/{path}")
    };
    let task = |more: &str| lab.site.tasks(&format!("{KUBECTL}- name: Wiki\n  kubernetes: {{name: lab, namespace: \"lab-{{{{ host.name }}}}\"{more}}}\n"));
    let manifest = |text: &str| lab.site.write("manifest.yaml.j2", text);
    let src = ", src: manifest.yaml.j2";
    NODES.iter().for_each(|node| cluster.namespace(&format!("lab-{node}")));
    lab.site.write("kubeconfig", &cluster.config);
    lab.site.tasks(KUBECTL);
    apply();
    assert!(by_hand("bookworm", "kubectl version --client").contains("\"v1.20."), "another kubectl than was meant");

    manifest(&format!("{MANIFEST}{GOES}"));
    task(src);
    let plan = run(2, &["plan", "inventory.yaml", "--detailed-exitcode", "--out", "saved"]);
    for node in NODES {
        for word in ["make ConfigMap lab-@/settings", "make StatefulSet lab-@/web", "make Service lab-@/web", "make Secret lab-@/key"] {
            assert!(plan.out.contains(&word.replace('@', node)), "{word}: {}", plan.out);
        }
    }
    assert!(plan.out.contains("+  colour: red") && !plan.out.contains("plain-as-day"), "{}", plan.out);
    // Asked again before the first act, the cluster says the same.
    lab.site.expect(0, &["apply", "saved", "--yes"]);
    lab.has_nothing_to_do("inventory.yaml", &NODES);

    // What changes is what the cluster says; what left the manifest goes, what somebody else made stays.
    for node in NODES {
        by_hand(node, &format!("kubectl -n lab-{node} create configmap other"));
    }
    manifest(&MANIFEST.replace("red", "blue").replace("9701", "9702"));
    let plan = run(2, &["plan", "inventory.yaml", "--detailed-exitcode"]).out;
    for (word, times) in [("-  colour: red", 2), ("+  colour: blue", 2), ("-    port: 9701", 2), ("+    port: 9702", 2), ("remove ConfigMap lab-router/goes", 1), ("remove ConfigMap lab-bookworm/goes", 1), ("StatefulSet", 0)] {
        assert_eq!(plan.matches(word).count(), times, "{word}: {plan}");
    }
    apply();
    lab.has_nothing_to_do("inventory.yaml", &NODES);
    let is = |colour: &str, port: i64, goes: bool| {
        for node in NODES {
            assert_eq!(cluster.object(&at(node, "configmaps/settings"))["data"]["colour"], colour);
            assert_eq!(cluster.object(&at(node, "services/web"))["spec"]["ports"][0]["port"], port);
            assert_eq!((cluster.has(&at(node, "configmaps/goes")), cluster.has(&at(node, "configmaps/other"))), (goes, true), "{node}");
        }
    };
    is("blue", 9702, false);
    run(0, &["rollback", "inventory.yaml", "--yes"]);
    is("red", 9701, true);
    manifest(&format!("{MANIFEST}{GOES}"));
    lab.has_nothing_to_do("inventory.yaml", &NODES);

    // Somebody takes a field over. Only who says so takes it back.
    let green = || {
        for node in NODES {
            by_hand(node, &format!("kubectl -n lab-{node} patch configmap settings --type merge -p '{{\"data\":{{\"colour\":\"green\"}}}}'"));
        }
    };
    green();
    for command in ["plan", "drift"] {
        let refused = run(1, &[command, "inventory.yaml"]).err;
        assert!(refused.contains("somebody else manages what the manifest says: 1 conflict") && refused.contains("kubectl-patch"), "{refused}");
        assert!(refused.contains(".data.colour") && refused.contains("force_conflicts"), "{refused}");
    }
    task(&format!("{src}, force_conflicts: true"));
    let green_to_red = |words: &[&str]| {
        let out = run(2, words).out;
        assert_eq!((out.matches("-  colour: green").count(), out.matches("+  colour: red").count()), (2, 2), "{out}");
    };
    green_to_red(&["plan", "inventory.yaml", "--detailed-exitcode"]);
    apply();
    is("red", 9701, true);
    lab.has_nothing_to_do("inventory.yaml", &NODES);
    green();
    green_to_red(&["drift", "inventory.yaml"]);
    apply();
    is("red", 9701, true);
    lab.has_nothing_to_do("inventory.yaml", &NODES);

    // What the server does not take is refused before anything is done.
    manifest(&MANIFEST.replace("red", "blue").replace("serviceName: web", "serviceName: web\n  replicas: many"));
    let refused = run(1, &["apply", "inventory.yaml", "--yes"]).err;
    assert!(refused.contains("replicas"), "{refused}");
    is("red", 9701, true);

    // Pods that never get ready: it fails when the time is up, and the cluster is as before.
    let set = |node: &str| at(node, "statefulsets/web");
    let image = |node: &str| cluster.object(&set(node))["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    manifest(&MANIFEST.replace("web:1", "web:2"));
    task(&format!("{src}, force_conflicts: true, wait: true, wait_timeout: 3s"));
    let failed = run(3, &["apply", "inventory.yaml", "--yes"]);
    assert_eq!(failed.err.matches("timed out waiting for the condition").count(), 2, "{}{}", failed.out, failed.err);
    NODES.iter().for_each(|node| assert_eq!(image(node), "web:1"));
    is("red", 9701, true);
    // And as soon as they are ready, it is done.
    task(&format!("{src}, force_conflicts: true, wait: true, wait_timeout: 30s"));
    let sets: Vec<(String, i64)> = NODES.iter().map(|node| (set(node), cluster.object(&set(node))["metadata"]["generation"].as_i64().unwrap())).collect();
    rolling_out(&cluster, &sets, apply);
    NODES.iter().for_each(|node| assert_eq!(image(node), "web:2"));
    lab.has_nothing_to_do("inventory.yaml", &NODES);

    task(", state: absent");
    apply();
    lab.has_nothing_to_do("inventory.yaml", &NODES);
    for node in NODES {
        assert!(!cluster.has(&set(node)) && !cluster.has(&at(node, "secrets/key")) && cluster.has(&at(node, "configmaps/other")), "{node}");
        let kept = by_hand(node, "grep -rl plain-as-day /var/lib/homelab | while read -r f; do stat -c '%a %n' \"$f\"; done");
        assert!(kept.lines().all(|line| line.starts_with("600 /var/lib/homelab/kubernetes/")), "a secret is where it need not be:\n{kept}");
    }
    run(0, &["rollback", "inventory.yaml", "--yes"]);
    NODES.iter().for_each(|node| assert!(image(node) == "web:2" && cluster.has(&at(node, "secrets/key")), "{node}"));

    for node in NODES {
        cluster.empties(&format!("lab-{node}"));
        by_hand(node, "rm -rf /root/.kube /var/lib/homelab/kubernetes; apt-get -qq -y purge kubernetes-client kubectl >/dev/null 2>&1; apt-get -qq -y autoremove --purge >/dev/null 2>&1 || true");
    }
}
