//! Looking: the answers are right, on every shell, whatever the names.

use crate::shell::{ALL, Node as Box_, Sh};
use homelab::node::probe::{Attrs, Command, Depth, File, Node};
use homelab::node::op::sha256;
use homelab::node::{Answer, Probe};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn probe(path: &str, depth: Depth) -> Probe {
    Probe::Path { path: path.to_owned(), depth }
}

const TEXT: Depth = Depth::Text { unless: None };

fn file(answer: &Answer) -> &File {
    match answer {
        Answer::Path(Node::File(file)) => file,
        other => panic!("{other:?}"),
    }
}

#[test]
fn odd_names_are_answered_as_they_are() {
    let names = [
        "plain", "two words", "-dash", "it's", "quo\"te", "dollar$HOME", "back\\slash", "new\nline", "newline at the end\n",
        "ünïcödé", "*", "`id`", "tab\there", "a:b:c", "%41", " lead", "trail ", "'quoted'", "x -> y", "\\", "\n",
    ];
    for sh in ALL {
        let node = Box_::new(sh);
        let mut probes = Vec::new();
        for name in names {
            fs::write(node.at(name), format!("I am {name}\0binary\n\n")).unwrap();
            symlink(format!("{name}\n-> {name}"), node.at(&format!("link {name}"))).unwrap();
            probes.push(probe(&node.at(name), TEXT));
            probes.push(probe(&node.at(&format!("link {name}")), TEXT));
            probes.push(probe(&node.at(&format!("no {name}")), TEXT));
        }
        let look = node.look(&probes);
        for name in names {
            let content = format!("I am {name}\0binary\n\n").into_bytes();
            let seen = file(&look.answers[&probe(&node.at(name), TEXT)]);
            assert_eq!(seen.text.as_deref(), Some(&content), "{sh:?} {name:?}");
            assert_eq!(seen.sha256.as_deref(), Some(sha256(&content).as_str()));
            // `$()` cuts the newlines at the very end of the last record: a link that ends so may look shorter.
            let target = format!("{name}\n-> {name}");
            match &look.answers[&probe(&node.at(&format!("link {name}")), TEXT)] {
                Answer::Path(Node::Link { target: seen }) => assert_eq!(seen, &target, "{sh:?} {name:?}"),
                other => panic!("{sh:?} {name:?} {other:?}"),
            }
            assert_eq!(look.answers[&probe(&node.at(&format!("no {name}")), TEXT)], Answer::Path(Node::Absent));
        }
    }
}

#[test]
fn every_sort_of_thing_is_told_apart_and_nothing_hangs() {
    for sh in ALL {
        let node = Box_::new(sh);
        fs::create_dir(node.at("dir")).unwrap();
        fs::set_permissions(node.at("dir"), fs::Permissions::from_mode(0o1751)).unwrap();
        fs::write(node.at("empty"), "").unwrap();
        symlink("nowhere", node.at("dangling")).unwrap();
        nix::unistd::mkfifo(node.at("fifo").as_str(), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let probes: Vec<Probe> =
            ["dir", "empty", "dangling", "fifo", "empty/below", "dangling/below"].iter().map(|n| probe(&node.at(n), TEXT)).collect();
        let look = node.look(&probes);
        let get = |i: usize| look.answers[&probes[i]].clone();
        assert!(matches!(get(0), Answer::Path(Node::Dir(Attrs { mode: 0o1751, .. }))), "{sh:?} {:?}", get(0));
        assert_eq!(file(&get(1)).text.as_ref().unwrap().len(), 0);
        assert_eq!(get(2), Answer::Path(Node::Link { target: "nowhere".into() }));
        assert!(matches!(get(3), Answer::Path(Node::Other(_))), "{:?}", get(3));
        assert_eq!(get(4), Answer::Path(Node::Absent));
        assert_eq!(get(5), Answer::Path(Node::Absent));
    }
}

#[test]
fn a_text_is_sent_only_where_it_differs_and_is_not_too_large() {
    for sh in ALL {
        let node = Box_::new(sh);
        fs::write(node.at("same"), "a\n").unwrap();
        fs::write(node.at("other"), "b\n").unwrap();
        fs::write(node.at("large"), vec![b'x'; (1 << 20) + 1]).unwrap();
        let unless = Depth::Text { unless: Some(sha256(b"a\n")) };
        let probes = ["same", "other", "large"].map(|n| probe(&node.at(n), unless.clone()));
        let look = node.look(&probes);
        assert_eq!(file(&look.answers[&probes[0]]).text, None);
        assert_eq!(file(&look.answers[&probes[1]]).text.as_ref().unwrap().as_slice(), b"b\n");
        assert_eq!(file(&look.answers[&probes[2]]).text, None);
        assert_eq!(file(&look.answers[&probes[2]]).size, (1 << 20) + 1);
    }
}

#[test]
fn a_thousand_paths_keep_their_answers() {
    for sh in ALL {
        let node = Box_::new(sh);
        let mut probes = Vec::new();
        for i in 0..1000 {
            if i % 3 > 0 {
                fs::write(node.at(&format!("f{i}")), format!("{i}")).unwrap();
            }
            probes.push(probe(&node.at(&format!("f{i}")), TEXT));
        }
        let look = node.look(&probes);
        for (i, p) in probes.iter().enumerate() {
            match &look.answers[p] {
                Answer::Path(Node::Absent) => assert_eq!(i % 3, 0),
                answer => assert_eq!(file(answer).text.as_ref().unwrap().as_slice(), format!("{i}").as_bytes()),
            }
        }
    }
}

#[test]
fn a_tree_has_everything_below_it() {
    for sh in ALL {
        let node = Box_::new(sh);
        fs::create_dir_all(node.at("t/a b/c")).unwrap();
        fs::write(node.at("t/a b/new\nline"), "x").unwrap();
        symlink("to\nsome where", node.at("t/l")).unwrap();
        let ask = Probe::Tree { path: node.at("t") };
        let none = Probe::Tree { path: node.at("none") };
        let look = node.look(&[ask.clone(), none.clone()]);
        let Answer::Tree(tree) = &look.answers[&ask] else { panic!("{:?}", look.answers) };
        let names: Vec<&str> = tree.keys().map(|k| k.strip_prefix(&node.root()).unwrap()).collect();
        assert_eq!(names, ["/t", "/t/a b", "/t/a b/c", "/t/a b/new\nline", "/t/l"]);
        assert_eq!(tree[&node.at("t/l")], Node::Link { target: "to\nsome where".into() });
        assert_eq!(look.answers[&none], Answer::Tree([(node.at("none"), Node::Absent)].into()));
    }
}

#[test]
fn commands_are_run_with_their_input_and_environment() {
    for sh in ALL {
        let node = Box_::new(sh);
        let commands = [
            Command { argv: vec!["cat; echo err >&2; echo \"$A\"; pwd; exit 3".into()], shell: true, stdin: Some("in'put".into()),
                environment: [("A".to_owned(), "it's $HOME".to_owned())].into(), chdir: Some(node.root()), ..Command::default() },
            Command { argv: vec!["printf".into(), "%s|".into(), "a b".into(), "'".into(), "\n".into()], ..Command::default() },
            Command { argv: vec!["read x; echo \"<$x>\"".into()], shell: true, ..Command::default() },
            Command { argv: vec!["/no/such".into()], ..Command::default() },
        ];
        let probes = commands.map(Probe::Run);
        let look = node.look(&probes);
        let ran = |i: usize| match &look.answers[&probes[i]] {
            Answer::Ran(ran) => ran.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((ran(0).rc, ran(0).stdout, ran(0).stderr), (3, format!("in'putit's $HOME\n{}\n", node.root()), "err\n".into()), "{sh:?}");
        assert_eq!((ran(1).rc, ran(1).stdout.as_str()), (0, "a b|'|\n|"));
        assert_eq!(ran(2).stdout, "<>\n");
        assert_eq!(ran(3).rc, 127);
    }
}

#[test]
fn accounts_parameters_and_facts_are_this_machines() {
    for sh in ALL {
        let node = Box_::new(sh);
        let probes = [
            Probe::User { name: "root".into() },
            Probe::User { name: "nobody at all".into() },
            Probe::Group { name: "root".into() },
            Probe::Sysctl { key: "kernel.ostype".into() },
            Probe::Sysctl { key: "kernel.no_such_thing".into() },
            Probe::Hostname,
            // A number of several digits, which the kernel gives to whoever asks for a byte as one; and several numbers.
            Probe::Sysctl { key: "kernel.pid_max".into() },
            Probe::Sysctl { key: "net.ipv4.ip_local_port_range".into() },
        ];
        let mut session = node.connect();
        let look = session.look(&probes, true);
        session.close();
        let Answer::User(Some(root)) = &look.answers[&probes[0]] else { panic!("{:?}", look.answers) };
        assert_eq!((root.uid, root.group.as_str(), root.home.as_str()), (0, "root", "/root"));
        assert_eq!(look.answers[&probes[1]], Answer::User(None));
        assert!(matches!(&look.answers[&probes[2]], Answer::Group(Some(g)) if g.gid == 0));
        assert_eq!(look.answers[&probes[3]], Answer::Sysctl(Some("Linux".into())));
        assert_eq!(look.answers[&probes[4]], Answer::Sysctl(None));
        for (probe, path) in [(&probes[6], "kernel/pid_max"), (&probes[7], "net/ipv4/ip_local_port_range")] {
            let is = std::fs::read_to_string(format!("/proc/sys/{path}")).unwrap();
            assert_eq!(look.answers[probe], Answer::Sysctl(Some(is.trim_end().to_owned())), "{sh:?} {path}");
        }
        let facts = look.facts.unwrap();
        let uname = std::process::Command::new("uname").arg("-nrm").output().unwrap();
        let uname = String::from_utf8(uname.stdout).unwrap();
        assert_eq!(format!("{} {} {}", facts.hostname, facts.kernel, facts.kernel_arch), uname.trim());
        assert_eq!(facts.identity.uid, nix::unistd::geteuid().as_raw());
        assert!(facts.memory_mib > 0 && facts.cpus > 0 && facts.clock > 1_600_000_000, "{facts:?}");
        assert!(!facts.os.id.is_empty() && !facts.arch.is_empty(), "{facts:?}");
        if sh == Sh::Dash {
            assert!(facts.interfaces.iter().any(|i| i.name == "lo" && i.addresses.contains(&"127.0.0.1/8".to_owned())), "{facts:?}");
        }
        assert_eq!(look.state.run_number, 0);
        assert!(!node.state().exists(), "looking wrote something");
    }
}

#[test]
fn what_an_unprivileged_login_cannot_reach_is_said_with_the_reason() {
    if !nix::unistd::geteuid().is_root() {
        return crate::untested::untested("it takes root to become somebody else");
    }
    for sh in ALL {
        let node = Box_::new(sh);
        for dir in [node.root(), node.bin().display().to_string(), node.bin().parent().unwrap().display().to_string()] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(node.at("closed"), "secret").unwrap();
        fs::set_permissions(node.at("closed"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(node.at("cell")).unwrap();
        fs::write(node.at("cell/in it"), "secret").unwrap();
        fs::set_permissions(node.at("cell"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(node.at("open"), "open").unwrap();
        fs::set_permissions(node.at("open"), fs::Permissions::from_mode(0o644)).unwrap();
        let probes = [
            probe(&node.at("closed"), Depth::Digest), probe(&node.at("closed"), Depth::Stat), probe(&node.at("cell/in it"), Depth::Stat),
            probe(&node.at("open"), TEXT), probe(&node.at("cell"), Depth::Stat), Probe::Tree { path: node.root() },
        ];
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/nonexistent", "/bin/sh", "-c"]);
        command.arg(node.command(&homelab::node::runtime::Become::No)).current_dir("/");
        let mut session = crate::shell::Session::start(&mut command);
        let look = session.look(&probes, true);
        session.close();
        let get = |i: usize| &look.answers[&probes[i]];
        assert!(matches!(get(0), Answer::Failed(why) if why.contains("permission")), "{sh:?} {:?}", get(0));
        assert_eq!(file(get(1)).attrs.mode, 0o600, "{sh:?}");
        assert!(matches!(get(2), Answer::Failed(why) if why.contains("permission")), "{sh:?} {:?}", get(2));
        assert_eq!(file(get(3)).text.as_ref().unwrap().as_slice(), b"open");
        assert!(matches!(get(4), Answer::Path(Node::Dir(_))));
        assert!(matches!(get(5), Answer::Failed(_)), "{sh:?} {:?}", get(5));
        assert_eq!(look.facts.unwrap().identity.uid, 65534);
    }
}
