//! Names that shells, journals and line-based answers trip over; and paths that are not what they were.

use crate::site::Site;
use std::os::unix::fs::PermissionsExt;

/// As YAML double-quoted text.
const NAMES: &[&str] = &[
    "with space", " leading and trailing ", "-leading-dash", "--help", "it's", "say \\\"hi\\\"", "back\\\\slash",
    "héllo-日本-🦀", "$HOME", "$(touch pwned)", "`id`", "a;b&c|d", "*", "?", "[ab]", "{a,b}", "%s%d", "%0A", "#hash", "~", "!x", "..x", "a=b", "@1 op 2",
];

fn real(name: &str) -> String {
    name.replace("\\\"", "\"").replace("\\\\", "\\")
}

#[test]
fn odd_names_are_made_kept_and_removed_on_every_shell() {
    for shell in ["dash", "bash", "busybox"] {
        let site = Site::new("");
        site.write("inventory.yaml", &format!("playbooks: [site.yaml]\nhosts:\n  pi: {{sandbox: {{shell: {shell}}}, become: true}}\n"));
        let mut tasks = String::new();
        for name in NAMES {
            tasks += &format!("- file: {{path: \"/srv/{name}\", state: directory, mode: 0750}}\n");
            tasks += &format!("- copy: {{dest: \"/srv/{name}/{name}\", content: \"one\\n\", mode: 0640}}\n");
            tasks += &format!("- lineinfile: {{path: \"/srv/{name}/lines\", line: \"a line of {name}\", create: true}}\n");
            tasks += &format!("- file: {{path: \"/srv/{name}/link\", state: link, src: \"{name}\"}}\n");
            // `creates` takes no pattern, and says so.
            if name.contains(['*', '?', '[']) {
                continue;
            }
            tasks += &format!("- command: {{argv: [touch, --, \"{name}\"], chdir: \"/srv/{name}\", creates: \"/srv/{name}/{name}\"}}\n");
        }
        site.tasks(&tasks);
        site.apply();
        for name in NAMES {
            assert_eq!(site.text(&format!("/srv/{0}/{0}", real(name))), "one\n", "{shell}: {name}");
        }
        let there = std::fs::read_dir(site.inside("pi", "/srv")).unwrap().count();
        assert_eq!(there, NAMES.len(), "{shell}: something else was made");
        let plan = site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
        assert!(!plan.out.contains("to change"), "{shell}: {}", plan.out);
        // A change in each, which is taken back because the last step fails.
        let before = site.snapshot("pi");
        site.tasks(&(tasks.replace("one\\n", "two\\n").replace("0640", "0600") + "- command: {cmd: \"false\", creates: /nowhere}\n"));
        site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(before == site.snapshot("pi"), "{shell}: not as before");
        let gone: String = NAMES.iter().map(|name| format!("- file: {{path: \"/srv/{name}\", state: absent}}\n")).collect();
        site.tasks(&(gone.clone() + "- command: {cmd: \"false\", creates: /nowhere}\n"));
        site.expect(3, &["apply", "inventory.yaml", "--yes"]);
        assert!(before == site.snapshot("pi"), "{shell}: not as before the removal");
        site.tasks(&gone);
        site.apply();
        assert_eq!(std::fs::read_dir(site.inside("pi", "/srv")).unwrap().count(), 0, "{shell}");
    }
}

#[test]
fn a_template_with_crlf_stays_one() {
    let site = Site::new("- template: {src: dos.j2, dest: /srv/dos.ini}\n- copy: {src: plain, dest: /srv/plain}\n");
    site.write("dos.j2", "[a]\r\n{% for n in [1, 2] %}\r\nx={{ n }}\r\n{% endfor %}\r\nend\r\n");
    site.write("plain", "\r\nno newline at the end\r");
    site.apply();
    let text = site.text("/srv/dos.ini");
    assert!(text.starts_with("[a]\r\n") && text.ends_with("end\r\n") && text.contains("x=1\r\n"), "{text:?}");
    assert_eq!(site.text("/srv/plain"), "\r\nno newline at the end\r");
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
}

#[test]
fn what_was_replaced_or_deleted_by_hand_is_mended_or_named() {
    let site = Site::new("- file: {path: /srv/dir, state: directory}\n- copy: {dest: /srv/dir/page, content: \"hello\\n\"}\n");
    site.apply();
    // The parent is gone.
    std::fs::remove_dir_all(site.inside("pi", "/srv/dir")).unwrap();
    site.apply();
    assert_eq!(site.text("/srv/dir/page"), "hello\n");
    // A directory where the file was: what is in it is somebody's, so this is refused, and nothing is touched.
    std::fs::remove_file(site.inside("pi", "/srv/dir/page")).unwrap();
    std::fs::create_dir(site.inside("pi", "/srv/dir/page")).unwrap();
    std::fs::write(site.inside("pi", "/srv/dir/page/theirs"), "theirs\n").unwrap();
    let ended = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert!(ended.code == 1 && ended.err.contains("/srv/dir/page") && ended.err.contains("hint:"), "{}: {}{}", ended.code, ended.out, ended.err);
    assert_eq!(site.text("/srv/dir/page/theirs"), "theirs\n");
    // A file where the directory was.
    std::fs::remove_dir_all(site.inside("pi", "/srv/dir")).unwrap();
    std::fs::write(site.inside("pi", "/srv/dir"), "a file\n").unwrap();
    let ended = site.run(&["apply", "inventory.yaml", "--yes"]);
    assert!(ended.code == 1 && ended.err.contains("/srv/dir"), "{}: {}{}", ended.code, ended.out, ended.err);
    assert_eq!(site.text("/srv/dir"), "a file\n");
}

#[test]
fn what_the_login_may_not_write_is_said_and_taken_back() {
    let site = Site::bare();
    site.write("inventory.yaml", "playbooks: [site.yaml]\nhosts:\n  pi: {sandbox: true, become: true}\n");
    site.play("", "- file: {path: /srv/closed, state: directory, mode: 0755}\n- file: {path: /home/pi/mine, state: directory}\n  become: false\n");
    site.apply();
    let mode = site.inside("pi", "/srv/closed").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o755);
    site.play("", "- copy: {dest: /home/pi/mine/a, content: \"a\\n\"}\n  become: false\n- copy: {dest: /srv/closed/b, content: \"b\\n\"}\n  become: false\n");
    let ended = site.run(&["apply", "inventory.yaml", "--yes"]);
    if site.inside("pi", "/etc/homelab-sandbox").exists() && site.text("/etc/homelab-sandbox").contains("uids=all") {
        assert!([1, 3].contains(&ended.code), "{}: {}{}", ended.code, ended.out, ended.err);
        assert!(!site.inside("pi", "/srv/closed/b").exists() && !site.inside("pi", "/home/pi/mine/a").exists());
        assert!(ended.err.contains("/srv/closed"), "{}{}", ended.out, ended.err);
    }
}

#[test]
fn many_files_from_one_loop() {
    let many = if std::env::var_os("HOMELAB_TEST_SLOW").is_some() { 2000 } else { 400 };
    let site = Site::new(&format!("- file: {{path: /srv/many, state: directory}}\n- copy: {{dest: \"/srv/many/f{{{{ item }}}}\", content: \"file {{{{ item }}}}\\n\"}}\n  loop: \"{{{{ range({many}) | list }}}}\"\n"));
    let since = std::time::Instant::now();
    let first = site.apply();
    let apply = since.elapsed();
    assert!(first.out.contains(&format!("done: {} changed", many + 1)), "{}", first.out.lines().last().unwrap_or_default());
    assert_eq!(site.text(&format!("/srv/many/f{}", many - 1)), format!("file {}\n", many - 1));
    let since = std::time::Instant::now();
    site.expect(0, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    eprintln!("{many} files: applied in {:.1} s, planned again in {:.1} s", apply.as_secs_f32(), since.elapsed().as_secs_f32());
}
