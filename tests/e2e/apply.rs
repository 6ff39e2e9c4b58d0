//! Applying, applying again, and mending by hand-made drift.

use crate::site::Site;

const THREE: &str = "\
- name: A place
  file: {path: /srv/www, state: directory, mode: 0755}
- name: A page
  copy: {dest: /srv/www/index.html, content: \"hello\\n\", mode: 0644}
- name: A line
  lineinfile: {path: /etc/hosts, line: 10.0.0.1 router}
";

#[test]
fn a_second_apply_has_nothing_to_do() {
    let site = Site::new(THREE);
    let first = site.apply();
    assert!(first.out.contains("done: 3 changed"), "{}", first.out);
    assert_eq!(site.text("/srv/www/index.html"), "hello\n");
    assert!(site.text("/etc/hosts").contains("10.0.0.1 router\n"));
    let second = site.apply();
    assert!(second.out.contains("nothing to do; 3 as wished"), "{}", second.out);
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn what_a_command_makes_is_readable_as_from_a_login() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new("- command: {cmd: touch /srv/made, creates: /srv/made}\n- command: {cmd: umask, shell: true, read_only: true}\n  register: mask\n- copy: {dest: /srv/mask, content: '{{ mask.stdout }}'}\n");
    site.apply();
    let made = std::fs::metadata(site.inside("pi", "/srv/made")).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o644);
    assert_eq!(site.text("/srv/mask"), "0022");
}

#[test]
fn a_change_by_hand_is_the_one_line_of_the_plan() {
    let site = Site::new(THREE);
    site.apply();
    std::fs::write(site.inside("pi", "/srv/www/index.html"), "defaced\n").unwrap();
    let plan = site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    let marks: Vec<&str> = plan.out.lines().filter(|line| line.starts_with("  ~") || line.starts_with("  +") || line.starts_with("  !")).collect();
    assert_eq!(marks.len(), 1, "{}", plan.out);
    assert!(plan.out.contains("-defaced") && plan.out.contains("+hello"), "{}", plan.out);
    assert_eq!(site.text("/srv/www/index.html"), "defaced\n", "a plan changes nothing");
    let apply = site.apply();
    assert!(apply.out.contains("done: 1 changed"), "{}", apply.out);
    assert_eq!(site.text("/srv/www/index.html"), "hello\n");
}

#[test]
fn drift_is_quiet_until_there_is_some() {
    let site = Site::new(THREE);
    site.apply();
    let run = |code: i32| {
        let ended = site.command(&["drift", "inventory.yaml"]).env_clear().output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(ended.status.code(), Some(code), "{text}");
        text
    };
    assert_eq!(run(0), "");
    std::fs::write(site.inside("pi", "/srv/www/index.html"), "defaced\n").unwrap();
    let said = run(2);
    assert!(said.contains("A page") && said.contains("-defaced"), "{said}");
    assert!(!said.contains("A place"), "{said}");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let site = Site::new(THREE);
    let ended = site.expect(64, &["apply", "inventory.yaml"]);
    assert!(ended.err.contains("--yes"), "{}", ended.err);
    assert!(!site.inside("pi", "/srv/www").exists());
}

#[test]
fn a_steady_plan_of_100_resources_is_one_channel_and_one_round_trip_after_login() {
    let tasks: String = (0..100).map(|i| format!("- copy: {{dest: /srv/f{i}, content: \"{i}\\n\"}}\n")).collect();
    let site = Site::new(&tasks);
    site.apply();
    let plan = site.expect(0, &["plan", "inventory.yaml", "-v"]);
    let cost = plan.err.lines().find(|line| line.starts_with("cost:")).unwrap_or_else(|| panic!("no cost line: {}", plan.err));
    assert!(cost.starts_with("cost: 1 connection, 1 exec channel, ") && cost.contains("(1 after login)"), "{cost}");
}
