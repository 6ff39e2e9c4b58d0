//! A file of variables as docker compose reads it, and nothing else does: its quoting is not that of a shell.

use std::collections::BTreeMap;

/// `vars` as the text of a `.env`, a line each.
pub fn text(vars: &BTreeMap<String, String>) -> String {
    vars.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect()
}

/// A value so that compose reads it as it is: nothing is expanded in single quotes, but they cannot carry every end and every quote.
fn quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains('\'') && !value.contains('\\') {
        return format!("'{value}'");
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_in_the_quotes_that_carry_it() {
        // As docker compose 2.26 was seen to read them.
        let cases = [
            ("", ""),
            ("plain/x:y@z%+,=-", "plain/x:y@z%+,=-"),
            ("a$b \"c\" #d", "'a$b \"c\" #d'"),
            ("two\nlines", "'two\nlines'"),
            ("it's", "\"it's\""),
            ("q\"d\\b $x it's\n", "\"q\\\"d\\\\b \\$x it's\\n\""),
        ];
        for (value, written) in cases {
            assert_eq!(quote(value), written);
        }
        assert_eq!(text(&BTreeMap::from([("B".into(), "1".into()), ("A".into(), "x y".into())])), "A='x y'\nB=1\n");
    }
}
