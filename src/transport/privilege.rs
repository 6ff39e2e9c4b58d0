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
