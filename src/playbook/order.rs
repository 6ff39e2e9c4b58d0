//! Which host's steps of a play come before which: those whose kept values another one waits for.

use crate::lang::{Diagnostic, Span};
use std::collections::BTreeMap;

/// Whom each host waits for, with the place that reads it: [`Compiled::waits`](super::Compiled::waits) by host.
pub type Waits = BTreeMap<String, BTreeMap<String, Option<Span>>>;

/// The hosts of a play in rounds: each host comes after those that it waits for. What is waited for outside the play
/// does not count: earlier plays have run, and later ones cannot help.
///
/// # Errors
/// Hosts that wait for each other.
pub fn rounds(hosts: &[String], waits: &Waits) -> Result<Vec<Vec<String>>, Box<Diagnostic>> {
    let mut left: Vec<&String> = hosts.iter().collect();
    let mut rounds = Vec::new();
    while !left.is_empty() {
        let waiting = |host: &&String| {
            waits.get(*host).is_some_and(|on| on.keys().any(|other| other != *host && left.contains(&other)))
        };
        let (later, now): (Vec<&String>, Vec<&String>) = left.iter().copied().partition(waiting);
        if now.is_empty() {
            return Err(Box::new(circle(&later, waits)));
        }
        rounds.push(now.into_iter().cloned().collect());
        left = later;
    }
    Ok(rounds)
}

/// Every one of `left` waits for another of them.
fn circle(left: &[&String], waits: &Waits) -> Diagnostic {
    let next = |host: &String| {
        let on = waits.get(host)?.iter().find(|(other, _)| *other != host && left.contains(other))?;
        Some((on.0, on.1.as_ref()))
    };
    let mut path: Vec<&String> = left.first().copied().into_iter().collect();
    let mut span = None;
    while let Some((other, place)) = path.last().and_then(|host| next(host)) {
        span = place.or(span);
        if let Some(from) = path.iter().position(|host| *host == other) {
            path.push(other);
            path.drain(..from);
            break;
        }
        path.push(other);
    }
    let shown = path.iter().map(|host| host.as_str()).collect::<Vec<_>>().join(" → ");
    Diagnostic::config(format!("hosts of one play wait for what the other keeps: {shown}"))
        .maybe_at(span)
        .label("read here")
        .hint("keep the value in an earlier play, or read it on one of the hosts only, with `when:`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn waits(pairs: &[(&str, &str)]) -> Waits {
        let mut waits = Waits::new();
        for (host, other) in pairs {
            waits.entry((*host).to_owned()).or_default().insert((*other).to_owned(), None);
        }
        waits
    }

    #[test]
    fn who_is_waited_for_comes_first() {
        let hosts: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let done = rounds(&hosts, &waits(&[("a", "c"), ("c", "d"), ("b", "elsewhere"), ("d", "d")])).unwrap();
        assert_eq!(done, [vec!["b", "d"], vec!["c"], vec!["a"]]);
        let told = rounds(&hosts, &waits(&[("a", "b"), ("b", "c"), ("c", "b")])).unwrap_err();
        assert!(told.message.ends_with("b → c → b"), "{}", told.message);
    }
}
