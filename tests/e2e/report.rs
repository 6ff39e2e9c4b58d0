//! The report of a run: every step under its own name, with its times and its own data.

use crate::site::Site;

const TASKS: &str = "\
- name: Same
  command: {shell: true, cmd: \"echo one; echo aside >&2\"}
- name: Same
  command: {shell: true, cmd: \"echo two; exit 3\", ok_codes: [3]}
- name: File
  copy: {dest: /srv/file, content: x}
- name: Slow
  command: {cmd: sleep 0.3}
- name: Break
  command: {shell: true, cmd: \"echo out; echo why >&2; exit 7\"}
- name: Never
  copy: {dest: /srv/never, content: x}";

#[test]
fn every_step_has_its_own_times_and_data() {
    let site = Site::new(TASKS);
    let since = std::time::SystemTime::now();
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(document["version"], 1);
    let steps = document["runs"][0]["steps"].as_array().unwrap();
    let ends: Vec<String> = steps.iter().map(|step| format!("{} {}", step["label"].as_str().unwrap(), step["end"].as_str().unwrap())).collect();
    assert_eq!(ends, ["Same left", "Same left", "File undone", "Slow left", "Break failed", "Never not_begun"], "{document}");
    let said = |at: usize| (steps[at]["data"]["rc"].as_i64().unwrap(), steps[at]["data"]["stdout"].as_str().unwrap(), steps[at]["data"]["stderr"].as_str().unwrap());
    // Two steps of one name: neither has the other's.
    assert_eq!((said(0), said(1)), ((0, "one", "aside"), (3, "two", "")));
    assert_ne!(steps[0]["key"], steps[1]["key"]);
    assert_eq!(said(4), (7, "out", "why"));
    assert!(steps[2]["data"].is_null() && steps[5]["data"].is_null());
    let began: Vec<std::time::SystemTime> = steps[..5].iter().map(|step| humantime::parse_rfc3339(step["began"].as_str().unwrap()).unwrap()).collect();
    assert!(began.is_sorted() && began[0] + std::time::Duration::from_millis(1) > since && began[4] < std::time::SystemTime::now(), "{began:?}");
    assert!(steps[3]["seconds"].as_f64().unwrap() >= 0.3);
    assert!(steps[5]["began"].is_null() && steps[5]["seconds"].is_null());
}

#[test]
fn with_v_it_is_there_to_read() {
    let site = Site::new(TASKS);
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "-v"]);
    let report = ended.out.split("Steps  pi\n").nth(1).unwrap_or_else(|| panic!("{}", ended.out)).split("Summary").next().unwrap();
    let times = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  \d+\.\d{3} s").unwrap();
    let report = times.replace_all(report, "TIME").into_owned();
    assert_eq!(
        report,
        "  left              ! Same   TIME\n      stdout: one\n      stderr: aside\n  left              ! Same   TIME\n      status 3\n      stdout: two\n  undone            + File   TIME\n\
         \x20 left              ! Slow   TIME\n  failed            ! Break  TIME\n      status 7\n      stdout: out\n      stderr: why\n  never begun       + Never\n"
    );
    let quiet = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(!quiet.out.contains("Steps"), "{}", quiet.out);
}

#[test]
fn a_secret_step_shows_no_data() {
    let site = Site::new(TASKS);
    site.tasks(
        "- name: Quiet\n  command: {cmd: cat /srv/token}\n  register: {name: token, secret: true}\n- name: Open\n  command: {shell: true, cmd: \"echo the token is $(cat /srv/token)\"}\n- name: Plain\n  command: {cmd: echo plain}",
    );
    site.expect(0, &["facts", "inventory.yaml"]);
    std::fs::write(site.inside("pi", "/srv/token"), "grizzly-lantern\n").unwrap();
    for args in [&["apply", "inventory.yaml", "--yes", "-vv"][..], &["apply", "inventory.yaml", "--yes", "--json"]] {
        let ended = site.expect(0, args);
        assert!(!ended.out.contains("grizzly") && !ended.err.contains("grizzly"), "{}{}", ended.out, ended.err);
        assert!(ended.out.contains("plain"), "{}", ended.out);
    }
    let document: serde_json::Value = serde_json::from_str(&site.expect(0, &["apply", "inventory.yaml", "--yes", "--json"]).out).unwrap();
    let steps = &document["runs"][0]["steps"];
    assert!(steps[0]["data"].is_null(), "{document}");
    assert_eq!(steps[1]["data"]["stdout"], "the token is ‹masked›");
}

#[test]
fn a_command_that_fails_says_why_without_being_asked() {
    let site = Site::new(TASKS);
    site.expect(0, &["facts", "inventory.yaml"]);
    std::fs::write(site.inside("pi", "/srv/token"), "grizzly-lantern\n").unwrap();
    let err = |command: &str, more: &str| {
        site.tasks(&format!(
            "- name: Token\n  command: {{cmd: cat /srv/token}}\n  register: {{name: token, secret: true}}\n- name: Break\n  command: {{shell: true, cmd: \"{command}\"{more}}}\n"
        ));
        let err = site.expect(3, &["apply", "inventory.yaml", "--yes"]).err;
        let from = err.find("error: pi: `Break` failed: it ended with status 3").unwrap_or_else(|| panic!("{err}"));
        assert!(!err.contains("grizzly"), "{err}");
        err[from..].trim_end().replace("error: pi: `Break` failed: it ended with status 3", "")
    };
    assert_eq!(err("exit 3", ""), "\nhint: it said nothing; `-vv` shows every step");
    assert_eq!(err("echo only; exit 3", ""), ": only\nhint: `-v` shows all that it said");
    assert_eq!(err("echo no matter; echo why; echo because >&2; exit 3", ""), ": because\nhint: `-v` shows all that it said");
    assert_eq!(
        err("echo the token is $(cat /srv/token) >&2; printf '\\\\033[31mbecause\\\\n\\\\n' >&2; exit 3", ""),
        ": \u{fffd}[31mbecause\n |\n = note: it said:\n         the token is ‹masked›\n         \u{fffd}[31mbecause\nhint: `-v` shows all that it said"
    );
    let long = err("seq 1 30; exit 3", "");
    assert!(long.starts_with(": 30\n") && long.contains("note: the end of what it said:\n         21\n         22\n") && !long.contains("20\n"), "{long}");
    let secret = err("echo $T >&2; exit 3", ", environment: {T: \"{{ token.stdout }}\"}");
    assert_eq!(secret, "\nhint: what it said is secret, and not shown");
}
