//! Host ranges: `pi-[1:3]`, `pi-[01:10]`, `[a:c]`, several in one name.

/// The most names that one range may stand for: a slip of the finger should not make a million hosts.
pub const MOST: usize = 4096;

/// The names that `text` stands for, in order; itself where it has no range. The error says what is wrong and what to do.
pub fn expand(text: &str) -> Result<Vec<String>, (String, String)> {
    let mut names = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find(['[', ']']) {
        if rest[open..].starts_with(']') {
            return Err((format!("`{text}` closes a range that was not opened"), "write it as `pi-[1:3]`".into()));
        }
        let Some(close) = rest[open..].find(']').map(|at| open + at) else {
            return Err((format!("`{text}` opens a range and does not close it"), "write it as `pi-[1:3]`".into()));
        };
        let items = range(&rest[open + 1..close]).map_err(|(what, hint)| (format!("`{text}` {what}"), hint))?;
        if names.len().saturating_mul(items.len()) > MOST {
            return Err((format!("`{text}` stands for more than {MOST} hosts"), "check the ends of the range".into()));
        }
        let before = &rest[..open];
        names = names.iter().flat_map(|name| items.iter().map(move |item| format!("{name}{before}{item}"))).collect();
        rest = &rest[close + 1..];
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// What stands between the brackets.
fn range(text: &str) -> Result<Vec<String>, (String, String)> {
    let form = || "a range is `[1:3]`, `[01:10]` or `[a:c]`, both ends included".to_owned();
    let Some((from, to)) = text.split_once(':') else {
        return Err((format!("has `[{text}]`, which is not a range"), form()));
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let backwards = || (format!("has the range `[{text}]`, which runs backwards"), format!("write `[{to}:{from}]`"));
    if digits(from) && digits(to) {
        let padded = from.len() > 1 && from.starts_with('0');
        if padded && from.len() != to.len() {
            return Err((format!("has the range `[{text}]` with ends of different widths"), "pad both ends to the same width, like `[01:10]`".into()));
        }
        let (Ok(first), Ok(last)) = (from.parse::<u64>(), to.parse::<u64>()) else {
            return Err((format!("has the range `[{text}]`, whose numbers are too large"), form()));
        };
        if first > last {
            return Err(backwards());
        }
        if last - first >= MOST as u64 {
            return Err((format!("stands for more than {MOST} hosts"), "check the ends of the range".into()));
        }
        let width = if padded { from.len() } else { 0 };
        return Ok((first..=last).map(|n| format!("{n:0width$}")).collect());
    }
    let mut ends = (from.chars(), to.chars());
    match (ends.0.next(), ends.0.next(), ends.1.next(), ends.1.next()) {
        (Some(a), None, Some(b), None) if (a.is_ascii_lowercase() && b.is_ascii_lowercase()) || (a.is_ascii_uppercase() && b.is_ascii_uppercase()) => {
            if a > b { Err(backwards()) } else { Ok((a..=b).map(String::from).collect()) }
        }
        _ => Err((format!("has `[{text}]`, which is not a range"), form())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn expands() {
        for (text, names) in [
            ("pi", vec!["pi"]),
            ("pi-[1:3]", vec!["pi-1", "pi-2", "pi-3"]),
            ("pi-[08:11].lan", vec!["pi-08.lan", "pi-09.lan", "pi-10.lan", "pi-11.lan"]),
            ("[a:b][0:1]", vec!["a0", "a1", "b0", "b1"]),
            ("n[0:0]", vec!["n0"]),
        ] {
            assert_eq!(expand(text).unwrap(), names, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for (text, part) in [
            ("pi-[3:1]", "backwards"),
            ("pi-[1:3", "does not close"),
            ("pi-1]", "not opened"),
            ("pi-[1-3]", "not a range"),
            ("pi-[01:100]", "different widths"),
            ("pi-[1:99999999999999999999]", "too large"),
            ("pi-[1:99999]", "more than"),
            ("[0:99][0:99]", "more than"),
            ("[a:C]", "not a range"),
            ("[é:ü]", "not a range"),
            ("[]", "not a range"),
        ] {
            let (what, hint) = expand(text).unwrap_err();
            assert!(what.contains(part) && !hint.is_empty(), "{text}: {what}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]:a-c0-9é-]{0,24}") {
            if let Ok(names) = expand(&text) {
                proptest::prop_assert!(!names.is_empty() && names.len() <= MOST);
            }
        }
    }
}
