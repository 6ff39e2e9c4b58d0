//! The shell of the resource `kubernetes`, on every shell, with the real kubectl as its judge. The cluster is a small server of the API.

use crate::cluster::Cluster;
use crate::untested::untested;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = include_str!("../../src/resource/scripts/kubernetes.sh");

const FIRST: &str = "\
# homelab: v1 ConfigMap - a
# homelab: v1 Secret - s
# homelab: apps/v1 Deployment - d
---
# A comment, and no object.
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  uid: one
  x: one
---
{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"},\"data\":{\"k\":\"aHVzaA==\"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: one, image: one}
      - {name: two, image: two}
";
const LATER: &str = "\
# homelab: v1 ConfigMap - a
# homelab: apps/v1 Deployment - d
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  uid: two
  x: one
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec:
      containers:
      - {name: one, image: one}
      - {name: two, image: three}
";

/// `script` after the library, whose records are below `dir`.
fn runs(shell: &[&str], dir: &Path, cluster: &Cluster, script: &str) -> String {
    let config = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"clusters\":[{{\"name\":\"x\",\"cluster\":{{\"server\":\"{}\"}}}}],\"users\":[{{\"name\":\"x\",\"user\":{{}}}}],\
         \"contexts\":[{{\"name\":\"x\",\"context\":{{\"cluster\":\"x\",\"user\":\"x\"}}}}],\"current-context\":\"x\"}}",
        cluster.url
    );
    std::fs::write(dir.join("config"), config).unwrap();
    std::fs::write(dir.join("first"), FIRST).unwrap();
    std::fs::write(dir.join("later"), LATER).unwrap();
    let library = LIBRARY.replace("/var/lib/homelab", &dir.display().to_string());
    let script = format!(
        "{library}\ncd {}\nHL_MANAGER=homelab\nnamed() {{ printf '{{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{{\"name\":\"%s\"}}}}' \"$@\"; }}\n{script}",
        dir.display()
    );
    let output = Command::new(shell[0]).args(&shell[1..]).args(["-c", &script]).env("KUBECONFIG", dir.join("config")).env("HOME", dir).env("XDG_STATE_HOME", dir).output().unwrap();
    assert!(output.status.success(), "{shell:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn kubectl_takes_what_it_is_told_and_its_answers_are_read() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        return untested("there is no kubectl");
    }
    for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Cluster::new();
        let path = |kind: &str, name: &str| format!("{}/namespaces/default/{kind}/{name}", if kind == "deployments" { "apis/apps/v1" } else { "api/v1" });
        let run = |script: &str| runs(shell, dir.path(), &cluster, script);
        let digest = |text: &str| homelab::node::op::sha256(text.as_bytes());
        let what = format!("{shell:?}");

        // Twice the same, though the server numbers and dates it otherwise each time; and nothing came of it.
        let new = "new v1.ConfigMap.default.a\nnew v1.Secret.default.s\nnew apps.v1.Deployment.default.d\nend\n";
        assert_eq!(run("(look wiki <first) && (look wiki <first)"), format!("{new}{new}"), "{what}");
        assert_eq!(cluster.holds(), ["api/v1/namespaces/default"], "{what}");
        run("apply wiki 20 rollout \"$(named apps/v1 Deployment d)\" <first");
        assert_eq!(cluster.holds(), ["api/v1/namespaces/default", &path("configmaps", "a"), &path("secrets", "s"), &path("deployments", "d")], "{what}");
        let first = "was v1 ConfigMap - a\nwas v1 Secret - s\nwas apps/v1 Deployment - d\n";
        assert_eq!(run("look wiki <first"), format!("record {}\n{first}end\n", digest(FIRST)), "{what}");

        let changed = "changed v1.ConfigMap.default.a\n data:\n-  uid: one\n+  uid: two\nchanged apps.v1.Deployment.default.d\n spec:\n   template:\n     spec:\n       containers:\n\
                       -      - image: two\n+      - image: three\nend\n";
        assert_eq!(run("look wiki <later"), format!("record {}\n{first}{changed}", digest(FIRST)), "{what}");
        // What leaves it goes; what is the same object by another name stays; a kind that nobody knows is not there.
        run("apply wiki 20 remove \"$(named v1 Secret s)\" remove \"$(named v1 ConfigMap a)\" remove \"$(named example.org/v1 Such x)\" <later");
        assert_eq!(cluster.deleted(), [path("secrets", "s")], "{what}");
        assert_eq!(run("look wiki <later"), format!("record {}\nwas v1 ConfigMap - a\nwas apps/v1 Deployment - d\nend\n", digest(LATER)), "{what}");
        // Taken back, twice.
        let back = format!("restore wiki {} && restore wiki {0}", digest(FIRST));
        run(&back);
        assert_eq!(run("look wiki <first"), format!("record {}\n{first}end\n", digest(FIRST)), "{what}");

        let failed = run("HL_NAMESPACE=web; (look '' <later 2>&1) || echo \"status $?\"");
        assert!(failed.contains("namespaces \"web\" not found") && failed.ends_with("status 2\n"), "{what}: {failed}");
        cluster.is_foreign(&path("configmaps", "a"));
        let failed = run("(look wiki <later 2>&1) || echo refused");
        assert!(failed.contains("Apply failed with 1 conflict: conflict with \"somebody\"") && failed.ends_with("refused\n"), "{what}: {failed}");
        assert!(run("HL_FORCE=y; look wiki <later").ends_with("end\n"), "{what}");

        run("absent wiki \"$(named apps/v1 Deployment d)\" \"$(named v1 Secret s)\" \"$(named v1 ConfigMap a)\"");
        assert_eq!(cluster.holds(), ["api/v1/namespaces/default"], "{what}");
        assert_eq!(run("look wiki </dev/null"), "end\n", "{what}");
    }
}
