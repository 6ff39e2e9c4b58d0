//! The shell of the resource `iptables`, on every shell and on both kinds of iptables, against the kernel: in a network of its own.

use crate::untested::untested;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = include_str!("../../src/resource/scripts/iptables.sh");

/// What the list says first, and what it says later.
const FIRST: &str = "\
*nat
:HL_web_NPRE - [0:0]
-A HL_web_NPRE -i eth0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:80
-I PREROUTING -j HL_web_NPRE
COMMIT
*filter
:HL_web_FWD - [0:0]
-A HL_web_FWD -d 10.0.0.2 -p tcp --dport 80 -m comment --comment \"to the web\" -j ACCEPT
-I FORWARD -j HL_web_FWD
COMMIT
";
const LATER: &str = "\
*filter
:HL_web_FWD - [0:0]
-A HL_web_FWD -d 10.0.0.3 -j ACCEPT
-I FORWARD -j HL_web_FWD
COMMIT
";

/// `script` after the library, in a network of its own, with files below `dir` in place of the node's.
fn runs(shell: &[&str], kind: &str, dir: &Path, script: &str) -> String {
    let tools = dir.join("tools");
    if !tools.exists() {
        std::fs::create_dir(&tools).unwrap();
        for tool in ["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"] {
            let (name, rest) = tool.split_once('-').map_or((tool, String::new()), |(name, rest)| (name, format!("-{rest}")));
            std::os::unix::fs::symlink(format!("/usr/sbin/{name}-{kind}{rest}"), tools.join(tool)).unwrap();
        }
    }
    let here = dir.display();
    let text = format!("{LIBRARY}\nset -eu\nhl_etc={here}/etc hl_run={here}/run\nmkdir -p \"$hl_etc\"\n{script}");
    let output = Command::new("unshare").arg("--net").args(shell).args(["-c", &text]).env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", tools.display())).output().unwrap();
    assert!(output.status.success(), "{shell:?} {kind}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn rules_of_ones_own_come_change_and_go_and_all_others_stay() {
    if !Command::new("unshare").args(["--net", "true"]).output().is_ok_and(|output| output.status.success()) {
        return untested("a network of one's own takes root");
    }
    for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
        for kind in ["nft", "legacy"] {
            let dir = tempfile::tempdir().unwrap();
            let etc = dir.path().join("etc");
            std::fs::create_dir(&etc).unwrap();
            std::fs::write(dir.path().join("first"), FIRST).unwrap();
            std::fs::write(dir.path().join("later"), LATER).unwrap();
            let here = dir.path().display().to_string();
            let script = format!(
                "own() {{ iptables-save | grep -e '^\\*' -e '^-A'; }}
                 iptables -A FORWARD -s 1.2.3.4 -j DROP; iptables -t nat -A PREROUTING -p tcp --dport 1 -j RETURN; iptables -N HL_web-x_IN
                 echo '# none'; hl_check web 4
                 cp {here}/first {here}/etc/web.v4; hl_load web 4; hl_load web 4; echo '# first'; own; hl_check web 4
                 iptables -D HL_web_FWD 1; iptables -A HL_web_FWD -j DROP; echo '# touched'; hl_check web 4
                 hl_all; echo '# loaded'; hl_check web 4
                 printf '*filter\\n:HL_web_FWD - [0:0]\\n-A HL_web_FWD -j NOWHERE\\nCOMMIT\\n' >{here}/etc/web.v4
                 echo '# refused'; if hl_load web 4 2>&1; then exit 9; fi; own
                 cp {here}/later {here}/etc/web.v4; hl_load web 4; echo '# later'; own
                 rm {here}/etc/web.v4; hl_load web 4; echo '# gone'; own; hl_check web 4; iptables -S HL_web-x_IN"
            );
            let said = runs(shell, kind, dir.path(), &script);
            let part = |name: &str| said.split(&format!("# {name}\n")).nth(1).unwrap_or_else(|| panic!("{said}")).split("# ").next().unwrap().to_owned();
            let sum = |text: &str| homelab::node::op::sha256(text.as_bytes());
            let what = format!("{shell:?} {kind}\n{said}");
            let foreign = ["-A FORWARD -s 1.2.3.4/32 -j DROP", "-A PREROUTING -p tcp -m tcp --dport 1 -j RETURN"];
            assert_eq!(part("none"), "4 - same\n6 - same\n", "{what}");
            let first = part("first");
            for rule in [
                "-A PREROUTING -j HL_web_NPRE", "-A FORWARD -j HL_web_FWD", "-A HL_web_NPRE -i eth0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:80",
                "-A HL_web_FWD -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -m comment --comment \"to the web\" -j ACCEPT",
            ]
            .iter()
            .chain(&foreign)
            {
                assert_eq!(first.lines().filter(|line| line == rule).count(), 1, "{rule}: {what}");
            }
            // Its own come before what was there.
            assert!(first.find("-j HL_web_FWD").unwrap() < first.find("-s 1.2.3.4").unwrap(), "{what}");
            assert!(first.ends_with(&format!("4 {} same\n6 - same\n", sum(FIRST))), "{what}");
            assert!(part("touched").starts_with(&format!("4 {} other\n+filter -A HL_web_FWD -j DROP\n-filter -A HL_web_FWD -d 10.0.0.2/32", sum(FIRST))), "{what}");
            assert_eq!(part("loaded"), format!("4 {} same\n6 - same\n", sum(FIRST)), "{what}");
            // All or nothing, and why comes last: nft's tool misses a chain at the table's end only.
            let why = part("refused").lines().take_while(|line| !line.starts_with('*')).last().unwrap().to_owned();
            assert!(why.contains("NOWHERE'") && (kind == "nft" || why.starts_with("-A HL_web_FWD -j NOWHERE: ")), "{what}");
            assert!(part("refused").contains("--comment \"to the web\" -j ACCEPT"), "{what}");
            let later = part("later");
            assert!(later.contains("-A HL_web_FWD -d 10.0.0.3/32 -j ACCEPT") && !later.contains("10.0.0.2") && !later.contains("HL_web_NPRE"), "{what}");
            let gone = part("gone");
            assert!(!gone.contains("HL_web_") && gone.contains("4 - same\n6 - same\n") && gone.contains("-N HL_web-x_IN"), "{what}");
            assert!(foreign.iter().all(|rule| later.contains(rule) && gone.contains(rule)), "{what}");
        }
    }
}
