//! File modes: octal as `ls` readers know them, or symbolic as `chmod` takes them.
//!
//! `0644` and `"0644"` are the same: the token is read as it was written. `644` is an error, since YAML makes it a
//! decimal number and one never knows what was meant.

use super::diagnostic::Diagnostic;
use super::value::{Data, Value};

/// What a mode without a who leaves alone.
const UMASK: u32 = 0o022;

/// A wished mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// All twelve bits.
    Octal(u32),
    /// Changes to what is there, for [`symbolic`].
    Symbolic(String),
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
    match symbolic(&text, 0, false) {
        Some(_) => Ok(Mode::Symbolic(text)),
        None => fail(format!("`{text}` is not a mode"), example()),
    }
}

/// What `text`, such as `u=rwX,go-w`, makes of the permissions `present` of a directory (`dir`) or of something else, as `chmod` does it.
/// None where it is no mode.
pub fn symbolic(text: &str, present: u32, dir: bool) -> Option<u32> {
    text.split(',').try_fold(present & 0o7777, |mode, clause| clause_on(clause, mode, dir))
}

fn clause_on(clause: &str, mut mode: u32, dir: bool) -> Option<u32> {
    let (who, mut rest) = clause.split_at(clause.find(['=', '+', '-'])?);
    // Without a who, all are meant, but for what the usual umask keeps away.
    let (who, keep) = if who.is_empty() { ("a", !UMASK) } else { (who, !0) };
    let affected = who.chars().try_fold(0, |bits, class| {
        Some(bits | match class {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        })
    })?;
    while let Some(act) = rest.chars().next() {
        let letters = &rest[act.len_utf8()..];
        let (letters, next) = letters.split_at(letters.find(['=', '+', '-']).unwrap_or(letters.len()));
        let bits = bits(letters, mode, dir)? & affected & keep;
        mode = match act {
            '+' => mode | bits,
            '-' => mode & !bits,
            // A directory keeps its set-id bits unless they are named.
            _ => (mode & !(affected & if dir { !0o6000 } else { !0 })) | bits,
        };
        rest = next;
    }
    Some(mode)
}

/// The bits of a class to copy from, or of letters, for everybody.
fn bits(letters: &str, mode: u32, dir: bool) -> Option<u32> {
    match letters {
        "u" => return Some((mode >> 6 & 7) * 0o111),
        "g" => return Some((mode >> 3 & 7) * 0o111),
        "o" => return Some((mode & 7) * 0o111),
        _ => {}
    }
    letters.chars().try_fold(0, |bits, letter| {
        Some(bits | match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            'X' if dir || mode & 0o111 != 0 => 0o111,
            'X' => 0,
            's' => 0o6000,
            't' => 0o1000,
            _ => return None,
        })
    })
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

    /// `chmod` is the judge.
    #[test]
    fn agrees_with_chmod() {
        use std::os::unix::fs::PermissionsExt;
        use std::process::Command;
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("file");
        let dir = here.path().join("dir");
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(&dir).unwrap();
        let modes = ["u=rw,go=r", "u=rwX,go=rX", "a+X", "+x", "+w", "=r", "go-rwx", "o=", "g=u", "o=g-w", "u+s,g+s", "+t", "ug=rwx,o-rwx", "u=rws", "a=", "g=rx", "u+w-x", "go=u-w,u+x", "u-s,g-s", "uo=rt", "a+t", "u-x+w", "o=g-r", "ug-s", "o+t", "u=s"];
        for mode in modes {
            let script = format!("umask 022; for p; do chmod -- {mode} \"$p\"; done");
            for present in [0o644, 0o600, 0o755, 0o4755, 0o2750, 0o1777, 0o000, 0o7777, 0o461] {
                for path in [&file, &dir] {
                    std::fs::set_permissions(path, std::fs::Permissions::from_mode(present)).unwrap();
                }
                let _ = Command::new("sh").args(["-c", &script, "sh"]).args([&file, &dir]).stderr(std::process::Stdio::null()).status().unwrap();
                for (path, is_dir) in [(&file, false), (&dir, true)] {
                    let real = std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
                    let ours = symbolic(mode, present, is_dir).unwrap();
                    assert_eq!(format!("{ours:04o}"), format!("{real:04o}"), "{mode} on {present:04o}, directory: {is_dir}");
                }
            }
        }
    }

    #[test]
    fn what_chmod_refuses_is_none() {
        for text in ["", "rw", "é=ü", ",,", "u", "u=ug", "z+r", "u=rw,"] {
            assert_eq!(symbolic(text, 0o640, false), None, "{text}");
        }
    }
}
