//! `ini_file`: a setting in a section of a text file that others own too.

mod text;

use super::shared::attrs::{GROUP, MODE, OWNER, wrong};
use super::shared::edit::Edit;
use super::shared::put::{VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics};
use crate::node::{Op, Probe, World};
use text::{Ambiguous, Setting};

/// The declaration.
pub static INI_FILE: KindSpec = KindSpec {
    name: "ini_file",
    summary: "Sets a setting of an INI file, such as systemd's, NetworkManager's or PHP's",
    description: "\
Keeps `option = value` in `[section]`. A line that is there gets the new value and keeps its indent and the blanks around `=`, which never count as a difference; one that
is commented out (`#Storage=auto`) becomes the setting; else it is added behind the section's last setting, and a section that is missing at the end of the file. All other lines stay byte for byte, comments too.

Without `section` it is about what stands before the first header; without `option`, about the section itself: `state: absent` then takes it away with all that is in it, but for comments right above the next header
that have a blank line above themselves.

Comments begin with `#` or `;`, and only at the beginning of a line. A value goes on behind a `\\` at the end of a line, and on lines that are further in; all of it is replaced. Names are compared as
they are written, capitals included. A section that is there more than once, as WireGuard's `[Peer]`, is refused: use `blockinfile` for one of these.

Several tasks may edit one file, also one that does not exist yet: each sees what the earlier ones will have made of it.
A value that read a secret is secret: the diff is masked. Files above 1 MiB, files that are not UTF-8 text, and links are refused. Taken back exactly.",
    params: &[
        Param::required("path", Ty::Path, "The file.").aliases(&["dest"]),
        Param::new("section", Ty::Str, "The section, without its brackets.").default("what is before the first one"),
        Param::new("option", Ty::Str, "The setting's name."),
        Param::new("value", Ty::Str, "Its value."),
        Param::new("values", Ty::Strs, "Its values, where it may be there several times: one line for each, in this order."),
        Param::new("exclusive", Ty::Bool, "It has no other values. With `false`, those given are added, or with `state: absent` removed, and others stay.").default("true"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("allow_no_value", Ty::Bool, "It may be a name without `=`, as MySQL's `skip-networking`.").default("false"),
        Param::new("no_extra_spaces", Ty::Bool, "A new line has no blanks around `=`.").default("as the file's first setting has it; with blanks in a new file"),
        Param::new("modify_inactive_option", Ty::Bool, "A line that is commented out may become the setting.").default("true"),
        Param::new("create", Ty::Bool, "Make the file where it is missing.").default("true"),
        MODE.default("as it is; `0644` for a new file, `0600` if the value is secret"),
        OWNER,
        GROUP,
        VALIDATE,
    ],
    bare: "",
    example: "\
- name: Keep the journal on the disk, and small
  ini_file:
    path: /etc/systemd/journald.conf
    section: Journal
    option: \"{{ item.key }}\"
    value: \"{{ item.value }}\"
  loop:
    - { key: Storage, value: persistent }
    - { key: SystemMaxUse, value: 200M }
",
    build,
};

#[derive(Debug)]
struct IniFile {
    edit: Edit,
    setting: Setting,
    slice: String,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let absent = args.str("state") == Some("absent");
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let trimmed = |name: &str| args.str(name).map(|text| text.trim().to_owned());
    let (section, option) = (trimmed("section"), trimmed("option"));
    let line = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    for name in ["section", "option"].into_iter().filter(|name| args.is_secret(name)) {
        refuse(name, format!("`{name}` must not be secret"), "it names the setting in plans");
    }
    if let Some(text) = section.as_ref().filter(|text| !line(text) || text.contains(['[', ']'])) {
        refuse("section", format!("`{}` is not a section's name", text.escape_debug()), "write it without brackets, as `Journal`");
    }
    if let Some(text) = option.as_ref().filter(|text| !line(text) || text.contains('=') || text.starts_with(['#', ';', '['])) {
        refuse("option", format!("`{}` is not a setting's name", text.escape_debug()), "the name alone, as `Storage`; its value is `value`");
    }
    let given = if args.has("values") { "values" } else { "value" };
    let texts = if args.has("values") { args.strs("values") } else { args.string("value").into_iter().collect() };
    let mut values: Vec<Option<String>> = texts.iter().map(|text| Some(text.trim().to_owned())).collect();
    let secret = args.is_secret(given);
    let exclusive = args.bool("exclusive", true);
    if args.has("value") && args.has("values") {
        refuse("values", "both `value` and `values` are given".into(), "keep one of them");
    }
    if texts.iter().any(|text| text.contains(['\n', '\r', '\0'])) {
        refuse(given, "a value is more than one line".into(), "write it as one line; for several settings of this name use `values`");
    } else if texts.iter().any(|text| text.trim_end().ends_with('\\')) {
        refuse(given, "a value ends with `\\`".into(), "the next line of the file would belong to it: leave the `\\` out");
    }
    if secret && !exclusive {
        refuse(given, format!("with `exclusive: false`, `{given}` must not be secret"), "it names in plans which of the settings is meant; leave `exclusive` out");
    }
    if option.is_none() && !texts.is_empty() {
        refuse(given, format!("`{given}` has no `option`"), "say in `option` whose value it is");
    } else if values.is_empty() && option.is_some() && !absent {
        match (args.bool("allow_no_value", false), args.has("values")) {
            (_, true) => refuse("values", "`values` is empty".into(), "say `state: absent` to have none"),
            (true, _) => values.push(None),
            (false, _) => refuse("option", "`ini_file` does not say which value".into(), "give `value`, or `state: absent`; `allow_no_value: true` is for a name without one"),
        }
    }
    if section.is_none() && option.is_none() {
        problems.push(Diagnostic::config("`ini_file` does not say which setting").maybe_at(args.span.as_ref()).hint("give `option`, or a `section`"));
    }
    let mut slice = section.iter().map(|section| format!("[{section}]")).chain(option.clone()).collect::<Vec<_>>().join(" ");
    if !exclusive {
        slice += &format!(" = {}", texts.join(", "));
    }
    let setting = Setting {
        section,
        option,
        // All of them go, unless it is said which.
        exclusive: exclusive || values.is_empty(),
        values,
        uncomment: args.bool("modify_inactive_option", true),
        tight: args.has("no_extra_spaces").then(|| args.bool("no_extra_spaces", false)),
    };
    let edit = Edit { create: args.bool("create", true), ..Edit::from_args(args, secret) };
    problems.into_result(Box::new(IniFile { edit, setting, slice }) as Box<dyn Resource>)
}

impl IniFile {
    fn edited(&self, text: &str) -> Result<String, Block> {
        let edited = if self.edit.removes { self.setting.absent(text) } else { self.setting.present(text) };
        edited.map_err(|Ambiguous(times)| {
            Block::refused(
                format!("the section `[{}]` is in {} {times} times: which is meant is not known", self.setting.section.as_deref().unwrap_or_default(), self.edit.path),
                "make one of them, or keep what is to be there with `blockinfile` or `replace`",
            )
        })
    }
}

impl Resource for IniFile {
    fn id(&self) -> Id {
        Id { kind: INI_FILE.name.into(), key: self.edit.path.clone(), slice: self.slice.clone() }
    }

    fn claims(&self) -> Vec<Claim> {
        self.edit.claims(&self.slice)
    }

    fn look(&self) -> Vec<Probe> {
        self.edit.look()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.edit.plan(world, |text| self.edited(text))
    }

    fn slice(&self, text: &str) -> Option<String> {
        Some(self.setting.slice(text))
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

    const TEXT: &str = "\
# journald.conf
Top = 1

[Journal]
#Storage=auto
Compress=yes
  # SplitMode = uid
Audit=

# about what follows
[Upload]
\tURL = https://a \\
  b
\tURL = c
flag
";

    fn args(of: &[(&str, &str)]) -> Args {
        let mut args = Args::default();
        for (name, text) in [("path", "/f")].iter().chain(of) {
            let data = match *text {
                "true" | "false" => Data::Bool(*text == "true"),
                _ if *name == "values" => Data::Seq(text.split('|').map(|text| Value::from(Data::Str(text.into()))).collect()),
                _ => Data::Str((*text).into()),
            };
            args.values.insert((*name).into(), Value::from(data));
        }
        args
    }

    #[test]
    fn a_setting_is_changed_and_nothing_else() {
        for (of, old, new) in [
            (vec![("section", "Journal"), ("option", "Storage"), ("value", "volatile")], "#Storage=auto", "Storage=volatile"),
            (vec![("section", "Journal"), ("option", "Storage"), ("value", "volatile"), ("modify_inactive_option", "false")], "Audit=\n", "Audit=\nStorage = volatile\n"),
            (vec![("section", "Journal"), ("option", "New"), ("value", "x"), ("no_extra_spaces", "true")], "Audit=\n", "Audit=\nNew=x\n"),
            (vec![("section", "Journal"), ("option", "SplitMode"), ("value", "none")], "  # SplitMode = uid", "SplitMode = none"),
            (vec![("section", "Journal"), ("option", "Compress"), ("value", " no ")], "Compress=yes", "Compress=no"),
            (vec![("section", "Journal"), ("option", "Audit"), ("value", "1")], "Audit=", "Audit=1"),
            (vec![("section", "Journal"), ("option", "Compress"), ("value", "")], "Compress=yes", "Compress="),
            (vec![("section", "Journal"), ("option", "Compress"), ("allow_no_value", "true")], "Compress=yes", "Compress"),
            (vec![("section", "Journal"), ("option", "Compress"), ("state", "absent")], "Compress=yes\n", ""),
            (vec![("option", "Top"), ("value", "2")], "Top = 1", "Top = 2"),
            (vec![("option", "Other"), ("value", "2")], "Top = 1\n", "Top = 1\nOther = 2\n"),
            (vec![("section", "Upload"), ("option", "URL"), ("value", "d")], "\tURL = https://a \\\n  b\n\tURL = c\n", "\tURL = d\n"),
            (vec![("section", "Upload"), ("option", "URL"), ("values", "d|c")], "https://a \\\n  b", "d"),
            (vec![("section", "Upload"), ("option", "URL"), ("values", "c|d"), ("exclusive", "false")], "\tURL = c\n", "\tURL = c\n\tURL = d\n"),
            (vec![("section", "Upload"), ("option", "URL"), ("values", "c|d"), ("exclusive", "false"), ("state", "absent")], "\tURL = c\n", ""),
            (vec![("section", "Upload"), ("option", "URL"), ("state", "absent")], "\tURL = https://a \\\n  b\n\tURL = c\n", ""),
            (vec![("section", "Upload"), ("option", "flag"), ("allow_no_value", "true")], "", ""),
            (vec![("section", "Upload"), ("option", "flag"), ("value", "on")], "flag\n", "flag = on\n"),
            (vec![("section", "Upload"), ("option", "Key"), ("value", "k")], "flag\n", "flag\nKey = k\n"),
            (vec![("section", "Upload")], "", ""),
            (vec![("section", "Remote"), ("option", "a"), ("value", "b")], "flag\n", "flag\n\n[Remote]\na = b\n"),
            (vec![("section", "Remote")], "flag\n", "flag\n\n[Remote]\n"),
            (vec![("section", "Remote"), ("state", "absent")], "", ""),
            (vec![("section", "Upload"), ("state", "absent")], "[Upload]\n\tURL = https://a \\\n  b\n\tURL = c\nflag\n", ""),
            (vec![("section", "Journal"), ("state", "absent")], "[Journal]\n#Storage=auto\nCompress=yes\n  # SplitMode = uid\nAudit=\n\n", ""),
        ] {
            let resource = build(&args(&of)).unwrap();
            let new = if old.is_empty() { TEXT.to_owned() } else { TEXT.replacen(old, new, 1) };
            assert_eq!(after(TEXT, resource.as_ref()), Some(new), "{of:?}");
        }
    }

    #[test]
    fn lines_that_are_added_are_like_those_there() {
        let set = |text: &str, of: &[(&str, &str)]| after(text, build(&args(of)).unwrap().as_ref()).unwrap();
        let a = [("section", "s"), ("option", "a"), ("value", "1")];
        assert_eq!(set("", &a), "[s]\na = 1\n");
        assert_eq!(set("[s]\r\nb=1\r\n", &a), "[s]\r\nb=1\r\na=1\r\n");
        assert_eq!(set("[s]\n\tb = 1\n\n[t]\n", &a), "[s]\n\tb = 1\n\ta = 1\n\n[t]\n");
        assert_eq!(set("[s]", &a), "[s]\na = 1\n");
        assert_eq!(set("[s]\n[t]\na = 2\n", &a), "[s]\na = 1\n[t]\na = 2\n");
        assert_eq!(set("# only this\n\n[s]\n", &a[1..]), "# only this\na = 1\n\n[s]\n");
        assert_eq!(set("# about s\n[s]\n", &a[1..]), "a = 1\n# about s\n[s]\n");
        assert_eq!(set("[s] ; of old\n a = 1 \n", &a), "[s] ; of old\n a = 1 \n");
        assert_eq!(set("[s]\na = 1\n    2\nb = 1\n", &a), "[s]\na = 1\nb = 1\n");
        assert_eq!(set("[s]\nb = 0\n# a = 2\n    3\n", &a), "[s]\nb = 0\n# a = 2\n    3\na = 1\n");
    }

    proptest! {
        /// Whatever is asked of whatever file: it is refused, or done after one go; other lines stay, in their order.
        #[test]
        fn one_go_is_enough(
            lines in proptest::collection::vec(prop_oneof![
                "[ \t]?[ab] ?=? ?[12]?", "[#;] ?[ab] ?=? ?[12]?", "\\[[st]\\]", Just(String::new()), "  [12]", "a=1\\\\",
            ], 0..10),
            ends in any::<bool>(),
            section in proptest::option::of("[st]"),
            option in proptest::option::of("[ab]"),
            values in proptest::collection::vec("[123]", 1..3),
            (absent, exclusive, uncomment) in any::<(bool, bool, bool)>(),
        ) {
            let text = lines.join("\n") + if ends { "\n" } else { "" };
            let values = values.join("|");
            let flag = |yes: bool| if yes { "true" } else { "false" };
            let mut of = vec![("exclusive", flag(exclusive)), ("modify_inactive_option", flag(uncomment))];
            of.extend(section.as_deref().map(|text| ("section", text)));
            of.extend(option.as_deref().map(|text| ("option", text)));
            of.extend(option.is_some().then_some(("values", values.as_str())));
            of.extend(absent.then_some(("state", "absent")));
            let Ok(resource) = build(&args(&of)) else { return Ok(()) };
            let Some(new) = after(&text, resource.as_ref()) else { return Ok(()) };
            let mut news = new.lines();
            let mut before = "";
            for line in text.lines() {
                let other = option.as_deref().is_some_and(|option| !line.contains(option)) && line.starts_with(['[', '#', ';', 'a', 'b']);
                // Behind a backslash it is a part of the line before.
                if other && !before.ends_with('\\') {
                    prop_assert!(news.any(|new| new == line), "{:?} is gone: {:?}", line, new);
                }
                before = line;
            }
        }
    }
}
