//! Manifests in a cluster: `stand_ins/kubectl` is a mock of kubectl and the cluster, which really keeps objects. The real ones are in `tests/lab/kube.rs`.

use crate::site::Site;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  colour: red\n";

/// A site whose node has the mock.
fn site() -> Site {
    let site = Site::new("- copy: {dest: /usr/local/bin/kubectl, src: kubectl, mode: 0755}");
    site.write("kubectl", include_str!("stand_ins/kubectl"));
    site.apply();
    site
}

fn task(manifest: &str) -> String {
    let manifest: String = manifest.lines().map(|line| format!("      {line}\n")).collect();
    format!("- name: Wiki\n  kubernetes:\n    name: wiki\n    definition: |\n{manifest}")
}

/// What the cluster holds.
fn objects(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(site.inside("pi", "/srv/cluster")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn holds(site: &Site, object: &str) -> String {
    site.text(&format!("/srv/cluster/{object}"))
}

#[test]
fn a_manifest_is_applied_compared_and_pruned() {
    let site = site();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\nstringData:\n  key: plain-as-day\n";
    site.tasks(&task(&format!("{MAP}---\n{secret}")));
    let plan = site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert!(plan.out.contains("make ConfigMap settings") && plan.out.contains("+  colour: red") && plan.out.contains("make Secret key"), "{}", plan.out);
    assert!(!plan.out.contains("plain-as-day"), "{}", plan.out);
    site.apply();
    assert_eq!(objects(&site), ["v1.ConfigMap.default.settings", "v1.Secret.default.key"]);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    site.expect(0, &["drift", "inventory.yaml"]);

    // Somebody changes one, and makes another.
    std::fs::write(site.inside("pi", "/srv/cluster/v1.ConfigMap.default.settings"), MAP.replace("red", "blue")).unwrap();
    std::fs::write(site.inside("pi", "/srv/cluster/v1.ConfigMap.default.other"), MAP).unwrap();
    let drift = site.expect(2, &["drift", "inventory.yaml"]);
    assert!(drift.out.contains("Wiki"), "{}", drift.out);
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("-  colour: blue") && plan.out.contains("+  colour: red") && plan.out.contains(" data:"), "{}", plan.out);
    // What leaves the manifest goes; what somebody else made stays.
    site.tasks(&task(MAP));
    let plan = site.expect(0, &["plan", "inventory.yaml"]);
    assert!(plan.out.contains("remove Secret key") && plan.out.contains("[undo: equivalent]"), "{}", plan.out);
    site.apply();
    assert_eq!(objects(&site), ["v1.ConfigMap.default.other", "v1.ConfigMap.default.settings"]);
    assert!(holds(&site, "v1.ConfigMap.default.settings").contains("red"));
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);

    site.tasks("- kubernetes: {name: wiki, state: absent}");
    site.apply();
    assert_eq!(objects(&site), ["v1.ConfigMap.default.other"]);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(objects(&site), ["v1.ConfigMap.default.other", "v1.ConfigMap.default.settings"]);
    let said = std::fs::read_to_string(site.inside("pi", "/srv/kubectl.log")).unwrap();
    assert!(!said.contains("plain-as-day"), "a secret is among the arguments: {said}");
}

#[test]
fn what_failed_is_taken_back() {
    let site = site();
    site.tasks(&task(&format!("{MAP}---\n{}", MAP.replace("settings", "goes"))));
    site.apply();
    let came = format!("{}---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: web\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: inside\n  namespace: web\n", MAP.replace("red", "blue"));
    let before: Vec<String> = objects(&site).iter().map(|object| holds(&site, object)).collect();
    // By a later task, and in the middle of it.
    for (manifest, later) in [(came.clone(), "- name: Break\n  command: {argv: [\"false\"]}\n"), (format!("{came}---\napiVersion: v1\nkind: Broken\nmetadata:\n  name: last\n"), "")] {
        site.tasks(&(task(&manifest) + later));
        site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert_eq!(objects(&site), ["v1.ConfigMap.default.goes", "v1.ConfigMap.default.settings"]);
        assert_eq!(objects(&site).iter().map(|object| holds(&site, object)).collect::<Vec<_>>(), before);
    }
    site.tasks(&task(&came));
    site.apply();
    assert_eq!(objects(&site), ["v1.ConfigMap.default.settings", "v1.ConfigMap.web.inside", "v1.Namespace..web"]);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(objects(&site).iter().map(|object| holds(&site, object)).collect::<Vec<_>>(), before);

    // A run that is left in the middle is ended by the next one, and what it had begun is known as its own.
    site.play("rollback: none", &task(&format!("{came}---\napiVersion: v1\nkind: Broken\nmetadata:\n  name: last\n")));
    site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    site.tasks(&task(MAP));
    site.apply();
    assert_eq!(objects(&site), ["v1.ConfigMap.default.settings"]);
}

#[test]
fn a_cluster_that_cannot_be_reached_is_no_cluster_without_anything() {
    let site = site();
    site.tasks(&task(MAP));
    std::fs::write(site.inside("pi", "/srv/cluster-down"), "").unwrap();
    let ended = site.expect(1, &["plan", "inventory.yaml"]);
    assert!(ended.err.contains("`kubectl` cannot say how things are (status 2): The connection to the server"), "{}", ended.err);
}
