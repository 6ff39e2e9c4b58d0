//! `wait_for`: whether a port is open or a path is there, as seen from the node.

use super::shared::attrs::{clean, wrong};
use super::shared::waiting::{Waiting, seconds};
use super::{Args, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;

/// The declaration.
pub static WAIT_FOR: KindSpec = KindSpec {
    name: "wait_for",
    summary: "Waits for a port or a path",
    description: "\
A health check: whether a port of a host is open, or something is at a path of the node, with a line that matches. It is asked when planning, and is as wished if that is so and
nothing is planned before it. Else it is a step of its own, after what is planned before: it waits until it is so, and fails when the time is up, which takes the run back.

It reads only: nothing of it is taken back. A port of the node itself is open when something listens there, by the kernel's word (it is not connected to); another host's takes `bash` or `nc` on the node.",
    params: &[
        Param::new("port", Ty::Int, "A TCP port."),
        Param::new("host", Ty::Str, "Whose port.").default("127.0.0.1"),
        Param::new("path", Ty::Path, "A path of the node, instead of a port."),
        Param::new("search_regex", Ty::Str, "What a line of the file must match, as `grep -E` reads it."),
        Param::new("state", Ty::Choice(&["started", "present", "stopped", "absent"]), "`started` and `present`: open, there. `stopped` and `absent`: not so.").default("started"),
        Param::new("timeout", Ty::Duration, "How long to wait.").default("5m"),
        Param::new("delay", Ty::Duration, "How long to wait before the first look.").default("0s"),
        Param::new("sleep", Ty::Duration, "How long to wait between two looks.").default("1s"),
        Param::new("connect_timeout", Ty::Duration, "How long another host may take to answer.").default("5s"),
    ],
    bare: "",
    example: "\
- name: See that the registry listens
  wait_for:
    port: 4873
    timeout: 1m
",
    build,
};

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let present = matches!(args.str("state"), None | Some("started" | "present"));
    let host = args.str("host").unwrap_or("127.0.0.1").to_owned();
    if host.is_empty() || host.starts_with('-') || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_".contains(c)) {
        refuse("host", format!("`{}` is not a host", host.escape_debug()), "a name or an address");
    }
    for name in ["timeout", "sleep", "connect_timeout"] {
        if args.has(name) && seconds(args, name, 1) < 1 {
            refuse(name, format!("`{name}` leaves no time"), "write it like `10s`, or leave it out");
        }
    }
    let pattern = args.str("search_regex").unwrap_or_default().to_owned();
    if pattern.contains(['\n', '\0']) {
        refuse("search_regex", "`search_regex` is of one line".into(), "lines are matched one by one");
    } else if !pattern.is_empty() && !args.has("path") {
        refuse("search_regex", "`search_regex` is for a file".into(), "give `path`");
    }
    if args.is_secret("search_regex") {
        refuse("search_regex", "every user of the node could read what is looked for".into(), "look for something that is no secret");
    }
    let (words, what) = match (args.int("port"), args.str("path")) {
        (Some(_), Some(_)) => {
            refuse("path", "both `port` and `path` are given".into(), "keep one of the two");
            Default::default()
        }
        (Some(port), None) => {
            if !(1..=65535).contains(&port) {
                refuse("port", format!("{port} is not a port"), "1 to 65535");
            }
            let limit = seconds(args, "connect_timeout", 5).to_string();
            (vec!["port".to_owned(), host.clone(), port.to_string(), limit], format!("{host}:{port} is {}", if present { "open" } else { "closed" }))
        }
        (None, Some(path)) => {
            let path = clean(path).0;
            let state = match (present, pattern.is_empty()) {
                (true, true) => "is there".to_owned(),
                (true, false) => format!("has `{pattern}`"),
                (false, true) => "is gone".to_owned(),
                (false, false) => format!("has no `{pattern}`"),
            };
            (vec!["path".to_owned(), path.clone(), pattern], format!("{path} {state}"))
        }
        (None, None) => {
            problems.push(crate::lang::Diagnostic::config("nothing is waited for").maybe_at(args.span.as_ref()).hint("give a `port` or a `path`"));
            Default::default()
        }
    };
    let wished = match (args.has("port"), present) {
        (true, true) => "open",
        (true, false) => "closed",
        (false, true) => "there",
        (false, false) => "gone",
    };
    problems.into_result(Box::new(Waiting {
        kind: WAIT_FOR.name,
        key: what.clone(),
        script: include_str!("scripts/wait_for.sh"),
        words,
        input: None,
        secret: false,
        wished: vec![wished.to_owned()],
        tool: ("nc", "put a `package` with `nc` or `bash` before this task"),
        says: format!("wait until {what}"),
        timeout: seconds(args, "timeout", 300),
        delay: seconds(args, "delay", 0),
        sleep: seconds(args, "sleep", 1),
    }) as Box<dyn Resource>)
}
