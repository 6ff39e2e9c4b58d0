//! The playbook: a node has two sides, and everything changes from one to the other. Before each task stands one that can stop the run.

/// Each op that any node can carry. `side` is `a` or `b`.
const ANYWHERE: &[&str] = &[
    "copy: {dest: /srv/c/page, content: \"page {{ side }}\\n\", mode: \"{{ '0644' if side == 'a' else '0600' }}\"}",
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
    "authorized_key: {user: lab, exclusive: true, key: \"ssh-ed25519 {{ 'AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f' if side == 'a' else 'AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g' }}\"}",
    "file: {path: /srv/c/owned, state: directory, owner: \"{{ 'lab' if side == 'b' else 'root' }}\"}",
    "cron: {name: Count, user: lab, minute: \"5\", job: \"echo {{ side }}\"}",
    "cron: {name: Count, cron_file: chaos, minute: \"5\", job: \"echo {{ side }}\"}",
    "sysctl: {name: net.ipv4.ip_default_ttl, value: \"{{ 65 if side == 'b' else 64 }}\"}",
    "hostname: {name: \"pi-{{ side }}\"}",
    "{command: {cmd: \"touch -d @1 /srv/c/ran\", creates: /srv/c/ran, undo: \"rm /srv/c/ran\"}, when: \"side == 'b'\"}",
    "{command: {cmd: \"rm /srv/c/ran\", removes: /srv/c/ran, undo: \"touch -d @1 /srv/c/ran\"}, when: \"side == 'a'\"}",
];

/// Those of units and packages, which take a machine. What is enabled and what is started are tasks of their own: a boot may come between.
const MACHINE: &[&str] = &[
    "systemd_unit: {name: served.service, content: \"[Unit]\\nDescription=side {{ side }}\\nStartLimitIntervalSec=0\\n[Service]\\nExecStartPre=cp /srv/c/page /run/served\\nExecStart=sleep infinity\\nExecReload=cp /srv/c/page /srv/c/reread\\n[Install]\\nWantedBy=multi-user.target\\n\", enabled: true, started: true}",
    "{systemd_unit: {name: served.service, dropin: more, content: \"[Service]\\nEnvironment=SIDE=b\\n\"}, when: \"side == 'b'\"}",
    "{systemd_unit: {name: served.service, dropin: more, state: absent}, when: \"side == 'a'\"}",
    "{systemd_unit: {name: passing.service, content: \"[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n\"}, when: \"side == 'b'\"}",
    "{service: {name: passing, enabled: true}, when: \"side == 'b'\"}",
    "{service: {name: passing, state: started}, when: \"side == 'b'\"}",
    "{systemd_unit: {name: passing.service, state: absent}, when: \"side == 'a'\"}",
    "service: {name: cron, state: \"{{ 'started' if side == 'a' else 'stopped' }}\"}",
    "service: {name: cron, enabled: \"{{ side == 'a' }}\"}",
    "{service: {name: dpkg-db-backup.timer, state: stopped, enabled: false, masked: true}, when: \"side == 'b'\"}",
    "{service: {name: dpkg-db-backup.timer, masked: false, enabled: true, state: started}, when: \"side == 'a'\"}",
    "package: {name: \"greeter={{ '1.0' if side == 'a' else '1.1' }}\"}",
    "package: {name: tune, state: \"{{ 'present' if side == 'b' else 'absent' }}\"}",
    "{package: {name: greeterd}, when: \"side == 'b'\"}",
    "{service: {name: greeterd, enabled: true}, when: \"side == 'b'\"}",
    "{service: {name: greeterd, state: started}, when: \"side == 'b'\"}",
    "{service: {name: greeterd, state: stopped, enabled: false}, when: \"side == 'a'\"}",
    "{package: {name: greeterd, state: absent, purge: true}, when: \"side == 'a'\"}",
];

/// What the first task notifies.
const LOAD: (&str, &str) = ("Load", "command: {shell: true, cmd: \"cat /srv/c/page >/srv/c/loaded\"}");
const OF_MACHINE: &[(&str, &str)] = &[("Serve", "service: {name: served, state: restarted}"), ("Reread", "service: {name: served, state: reloaded}")];

/// The tasks and handlers that a node can carry.
pub struct Tasks {
    tasks: Vec<&'static str>,
    handlers: Vec<(&'static str, &'static str)>,
}

impl Tasks {
    /// Of a sandbox.
    pub fn of_sandbox() -> Tasks {
        Tasks { tasks: ANYWHERE.to_vec(), handlers: vec![LOAD] }
    }

    /// Of a machine with systemd and apt.
    pub fn of_machine() -> Tasks {
        Tasks { tasks: [ANYWHERE, MACHINE].concat(), handlers: [&[LOAD], OF_MACHINE].concat() }
    }

    /// How many tasks.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// How many boundaries: before each task, after the last one, and after each handler.
    pub fn boundaries(&self) -> usize {
        self.tasks.len() + 1 + self.handlers.len()
    }

    /// The name of each task and handler, and the only side on the way to which it has something to do, if there is one.
    pub fn named(&self) -> Vec<(String, Option<char>)> {
        let only = |task: &str| ['a', 'b'].into_iter().find(|side| task.contains(&format!("when: \"side == '{side}'\"")));
        let tasks = self.tasks.iter().enumerate().map(|(at, task)| (format!("Op {at}"), only(task)));
        tasks.chain(self.handlers.iter().map(|(name, _)| ((*name).to_owned(), None))).collect()
    }

    /// The playbook, for these hosts.
    pub fn playbook(&self, hosts: &str) -> String {
        let count = self.count();
        let mut tasks = String::from("- file: {path: /srv/c, state: directory}\n- file: {path: /etc/cron.d, state: directory}\n");
        for (at, task) in self.tasks.iter().enumerate() {
            tasks += &stop(at);
            tasks += &match task.strip_prefix('{') {
                Some(flow) => format!("- {{name: Op {at}, {flow}\n"),
                None => format!("- name: Op {at}\n  {task}\n"),
            };
            if at == 0 {
                let names: Vec<String> = self.handlers.iter().enumerate().flat_map(|(nth, (name, _))| [format!("Stop {}", count + nth), (*name).to_owned()]).skip(1).collect();
                tasks += &format!("  notify: [{}]\n", names.join(", "));
            }
        }
        tasks += &stop(count);
        let mut handlers = String::new();
        for (nth, (name, handler)) in self.handlers.iter().enumerate() {
            if nth > 0 {
                handlers += &stop(count + nth);
            }
            handlers += &format!("- name: {name}\n  {handler}\n");
        }
        let indent = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        let play = |name: &str| format!("- name: {name}\n  hosts: {hosts}\n  become: true\n");
        let last = indent(&stop(self.boundaries() - 1));
        format!("{}  handlers:\n{}  tasks:\n{}{}  tasks:\n{last}", play("Chaos"), indent(&handlers), indent(&tasks), play("After the handlers"))
    }
}

/// What stands at a boundary: it waits until somebody writes into the gate, or fails. It has an undo, so that all can be taken back.
fn stop(at: usize) -> String {
    format!("- name: Stop {at}\n  command: {{shell: true, cmd: \"{{{{ 'false' if fault == 'fail' else 'cat /var/gate >/dev/null' }}}}\", undo: \"true\"}}\n  when: at == {at}\n")
}
