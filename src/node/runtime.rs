//! The fixed runtime: the bootstrap that an exec command starts, and the shell functions that are sent to it.
//!
//! The bootstrap is a reader loop. It reads a header line, takes exactly as many bytes as the header counts, and either
//! evaluates them as a unit (`E n`) or appends them to a staged file (`D id n`). A unit that does not end with this
//! session's sentinel was cut off, and nothing of it runs. See `docs/adr/0001-reader-loop.md`.

use super::program::Unit;

/// The PATH of everything that runs on a node.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The reader loop. No single quote, backslash, newline or `!`: it travels inside single quotes through any login shell.
/// Input up to `#go NONCE` is dropped: with `sudo -S`, a password that nobody asked for arrives here.
const LOOP: &str = concat!(
    "umask 077; trap : PIPE HUP TERM; n=; H=; ",
    r##"while IFS= read -r l; do case $l in "#go "*) n=${l#* }; break;; esac; done; l=; [ "$n" ] || exit 97; "##,
    r##"while read -r k a b; do case $k in "##,
    r##"E) u=$(exec dd bs="$a" count=1 iflag=fullblock 2>/dev/null); case $u in *"#end $n") eval "$u";; *) break;; esac;; "##,
    r##"D) { dd bs="$b" count=1 iflag=fullblock 2>/dev/null; } >>"$R/s/$a" || break;; "##,
    r##"*) break;; esac; done; u=; [ -z "$H" ] || h_bye"##,
);

/// How the program becomes another user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Become {
    /// It does not.
    #[default]
    No,
    /// `sudo`, asking for a password on standard input where one is `asked`.
    Sudo {
        /// Whose identity it takes.
        user: String,
        /// Whether a password will be sent.
        asked: bool,
    },
    /// `doas`, which can only do it without a password here: it reads one from a terminal only.
    Doas {
        /// Whose identity it takes.
        user: String,
    },
}

/// The exec command that starts the loop as the login itself: one line that any login shell can run.
pub fn bootstrap() -> String {
    command(&Become::No)
}

/// The exec command that starts the loop, as whom `how` says.
pub fn command(how: &Become) -> String {
    let word = super::quote::quote;
    let start = format!("env LC_ALL=C PATH={PATH} sh -c '{LOOP}'");
    match how {
        Become::No => format!("exec {start}"),
        Become::Sudo { user, asked: true } => format!("exec sudo -S -p '' -u {} -- {start}", word(user)),
        Become::Sudo { user, asked: false } => format!("exec sudo -n -u {} -- {start}", word(user)),
        Become::Doas { user } => format!("exec doas -n -u {} {start}", word(user)),
    }
}

/// The first bytes to send. A password must not contain a newline. The empty lines after it use up the further attempts
/// that sudo allows, so that a wrong password ends sudo rather than eating the program.
pub fn greeting(nonce: &str, password: Option<&str>) -> Vec<u8> {
    match password {
        Some(password) => format!("{password}\n\n\n#go {nonce}\n").into_bytes(),
        None => format!("#go {nonce}\n").into_bytes(),
    }
}

/// The functions that looking needs; to be sent first.
pub fn preamble(seq: u32) -> Unit {
    functions(
        seq,
        &[
            include_str!("runtime/base.sh"),
            include_str!("runtime/paths.sh"),
            include_str!("runtime/facts.sh"),
            include_str!("runtime/system.sh"),
            include_str!("runtime/state.sh"),
        ],
    )
}

/// The functions that applying needs besides; to be sent before [`begin`](super::program::begin).
pub fn apply_preamble(seq: u32) -> Unit {
    functions(
        seq,
        &[
            include_str!("runtime/run.sh"),
            include_str!("runtime/files.sh"),
            include_str!("runtime/undo.sh"),
            include_str!("runtime/accounts.sh"),
            include_str!("runtime/acts.sh"),
            include_str!("runtime/packages.sh"),
        ],
    )
}

/// The functions that runs of the past need, after those of [`apply_preamble`].
pub fn history_preamble(seq: u32) -> Unit {
    functions(seq, &[include_str!("runtime/history.sh")])
}

/// The functions that the guard needs on this side; to be sent after [`apply_preamble`] or, to disarm, alone.
pub fn guard_preamble(seq: u32) -> Unit {
    functions(seq, &[include_str!("runtime/guard.sh")])
}

/// The guard as a script of its own, which the node keeps while it is armed: all that unwinding needs, and a main.
pub fn guard_script() -> String {
    // It finds its state by where it lies.
    let head = "#!/bin/sh\nG=${0%/*} HOMELAB_STATE=${0%/guard/run}\nIFS= read -r PATH <\"$G/path\"\nLC_ALL=C n=guard H=\nexport PATH LC_ALL HOMELAB_STATE\numask 077\n";
    let parts = [
        include_str!("runtime/base.sh"),
        include_str!("runtime/system.sh"),
        include_str!("runtime/run.sh"),
        include_str!("runtime/files.sh"),
        include_str!("runtime/undo.sh"),
        include_str!("runtime/history.sh"),
        include_str!("runtime/accounts.sh"),
        include_str!("runtime/acts.sh"),
        include_str!("runtime/packages.sh"),
        include_str!("runtime/guard.sh"),
        include_str!("runtime/fire.sh"),
    ];
    parts.iter().flat_map(|part| lines(part)).fold(head.to_owned(), |text, line| text + line + "\n")
}

/// The lines that do something.
fn lines(part: &str) -> impl Iterator<Item = &str> {
    part.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn functions(seq: u32, parts: &[&str]) -> Unit {
    let mut unit = Unit::new(seq);
    for part in parts {
        for line in lines(part) {
            unit.push(line);
            unit.push("\n");
        }
    }
    unit
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_shell_can_read_the_functions() {
        for (shell, arguments) in [("dash", vec!["-n"]), ("bash", vec!["-n"]), ("busybox", vec!["ash", "-n"])] {
            for unit in [preamble(1), apply_preamble(2), history_preamble(3), guard_preamble(4)] {
                let wire = unit.wire("n");
                let body = wire.split(|b| *b == b'\n').skip(1).collect::<Vec<_>>().join(&b'\n');
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), body).unwrap();
                let out = std::process::Command::new(shell).args(&arguments).arg(file.path()).output().expect(shell);
                assert!(out.status.success() && out.stderr.is_empty(), "{shell} {out:?}");
            }
        }
    }

    #[test]
    fn no_function_takes_the_name_of_another() {
        let mut names = std::collections::BTreeSet::new();
        for unit in [preamble(1), apply_preamble(2), history_preamble(3), guard_preamble(4)] {
            let text = String::from_utf8(unit.wire("n")).unwrap();
            for name in text.lines().filter_map(|line| line.split_once("() ")).map(|(name, _)| name.to_owned()) {
                assert!(names.insert(name.clone()), "{name} is there twice: the later one is what both mean");
            }
        }
        assert!(names.len() > 100, "only {} functions were found", names.len());
    }

    #[test]
    fn every_shell_can_read_the_guard() {
        for (shell, arguments) in [("dash", vec!["-n"]), ("bash", vec!["-n"]), ("busybox", vec!["ash", "-n"])] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), guard_script()).unwrap();
            let out = std::process::Command::new(shell).args(&arguments).arg(file.path()).output().expect(shell);
            assert!(out.status.success() && out.stderr.is_empty(), "{shell} {out:?}");
        }
        assert!(!guard_script().contains(super::super::program::SCRIPT_END));
    }

    #[test]
    fn the_functions_stay_small_since_they_travel_each_time() {
        assert!(preamble(1).wire("n").len() < 14 << 10, "{}", preamble(1).wire("n").len());
        assert!(apply_preamble(1).wire("n").len() < 40 << 10, "{}", apply_preamble(1).wire("n").len());
        assert!(history_preamble(1).wire("n").len() < 5 << 10, "{}", history_preamble(1).wire("n").len());
        assert!(guard_preamble(1).wire("n").len() < 8 << 10, "{}", guard_preamble(1).wire("n").len());
        assert!(guard_script().len() < 60 << 10, "{}", guard_script().len());
    }

    #[test]
    fn the_loop_can_travel_in_single_quotes_through_any_login_shell() {
        assert!(!LOOP.contains(['\'', '\\', '\n', '!']), "{LOOP}");
    }
}
