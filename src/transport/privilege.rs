//! Running the node's program as another user: what is asked for, and what `sudo` meant.

use super::hostkey::refused;
use super::session::Lost;
use super::target::{Become, Method};
use super::Target;
use crate::lang::Diagnostic;

/// Whether `target` can be entered as it asks: said before anything is sent.
pub fn check(target: &Target) -> Result<(), Diagnostic> {
    let Some(Become { method, user, password }) = &target.privilege else { return Ok(()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
        let message = format!("`{}` is not a name that {} can be given", user.replace(char::is_control, " "), method.name());
        return Err(refused(target, message).hint("set `become.user` to a login name"));
    }
    if *method == Method::Doas && password.is_some() {
        return Err(refused(target, "doas takes a password from a terminal only")
            .hint("add `permit nopass` for the login to doas.conf and drop `become.password`, or use sudo"));
    }
    if password.as_ref().is_some_and(|password| password.expose().contains(['\n', '\r', '\0'])) {
        return Err(refused(target, "the password for sudo has more than one line").hint("check `become.password`"));
    }
    // Where sudo does not ask, the password reaches the runtime, which drops everything up to its own first word.
    if password.as_ref().is_some_and(|password| password.expose().starts_with("#go ")) {
        return Err(refused(target, "the password for sudo must not begin with `#go `").hint("choose another password"));
    }
    Ok(())
}

/// What a session that ended before its first answer means, where privilege is why.
pub fn explain(target: &Target, lost: &Lost) -> Option<Diagnostic> {
    let privilege = target.privilege.as_ref()?;
    let (method, said) = (privilege.method.name(), lost.stderr.as_str());
    let has = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let (message, hint) = if has(&["not in the sudoers file", "is not allowed to execute", "I'm afraid I can't do that", "may not run sudo"])
        || (privilege.method == Method::Doas && has(&["Operation not permitted"]))
    {
        let place = if privilege.method == Method::Sudo { "a sudoers file (or to the group `sudo`)" } else { "doas.conf" };
        (format!("{} may not become {} by {method}", target.user, privilege.user), format!("add {} to {place} on the machine", target.user))
    } else if has(&["incorrect password", "Sorry, try again", "Authentication failed", "incorrect authentication", "no password was provided"]) {
        ("the password for sudo was not accepted".to_owned(), "check `become.password`, or type it with `--ask-become-pass`".to_owned())
    } else if has(&["a password is required", "interactive authentication is required", "Authentication required", "Authorization required"]) {
        match privilege.method {
            Method::Sudo => ("sudo asks for a password".to_owned(), "run with `--ask-become-pass`, or set `become.password` (a secret)".to_owned()),
            Method::Doas => ("doas asks for a password".to_owned(), "add `nopass` to its rule in doas.conf".to_owned()),
        }
    } else if has(&["must have a tty", "terminal is required"]) {
        (format!("{method} insists on a terminal"), "remove `requiretty` for the login from the sudoers file".to_owned())
    } else if lost.exit == Some(127) || has(&[&format!("{method}: not found"), &format!("'{method}': No such file"), &format!("{method}: command not found")]) {
        (format!("{method} is not installed"), format!("install {method}, set `become.method`, or log in as {}", privilege.user))
    } else if has(&["unknown user", "account validation failure", "account is locked", "account has expired", "password has expired"]) {
        (format!("{method} cannot become {}", privilege.user), "check `become.user`, and that the login's account is not locked or expired".to_owned())
    } else if lost.exit == Some(1) && !said.trim().is_empty() {
        // In a language that is not recognised, or something rare: its own words are shown below.
        (format!("{method} did not start the program"), "what it said is above; a password is given with `--ask-become-pass` or `become.password`".to_owned())
    } else {
        return None;
    };
    Some(lost.with_stderr(refused(target, message)).hint(hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(method: Method, stderr: &str, exit: u32) -> String {
        let mut target = Target::new("pi", "pi.lan", "me");
        target.privilege = Some(Become { method, user: "root".into(), password: None });
        let lost = Lost { why: String::new(), exit: Some(exit), stderr: stderr.into(), early: true };
        let diagnostic = lost.diagnostic(&target);
        assert!(diagnostic.hint.is_some());
        diagnostic.message
    }

    #[test]
    fn refusals_of_every_sudo_are_recognised() {
        for (stderr, exit, expected) in [
            ("sudo: a password is required\n", 1, "sudo asks for a password"),
            ("sudo: interactive authentication is required\n", 1, "sudo asks for a password"),
            ("Sorry, try again.\nsudo: 3 incorrect password attempts\n", 1, "was not accepted"),
            ("sudo: no password was provided\nsudo: 1 incorrect password attempt\n", 1, "was not accepted"),
            ("sudo: Authentication failed, try again.\nsudo: maximum 3 incorrect authentication attempts\n", 1, "was not accepted"),
            ("me is not in the sudoers file.  This incident will be reported.\n", 1, "me may not become root by sudo"),
            ("Sorry, user me is not allowed to execute '/bin/sh' as root on pi.\n", 1, "me may not become root"),
            ("sudo: sorry, you must have a tty to run sudo\n", 1, "sudo insists on a terminal"),
            ("env: \u{2018}sudo\u{2019}: No such file or directory\n", 127, "sudo is not installed"),
            ("sh: 1: exec: sudo: not found\n", 127, "sudo is not installed"),
            ("sudo: unknown user nobody2\n", 1, "sudo cannot become root"),
            ("sudo: ein Passwort ist notwendig\n", 1, "sudo did not start the program"),
            ("", 1, "no shell answers"),
        ] {
            let message = said(Method::Sudo, stderr, exit);
            assert!(message.contains(expected), "{stderr}: {message}");
        }
        assert!(said(Method::Doas, "doas: Operation not permitted\n", 1).contains("me may not become root by doas"));
        assert!(said(Method::Doas, "doas: Authentication required\n", 1).contains("doas asks for a password"));
    }

    #[test]
    fn what_cannot_work_is_said_before_anything_is_sent() {
        let mut target = Target::new("pi", "pi.lan", "me");
        let mut with = |method, user: &str, password: Option<&str>| {
            target.privilege = Some(Become { method, user: user.into(), password: password.map(crate::transport::Secret::new) });
            check(&target).err().map(|diagnostic| diagnostic.message)
        };
        assert_eq!(with(Method::Sudo, "www-data", Some("x")), None);
        for (method, user, password) in [
            (Method::Sudo, "-u", None),
            (Method::Sudo, "", None),
            (Method::Sudo, "a b", None),
            (Method::Sudo, "root", Some("a\nb")),
            (Method::Sudo, "root", Some("#go x")),
            (Method::Doas, "root", Some("x")),
        ] {
            assert!(with(method, user, password).is_some(), "{user:?} {password:?}");
        }
    }
}
