//! `replace`: every match of an expression in a text file that others own too.

use super::shared::attrs::{GROUP, MODE, OWNER, wrong};
use super::shared::backrefs::{bad_group, expand};
use super::shared::edit::{Edit, pattern};
use super::shared::put::{VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::{Op, Probe, World};
use regex::Regex;

/// The declaration.
pub static REPLACE: KindSpec = KindSpec {
    name: "replace",
    summary: "Replaces every match of an expression in a text file",
    description: "\
`^` and `$` match at each line of the file, and a match may go over several lines. Where nothing matches, there is nothing to do. A text that `regexp` matches again is
refused, unless what comes of it is the same: else every apply would change the file once more.

With `after` and `before` only what is between them is looked at: from the end of the first match of `after` to the next one of `before`; without `after`, from the file's beginning
to the last match of `before`. In these two, `.` matches a line feed too. Where they match nothing, there is nothing to do.

For one line use `lineinfile`, for a setting in a section `ini_file`: these add what is missing. Several tasks may edit one file, and each sees what the earlier ones will have made of it.

Files above 1 MiB, files that are not UTF-8 text, and links are refused. Taken back exactly.

Regular expressions are those of Rust's `regex` crate. Compared with Python's there is no look-around and no backreference inside the expression, and `\\Z` is written `\\z`;
`replace` takes `\\1`, `\\g<1>`, `\\g<name>`, `\\n` and `\\t` as Python does.",
    params: &[
        Param::required("path", Ty::Path, "The file.").aliases(&["dest", "destfile", "name"]),
        Param::required("regexp", Ty::Str, "What is replaced."),
        Param::new("replace", Ty::Str, "What takes its place; groups of `regexp` are `\\1`, `\\2` and so on.").default("nothing: what matches is removed"),
        Param::new("after", Ty::Str, "Only what is behind the first match of this expression."),
        Param::new("before", Ty::Str, "Only what is before a match of this expression."),
        MODE.default("as it is"),
        OWNER,
        GROUP,
        VALIDATE,
    ],
    bare: "",
    example: "\
- name: Let the site listen on all addresses
  replace:
    path: /etc/apache2/sites-available/000-default.conf
    regexp: '^(\\s*Listen) 127\\.0\\.0\\.1:(\\d+)$'
    replace: '\\1 \\2'
",
    build,
};

#[derive(Debug)]
struct Replace {
    edit: Edit,
    regexp: Regex,
    replace: String,
    after: Option<Regex>,
    before: Option<Regex>,
    slice: String,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let regexp = pattern(args, "regexp", "(?m)", &mut problems);
    let (after, before) = (pattern(args, "after", "(?s)", &mut problems), pattern(args, "before", "(?s)", &mut problems));
    let replace = args.string("replace").unwrap_or_default();
    for name in ["regexp", "after", "before"].into_iter().filter(|name| args.is_secret(name)) {
        problems.push(wrong(args, name, format!("`{name}` must not be secret"), "", "it names in plans what is replaced: find it by a part that is not secret"));
    }
    let Some(regexp) = regexp else { return Err(problems) };
    problems.0.extend(bad_group(args, "replace", &regexp, &replace));
    let mut slice = args.string("regexp").unwrap_or_default();
    for name in ["after", "before"] {
        slice += &args.str(name).map(|text| format!(" {name} {text}")).unwrap_or_default();
    }
    let resource = Replace { edit: Edit::from_args(args, args.is_secret("replace")), regexp, replace, after, before, slice };
    problems.into_result(Box::new(resource) as Box<dyn Resource>)
}

impl Replace {
    /// What of `text` is looked at; nothing where its bounds are not there.
    fn section(&self, text: &str) -> std::ops::Range<usize> {
        let from = self.after.as_ref().map_or(Some(0), |after| after.find(text).map(|hit| hit.end()));
        let from = from.unwrap_or(text.len());
        let to = match (&self.before, &self.after) {
            (None, _) => Some(text.len()),
            (Some(before), Some(_)) => before.find_at(text, from).map(|hit| hit.start()),
            (Some(before), None) => before.find_iter(text).last().map(|hit| hit.start()),
        };
        from..to.unwrap_or(from)
    }

    fn edited(&self, text: &str) -> String {
        let section = self.section(text);
        let new = self.regexp.replace_all(&text[section.clone()], |found: &regex::Captures<'_>| expand(&self.replace, Some(found)));
        [&text[..section.start], &new, &text[section.end..]].concat()
    }
}

impl Resource for Replace {
    fn id(&self) -> Id {
        Id { kind: REPLACE.name.into(), key: self.edit.path.clone(), slice: self.slice.clone() }
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
        // What it put there cannot be told from what was there; what matches is what is still to be replaced, or what it keeps.
        Some(self.regexp.find_iter(&text[self.section(text)]).map(|hit| hit.as_str()).collect::<Vec<_>>().join("\n"))
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
    use crate::resource::shared::edit::tests;
    use proptest::prelude::*;

    fn replace(of: &[(&str, &str)]) -> Box<dyn Resource> {
        let mut args = Args::default();
        args.values.insert("path".into(), Value::from(Data::Str("/f".into())));
        for (name, text) in of {
            args.values.insert((*name).into(), Value::from(Data::Str((*text).into())));
        }
        build(&args).unwrap()
    }

    /// What Python makes of the same, by the code of Ansible's module.
    #[test]
    fn is_as_ansibles() {
        let text = "one = 1\n[a]\none = 1\ntwo = 2\n[b]\none = 1\n[c]\none = 1\n";
        for (of, after) in [
            (vec![("regexp", "^one = 1$"), ("replace", "uno")], "uno\n[a]\nuno\ntwo = 2\n[b]\nuno\n[c]\nuno\n"),
            (vec![("regexp", "one = 1"), ("replace", "x"), ("after", "\\[a\\]"), ("before", "\\[b\\]")], "one = 1\n[a]\nx\ntwo = 2\n[b]\none = 1\n[c]\none = 1\n"),
            (vec![("regexp", "one = 1"), ("replace", "x"), ("after", "\\[a\\]"), ("before", "\\[.\\]")], "one = 1\n[a]\nx\ntwo = 2\n[b]\none = 1\n[c]\none = 1\n"),
            (vec![("regexp", "one = 1"), ("replace", "x"), ("after", "\\[b\\]")], "one = 1\n[a]\none = 1\ntwo = 2\n[b]\nx\n[c]\nx\n"),
            (vec![("regexp", "one = 1"), ("replace", "x"), ("before", "\\[.\\]")], "x\n[a]\nx\ntwo = 2\n[b]\nx\n[c]\none = 1\n"),
            (vec![("regexp", "one = 1"), ("replace", "x"), ("after", "two.*\\[c")], "one = 1\n[a]\none = 1\ntwo = 2\n[b]\none = 1\n[c]\nx\n"),
            (vec![("regexp", "^(\\w+) = (\\d)\\n"), ("replace", "\\2\\t\\g<1>\\n\\n")], "1\tone\n\n[a]\n1\tone\n\n2\ttwo\n\n[b]\n1\tone\n\n[c]\n1\tone\n\n"),
            (vec![("regexp", "^one.*\\n")], "[a]\ntwo = 2\n[b]\n[c]\n"),
            (vec![("regexp", "one"), ("replace", "x"), ("after", "nowhere")], text),
            (vec![("regexp", "one"), ("replace", "x"), ("before", "nowhere")], text),
            (vec![("regexp", "one"), ("replace", "x"), ("after", "\\[c"), ("before", "\\[b")], text),
        ] {
            assert_eq!(tests::after(text, replace(&of).as_ref()).as_deref(), Some(after), "{of:?}");
        }
    }

    fn bound() -> impl Strategy<Value = Option<&'static str>> {
        proptest::option::of(prop_oneof![Just("c"), Just("a.b"), Just("b$")])
    }

    proptest! {
        /// Whatever is asked of whatever file: it is refused, or done after one go; what is outside of the bounds stays.
        #[test]
        fn one_go_is_enough(
            text in "([abc]{0,3}(\n|\r\n)){0,5}[ab]{0,2}",
            regexp in r"\^?[ab.]{0,2}(\([ab]\*\))?(\\n)?\$?",
            with in "[abc]{0,2}(\\\\0|\\\\n)?",
            (after, before) in (bound(), bound()),
        ) {
            let mut of = vec![("regexp", regexp.as_str()), ("replace", with.as_str())];
            of.extend(after.map(|text| ("after", text)).into_iter().chain(before.map(|text| ("before", text))));
            if let Some(new) = tests::after(&text, replace(&of).as_ref()) {
                let kept = after.and_then(|of| Some(Regex::new(&format!("(?s){of}")).unwrap().find(&text)?.end())).unwrap_or(0);
                prop_assert!(new.starts_with(&text[..kept]), "{:?}", new);
            }
        }
    }
}
