//! The texts of a Pi's boot files: `config.txt`, lines in sections, and `cmdline.txt`, one line of words. Edits of parts, from text to text.

use crate::resource::shared::edit::Lines;

/// The section of each line; a header belongs to the one it begins. Before the first, all models are meant.
fn sections<'a>(lines: &Lines<'a>) -> Vec<&'a str> {
    let mut now = "all";
    let section = |line: &'a str| line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name.trim());
    lines.lines.iter().map(|line| { now = section(line).unwrap_or(now); now }).collect()
}

/// The value that a line gives to `key`; what is behind a `#` is a comment only at a line's beginning.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = line.trim().split_once('=')?;
    (name.trim_end() == key).then(|| value.trim_start())
}

fn of<'a>(lines: &Lines<'a>, section: &str, key: &str) -> Vec<(usize, &'a str)> {
    let sections = sections(lines);
    (0..lines.lines.len()).filter(|at| sections[*at] == section).filter_map(|at| value(lines.lines[at], key).map(|value| (at, value))).collect()
}

/// Where a new line of `section` goes: behind the last one of it that says something. `None`: there is no such section.
fn end(lines: &Lines<'_>, section: &str) -> Option<usize> {
    let sections = sections(lines);
    let says = |at: &usize| !lines.lines[*at].trim().is_empty();
    let last = (0..lines.lines.len()).rev().find(|at| sections[*at] == section && says(at)).map(|at| at + 1);
    last.or((section == "all").then_some(0))
}

fn insert(text: &str, section: &str, at: Option<usize>, line: &str) -> String {
    let lines = Lines::new(text);
    match at.or_else(|| end(&lines, section)) {
        Some(at) => lines.splice(at..at, &[line]),
        None => {
            // What other tools write at the end holds where it held.
            let last = sections(&lines).last().map_or("all", |name| name);
            let (head, back) = (format!("[{section}]"), format!("[{last}]"));
            lines.splice(lines.lines.len()..lines.lines.len(), &[&head, line, &back])
        }
    }
}

fn remove(text: &str, at: &[usize]) -> String {
    at.iter().rev().fold(text.to_owned(), |out, at| Lines::new(&out).splice(*at..*at + 1, &[]))
}

/// `text` with one line that gives `wished` to `name` in `section`, or with none.
pub(super) fn set(text: &str, section: &str, name: &str, wished: Option<&String>) -> String {
    let lines = Lines::new(text);
    let hits = of(&lines, section, name);
    let Some(wished) = wished else { return remove(text, &hits.iter().map(|hit| hit.0).collect::<Vec<_>>()) };
    match hits.split_last() {
        None => insert(text, section, None, &format!("{name}={wished}")),
        // The last one counts; others would only mislead.
        Some(((at, now), others)) => {
            let line = format!("{name}={wished}");
            let out = if now == wished { text.to_owned() } else { lines.splice(*at..*at + 1, &[&line]) };
            remove(&out, &others.iter().map(|hit| hit.0).collect::<Vec<_>>())
        }
    }
}

/// `text` with the line `key=wished` in `section`, of which there may be others, or without those of its name.
pub(super) fn line(text: &str, section: &str, key: &str, wished: &str, present: bool) -> String {
    let lines = Lines::new(text);
    let hits = of(&lines, section, key);
    // An overlay's name ends with a comma, a parameter's with an equals sign.
    let name = |text: &str| text.split([',', if key == "dtparam" { '=' } else { ',' }]).next().unwrap_or_default().to_owned();
    let alike: Vec<usize> = hits.iter().filter(|(_, text)| name(text) == name(wished)).map(|hit| hit.0).collect();
    if !present {
        return remove(text, &alike);
    }
    let line = format!("{key}={wished}");
    match alike[..] {
        _ if hits.iter().any(|(_, text)| *text == wished) => text.to_owned(),
        [at] => lines.splice(at..at + 1, &[&line]),
        _ => {
            // A parameter behind an overlay would be the overlay's.
            let first = (key == "dtparam").then(|| of(&lines, section, "dtoverlay").first().map(|hit| hit.0)).flatten();
            insert(text, section, first, &line)
        }
    }
}

/// The kernel's command line with the words that are missing at its end, and without those of `not`. It stays one line.
pub(super) fn words(text: &str, wished: &[String], not: &[String]) -> String {
    let (line, rest) = text.split_at(text.find(['\r', '\n']).unwrap_or(text.len()));
    let mut out = line.to_owned();
    for word in not {
        while let Some(at) = find(&out, word) {
            let end = at + word.len();
            // With the blank before it, or else that behind it.
            let (from, to) = if at > 0 { (at - 1, end) } else { (at, (end + 1).min(out.len())) };
            out.replace_range(from..to, "");
        }
    }
    for word in wished.iter().filter(|word| find(line, word).is_none() || not.contains(word)) {
        if find(&out, word).is_none() {
            out.truncate(out.trim_end().len());
            out.push_str(if out.is_empty() { "" } else { " " });
            out.push_str(word);
        }
    }
    out + rest
}

/// Where `word` stands in `line` as a word of its own.
fn find(line: &str, word: &str) -> Option<usize> {
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    line.match_indices(word).map(|hit| hit.0).find(|at| blank(line[..*at].chars().next_back()) && blank(line[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# For more options\ndtparam=audio=on\n\ncamera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n\n[cm4]\n# bus\notg_mode=1\n\n[all]\nenable_uart=1\n";

    fn text(before: &str, after: &str, change: impl Fn(&str) -> String) {
        assert_eq!(change(before), after);
        assert_eq!(change(after), after, "a second time");
    }

    #[test]
    fn a_setting_has_one_line_in_its_section() {
        let set = |section: &'static str, name: &'static str, value: &'static str| move |text: &str| super::set(text, section, name, Some(&value.to_owned()));
        text(TEXT, &TEXT.replace("enable_uart=1", "enable_uart=0"), set("all", "enable_uart", "0"));
        text(TEXT, &TEXT.replace("enable_uart=1\n", "enable_uart=1\narm_64bit=1\n"), set("all", "arm_64bit", "1"));
        text(TEXT, &TEXT.replace("otg_mode=1\n", "otg_mode=1\nenable_uart=1\n"), set("cm4", "enable_uart", "1"));
        text(TEXT, &format!("{TEXT}[pi4]\narm_boost=1\n[all]\n"), set("pi4", "arm_boost", "1"));
        text("a=1\n#a=2\n[x]\na=3\n[all]\n a = 4\n", "#a=2\n[x]\na=3\n[all]\na=5\n", set("all", "a", "5"));
        text("a=1\r\n[x]\r\n", "a=1\r\nb=2\r\n[x]\r\n", set("all", "b", "2"));
        text("", "b=2\n", set("all", "b", "2"));
        text("[x]\ny=1", "b=2\n[x]\ny=1", set("all", "b", "2"));
        text(TEXT, &TEXT.replace("otg_mode=1\n", ""), |text| super::set(text, "cm4", "otg_mode", None));
    }

    #[test]
    fn overlays_and_parameters_may_be_many() {
        let line = |key: &'static str, wished: &'static str| move |text: &str| super::line(text, "all", key, wished, true);
        text(TEXT, &TEXT.replace("enable_uart=1\n", "enable_uart=1\ndtoverlay=disable-bt\n"), line("dtoverlay", "disable-bt"));
        text(TEXT, &TEXT.replace("v3d\n", "v3d,noaudio\n"), line("dtoverlay", "vc4-kms-v3d,noaudio"));
        text(TEXT, &TEXT.replace("dtparam=audio=on", "dtparam=audio=off"), line("dtparam", "audio=off"));
        text(TEXT, &TEXT.replace("dtoverlay=vc4", "dtparam=i2c_arm=on\ndtoverlay=vc4"), line("dtparam", "i2c_arm=on"));
        text(TEXT, &TEXT.replace("dtoverlay=vc4-kms-v3d\n", ""), |text| super::line(text, "all", "dtoverlay", "vc4-kms-v3d,x", false));
        let twice = "dtoverlay=gpio-key,gpio=1\ndtoverlay=gpio-key,gpio=2\n";
        text(twice, &format!("{twice}dtoverlay=gpio-key,gpio=3\n"), line("dtoverlay", "gpio-key,gpio=3"));
    }

    #[test]
    fn the_command_line_stays_one_line() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let line = "console=serial0,115200 console=tty1  root=PARTUUID=1-2 quiet\n";
        let edit = |wished: &[&str], not: &[&str]| { let (wished, not) = (list(wished), list(not)); move |text: &str| words(text, &wished, &not) };
        text(line, &line.replace("quiet", "quiet cgroup_enable=memory"), edit(&["console=tty1", "cgroup_enable=memory"], &[]));
        text(line, "console=tty1  root=PARTUUID=1-2\n", edit(&[], &["quiet", "console=serial0,115200", "root"]));
        text("a b", "b c", edit(&["c"], &["a"]));
        text("a a a\n", "\n", edit(&[], &["a"]));
        text("", "a", edit(&["a"], &[]));
        text("quiet \n", "quiet a\n", edit(&["a"], &[]));
    }
}
