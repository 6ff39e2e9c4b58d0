//! Entries of an htpasswd file, the same each time: what changed at every run would be written at every run.

use super::{text_of, wrong};
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use sha2::{Digest, Sha256};

/// 2^5 rounds, as `htpasswd -B` does where nobody says more: each look at a host renders the entry again.
const COST: u32 = 5;
/// What bcrypt reads of a password; the rest would not count.
const LONGEST: usize = 72;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("htpasswd", htpasswd);
}

/// `password | htpasswd("admin", salt=host.name)`: the user's entry, by bcrypt. A salt is no secret, but it must be another one for
/// each place, so that equal passwords do not look equal; it is made of the user's name and what is given. `cost=10` is 32 times slower to guess.
fn htpasswd(password: &Value, user: &str, options: Kwargs) -> Result<String, Error> {
    let password = text_of("htpasswd", password)?;
    let salt: String = options.get("salt")?;
    let cost = options.get::<Option<u32>>("cost")?.unwrap_or(COST);
    options.assert_all_used()?;
    if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
        return Err(wrong("`htpasswd` wants a user's name without a colon"));
    }
    if password.is_empty() || password.len() > LONGEST || password.contains('\0') {
        return Err(wrong(format!("`htpasswd` wants a password of 1 to {LONGEST} bytes")));
    }
    if !(4..=14).contains(&cost) {
        return Err(wrong("`htpasswd` wants a cost from 4 to 14"));
    }
    let digest = Sha256::digest(format!("htpasswd\0{user}\0{salt}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    let hash = bcrypt::hash_with_salt(password, cost, bytes).map_err(|error| wrong(format!("`htpasswd`: {error}")))?;
    // What Apache's own tool writes, and what every server knows.
    Ok(format!("{user}:{}", hash.format_for_version(bcrypt::Version::TwoY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(expression: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        add(&mut environment);
        environment.compile_expression(expression).unwrap().eval(()).map(|value| value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn it_verifies_and_stays_the_same() {
        let entry = eval("'correct horse' | htpasswd('admin', salt='pi')").unwrap();
        let hash = entry.strip_prefix("admin:").unwrap();
        assert!(hash.starts_with("$2y$05$") && bcrypt::verify("correct horse", hash).unwrap() && !bcrypt::verify("wrong horse", hash).unwrap(), "{entry}");
        assert_eq!(eval("'correct horse' | htpasswd('admin', salt='pi')").unwrap(), entry);
        assert_ne!(eval("'correct horse' | htpasswd('admin', salt='other')").unwrap(), entry);
    }

    #[test]
    fn what_no_server_could_read_is_refused() {
        for (expression, says) in [
            ("'x' | htpasswd('a:b', salt='')", "colon"),
            ("'' | htpasswd('a', salt='')", "1 to 72 bytes"),
            ("('x' * 73) | htpasswd('a', salt='')", "1 to 72 bytes"),
            ("'x' | htpasswd('a')", "salt"),
            ("'x' | htpasswd('a', salt='', cost=40)", "from 4 to 14"),
        ] {
            let said = eval(expression).unwrap_err();
            assert!(said.contains(says), "{expression}: {said}");
        }
    }
}
