//! The shell that asks what images offer, on every shell: which of docker's logins goes along, and that nobody sees it.

use crate::shell::{ALL, Node, Sh};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SCRIPT: &str = include_str!("../../src/resource/scripts/offers.sh");
/// A docker that has no image and whose daemon writes down the login that it is asked with.
const DOCKER: &str = "#!/bin/sh\n[ \"$1\" = system ] || exit 1\ntr -d '\\r' | sed -n 's/^X-Registry-Auth: //p' >\"$HOME/login\"\necho '{\"message\":\"no\"}'\n";
/// A helper that knows one registry.
const SHELF: &str = "#!/bin/sh\nread -r server || :\n[ \"$server\" = h.home:5000 ] || { echo 'credentials not found'; exit 1; }\n[ \"$1\" = get ] && echo '{\"ServerURL\":\"h.home:5000\",\"Username\":\"'\"${SHELF_NAME:-me}\"'\",\"Secret\":\"a\\\"b hush \"}'\n";

fn program(node: &Node, name: &str, text: &str) {
    let path = node.bin().join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What is answered about `image` where docker's file holds `config`, and the login that its daemon was told.
fn asked(node: &Node, config: &str, image: &str, vars: &[(&str, &str)]) -> (String, String) {
    let home = node.root();
    fs::create_dir_all(node.at(".docker")).unwrap();
    fs::write(node.at(".docker/config.json"), config).unwrap();
    fs::write(node.at("login"), "").unwrap();
    let path = format!("{}:/usr/bin:/bin", node.bin().display());
    let script = node.at("script");
    fs::write(&script, format!("set -- '{image}'\n{SCRIPT}")).unwrap();
    let output = Command::new(node.bin().join("sh")).arg(&script).env_clear().env("HOME", home).env("PATH", path).env("LC_ALL", "C").envs(vars.iter().copied()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let login = fs::read_to_string(node.at("login")).unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(URL_SAFE.decode(login.trim()).unwrap()).unwrap())
}

#[test]
fn the_login_of_the_registry_goes_along() {
    let auth = |text: &str| STANDARD.encode(text);
    let entry = |name: &str, of: &str| format!("\"{name}\": {{\"auth\": \"{}\"}}", auth(of));
    let both = format!("{{\"psFormat\": \"{{{{.ID}}}}, x\", \"n\": [1, {{\"auth\": null}}],\n\t\"auths\": {{{}, {}}}}}", entry("h.home:5000", "me:p\"a\\s:ö"), entry("https://index.docker.io/v1/", "hub:hush"));
    let named = |name: &str, password: &str| format!("{{\"username\":\"{name}\",\"password\":\"{password}\"}}");
    for sh in ALL {
        let node = Node::new(sh);
        program(&node, "docker", DOCKER);
        program(&node, "docker-credential-shelf", SHELF);
        let file = node.at(".docker/config.json");
        for (config, image, login, without) in [
            (both.as_str(), "h.home:5000/a/b:1", named("me", "p\\\"a\\\\s:ö"), ""),
            (&both, "nginx", named("hub", "hush"), ""),
            (&both, "docker.io/library/nginx:1", named("hub", "hush"), ""),
            (&both, "somebody/nginx@sha256:abc", named("hub", "hush"), ""),
            (&both, "h.home/x", String::new(), ""),
            // As an older docker wrote it, and others still do.
            (&format!("{{\"auths\": {{{}}}}}", entry("https:\\/\\/h.home\\/v2\\/", "u:hush")), "h.home/x", named("u", "hush"), ""),
            // The registry by its very name comes first.
            (&format!("{{\"auths\": {{{}, {}, {}}}}}", entry("https://h.home/v1", "no:no"), entry("h.home", "u:hush"), entry("http://h.home", "no:no")), "h.home/x", named("u", "hush"), ""),
            ("{\"auths\": {\"h.home\": {\"auth\": \"\", \"identitytoken\": \"hush\"}}}", "h.home/x", "{\"identitytoken\":\"hush\"}".into(), ""),
            ("{\"auths\": {\"h.home\": {\"username\": \"u\", \"password\": \"hush hush\"}}}", "h.home/x", named("u", "hush hush"), ""),
            ("{\"credsStore\": \"shelf\"}", "h.home:5000/x", named("me", "a\\\"b hush "), ""),
            ("{\"credsStore\": \"shelf\"}", "h.home/x", String::new(), "docker-credential-shelf gives no login for it"),
            ("{\"credsStore\": \"none\", \"credHelpers\": {\"h.home:5000\": \"shelf\"}}", "h.home:5000/x", named("me", "a\\\"b hush "), ""),
            ("{\"credHelpers\": {\"h.home:5000\": \"not-there\"}}", "h.home:5000/x", String::new(), "docker-credential-not-there gives no login for it"),
            (&format!("{{\"credsStore\": \"shelf\", \"credHelpers\": {{\"h.home\": \"\"}}, \"auths\": {{{}}}}}", entry("h.home", "u:hush")), "h.home/x", named("u", "hush"), ""),
            ("{\"credsStore\": \"../shelf\"}", "h.home/x", String::new(), &format!("{file} names no helper that can be asked")),
            ("{\"auths\": {", "h.home/x", String::new(), &format!("the logins in {file} cannot be read")),
            ("not JSON", "h.home/x", String::new(), &format!("the logins in {file} cannot be read")),
            ("", "h.home/x", String::new(), ""),
            ("{\"auths\": {\"h.home\": {\"auth\": \"%%\"}}}", "h.home/x", String::new(), &format!("the login in {file} cannot be read")),
            (&format!("{{\"auths\": {{{}}}}}", entry("h.home", "u:two\nlines")), "h.home/x", String::new(), &format!("the login in {file} cannot be handed over")),
        ] {
            let (said, with) = asked(&node, config, image, &[]);
            assert_eq!(with, login, "{sh:?}: {image} with {config}");
            let without = if without.is_empty() { String::new() } else { format!("without {image} {without}\n") };
            assert_eq!(said, format!("{without}asked {image} {{\"message\":\"no\"}}\n"), "{sh:?}: {image} with {config}");
        }
        // What a registry has given in place of a password.
        let (_, with) = asked(&node, "{\"credsStore\": \"shelf\"}", "h.home:5000/x", &[("SHELF_NAME", "<token>")]);
        assert_eq!(with, "{\"identitytoken\":\"a\\\"b hush \"}", "{sh:?}");
    }
}

#[test]
fn no_process_has_a_login_as_an_argument() {
    // Debian's busybox runs its own tools, whatever is in PATH.
    for sh in [Sh::Dash, Sh::Bash] {
        let node = Node::new(sh);
        program(&node, "docker", DOCKER);
        program(&node, "docker-credential-shelf", SHELF);
        let log = node.at("arguments");
        // Each tool tells what it was called with, and does its work.
        for tool in ["awk", "base64", "sed", "tr", "timeout", "printf", "env", "cat"] {
            program(&node, tool, &format!("#!/bin/dash\nfor word; do echo \"{tool} $word\" >>'{log}'; done\nexec /usr/bin/{tool} \"$@\"\n"));
        }
        let config = format!("{{\"auths\": {{\"h.home\": {{\"auth\": \"{}\"}}}}}}", STANDARD.encode("me:hush"));
        assert_eq!(asked(&node, &config, "h.home/x", &[]).1, "{\"username\":\"me\",\"password\":\"hush\"}");
        assert!(asked(&node, "{\"credsStore\": \"shelf\"}", "h.home:5000/x", &[]).1.contains("hush"));
        let said = fs::read_to_string(log).unwrap();
        assert!(said.contains("timeout docker\n") && said.contains("base64 -d\n"), "{sh:?}: {said}");
        for secret in ["hush", &STANDARD.encode("me:hush"), &STANDARD.encode("{\"username\":\"me\",\"password\":\"hush\"}")] {
            assert!(!said.contains(secret), "{sh:?}: {said}");
        }
    }
}

#[test]
fn registries_that_do_not_answer_are_not_waited_for_without_end() {
    for sh in ALL {
        let node = Node::new(sh);
        // What takes half a minute is told by a clock that goes on by as much.
        program(&node, "docker", "#!/bin/sh\n[ \"$1\" = system ] || exit 1\necho x >>\"$HOME/asked\"\n");
        program(&node, "date", "#!/bin/sh\necho $(($(cat \"$HOME/asked\" 2>/dev/null | wc -l) * 31))\n");
        let script = node.at("script");
        fs::write(&script, format!("set -- a b c d\n{}", SCRIPT.replace("date +%s", &format!("{}/date", node.bin().display())))).unwrap();
        let output = Command::new(node.bin().join("sh")).arg(&script).env_clear().env("HOME", node.root()).env("PATH", format!("{}:/usr/bin:/bin", node.bin().display())).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let not_asked = said.lines().filter(|line| line.contains("not asked: ")).count();
        assert_eq!((fs::read_to_string(node.at("asked")).unwrap().lines().count(), not_asked), (2, 2), "{sh:?}: {said}");
    }
}
