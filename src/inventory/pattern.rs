//! Patterns that choose hosts: `pis`, `a:b:!c`, `a:&b`, `pi-*`, `pi-[1:3]`, `all`.

use super::Inventory;
use super::fields::hint_names;
use super::range;
use crate::lang::{Diagnostic, Diagnostics, Span};
use std::collections::BTreeSet;

/// How a term counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `a`: these too.
    Add,
    /// `&a`: only these of them.
    Keep,
    /// `!a`: not these.
    Drop,
}

/// A part between colons, with the bytes it covers.
#[derive(Debug)]
struct Term<'a> {
    sign: Sign,
    name: &'a str,
    at: usize,
}

/// The hosts that `pattern` chooses, in the order of the inventory. `span` is the place of the pattern's text (or of
/// the option that holds it). Additions count first, then `&`, then `!`, wherever they stand.
pub fn select(inventory: &Inventory, pattern: &str, span: Option<&Span>) -> Result<Vec<String>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let place = |term: &Term<'_>| {
        // The source token may have quotes around it.
        span.map(|span| match span.text().find(pattern) {
            Some(at) => span.part(at + term.at..at + term.at + term.name.len()),
            None => span.clone(),
        })
    };
    let terms = terms(pattern);
    if terms.is_empty() {
        problems.push(
            Diagnostic::config("the pattern names no host").maybe_at(span).hint("name hosts or groups, like `pis:!pi-3`, or `all`"),
        );
        return Err(problems);
    }
    let mut sets: [Option<BTreeSet<String>>; 3] = [None, None, None];
    for term in &terms {
        match resolve(inventory, term.name) {
            Ok(hosts) => {
                let slot = &mut sets[term.sign as usize];
                *slot = Some(match (slot.take(), term.sign) {
                    (None, _) => hosts,
                    (Some(have), Sign::Keep) => have.intersection(&hosts).cloned().collect(),
                    (Some(have), _) => have.union(&hosts).cloned().collect(),
                });
            }
            Err((message, hint)) => {
                problems.push(Diagnostic::config(message).maybe_at(place(term).as_ref()).hint(hint));
            }
        }
    }
    let [add, keep, drop] = sets;
    let hosts = inventory.hosts.keys().filter(|name| {
        add.as_ref().is_none_or(|set| set.contains(*name))
            && keep.as_ref().is_none_or(|set| set.contains(*name))
            && !drop.as_ref().is_some_and(|set| set.contains(*name))
    });
    problems.into_result(hosts.cloned().collect())
}

/// Cuts at `:` and `,`, but not inside brackets.
fn terms(pattern: &str) -> Vec<Term<'_>> {
    let mut terms = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, c) in pattern.char_indices().chain([(pattern.len(), ',')]) {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' | ',' if depth == 0 || at == pattern.len() => {
                let part = &pattern[start..at];
                let lead = part.len() - part.trim_start().len();
                let (sign, skip) = match part.trim_start().chars().next() {
                    Some('!') => (Sign::Drop, 1),
                    Some('&') => (Sign::Keep, 1),
                    _ => (Sign::Add, 0),
                };
                let name = part[lead + skip..].trim();
                let at_name = pattern[start + lead + skip..].find(name).unwrap_or(0) + start + lead + skip;
                if !name.is_empty() {
                    terms.push(Term { sign, name, at: at_name });
                }
                start = at + c.len_utf8().min(pattern.len() - at);
            }
            _ => {}
        }
    }
    terms
}

/// The hosts that one name stands for.
fn resolve(inventory: &Inventory, name: &str) -> Result<BTreeSet<String>, (String, String)> {
    if name == "all" || name == "*" {
        return Ok(inventory.hosts.keys().cloned().collect());
    }
    if let Some(hosts) = inventory.members(name) {
        return Ok(hosts.into_iter().collect());
    }
    if inventory.hosts.contains_key(name) {
        return Ok(BTreeSet::from([name.to_owned()]));
    }
    let is_range = name.find('[').is_some_and(|at| name[at..].contains(':'));
    if is_range {
        let mut all = BTreeSet::new();
        for name in range::expand(name)? {
            all.extend(resolve(inventory, &name)?);
        }
        return Ok(all);
    }
    if name.contains(['*', '?', '[']) {
        let glob = globset::Glob::new(name)
            .map_err(|error| (format!("the pattern `{name}` cannot be read: {}", error.kind()), "a pattern has `*`, `?` and `[ab]`".to_owned()))?
            .compile_matcher();
        let mut all: BTreeSet<String> = inventory.hosts.keys().filter(|host| glob.is_match(host)).cloned().collect();
        for group in inventory.groups.keys().filter(|group| glob.is_match(group)) {
            all.extend(inventory.members(group).unwrap_or_default());
        }
        if all.is_empty() {
            return Err((format!("no host or group matches `{name}`"), format!("hosts: {}", listing(inventory))));
        }
        return Ok(all);
    }
    let names = inventory.hosts.keys().chain(inventory.groups.keys()).map(String::as_str);
    let hint = match name {
        "localhost" => "homelab reaches every machine over SSH, this one too: add it under `hosts:`".to_owned(),
        _ => hint_names(name, "hosts and groups", names.collect::<Vec<_>>()),
    };
    Err((format!("no host or group is called `{name}`"), hint))
}

fn listing(inventory: &Inventory) -> String {
    let mut names: Vec<&str> = inventory.hosts.keys().map(String::as_str).take(13).collect();
    if names.len() == 13 {
        names[12] = "…";
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::tests::inventory;

    fn chosen(pattern: &str) -> String {
        let lab = inventory("groups:\n  pis: {hosts: ['pi-[1:3]']}\n  wet: {hosts: [pi-2, cellar]}\n  all_of_it: {children: [pis, wet]}\nhosts:\n  cloud: {}\n");
        match select(&lab, pattern, None) {
            Ok(hosts) => hosts.join(" "),
            Err(problems) => problems.0.iter().map(|p| format!("{}; {}", p.message, p.hint.as_deref().unwrap_or("?"))).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn selects() {
        for (pattern, hosts) in [
            ("all", "pi-1 pi-2 pi-3 cellar cloud"),
            ("cloud:pi-1", "pi-1 cloud"),
            ("pis:!pi-3", "pi-1 pi-2"),
            ("!pi-3:pis", "pi-1 pi-2"),
            ("pis:&wet", "pi-2"),
            ("!pis", "cellar cloud"),
            ("pi-*", "pi-1 pi-2 pi-3"),
            ("pi-[2:3]", "pi-2 pi-3"),
            ("pi-[23]", "pi-2 pi-3"),
            ("pis, cloud", "pi-1 pi-2 pi-3 cloud"),
            ("w?t", "pi-2 cellar"),
            ("all_of_it", "pi-1 pi-2 pi-3 cellar"),
        ] {
            assert_eq!(chosen(pattern), hosts, "{pattern}");
        }
    }

    #[test]
    fn refuses() {
        assert_eq!(chosen("pi-1:piss"), "no host or group is called `piss`; did you mean `pis`?");
        assert!(chosen("localhost").contains("add it under `hosts:`"));
        assert!(chosen("").contains("names no host"));
        assert!(chosen("zz*").contains("no host or group matches `zz*`"));
        assert!(chosen("pi-[3:1]").contains("backwards"));
        assert!(chosen("pi-[").contains("cannot be read"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(pattern in "[\\[\\]:,&! *?a-c1-3é-]{0,24}") {
            chosen(&pattern);
        }
    }
}
