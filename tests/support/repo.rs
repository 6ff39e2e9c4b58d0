//! Packages made here, in a repository that is a directory of the node: nothing comes from a network.
//!
//! `greeter` brings a configuration file, a user and a directory of that user's; `greeterd` a configuration file and a service;
//! `choir` needs the newer greeter; `tune` is for one architecture beside others; `broken` cannot be configured.

use std::path::Path;
use std::process::Command;

const GREETER_POSTINST: &str = "#!/bin/sh\nset -e\nid greeter >/dev/null 2>&1 || useradd --system --no-create-home greeter\nmkdir -p /var/lib/greeter\nchown greeter: /var/lib/greeter\n";
const GREETER_POSTRM: &str = "#!/bin/sh\nset -e\n[ \"$1\" = purge ] || exit 0\nrm -rf /var/lib/greeter\nuserdel greeter 2>/dev/null || true\n";

/// Makes the packages below `dir`, and their list.
pub fn make(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let mut list = String::new();
    let arch = Command::new("dpkg").arg("--print-architecture").output().unwrap().stdout;
    let arch = String::from_utf8(arch).unwrap().trim().to_owned();
    for (name, version, scripts) in [
        ("greeter", "1.0", &[("postinst", GREETER_POSTINST), ("postrm", GREETER_POSTRM)][..]),
        ("greeter", "1.1", &[("postinst", GREETER_POSTINST), ("postrm", GREETER_POSTRM)]),
        ("greeterd", "1.0", &[]),
        ("choir", "1.0", &[]),
        ("tune", "1.0", &[]),
        ("tune", "1.1", &[]),
        ("broken", "1.0", &[("postinst", "#!/bin/sh\necho the licence server does not answer >&2\nexit 1\n")]),
    ] {
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {}\nMaintainer: Tests <tests@example>\nDescription: {name} for tests\n{}",
            if name == "tune" { &arch } else { "all" },
            match name {
                "choir" => "Depends: greeter (>= 1.1)\n",
                // dpkg calls it by its architecture too, as it does libraries.
                "tune" => "Multi-Arch: same\n",
                _ => "",
            }
        );
        let work = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str, mode: u32| {
            let path = work.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        put("DEBIAN/control", &control, 0o644);
        put("DEBIAN/conffiles", &format!("/etc/{name}.conf\n"), 0o644);
        put(&format!("etc/{name}.conf"), &format!("greeting = default of {version}\n"), 0o644);
        if name == "greeterd" {
            let unit = "[Service]\nExecStartPre=/usr/bin/greeterd\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
            put("usr/lib/systemd/system/greeterd.service", unit, 0o644);
            put("usr/bin/greeterd", "#!/bin/sh\ncat /etc/greeterd.conf >/run/greeterd\n", 0o755);
        } else {
            put(&format!("usr/bin/{name}"), "#!/bin/sh\necho hello\n", 0o755);
        }
        if name == "greeter" {
            // A link, and a file below a directory that a link leads to.
            std::os::unix::fs::symlink(name, work.path().join("usr/bin/greet")).unwrap();
            put(&format!("lib/{name}/data"), "data\n", 0o640);
        }
        for (script, text) in scripts {
            put(&format!("DEBIAN/{script}"), text, 0o755);
        }
        let file = format!("{name}_{version}_{}.deb", if name == "tune" { &arch } else { "all" });
        let made = Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(work.path()).arg(dir.join(&file)).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let bytes = std::fs::read(dir.join(&file)).unwrap();
        list += &format!("{control}Filename: ./{file}\nSize: {}\nSHA256: {}\n\n", bytes.len(), homelab::node::op::sha256(&bytes));
    }
    std::fs::write(dir.join("Packages"), list).unwrap();
}
