//! `lineinfile`: one line of a text file that others own too.

use super::shared::attrs::{GROUP, MODE, OWNER, wrong};
use super::shared::backrefs::{bad_group, expand};
use super::shared::edit::{Edit, Lines, Place, pattern};
use super::shared::put::{VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Op, Probe, World};
use regex::Regex;

/// The declaration.
pub static LINEINFILE: KindSpec = KindSpec {
    name: "lineinfile",
    summary: "Keeps one line in a text file, or keeps it out",
    description: "\
With `regexp`, the last line that matches becomes `line`; where none matches, `line` is added. Without it, `line` is added unless it is there.
`regexp` should match the line before and after: where it does not match `line` itself, a file that has `line` is as wished.

Several tasks may edit one file, also one that does not exist yet: each sees what the earlier ones will have made of it.

A line that is replaced keeps its line ending, `\\r\\n` included, or the lack of one at the end of the file; a line that is added is ended like the first line of the file.
Files above 1 MiB, files that are not UTF-8 text, and links are refused. Taken back exactly.

Regular expressions are those of Rust's `regex` crate. Compared with Python's there is no look-around and no backreference inside the expression, and `\\Z` is written `\\z`;
in `line`, `backrefs` takes `\\1`, `\\g<1>` and `\\g<name>` as Python does.",
    params: &[
        Param::required("path", Ty::Path, "The file.").aliases(&["dest", "destfile", "name"]),
        Param::new("line", Ty::Str, "The line, without its ending.").aliases(&["value"]),
        Param::new("regexp", Ty::Str, "Which line it is about: searched in each line of the file.").aliases(&["regex"]),
        Param::new("search_string", Ty::Str, "Which line it is about, as a text that it has in it; instead of `regexp`."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "`absent` removes every line that matches `regexp` or `search_string`, or that is `line`.").default("present"),
        Param::new("backrefs", Ty::Bool, "`line` takes groups of `regexp` (`\\1`); where `regexp` matches nothing, nothing is done.").default("false"),
        Param::new("insertafter", Ty::Str, "Where a line is added: after the last line that this expression matches, or `EOF`, or `BOF`.").default("EOF"),
        Param::new("insertbefore", Ty::Str, "Likewise: before the last line that this expression matches, or `BOF`."),
        Param::new("firstmatch", Ty::Bool, "Take the first matching line instead of the last, for `regexp`, `insertafter` and `insertbefore`.").default("false"),
        Param::new("create", Ty::Bool, "Make the file where it is missing.").default("false"),
        MODE.default("as it is; `0644` for a new file, `0600` if the line is secret"),
        OWNER,
        GROUP,
        VALIDATE,
    ],
    bare: "",
    example: "\
- name: Keep root from logging in
  lineinfile:
    path: /etc/ssh/sshd_config
    regexp: '^#?PermitRootLogin\\b'
    line: PermitRootLogin no
    validate: sshd -t -f %s
",
    build,
};

#[derive(Debug)]
enum Match {
    Regexp(Regex),
    Text(String),
    Line,
}

#[derive(Debug)]
struct LineInFile {
    edit: Edit,
    line: String,
    which: Match,
    slice: String,
    backrefs: bool,
    first: bool,
    place: Place,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let absent = args.str("state") == Some("absent");
    let regexp = pattern(args, "regexp", "", &mut problems);
    let backrefs = args.bool("backrefs", false) && !absent;
    let line = args.str("line").map(|line| line.strip_suffix('\n').unwrap_or(line).to_owned());
    if args.has("regexp") && args.has("search_string") {
        problems.push(wrong(args, "search_string", "both `regexp` and `search_string` are given", "", "keep one of them"));
    }
    match &line {
        None if !absent => problems.push(Diagnostic::config("`lineinfile` does not say which line").maybe_at(args.span.as_ref()).hint("give `line`, or say `state: absent`")),
        None if !args.has("regexp") && !args.has("search_string") => {
            problems.push(Diagnostic::config("`lineinfile` does not say which line").maybe_at(args.span.as_ref()).hint("give `regexp`, `search_string` or `line`"));
        }
        Some(line) if line.contains(['\n', '\r']) || backrefs && expand(line, None).contains('\n') => {
            problems.push(wrong(args, "line", "`line` is more than one line", "", "use `blockinfile` for several lines"));
        }
        _ => {}
    }
    // The slice names the line in plans and receipts.
    let secret = args.is_secret("line");
    if secret && !args.has("regexp") && !args.has("search_string") {
        problems.push(wrong(args, "line", "a secret line needs a `regexp`", "", "say in `regexp` which line it is: that names it in plans, where the line itself must not show"));
    }
    for name in ["regexp", "search_string"].into_iter().filter(|name| args.is_secret(name)) {
        problems.push(wrong(args, name, format!("`{name}` must not be secret"), "", "it names the line in plans: find the line by a part that is not secret"));
    }
    if backrefs {
        match (&regexp, &line) {
            (Some(regexp), Some(line)) => problems.0.extend(bad_group(args, "line", regexp, line)),
            _ if args.has("regexp") => {}
            _ => problems.push(wrong(args, "backrefs", "`backrefs` needs a `regexp`", "", "give `regexp`, or leave `backrefs` out")),
        }
    }
    let place = Place::from_args(args, &mut problems);
    let slice = args.string("regexp").or_else(|| args.string("search_string")).or_else(|| line.clone()).unwrap_or_default();
    let which = match (regexp, args.string("search_string")) {
        (Some(regexp), _) => Match::Regexp(regexp),
        (None, Some(text)) => Match::Text(text),
        (None, None) => Match::Line,
    };
    let resource = LineInFile {
        edit: Edit::from_args(args, secret),
        line: line.unwrap_or_default(),
        which,
        slice,
        backrefs,
        first: args.bool("firstmatch", false),
        place,
    };
    problems.into_result(Box::new(resource) as Box<dyn Resource>)
}

impl LineInFile {
    fn matches(&self, line: &str) -> bool {
        match &self.which {
            Match::Regexp(regexp) => regexp.is_match(line),
            Match::Text(text) => line.contains(text.as_str()),
            Match::Line => line == self.line,
        }
    }

    fn edited(&self, text: &str) -> String {
        let split = Lines::new(text);
        let mut hits = split.lines.iter().enumerate().filter(|(_, line)| self.matches(line)).map(|(at, _)| at);
        if self.edit.removes {
            let mut out = text.to_owned();
            let hits: Vec<usize> = hits.collect();
            for at in hits.into_iter().rev() {
                out = Lines::new(&out).splice(at..at + 1, &[]);
            }
            return out;
        }
        let hit = if self.first { hits.next() } else { hits.next_back() };
        if self.backrefs {
            let captures = match (&self.which, hit) {
                (Match::Regexp(regexp), Some(at)) => regexp.captures(split.lines[at]).map(|captures| (at, captures)),
                _ => None,
            };
            return match captures {
                Some((at, captures)) => split.splice(at..at + 1, &[&expand(&self.line, Some(&captures))]),
                None => text.to_owned(),
            };
        }
        let there = split.lines.contains(&self.line.as_str());
        match hit {
            _ if there && !self.matches(&self.line) => text.to_owned(),
            Some(at) if split.lines[at] == self.line => text.to_owned(),
            Some(at) => split.splice(at..at + 1, &[&self.line]),
            None => {
                let at = self.place.at(&split.lines, self.first);
                split.splice(at..at, &[&self.line])
            }
        }
    }
}

impl Resource for LineInFile {
    fn id(&self) -> Id {
        Id { kind: LINEINFILE.name.into(), key: self.edit.path.clone(), slice: self.slice.clone() }
    }

    fn claims(&self) -> Vec<Claim> {
        self.edit.claims(&self.slice)
    }

    fn look(&self) -> Vec<Probe> {
        self.edit.look()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.edit.plan(world, |text| Ok(self.edited(text)))
    }

    fn slice(&self, text: &str) -> Option<String> {
        let ours = |line: &&str| self.matches(line) || **line == self.line;
        Some(Lines::new(text).lines.into_iter().filter(ours).collect::<Vec<_>>().join("\n"))
    }

    fn secret(&self) -> bool {
        self.edit.secret
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lang::{Data, Value};
    use crate::resource::shared::edit::tests::after;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is asked of whatever file: it is refused, or done after one go; and other lines stay.
        #[test]
        fn one_go_is_enough(
            text in "([ab]{0,3}(\n|\r\n)){0,5}[ab]{0,2}",
            line in "[ab]{0,3}",
            regexp in proptest::option::of(r"\^?[ab.]{0,2}(\([ab]\*\))?\$?"),
            place in proptest::option::of(r"[ab]{1,2}\$?|EOF|BOF"),
            (behind, absent, first, backrefs) in any::<(bool, bool, bool, bool)>(),
        ) {
            let mut args = Args::default();
            let mut set = |name: &str, data: Data| drop(args.values.insert(name.into(), Value::from(data)));
            set("path", Data::Str("/f".into()));
            set("line", Data::Str(line.clone()));
            set("firstmatch", Data::Bool(first));
            set("backrefs", Data::Bool(backrefs && regexp.is_some()));
            if let Some(regexp) = regexp {
                set("regexp", Data::Str(regexp));
            }
            if absent {
                set("state", Data::Str("absent".into()));
            }
            if let Some(place) = place {
                set(if behind { "insertafter" } else { "insertbefore" }, Data::Str(place));
            }
            let resource = build(&args).unwrap();
            if let Some(after) = after(&text, resource.as_ref()) {
                if !absent && !backrefs {
                    prop_assert!(after.lines().any(|l| l == line) || line.is_empty(), "{:?}", after);
                }
                let (before, after) = (text.lines().count(), after.lines().count());
                let fine = if absent { after <= before } else { after.abs_diff(before) <= 1 };
                prop_assert!(fine, "{} lines became {}", before, after);
            }
        }
    }
}
