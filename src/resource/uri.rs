//! `uri`: whether a web server answers as it should, asked from the node.

use super::get_url::{header_config, quoted};
use super::shared::attrs::wrong;
use super::shared::waiting::{Waiting, seconds};
use super::{Args, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;

/// The declaration.
pub static URI: KindSpec = KindSpec {
    name: "uri",
    summary: "Waits until a URL answers",
    description: "\
A health check: the node asks the URL, and what counts is the status that is answered. It is asked when planning, and is as wished if that is right and nothing is planned before
it. Else it is a step of its own, after what is planned before: it asks until the answer is right, and fails when the time is up, which takes the run back.

It reads only: nothing of it is taken back. It takes `curl` or `wget` on the node (busybox's will do). Of several servers on the way (redirects), the last one's status counts with wget; curl follows none.
A URL or header that is a secret takes `curl`.",
    params: &[
        Param::required("url", Ty::Str, "What is asked: `http` or `https`."),
        Param::new("status_code", Ty::Strs, "The statuses that are right.").default("200"),
        Param::new("headers", Ty::StrMap, "Headers to send."),
        Param::new("validate_certs", Ty::Bool, "Whether the server's certificate must be good.").default("true"),
        Param::new("timeout", Ty::Duration, "How long one answer may take.").default("10s"),
        Param::new("within", Ty::Duration, "How long to go on asking.").default("60s"),
        Param::new("sleep", Ty::Duration, "How long to wait between two tries.").default("2s"),
    ],
    bare: "url",
    example: "\
- name: See that the registry answers
  uri:
    url: http://localhost:4873/-/ping
",
    build,
};

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let secret = args.is_secret("url") || args.is_secret("headers");
    let url = args.str("url").unwrap_or_default().trim().to_owned();
    if !(url.starts_with("http://") || url.starts_with("https://")) || url.chars().any(|c| c.is_control() || c == ' ') {
        let shown = if secret { "the URL".to_owned() } else { format!("`{}`", url.escape_debug()) };
        refuse("url", format!("{shown} cannot be asked"), "write it as `https://server/path`, with blanks as `%20`");
    }
    let mut wished = args.strs("status_code");
    if wished.is_empty() {
        wished.push("200".into());
    }
    if let Some(odd) = wished.iter().find(|code| code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit())) {
        refuse("status_code", format!("`{}` is not a status", odd.escape_debug()), "three digits, like `200`");
    }
    for name in ["timeout", "within", "sleep"] {
        if args.has(name) && seconds(args, name, 1) < 1 {
            refuse(name, format!("`{name}` leaves no time"), "write it like `10s`, or leave it out");
        }
    }
    let (headers, config) = match header_config(args) {
        Ok(both) => both,
        Err(problem) => {
            problems.push(problem);
            Default::default()
        }
    };
    let asked = if secret { "the URL".to_owned() } else { url.clone() };
    let mut words = vec![asked.clone(), if args.bool("validate_certs", true) { "y" } else { "n" }.to_owned(), seconds(args, "timeout", 10).to_string()];
    if !secret {
        words.extend(headers);
    }
    let codes = wished.join(" or ");
    problems.into_result(Box::new(Waiting {
        kind: URI.name,
        key: asked.clone(),
        script: if secret { concat!("command -v curl >/dev/null || exit 127\n", include_str!("scripts/uri.sh")) } else { include_str!("scripts/uri.sh") },
        words,
        input: Some([vec![format!("url = {}", quoted(&url))], config].concat().join("\n")),
        secret,
        wished: wished.iter().map(|code| format!("status {code}")).collect(),
        tool: ("curl", "put `package: curl` before this task"),
        says: format!("wait until {asked} answers {codes}"),
        timeout: seconds(args, "within", 60),
        delay: 0,
        sleep: seconds(args, "sleep", 2),
    }) as Box<dyn Resource>)
}
