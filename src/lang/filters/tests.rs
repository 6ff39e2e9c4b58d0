//! Tests of the filters, through the engine that users meet them in.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::lang::source::{Files, Source};
use crate::lang::template::{Engine, Error, Scope};
use crate::lang::{Value, yaml};
use std::sync::Arc;

fn scope() -> Scope {
    let text = "lan: 192.168.7.31/24\nsix: fd00:1::5/64\nmap: {b: 1, a: [x, 'y: z'], n: ~}\nlist: [1, two]\n";
    let value = yaml::parse(&Arc::new(Source { name: "v.yaml".into(), text: text.into() })).unwrap();
    Scope::default().vars(value.as_map().unwrap().clone())
}

fn eval(expression: &str) -> Result<Value, String> {
    let engine = Engine::new(Arc::new(Files::on_disk()), vec![]);
    match engine.eval(expression, None, &scope()) {
        Ok(got) => Ok(got.value),
        Err(Error::Wrong(problems)) => Err(problems.0[0].message.clone()),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn text(expression: &str) -> String {
    eval(expression).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn networks() {
    assert_eq!(text("lan | network"), "192.168.7.0/24");
    assert_eq!(text("lan | network | address"), "192.168.7.0");
    assert_eq!(text("lan | host(1)"), "192.168.7.1");
    assert_eq!(text("lan | host(-2)"), "192.168.7.254");
    assert_eq!(text("lan | netmask"), "255.255.255.0");
    assert_eq!(text("lan | broadcast"), "192.168.7.255");
    assert_eq!(text("lan | address"), "192.168.7.31");
    assert_eq!(eval("lan | prefixlen").unwrap(), Value::from(24));
    assert_eq!(text("six | network"), "fd00:1::/64");
    assert_eq!(text("six | host(1)"), "fd00:1::1");
    assert_eq!(text("six | host(-1)"), "fd00:1::ffff:ffff:ffff:ffff");
    for (expression, truth) in [
        ("'192.168.7.9' | in_network(lan)", true),
        ("'192.168.8.9' | in_network(lan)", false),
        ("'192.168.0.0/16' | in_network(lan)", false),
        ("'192.168.7.128/25' | in_network(lan)", true),
        ("six | in_network(lan)", false),
        ("'1.2.3.4' | in_network('0.0.0.0/0')", true),
    ] {
        assert_eq!(eval(expression).unwrap(), Value::from(truth), "{expression}");
    }
    assert_eq!(text("'10.0.0.1/31' | host(1)"), "10.0.0.1");
    assert_eq!(eval("lan | host(256)").unwrap_err(), "`192.168.7.31/24` has no host 256");
    assert_eq!(eval("lan | host(-9223372036854775808)").unwrap_err(), "`192.168.7.31/24` has no host -9223372036854775808");
    assert_eq!(eval("six | broadcast").unwrap_err(), "IPv6 has no broadcast address, and `fd00:1::5/64` is IPv6");
    assert_eq!(eval("'lan' | network").unwrap_err(), "`network` wants an address like `192.168.7.1/24` or `fd00::1/64`, not `lan`");
}

#[test]
fn codecs() {
    assert_eq!(text("map | to_json"), r#"{"b":1,"a":["x","y: z"],"n":null}"#);
    assert_eq!(text("list | to_nice_json(indent=2)"), "[\n  1,\n  \"two\"\n]");
    assert_eq!(eval("map | to_json | from_json == map").unwrap(), Value::from(true));
    assert_eq!(eval("map | to_yaml | from_yaml == map").unwrap(), Value::from(true));
    assert_eq!(text("'<a & b>' | to_json"), "\"<a & b>\"", "JSON for files, not for web pages");
    assert_eq!(text("'häus' | b64encode"), "aMOkdXM=");
    assert_eq!(text("'aMOk\ndXM=' | b64decode"), "häus");
    assert_eq!(text("'x' | hash('sha1')"), "11f6ad8ec52a2984abaafd7c3b516503785c2072");
    assert_eq!(text("'' | hash"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(eval("'x' | hash('md5')").unwrap_err(), "`hash` knows sha256, sha512 and sha1, not `md5`");
    assert_eq!(eval("'{' | from_json").unwrap_err(), "`from_json` cannot read the text: EOF while parsing an object at line 1 column 1");
    assert!(eval("'a: [' | from_yaml").unwrap_err().starts_with("`from_yaml` cannot read the text: this is not YAML: "));
    assert_eq!(eval("'/w==' | b64decode").unwrap_err(), "`b64decode`: what it decodes to is not UTF-8 text");
    assert_eq!(eval("map | b64encode").unwrap_err(), "`b64encode` wants a text, not a map");
}

#[test]
fn texts() {
    assert_eq!(text("\"it's\" | quote"), "'it'\\''s'");
    assert_eq!(text("'' | quote"), "''");
    assert_eq!(text("'/etc/hosts' | quote"), "/etc/hosts");
    assert_eq!(text("'/etc/hosts' | basename"), "hosts");
    assert_eq!(text("'/etc/hosts' | dirname"), "/etc");
    assert_eq!(text("'/etc' | dirname"), "/");
    assert_eq!(text("'hosts' | dirname"), "");
    assert_eq!(text(r"'a1b22' | regex_replace('([0-9]+)', '<\\1$>')"), "a<1$>b<22$>");
    assert_eq!(text("'v1.25.3' | regex_search('[0-9.]+')"), "1.25.3");
    assert_eq!(eval("'x' | regex_search('y')").unwrap(), Value::null());
    assert_eq!(eval("'x' | regex_replace('(', '')").unwrap_err(), "`(` is not a regular expression that can be used here");
    assert_eq!(eval("map.n | mandatory").unwrap_err(), "a mandatory value is missing");
    assert_eq!(eval("map.n | mandatory('set n')").unwrap_err(), "set n");
    assert_eq!(text("list | to_yaml | indent(2)"), "- 1\n  - two");
}

/// What a shell makes of a quoted text is the text.
#[test]
fn a_real_shell_agrees_with_quote() {
    for text in ["", "plain", "a b", "it's", "$(x) `y` \\ \"", "new\nline", "-n", "ü*?[]{}~#!&|;<>"] {
        let script = format!("printf %s {}", super::shell_quote(text));
        let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), text);
    }
}

/// The list that "did you mean" draws on names nothing that is not there.
#[test]
fn every_listed_filter_and_test_exists() {
    let mut environment = minijinja::Environment::new();
    super::add(&mut environment);
    for name in super::NAMES {
        let told = environment.render_str(&format!("{{{{ 1 | {name} }}}}"), ()).err().map(|e| e.kind());
        assert_ne!(told, Some(minijinja::ErrorKind::UnknownFilter), "{name}");
    }
    for name in super::TESTS {
        let told = environment.render_str(&format!("{{{{ 1 is {name} }}}}"), ()).err().map(|e| e.kind());
        assert_ne!(told, Some(minijinja::ErrorKind::UnknownTest), "{name}");
    }
}
