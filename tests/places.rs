//! Where the problems of a task's parameters are placed: at the very words, also inside lists and blocks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "support/case_args.rs"]
mod case_args;

use homelab::lang::secret::Identities;
use homelab::lang::{Files, Span, Value};
use homelab::playbook::args::{Render, Trouble, check};
use homelab::playbook::local::Local;
use homelab::playbook::model::Home;
use homelab::resource::kind;
use std::path::Path;

struct AsItIs;

impl Render for AsItIs {
    fn value(&mut self, value: &Value) -> Result<Value, Trouble> {
        Ok(value.clone())
    }

    fn file(&mut self, path: &Path, _: Option<&Span>) -> Result<(String, bool), Trouble> {
        Ok((std::fs::read_to_string(path).unwrap(), false))
    }
}

/// For each problem of the one task in `yaml`: line, column and text of its place, and the label.
fn places(yaml: &str) -> Vec<String> {
    let task = case_args::raw(Path::new("task.yaml"), yaml).unwrap();
    let (name, params) = task.as_map().unwrap().first().unwrap();
    let (home, local) = (Home::default(), Local { files: &Files::on_disk(), cache: &Default::default(), identities: &Identities::none() });
    let spec = kind(name).unwrap();
    let args = check(spec, params, task.origin.as_ref(), &home, &local, &mut AsItIs).unwrap();
    let problems = (spec.build)(&args).unwrap_err();
    let place = |d: &homelab::lang::Diagnostic| {
        let span = d.span.as_ref().unwrap();
        let (line, column) = span.line_column();
        assert!(d.hint.is_some(), "{} has no hint", d.message);
        format!("{line}:{column} {} ({})", span.text().trim_end(), d.label)
    };
    problems.0.iter().map(place).collect()
}

#[test]
fn a_package_of_a_list() {
    let yaml = "package:\n  name:\n    - curl\n    - vim=\n    - git-\n";
    assert_eq!(places(yaml), ["4:7 vim= (not a version)", "5:7 git- (apt would remove it)"]);
}

#[test]
fn a_time_of_a_list() {
    let yaml = "cron:\n  name: x\n  job: y\n  minute: \"0,15,99\"\n  weekday: mon,sunday\n";
    assert_eq!(places(yaml), ["4:17 99 (not a minute)", "5:16 sunday (not a weekday)"]);
}

#[test]
fn a_key_of_a_block() {
    let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me";
    let yaml = format!("authorized_key:\n  user: pi\n  key: |\n    {good}\n    ssh-ed25519 AAAA me\n");
    assert_eq!(places(&yaml), ["5:5 ssh-ed25519 AAAA me (the key is cut short, or not of the type it says)"]);
}

#[test]
fn a_name_of_two_lines() {
    let yaml = "user:\n  name: \"a\\nb\"\n  comment: 'x:y'\n";
    assert_eq!(places(yaml), ["2:9 \"a\\nb\" (not a name)", "3:12 'x:y' (cannot be stored in /etc/passwd)"]);
}

#[test]
fn what_is_missing_is_told_at_what_is_there() {
    assert_eq!(places("service:\n  name: ssh\n"), ["2:9 ssh (nothing is wished of it)"]);
    assert_eq!(places("systemd_unit:\n  name: a.service\n"), ["2:9 a.service (neither `content` nor `src`)"]);
    assert_eq!(places("cron:\n  name: nightly\n"), ["2:9 nightly (no `job`)"]);
}
