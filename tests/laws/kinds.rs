//! Every kind about files, the kernel and commands: made on an empty node, changed, and removed; each a whole run of its own.

use crate::node::{Node, on_each_shell};

on_each_shell!(archives_keep_the_laws files_keep_the_laws the_kernel_and_commands_keep_the_laws what_a_node_cannot_carry_is_refused);

const MADE: &str = r#"
- file: {path: /srv/deep/er, state: directory, mode: 0750}
- file: {path: /srv/touched, state: touch, mode: 0640}
- file: {path: /srv/link, src: deep/er, state: link}
- copy: {dest: /srv/deep/er/text, content: "one\n", mode: 0600}
- copy: {dest: "/srv/deep/a name with 'quotes' and $dollars", content: "odd\n"}
- copy: {dest: /srv/from, src: tree/}
- copy: {dest: /srv/binary, src: binary, mode: 0755}
- template: {dest: /srv/rendered, src: page.j2}
- lineinfile: {path: /etc/hosts, line: 10.0.0.1 router}
- lineinfile: {path: /etc/app.conf, line: a=1, create: true}
- lineinfile: {path: /etc/app.conf, line: b=2, create: true}
- blockinfile: {path: /etc/app.conf, block: "c=3\nd=4"}
- blockinfile: {path: /etc/block.conf, block: "only\n", create: true, mode: 0604}
- file: {path: /srv/doomed/inner, state: directory}
- copy: {dest: /srv/doomed/inner/file, content: "will go\n"}
- file: {path: /srv/doomed/to, src: inner/file, state: link}
- copy: {dest: /srv/replaced, content: "one\ntwo\none\n", force: false}
- replace: {path: /srv/replaced, regexp: '^(one)$', replace: 'not \1'}
- ini_file: {path: /etc/app.ini, section: web, option: port, value: 80}
- ini_file: {path: /etc/app.ini, section: web, option: host, values: [one, two]}
- ini_file: {path: /etc/app.ini, option: top, value: "it's $HOME"}
- known_hosts: {path: /etc/known, name: nas.lan, hash_host: true, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f}
- known_hosts: {path: /etc/known, name: "[nas.lan]:2222", key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f}
- copy: {dest: /srv/becomes-link, content: "a file yet\n"}
- file: {path: /srv/becomes-file, src: nowhere, state: link}
"#;

const CHANGED: &str = r#"
- file: {path: /srv/deep/er, state: directory, mode: 01777}
- file: {path: /srv/touched, state: file, mode: "u=rw,go=r"}
- file: {path: /srv/link, src: /srv/touched, state: link}
- copy: {dest: /srv/deep/er/text, content: "two\n", mode: 0644}
- copy: {dest: "/srv/deep/a name with 'quotes' and $dollars", content: "odder\n", mode: 0400}
- file: {path: /srv/from, state: directory, recurse: true, mode: "u=rwX,go="}
- copy: {dest: /srv/binary, content: ""}
- template: {dest: /srv/rendered, src: page.j2, mode: 0600}
- lineinfile: {path: /etc/hosts, regexp: router$, line: 10.0.0.2 router, mode: 0640}
- lineinfile: {path: /etc/app.conf, regexp: ^a=, line: a=2}
- lineinfile: {path: /etc/app.conf, line: b=2, state: absent}
- blockinfile: {path: /etc/app.conf, block: "c=5"}
- ini_file: {path: /etc/app.ini, section: web, option: port, value: 81, mode: 0600}
- ini_file: {path: /etc/app.ini, section: web, option: host, values: [two, three]}
- ini_file: {path: /etc/app.ini, option: top, state: absent}
- known_hosts: {path: /etc/known, name: nas.lan, state: absent}
- replace: {path: /srv/replaced, regexp: '^not (.*)\n', replace: '\1, once more\n', after: two, mode: 0600}
- blockinfile: {path: /etc/block.conf, state: absent}
- file: {path: /srv/doomed, state: absent}
- file: {path: /srv/becomes-link, src: touched, state: link, force: true}
- copy: {dest: /srv/becomes-file, content: "a file now\n"}
"#;

const REMOVED: &str = r#"
- file: {path: /srv/deep, state: absent}
- file: {path: /srv/touched, state: absent}
- file: {path: /srv/link, state: absent}
- file: {path: /srv/from, state: absent}
- file: {path: /srv/binary, state: absent}
- ini_file: {path: /etc/app.ini, section: web, state: absent}
- replace: {path: /srv/replaced, regexp: '^.*more\n'}
- lineinfile: {path: /etc/hosts, regexp: router$, state: absent}
- file: {path: /etc/app.conf, state: absent}
- file: {path: /srv/becomes-link, state: absent}
- file: {path: /srv/becomes-file, state: absent}
"#;

fn files_keep_the_laws(shell: &str) {
    let node = Node::new(shell);
    node.site.write("tree/a", "a\n");
    node.site.write("tree/sub/b", "b\n");
    node.site.write("page.j2", "on {{ facts.hostname }}\n");
    let binary: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    std::fs::write(node.site.path("binary"), &binary).unwrap();
    node.apply("- copy: {dest: /srv/first, content: \"so that there is a node\\n\"}");
    node.keeps_the_laws(MADE);
    assert_eq!(std::fs::read(node.site.inside("pi", "/srv/binary")).unwrap(), binary);
    assert_eq!(node.site.text("/srv/from/sub/b"), "b\n");
    assert_eq!(node.site.text("/srv/rendered"), "on pi\n");
    node.keeps_the_laws(CHANGED);
    assert_eq!(node.site.text("/etc/app.conf").lines().next(), Some("a=2"));
    assert_eq!(node.site.text("/etc/app.ini"), "[web]\nport = 81\nhost = two\nhost = three\n");
    assert_eq!(node.site.text("/srv/replaced"), "not one\ntwo\none, once more\n");
    assert!(!node.site.inside("pi", "/srv/doomed").exists());
    node.keeps_the_laws(REMOVED);
    assert!(!node.site.inside("pi", "/srv/deep").exists());
}

fn archives_keep_the_laws(shell: &str) {
    let node = Node::new(shell);
    node.site.write("one/app/file", "one\n");
    node.site.write("two/app/file", "two\n");
    node.site.write("two/app/deep/er", "deeper\n");
    for name in ["one", "two"] {
        let tar = std::process::Command::new("tar").arg("-C").arg(node.site.path(name)).arg("-cf").arg(node.site.path(&format!("{name}.tar"))).arg("app").status();
        assert!(tar.unwrap().success());
    }
    node.apply("- file: {path: /srv/unpacked, state: directory}");
    let tasks = |name: &str| format!("- copy: {{dest: /srv/app.tar, src: {name}.tar}}\n- unarchive: {{src: /srv/app.tar, dest: /srv/unpacked, strip_components: 1}}\n");
    node.keeps_the_laws(&tasks("one"));
    assert_eq!(node.site.text("/srv/unpacked/file"), "one\n");
    node.keeps_the_laws(&tasks("two"));
    assert_eq!((node.site.text("/srv/unpacked/file"), node.site.text("/srv/unpacked/deep/er")), ("two\n".into(), "deeper\n".into()));
}

fn the_kernel_and_commands_keep_the_laws(shell: &str) {
    let node = Node::new(shell);
    node.apply("- copy: {dest: /srv/first, content: \"so that there is a node\\n\"}");
    let made = r#"
- hostname: first
- sysctl: {name: net.ipv4.ip_forward, value: 1}
- sysctl: {name: net.ipv4.conf.all.rp_filter, value: 2, sysctl_set: false}
- file: {path: /etc/cron.d, state: directory}
- cron: {name: backup, cron_file: backup, job: /bin/true, minute: "3"}
- cron: {name: MAILTO, env: true, cron_file: backup, job: root}
- name: With creates and undo
  command: {cmd: touch /srv/made, creates: /srv/made, undo: rm /srv/made}
- name: With unless
  command: {shell: true, cmd: "echo x >>/srv/log", unless: "test -e /srv/log", undo: "rm /srv/log"}
- name: Only reads
  command: {argv: [cat, /etc/hostname], read_only: true}
  register: said
- copy: {dest: /srv/said, content: "{{ said.stdout }}\n"}
- wait_for: {path: /srv/made}
- wait_for: {port: 1, state: stopped}
"#;
    node.keeps_the_laws(made);
    assert_eq!(node.site.text("/etc/hostname"), "first\n");
    let changed = r#"
- hostname: second
- sysctl: {name: net.ipv4.ip_forward, value: 0}
- sysctl: {name: net.ipv4.conf.all.rp_filter, state: absent}
- cron: {name: backup, cron_file: backup, job: /bin/false, special_time: daily}
- cron: {name: MAILTO, env: true, cron_file: backup, state: absent}
- name: With removes and undo
  command: {cmd: rm /srv/made, removes: /srv/made, undo: touch -d @1 /srv/made}
"#;
    // The undo of a command is the user's word: it gives the file back, not its time.
    std::fs::File::options().write(true).open(node.site.inside("pi", "/srv/made")).unwrap()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
    node.keeps_the_laws(changed);
}

fn what_a_node_cannot_carry_is_refused(shell: &str) {
    let node = Node::new(shell);
    node.apply("- copy: {dest: /srv/first, content: \"so that there is a node\\n\"}");
    let before = node.state();
    for (task, says) in [
        ("package: nginx", "package manager"),
        ("service: {name: nginx, state: started}", "systemd"),
        ("systemd_unit: {name: a.service, content: \"[Service]\\nExecStart=/bin/true\\n\"}", "systemd"),
    ] {
        node.site.tasks(&format!("- copy: {{dest: /srv/second, content: x}}\n- name: Too much\n  {task}"));
        let ended = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
        assert!(ended.err.contains(says) && ended.err.contains("site.yaml:"), "{}", ended.err);
    }
    crate::tree::same("a refused plan did something", &before, &node.state());
}
