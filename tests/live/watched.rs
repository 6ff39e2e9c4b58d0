//! A secret, watched: every process of the machine, every output, every file.

use crate::line::Fate;
use crate::remote::Remote;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const SECRET: &str = "Xq7-grizzly-lantern-42";
const OLD: &str = "Pw3-walrus-teapot-17";

fn seal(remote: &Remote, secret: &str) {
    let site = &remote.site;
    site.write("plain", secret);
    site.expect(0, &["secret", "encrypt", "plain", "--identity", "id"]);
    let sealed = std::fs::read_to_string(site.path("plain")).unwrap();
    let sealed: String = sealed.lines().map(|line| format!("  {line}\n")).collect();
    site.write("sealed.yaml", &format!("password: |\n{sealed}"));
}

fn remote(tasks: &str) -> Remote {
    let remote = Remote::new("vars_files: [sealed.yaml]", tasks);
    remote.site.expect(0, &["secret", "keygen", "--identity", "id"]);
    remote.site.write("app.j2", "user=app\npassword={{ password }}\nport=80\n");
    seal(&remote, SECRET);
    remote
}

const CONFIGURE: &str = "- name: Configure\n  template: {src: app.j2, dest: /etc/app.conf, mode: 0600}\n";

/// Runs; everything said is checked.
fn quiet(remote: &Remote, code: i32, args: &[&str]) -> String {
    let (ended, _) = remote.run(&[args, &["--identity", "id"]].concat(), Fate::Nothing);
    let said = format!("{}{}", ended.out, ended.err);
    assert_eq!(ended.code, code, "{args:?}\n{said}");
    for part in [SECRET, OLD, "grizzly", "walrus", "WHE3LWdyaXp6bHktbGFudGVybi00Mg"] {
        assert!(!said.contains(part), "{args:?} says {part}:\n{said}");
    }
    said
}

/// What watches until told to stop; answers how many rounds it made, and what it saw.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(u64, Vec<String>)>,
}

impl Watch {
    fn start(mut look: impl FnMut(&mut Vec<String>) + Send + 'static) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let mine = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut rounds, mut seen) = (0, Vec::new());
            while !mine.load(Ordering::SeqCst) {
                look(&mut seen);
                rounds += 1;
            }
            (rounds, seen)
        });
        Watch { stop, thread }
    }

    fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Looks at the arguments and the environment of every process of the machine.
fn processes(samples: &AtomicU64, seen: &mut Vec<String>) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        for file in ["cmdline", "environ"] {
            let Ok(text) = std::fs::read(entry.path().join(file)) else { continue };
            samples.fetch_add(1, Ordering::Relaxed);
            let text = String::from_utf8_lossy(&text);
            if text.contains(SECRET) || text.contains("grizzly") {
                seen.push(format!("{file}: {text}"));
            }
        }
    }
}

#[test]
fn no_process_of_the_machine_has_it_and_the_file_is_0600_from_birth() {
    let remote = remote(&format!(
        "{CONFIGURE}- name: Use it\n  command: {{cmd: \"cat > /srv/used; grep -c password /etc/app.conf\", shell: true, stdin: \"{{{{ password }}}}\", creates: /srv/used, environment: {{TOKEN: \"{{{{ password }}}}\"}}}}\n"
    ));
    // What a task itself gives to a command's environment is the user's wish; here it must only not be anywhere else.
    remote.site.tasks(CONFIGURE);
    let site = std::fs::read_to_string(remote.site.path("site.yaml")).unwrap();
    remote.site.write("site.yaml", &site.replace("  tasks:", "  vars_files: [sealed.yaml]\n  tasks:"));
    let samples = Arc::new(AtomicU64::new(0));
    let counter = samples.clone();
    let onlooker = Watch::start(move |seen| processes(&counter, seen));
    let target = remote.site.inside("pi", "/etc");
    let birth = Watch::start(move |seen| {
        for entry in std::fs::read_dir(&target).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(meta) = entry.metadata() else { continue };
            if (name == "app.conf" || name.starts_with(".homelab")) && meta.mode() & 0o777 != 0o600 {
                seen.push(format!("{name} {:o}", meta.mode()));
            }
        }
    });
    quiet(&remote, 0, &["apply", "inventory.yaml", "--yes"]);
    let (polls, wrong) = birth.end();
    let (rounds, seen) = onlooker.end();
    eprintln!("{rounds} rounds over all processes, {} samples; {polls} looks at the file", samples.load(Ordering::Relaxed));
    assert!(seen.is_empty(), "{seen:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(rounds > 5 && polls > 20);
    assert!(remote.site.text("/etc/app.conf").contains(SECRET));
}

#[test]
fn no_command_in_any_format_says_it() {
    let remote = remote(CONFIGURE);
    for args in [
        &["plan", "inventory.yaml", "-vv", "--out", "p"][..],
        &["plan", "inventory.yaml", "--json", "-vv"],
        &["apply", "inventory.yaml", "--dry-run", "--json"],
        &["apply", "p", "--yes", "-vv"],
        &["check", "inventory.yaml", "-vv"],
        &["check", "inventory.yaml", "--json", "-vv"],
        &["check", "inventory.yaml", "--explain", "pi", "password"],
        &["facts", "inventory.yaml", "-vv"],
        &["drift", "inventory.yaml", "--json"],
    ] {
        quiet(&remote, 0, args);
    }
    let plan = std::fs::read(remote.site.path("p")).unwrap();
    assert!(!String::from_utf8_lossy(&plan).contains("grizzly"), "the saved plan has it");
    std::fs::write(remote.site.inside("pi", "/etc/app.conf"), "user=app\npassword=other\nport=81\n").unwrap();
    let said = quiet(&remote, 2, &["drift", "inventory.yaml", "-vv"]);
    assert!(said.contains("Configure") && !said.contains("password=other"), "{said}");
    // Neither the one that was nor the one that comes.
    quiet(&remote, 0, &["apply", "inventory.yaml", "--yes", "-vv", "--json"]);
    seal(&remote, OLD);
    for args in [
        &["plan", "inventory.yaml", "-vv"][..],
        &["plan", "inventory.yaml", "--json"],
        &["apply", "inventory.yaml", "--yes", "-vv"],
    ] {
        quiet(&remote, 0, args);
    }
    assert!(remote.site.text("/etc/app.conf").contains(OLD));
    let mut open = Vec::new();
    readable(&remote.site.path(".sandbox/pi/root"), &mut open);
    readable(&remote.site.path("cache"), &mut open);
    assert!(open.is_empty(), "anybody can read it in {open:?}");
}

/// Files below `dir` that others than the owner can get at and that hold a secret.
fn readable(dir: &Path, out: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.map(Result::unwrap) {
        let meta = entry.path().symlink_metadata().unwrap();
        if meta.mode() & 0o077 == 0 || ["usr", "bin", "lib", "lib64", "proc", "dev", "sys"].iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if meta.is_dir() {
            readable(&entry.path(), out);
        } else if meta.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            if ["grizzly", "walrus"].iter().any(|part| text.contains(part)) {
                out.push(entry.path().display().to_string());
            }
        }
    }
}

#[test]
fn a_failing_command_that_prints_it_is_masked() {
    let printing = "- name: Blab\n  command: {cmd: \"cat >&2; cat /etc/app.conf; exit 1\", shell: true, stdin: \"{{ password }}\"}\n";
    let remote = remote(&format!("{CONFIGURE}{printing}"));
    for args in [&["apply", "inventory.yaml", "--yes", "-vv"][..], &["apply", "inventory.yaml", "--yes", "--json"], &["apply", "inventory.yaml", "--yes"]] {
        let said = quiet(&remote, 3, args);
        assert!(said.contains("Blab"), "{said}");
    }
}

#[test]
fn an_error_beside_it_does_not_say_it() {
    for (template, code) in [
        ("password={{ password }}\n{{ password | nonsense }}\n", 1),
        ("{{ password }} {{ undefined_thing }}\n", 1),
        ("{{ password | int }}\n", 1),
        ("{{ password.deep.deeper }}\n", 1),
        ("{{ password | network }}\n", 1),
        ("{{ password | from_json }}\n", 1),
        ("{{ fail(password) }}\n", 1),
        ("{% for c in password | int %}x{% endfor %}", 1),
    ] {
        let remote = remote(CONFIGURE);
        remote.site.write("app.j2", template);
        for args in [&["check", "inventory.yaml", "-vv"][..], &["plan", "inventory.yaml", "--json"]] {
            quiet(&remote, code, args);
        }
    }
    // A value that is wrong where it stands.
    let remote = remote("- file: {path: /srv/x, state: directory, mode: \"{{ password }}\"}\n- user: {name: \"{{ password }}\"}\n- assert: {that: \"password == 'x'\"}\n- sysctl: {name: \"net.ipv4.ip_forward\", value: \"{{ password }}\"}");
    quiet(&remote, 1, &["check", "inventory.yaml", "-vv"]);
    quiet(&remote, 1, &["plan", "inventory.yaml", "--json"]);
}
