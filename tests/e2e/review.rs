//! What is reported when several things go wrong at once, and what untrusted nodes and odd command lines may do to it.

use crate::site::Site;

fn document(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// Sandboxes `a`, `b` and `c`.
fn three() -> Site {
    let site = Site::bare();
    let host = |name: &str| format!("  {name}: {{sandbox: true, become: true}}\n");
    site.write("inventory.yaml", &format!("playbooks: [site.yaml]\nhosts:\n{}{}{}", host("a"), host("b"), host("c")));
    site
}

#[test]
fn every_end_of_a_command_with_json_is_one_document() {
    let site = Site::new("- copy: {dest: /srv/a, content: a}");
    let unasked = document(&site.expect(64, &["apply", "inventory.yaml", "--json"]).out);
    assert_eq!(unasked["problems"].as_array().map(Vec::len), Some(1), "{unasked}");
    for command in ["check", "plan", "apply", "drift", "facts"] {
        let missing = document(&site.expect(1, &[command, "nowhere.yaml", "--json"]).out);
        assert_eq!(missing["version"], 1);
        assert_eq!(missing["command"], command);
        assert_eq!(missing["problems"].as_array().map(Vec::len), Some(1), "{missing}");
    }
    site.tasks("- copy: {dest: /nowhere/a, content: a}");
    let unmet = document(&site.expect(1, &["apply", "inventory.yaml", "--json", "--yes"]).out);
    assert_eq!(unmet["problems"].as_array().map(Vec::len), Some(1), "{unmet}");
    site.tasks("- copy: {dst: /srv/a, content: a}");
    assert!(document(&site.expect(1, &["check", "inventory.yaml", "--json"]).out)["problems"][0]["message"].is_string());
}

#[test]
fn a_plan_file_takes_no_other_selection() {
    let site = Site::new("- copy: {dest: /srv/a, content: a}");
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    for option in [["--limit", "pi"], ["--tags", "x"], ["--set", "x=1"], ["--playbook", "site.yaml"], ["--start-at", "x"]] {
        let ended = site.expect(64, &["apply", "p", "--yes", option[0], option[1]]);
        assert!(ended.err.contains(option[0]), "{}", ended.err);
    }
    assert!(!site.inside("pi", "/srv/a").exists());
}

#[test]
fn a_plan_is_applied_from_elsewhere_with_names_of_that_place() {
    let site = Site::new("- copy: {dest: /srv/a, content: a}");
    site.expect(0, &["plan", "inventory.yaml", "--out", "p"]);
    site.write("elsewhere/x", "");
    site.expect(0, &["secret", "keygen", "--identity", "elsewhere/key.txt"]);
    let ended = site.command(&["apply", "../p", "--yes", "--identity", "key.txt"]).current_dir(site.path("elsewhere")).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(site.text("/srv/a"), "a");
}

#[test]
fn what_a_node_says_cannot_steer_the_terminal() {
    let site = Site::new("- command: {shell: true, cmd: \"printf '\\\\033]0;owned\\\\007\\\\033[2Jpwned\\\\r' >&2; exit 1\"}");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--color", "always"]);
    assert!(ended.err.contains("pwned"), "{}", ended.err);
    for text in [&ended.out, &ended.err] {
        assert!(!text.contains("\x1b]0") && !text.contains("\x1b[2J") && !text.contains('\x07') && !text.contains('\r'), "{text:?}");
    }
    std::fs::write(site.inside("pi", "/etc/motd"), "\x1b]0;owned\x07\x1b[2Jpwned\r\n").unwrap();
    site.tasks("- copy: {dest: /etc/motd, content: \"fine\\n\"}");
    let plan = site.expect(0, &["plan", "inventory.yaml", "--color", "always"]);
    assert!(plan.out.contains("pwned"), "{}", plan.out);
    assert!(!plan.out.contains("\x1b]0") && !plan.out.contains("\x1b[2J") && !plan.out.contains('\x07') && !plan.out.contains('\r'), "{:?}", plan.out);
}

#[test]
fn no_escape_codes_without_a_terminal_or_with_no_color() {
    let site = Site::new("- copy: {dest: /srv/a, content: a}\n- command: {argv: [\"false\"]}");
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    assert!(!ended.out.contains('\x1b') && !ended.err.contains('\x1b'), "{}{}", ended.out, ended.err);
}

#[test]
fn a_host_that_a_stopped_play_never_reached_does_not_go_on_to_the_next() {
    let site = three();
    site.write(
        "site.yaml",
        "\
- name: First
  hosts: all
  become: true
  serial: 1
  max_failures: 1
  rollback: play
  tasks:
    - copy: {dest: /srv/first, content: x}
    - name: Break
      command: {argv: [\"false\"]}
      when: host.name == \"a\"
- name: Second
  hosts: all
  become: true
  tasks:
    - copy: {dest: /srv/second, content: x}
",
    );
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes"]);
    for host in ["a", "b", "c"] {
        assert!(!site.inside(host, "/srv/first").exists(), "{host}");
        assert!(!site.inside(host, "/srv/second").exists(), "{host}: {}{}", ended.out, ended.err);
    }
    assert!(ended.err.contains("c: not begun"), "{}", ended.err);
    // Nothing holds the nodes, and nobody was left in the middle.
    site.write("site.yaml", "- {name: Third, hosts: all, become: true, tasks: [{copy: {dest: /srv/third, content: x}}]}\n");
    let next = site.expect(0, &["apply", "inventory.yaml", "--yes"]);
    assert!(!next.err.contains("interrupted"), "{}", next.err);
}

#[test]
fn a_failure_in_the_second_play_takes_back_the_first() {
    let site = three();
    site.write(
        "site.yaml",
        "\
- name: First
  hosts: a
  become: true
  tasks:
    - copy: {dest: /srv/first, content: x}
- name: Elsewhere
  hosts: b
  become: true
  tasks:
    - copy: {dest: /srv/b, content: x}
- name: Second
  hosts: a:c
  become: true
  max_failures: 2
  tasks:
    - copy: {dest: /srv/second, content: x}
    - command: {argv: [\"false\"]}
      when: host.name == \"a\"
",
    );
    let ended = site.expect(3, &["apply", "inventory.yaml", "--yes", "--json"]);
    let runs = document(&ended.out)["runs"].clone();
    let ends: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["end"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ends, ["taken_back", "done", "done"], "{runs}");
    assert!(!site.inside("a", "/srv/first").exists() && !site.inside("a", "/srv/second").exists());
    assert!(site.inside("b", "/srv/b").exists() && site.inside("c", "/srv/second").exists());
}

#[test]
fn a_host_that_is_not_reached_is_in_the_summary() {
    let site = Site::bare();
    site.write(
        "inventory.yaml",
        "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n  off: {address: 127.0.0.1, port: 1, user: nobody}\n",
    );
    site.play("", "- copy: {dest: /srv/a, content: a}");
    let ended = site.expect(4, &["apply", "inventory.yaml", "--yes"]);
    let summary = ended.out.split("Summary").nth(1).unwrap_or_else(|| panic!("{}", ended.out));
    assert!(summary.contains("off") && summary.contains("not reached"), "{summary}");
    let json = site.expect(4, &["apply", "inventory.yaml", "--yes", "--json"]);
    let _ = document(&json.out);
    // With a failure beside it, the failure counts.
    site.play("", "- copy: {dest: /srv/a, content: b}\n- command: {argv: [\"false\"]}");
    site.expect(3, &["apply", "inventory.yaml", "--yes"]);
}

#[test]
fn a_step_whose_batch_failed_after_it_is_reported_as_done() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    // The copy cannot be renamed into place: a directory is put there by the command before it, unseen by the plan.
    site.play(
        "rollback: none",
        "- name: In the way\n  command: {shell: true, cmd: \"mkdir -p /srv/b/x\"}\n- copy: {dest: /srv/a, content: a}\n- copy: {dest: /srv/b, content: b}\n- copy: {dest: /srv/c, content: c}",
    );
    let ended = site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(ended.out.contains("2 done and left, 1 failed"), "{}{}", ended.out, ended.err);
}

#[test]
fn a_linked_directory_is_a_directory() {
    let site = Site::new("- file: {path: /srv/real/deep, state: directory}");
    site.write("extra", "");
    site.tasks("- file: {path: /srv/real, state: directory}\n- file: {path: /srv/link, src: real, state: link}\n- copy: {dest: /srv/link/f, content: f}");
    site.apply();
    assert_eq!(site.text("/srv/real/f"), "f");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    site.tasks("- file: {path: /srv/link/d, state: directory}\n- copy: {dest: /srv/link/d/f, content: f}\n- command: {argv: [touch, x], chdir: /srv/link, creates: /srv/link/x}");
    site.apply();
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_cache_that_is_garbage_costs_a_look_and_nothing_else() {
    let site = Site::new("- copy: {dest: /srv/a, content: \"{{ facts.arch }}\"}");
    site.apply();
    let steady = site.expect(0, &["plan", "inventory.yaml", "-v"]);
    assert!(steady.err.contains("1 exec channel") && steady.err.contains("(1 after login)"), "{}", steady.err);
    for garbage in ["", "{", "{\"os\": 7}", "[]", "{}"] {
        for entry in std::fs::read_dir(site.path("cache/homelab/facts")).unwrap() {
            std::fs::write(entry.unwrap().path(), garbage).unwrap();
        }
        let ended = site.expect(0, &["plan", "inventory.yaml", "-v", "--detailed-exitcode"]);
        assert!(ended.err.contains("1 exec channel"), "{garbage}: {}", ended.err);
    }
}

#[test]
fn a_saved_plan_holds_no_secret_that_went_into_a_command_a_label_or_a_crontab() {
    let site = Site::bare();
    site.expect(0, &["secret", "keygen", "--identity", "id"]);
    site.write("sealed", "tr0mb0ne-42");
    site.expect(0, &["secret", "encrypt", "sealed", "--identity", "id"]);
    let sealed: String = std::fs::read_to_string(site.path("sealed")).unwrap().lines().map(|line| format!("      {line}\n")).collect();
    site.write("inventory.yaml", &format!("playbooks: [site.yaml]\nhosts:\n  pi:\n    sandbox: true\n    become: true\n    vars:\n     token: |\n{sealed}"));
    site.play("", "- name: \"Use {{ token }}\"\n  lineinfile: {path: /etc/motd, regexp: ^token=, line: \"token={{ token }}\", create: true}\n- cron: {name: Job, job: \"/bin/true {{ token }}\"}");
    let ended = site.run(&["plan", "inventory.yaml", "--identity", "id", "--out", "p"]);
    assert_eq!(ended.code, 0, "{}{}\n{}", ended.out, ended.err, std::fs::read_to_string(site.path("inventory.yaml")).unwrap());
    let text = std::fs::read_to_string(site.path("p")).unwrap();
    assert!(!text.contains("tr0mb0ne"), "{text}");
    site.expect(1, &["plan", "inventory.yaml", "--out", "q"]);
    let ended = site.run(&["apply", "p", "--yes", "--identity", "id"]);
    assert!(!ended.err.contains("stale"), "what is masked holds as what was masked: {}", ended.err);
}

#[test]
fn what_an_unprivileged_task_asks_while_planning_it_asks_as_the_login() {
    let site = Site::new(
        "- name: Who\n  command: {cmd: id -un, read_only: true}\n  become: false\n  register: who\n\
         - name: Root\n  command: {cmd: id -un, read_only: true}\n  register: root\n\
         - name: Write\n  copy: {dest: /srv/who, content: \"{{ who.stdout }} {{ root.stdout }}\\n\"}",
    );
    for _ in 0..2 {
        site.apply();
        if std::fs::read_to_string(site.inside("pi", "/etc/homelab-sandbox")).unwrap().contains("uids=all") {
            assert_eq!(site.text("/srv/who"), "pi root\n");
        }
    }
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn a_role_of_the_directory_has_a_page() {
    let site = Site::bare();
    site.write("roles/greet/role.yaml", "summary: Greets.\nparams:\n  whom: { type: text, required: true, help: Who is greeted. }\n  how: { type: choice, choices: [loud, soft], default: soft, help: With which voice. }\n  word: { type: text, secret: true, default: hunter2, help: The word. }\ntasks: []\n");
    site.write("roles/broken/role.yaml", "params: 7\n");
    let index = site.expect(0, &["docs"]).out;
    assert!(index.contains("| `greet` | Greets |") && index.contains("| `broken` |  |") && index.contains("| `copy` |"), "{index}");
    let page = site.expect(0, &["docs", "greet"]).out;
    for line in ["| `whom` | a text | must be given | Who is greeted. |", "| `how` | `loud`, `soft` | `soft` | With which voice. |", "    whom: …"] {
        assert!(page.contains(line), "{line}: {page}");
    }
    assert!(!page.contains("hunter2"), "{page}");
    assert!(site.expect(1, &["docs", "broken"]).err.contains("roles/broken/role.yaml:1:9"));
    assert!(site.expect(64, &["docs", "gret"]).err.contains("did you mean `greet`?"));
}

#[test]
fn every_shipped_role_says_what_it_is_and_what_it_takes() {
    let repo = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let roles = homelab::playbook::docs::roles(repo);
    assert!(roles.len() > 10, "{roles:?}");
    for name in roles {
        let role = homelab::playbook::docs::role(&name, repo).unwrap().unwrap();
        assert!(role.summary.ends_with('.') && role.summary.len() > 10, "{name}: {}", role.summary);
        for (param, declared) in &role.params {
            assert!(declared.help.ends_with(['.', '`']) && declared.ty != "any", "{name}.{param}: {} {}", declared.ty, declared.help);
        }
    }
}
