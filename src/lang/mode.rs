//! File modes: octal as `ls` readers know them, or symbolic as `chmod` takes them.
//!
//! `0644` and `"0644"` are the same: the token is read as it was written. `644` is an error, since YAML makes it a
//! decimal number and one never knows what was meant.

use super::diagnostic::Diagnostic;
use super::value::{Data, Value};

/// A wished mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// All twelve bits.
    Octal(u32),
    /// Changes to what is there.
    Symbolic(Vec<Clause>),
}

/// One change: `u=rwX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Bits of the classes meant: 0o700, 0o070, 0o007.
    who: u32,
    act: char,
    /// `r`, `w`, `x` as bits of one class.
    bits: u32,
    /// `X`.
    search: bool,
    /// `s`.
    set_id: bool,
    /// `t`.
    sticky: bool,
    /// Copied from this class: `g=u`.
    copy: Option<char>,
}

impl Mode {
    /// The mode that results from `present`, 0 where nothing is there yet.
    pub fn apply(&self, present: u32, is_dir: bool) -> u32 {
        match self {
            Mode::Octal(mode) => *mode,
            Mode::Symbolic(clauses) => clauses.iter().fold(present, |mode, clause| clause.apply(mode, is_dir)),
        }
    }
}

impl Clause {
    fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let mut class = self.bits;
        if self.search && (is_dir || mode & 0o111 != 0) {
            class |= 1;
        }
        if let Some(from) = self.copy {
            class |= match from {
                'u' => mode >> 6,
                'g' => mode >> 3,
                _ => mode,
            } & 7;
        }
        let mut bits = (class * 0o111) & self.who;
        let mut special = 0;
        if self.who & 0o700 != 0 {
            special |= 0o4000;
        }
        if self.who & 0o070 != 0 {
            special |= 0o2000;
        }
        if self.set_id {
            bits |= special;
        }
        if self.sticky {
            bits |= 0o1000;
        }
        match self.act {
            '+' => mode | bits,
            '-' => mode & !bits,
            // Like chmod, `=` leaves a directory's set-id bits alone.
            _ => (mode & !(self.who | if is_dir { 0 } else { special })) | bits,
        }
    }
}

/// Reads a mode.
///
/// # Errors
/// What is none, with what to write instead.
pub fn parse_mode(value: &Value) -> Result<Mode, Diagnostic> {
    let fail = |message: String, hint: String| Err(Diagnostic::config(message).maybe_at(value.origin.as_ref()).hint(hint));
    let example = || "write `0644`, `\"0644\"` or `u=rw,go=r`".to_owned();
    let text = match &value.data {
        Data::Str(text) => text.trim().to_owned(),
        // A number is read as it was written; one that was computed has only its digits.
        Data::Int(number) => match value.written() {
            Some(token) if token.starts_with(|c: char| c.is_ascii_digit()) => token.to_owned(),
            _ => number.to_string(),
        },
        _ => return fail(format!("a mode is wanted here, not {}", value.type_name()), example()),
    };
    if value.secret {
        return fail("a secret is not a mode".to_owned(), example());
    }
    let digits = text.strip_prefix("0o").unwrap_or(&text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        if !text.starts_with('0') {
            let octal = digits.bytes().all(|b| b < b'8') && digits.len() <= 4;
            let hint = if octal { format!("write 0{digits}") } else { example() };
            return fail(format!("`{text}` is not octal: it does not begin with 0"), hint);
        }
        return match u32::from_str_radix(digits, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Mode::Octal(mode)),
            Ok(_) => fail(format!("`{text}` has more bits than a mode"), example()),
            Err(_) => fail(format!("`{text}` is not octal: its digits are 0 to 7"), example()),
        };
    }
    match symbolic(&text) {
        Some(clauses) => Ok(Mode::Symbolic(clauses)),
        None => fail(format!("`{text}` is not a mode"), example()),
    }
}

fn symbolic(text: &str) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    for part in text.split(',') {
        let acts = part.find(['+', '-', '='])?;
        let (classes, mut rest) = part.split_at(acts);
        let mut who = 0;
        for class in classes.chars() {
            who |= match class {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let who = if who == 0 { 0o777 } else { who };
        while let Some(act) = rest.chars().next() {
            rest = rest.get(1..)?;
            let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
            let (letters, next) = rest.split_at(end);
            clauses.push(clause(who, act, letters)?);
            rest = next;
        }
    }
    Some(clauses)
}

fn clause(who: u32, act: char, letters: &str) -> Option<Clause> {
    let mut clause = Clause { who, act, bits: 0, search: false, set_id: false, sticky: false, copy: None };
    if let "u" | "g" | "o" = letters {
        clause.copy = letters.chars().next();
        return Some(clause);
    }
    for letter in letters.chars() {
        match letter {
            'r' => clause.bits |= 4,
            'w' => clause.bits |= 2,
            'x' => clause.bits |= 1,
            'X' => clause.search = true,
            's' => clause.set_id = true,
            't' => clause.sticky = true,
            _ => return None,
        }
    }
    Some(clause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::lang::source::Source;
    use crate::lang::yaml;
    use std::sync::Arc;

    fn read(yaml: &str) -> Result<Mode, Diagnostic> {
        let source = Arc::new(Source { name: "t.yaml".into(), text: format!("mode: {yaml}\n") });
        parse_mode(yaml::parse(&source).unwrap().get("mode").unwrap())
    }

    #[test]
    fn octal_is_read_as_it_was_written() {
        for (yaml, mode) in [("0644", 0o644), ("\"0644\"", 0o644), ("'0o644'", 0o644), ("0o755", 0o755), ("01777", 0o1777), ("0", 0), ("0000", 0)] {
            assert_eq!(read(yaml).unwrap(), Mode::Octal(mode), "{yaml}");
        }
    }

    #[test]
    fn what_is_no_mode_is_told() {
        let told = |yaml: &str| read(yaml).map(|m| format!("{m:?}")).unwrap_or_else(|d| format!("{} / {}", d.message, d.hint.unwrap()));
        let example = "write `0644`, `\"0644\"` or `u=rw,go=r`";
        assert_eq!(told("644"), "`644` is not octal: it does not begin with 0 / write 0644");
        assert_eq!(told("\"1777\""), "`1777` is not octal: it does not begin with 0 / write 01777");
        assert_eq!(told("0888"), format!("`0888` is not octal: its digits are 0 to 7 / {example}"));
        assert_eq!(told("017777"), format!("`017777` has more bits than a mode / {example}"));
        assert_eq!(told("u=rwz"), format!("`u=rwz` is not a mode / {example}"));
        assert_eq!(told("rw-r--r--"), format!("`rw-r--r--` is not a mode / {example}"));
        assert_eq!(told("[1]"), format!("a mode is wanted here, not a list / {example}"));
        assert_eq!(told("\"\""), format!("`` is not a mode / {example}"));
    }

    #[test]
    fn symbolic_modes_do_what_chmod_does() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let modes = [
            "u=rwX,g-w", "u=rwX,go=rX", "a+X", "go=", "g=u", "u+s,g+s", "a+t", "g=rx", "u-x+w", "o=g-r", "ug-s", "a=", "o+t", "u=s",
        ];
        for mode in modes {
            for before in [0o600, 0o644, 0o755, 0o664, 0o2775, 0o1777, 0o6711] {
                for is_dir in [true, false] {
                    let path = dir.path().join(format!("{mode}{before:o}{is_dir}"));
                    if is_dir { std::fs::create_dir(&path).unwrap() } else { std::fs::write(&path, "").unwrap() }
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(before)).unwrap();
                    let done = std::process::Command::new("chmod").args([mode.as_ref(), path.as_os_str()]).status();
                    assert!(done.unwrap().success());
                    let wanted = std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                    let got = read(mode).unwrap().apply(before, is_dir);
                    assert_eq!(format!("{got:o}"), format!("{wanted:o}"), "{mode} on {before:o}, directory: {is_dir}");
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
                }
            }
        }
    }
}
