//! Symbolic permissions, as `chmod` understands them: `u=rwX,go-w`. What is not understood changes nothing; the check of
//! arguments has refused it before.

const UMASK: u32 = 0o022;

/// What `text` makes of the permissions `present` of a directory (`dir`) or of something else.
pub fn apply(text: &str, present: u32, dir: bool) -> u32 {
    text.split(',').fold(present & 0o7777, |mode, clause| clause_on(clause, mode, dir))
}

fn clause_on(clause: &str, present: u32, dir: bool) -> u32 {
    let at = clause.find(['=', '+', '-']).unwrap_or(clause.len());
    let (who, mut rest) = clause.split_at(at);
    // Without a who, all are meant, but for what the usual umask keeps away.
    let (who, keep) = if who.is_empty() { ("a", !UMASK) } else { (who, !0) };
    let affected = who.chars().fold(0, |bits, c| {
        bits | match c {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => 0,
        }
    });
    let mut mode = present;
    while let Some(op) = rest.chars().next() {
        let perms = &rest[op.len_utf8()..];
        let end = perms.find(['=', '+', '-']).unwrap_or(perms.len());
        let bits = perms[..end].chars().fold(0, |bits, c| bits | perm(c, mode, dir)) & affected & keep;
        mode = match op {
            '+' => mode | bits,
            '-' => mode & !bits,
            // A directory keeps its set-id bits unless they are named.
            _ => (mode & !(affected & if dir { !0o6000 } else { !0 })) | bits,
        };
        rest = &perms[end..];
    }
    mode
}

/// The bits of one letter, for everybody.
fn perm(c: char, mode: u32, dir: bool) -> u32 {
    let spread = |three: u32| three | three << 3 | three << 6;
    match c {
        'r' => 0o444,
        'w' => 0o222,
        'x' => 0o111,
        'X' if dir || mode & 0o111 != 0 => 0o111,
        's' => 0o6000,
        't' => 0o1000,
        'u' => spread(mode >> 6 & 7),
        'g' => spread(mode >> 3 & 7),
        'o' => spread(mode & 7),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::apply;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    /// `chmod` is the judge.
    #[test]
    fn agrees_with_chmod() {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("file");
        let dir = here.path().join("dir");
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(&dir).unwrap();
        let modes = ["u=rw,go=r", "u=rwX,go=rX", "a+X", "+x", "+w", "=r", "go-rwx", "o=", "g=u", "o=g-w", "u+s,g+s", "+t", "ug=rwx,o-rwx", "u=rws", "a=", "g=rx", "u+w-x", "go=u-w,u+x", "u-s,g-s", "uo=rt"];
        for mode in modes {
            let script = format!("umask 022; for p; do chmod -- {mode} \"$p\"; done");
            for present in [0o644, 0o600, 0o755, 0o4755, 0o2750, 0o1777, 0o000, 0o7777, 0o461] {
                for path in [&file, &dir] {
                    std::fs::set_permissions(path, std::fs::Permissions::from_mode(present)).unwrap();
                }
                let _ = Command::new("sh").args(["-c", &script, "sh"]).args([&file, &dir]).stderr(std::process::Stdio::null()).status().unwrap();
                for (path, is_dir) in [(&file, false), (&dir, true)] {
                    let real = std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
                    let ours = apply(mode, present, is_dir);
                    assert_eq!(format!("{ours:04o}"), format!("{real:04o}"), "{mode} on {present:04o}, directory: {is_dir}");
                }
            }
        }
    }

    #[test]
    fn nonsense_changes_nothing() {
        for text in ["", "rw", "é=ü", ",,", "u"] {
            assert_eq!(apply(text, 0o640, false), 0o640, "{text}");
        }
    }
}
