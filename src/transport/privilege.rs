//! Running the node's program as another user: what is executed, what is sent first, and what `sudo` meant.

use super::hostkey::refused;
use super::session::Lost;
use super::target::{Become, Method};
use super::{Secret, Target};
use crate::lang::Diagnostic;

/// The command line for the exec channel. Every login shell that is known can run it, fish included: plain words and one
/// pair of single quotes around `script`, which must therefore contain neither a single quote nor a backslash.
pub fn command(target: &Target, script: &str) -> Result<String, Diagnostic> {
    if script.contains(['\'', '\\']) {
        return Err(refused(target, "the bootstrap cannot be quoted for every shell").hint("this is a defect of homelab: please report it"));
    }
    let Some(Become { method, user, password }) = &target.privilege else { return Ok(format!("sh -c '{script}'")) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
        let message = format!("`{}` is not a name that {} can be given", user.replace(char::is_control, " "), method.name());
        return Err(refused(target, message).hint("set `become.user` to a login name"));
    }
    let whom = if user == "root" { String::new() } else { format!("-u {user} ") };
    // LC_ALL=C so that what it says can be recognised.
    match (method, password) {
        (Method::Sudo, Some(_)) => Ok(format!("env LC_ALL=C sudo -S -p \"\" {whom}-- sh -c '{script}'")),
        (Method::Sudo, None) => Ok(format!("env LC_ALL=C sudo -n {whom}-- sh -c '{script}'")),
        (Method::Doas, None) => Ok(format!("env LC_ALL=C doas -n {whom}-- sh -c '{script}'")),
        (Method::Doas, Some(_)) => Err(refused(target, "doas takes a password from a terminal only")
            .hint("add `permit nopass` for the login to doas.conf and drop `become.password`, or use sudo")),
    }
}

/// What goes ahead of the program: the password, and two empty lines that a `sudo` which does not like it takes for the
/// second and third try, so that it never eats the program.
pub fn prelude(privilege: Option<&Become>) -> Option<Secret> {
    let password = privilege?.password.as_ref()?;
    let line = password.expose().lines().next().unwrap_or_default();
    Some(Secret::new(format!("{line}\n\n\n")))
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
    } else {
        return None;
    };
    Some(lost.with_stderr(refused(target, message)).hint(hint))
}
