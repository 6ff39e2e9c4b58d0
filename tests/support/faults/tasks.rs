//! The playbook: a node has two sides, and everything changes from one to the other. Before each task stands one that can stop the run.

/// Each op there is, but those of packages and units, which a sandbox has not. `side` is `a` or `b`.
const TASKS: &[&str] = &[
    "copy: {dest: /srv/c/page, content: \"page {{ side }}\\n\", mode: \"{{ '0644' if side == 'a' else '0600' }}\"}\n  notify: Load",
    "{copy: {dest: /srv/c/new, content: \"new\\n\", mode: 0640}, when: \"side == 'b'\"}",
    "{file: {path: /srv/c/new, state: absent}, when: \"side == 'a'\"}",
    "copy: {dest: /srv/c/checked, content: \"checked {{ side }}\\n\", validate: \"grep -q checked %s\"}",
    "copy: {dest: /srv/c/large, src: \"large-{{ side }}\"}",
    "file: {path: /srv/c/toggled, state: \"{{ 'directory' if side == 'b' else 'absent' }}\"}",
    "{copy: {dest: /srv/c/toggled/in, content: \"inside\\n\"}, when: \"side == 'b'\"}",
    "file: {path: /srv/c/modes, state: directory, mode: \"{{ '0750' if side == 'a' else '02770' }}\"}",
    "file: {path: /srv/c/link, state: link, src: \"target-{{ side }}\"}",
    "{file: {path: /srv/c/fresh, state: link, src: nowhere}, when: \"side == 'b'\"}",
    "{file: {path: /srv/c/fresh, state: absent}, when: \"side == 'a'\"}",
    "lineinfile: {path: /etc/hosts, regexp: ' side-.$', line: \"10.0.0.1 side-{{ side }}\"}",
    "blockinfile: {path: /etc/motd, block: \"side {{ side }}\", create: true}",
    "{group: {name: extra, gid: 1811}, when: \"side == 'b'\"}",
    "{group: {name: extra, state: absent}, when: \"side == 'a'\"}",
    "user: {name: lab, uid: 1810, comment: \"side {{ side }}\", shell: \"{{ '/bin/sh' if side == 'a' else '/bin/false' }}\"}",
    "{user: {name: guest, uid: 1812}, when: \"side == 'b'\"}",
    "{user: {name: guest, state: absent, remove: true}, when: \"side == 'a'\"}",
    "authorized_key: {user: lab, exclusive: true, key: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f side-{{ side }}\"}",
    "file: {path: /srv/c/owned, state: directory, owner: \"{{ 'lab' if side == 'b' else 'root' }}\"}",
    "cron: {name: Count, user: lab, minute: \"5\", job: \"echo {{ side }}\"}",
    "cron: {name: Count, cron_file: chaos, minute: \"5\", job: \"echo {{ side }}\"}",
    "sysctl: {name: net.ipv4.ip_forward, value: \"{{ 1 if side == 'b' else 0 }}\"}",
    "hostname: {name: \"pi-{{ side }}\"}",
    "{command: {cmd: \"touch -d @1 /srv/c/ran\", creates: /srv/c/ran, undo: \"rm /srv/c/ran\"}, when: \"side == 'b'\"}",
    "{command: {cmd: \"rm /srv/c/ran\", removes: /srv/c/ran, undo: \"touch -d @1 /srv/c/ran\"}, when: \"side == 'a'\"}",
];

/// What stands at a boundary: it waits until somebody writes into the gate, or fails. It has an undo, so that all can be taken back.
fn stop(at: usize) -> String {
    format!(
        "- name: Stop {at}\n  command: {{shell: true, cmd: \"{{{{ 'false' if fault == 'fail' else 'cat /var/gate >/var/gated' }}}}\", undo: \"rm -f /var/gated\"}}\n  when: at == {at}\n"
    )
}

/// How many boundaries there are: before each task, after the last one, and after the handler.
pub fn boundaries() -> usize {
    TASKS.len() + 2
}

/// How many tasks.
pub fn count() -> usize {
    TASKS.len()
}

/// The playbook.
pub fn playbook() -> String {
    let indent = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let mut tasks = String::from("- file: {path: /srv/c, state: directory}\n- file: {path: /etc/cron.d, state: directory}\n");
    for (at, task) in TASKS.iter().enumerate() {
        tasks += &stop(at);
        tasks += &match task.strip_prefix('{') {
            Some(flow) => format!("- {{name: Op {at}, {flow}\n"),
            None => format!("- name: Op {at}\n  {task}\n"),
        };
    }
    tasks += &stop(TASKS.len());
    let load = "- name: Load\n  command: {shell: true, cmd: \"cat /srv/c/page >/srv/c/loaded\"}\n";
    format!(
        "- name: Chaos\n  hosts: all\n  become: true\n  handlers:\n{}  tasks:\n{}- name: After the handler\n  hosts: all\n  become: true\n  tasks:\n{}",
        indent(load),
        indent(&tasks),
        indent(&stop(TASKS.len() + 1))
    )
}
