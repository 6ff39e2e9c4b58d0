//! Health checks: of a web server and its port, by the tools that a node has.

use crate::debian::Debian;
use crate::web::Web;
use std::time::{Duration, Instant};

fn the_laws_of_checks(node: &Debian) {
    let web = Web::serve();
    web.has("/ping", "pong");
    let url = |path: &str| format!("http://127.0.0.1:{}/{path}", web.port);
    let check = |path: &str, more: &str| format!("- uri: {{url: \"{}\", timeout: 2s, within: 2s, sleep: 1s{more}}}\n", url(path));
    let copy = |text: &str| format!("- copy: {{dest: /srv/conf, content: \"{text}\"}}\n");

    // What is right costs one question, and nothing is to do.
    node.site.tasks(&check("ping", ", headers: {X-Asked: \"by us\"}"));
    assert_eq!(node.site.run(&["plan", "inventory.yaml", "--detailed-exitcode"]).code, 0);
    assert!(web.asked()[0].contains("X-Asked: by us"));
    node.site.tasks(&check("gone", ", status_code: [404, 410]"));
    assert_eq!(node.site.run(&["plan", "inventory.yaml", "--detailed-exitcode"]).code, 0);

    // After a change it is asked again; what it says decides about all of the run.
    node.apply(&(copy("one") + &check("ping", "")));
    node.has_nothing_to_do();
    node.site.tasks(&(copy("two") + &check("gone", "")));
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("after 2 s it is still so: status 404"), "{}", failed.err);
    assert_eq!(node.text("/srv/conf"), "one");
    node.site.tasks("- uri: {url: \"http://127.0.0.1:1/\", timeout: 1s, within: 1s, sleep: 1s}");
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("onnect"), "{}", failed.err);

    // It comes while it is waited for.
    let late = web.clone();
    let since = Instant::now();
    let server = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        late.has("/late", "here");
    });
    node.apply(&(copy("three") + &check("late", "").replace("within: 2s", "within: 60s")));
    assert!(since.elapsed() > Duration::from_secs(2) && node.text("/srv/conf") == "three");
    server.join().unwrap();
    node.has_nothing_to_do();
}

#[test]
fn curl_checks() {
    let Some(node) = Debian::with_tools() else { return };
    the_laws_of_checks(&node);
}

#[test]
fn busyboxs_wget_checks() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand("rm -f /usr/bin/curl /usr/bin/wget; ln -s busybox /usr/bin/wget");
    the_laws_of_checks(&node);
}

#[test]
fn ports_and_paths_are_waited_for() {
    let Some(node) = Debian::start() else { return };
    let web = Web::serve();
    let port = web.port;
    node.site.tasks(&format!(
        "- wait_for: {{port: {port}}}\n- wait_for: {{port: {port}, host: \"127.0.0.2\", state: started}}\n- wait_for: {{port: 1, state: stopped}}\n\
         - wait_for: {{port: 1, host: \"127.0.0.2\", state: absent}}\n- wait_for: {{path: /etc/passwd, search_regex: \"^root:\"}}\n- wait_for: {{path: /srv/no, state: absent}}"
    ));
    // Nothing listens on 127.0.0.2, which the second one is to find out by connecting.
    let plan = node.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert!(plan.out.contains(&format!("wait until 127.0.0.2:{port} is open")) && plan.out.contains("5 as wished"), "{}", plan.out);
    node.site.tasks("- copy: {dest: /srv/x, content: x}\n- wait_for: {path: /srv/x, search_regex: \"^y\", timeout: 2s}");
    let failed = node.site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(failed.err.contains("still so: gone") && !node.inside("/srv/x").exists(), "{}", failed.err);
    // What comes by itself is waited for, and found by connecting.
    let mut late = node.command("sleep 2; echo ready >/srv/late").spawn().unwrap();
    node.apply(&format!("- wait_for: {{path: /srv/late, search_regex: \"^ready$\"}}\n- wait_for: {{port: {port}, host: localhost}}"));
    let _ = late.wait();
    node.has_nothing_to_do();
}
