//! What repositories of apt's offer, asked before one is named to apt: a suite or an architecture that is not there would break every `apt-get update`.

use super::tool::script;
use crate::node::{Command, World};
use crate::resource::Block;

/// A suite of a repository, and what is wished of it.
pub struct Suite<'a> {
    pub uri: &'a str,
    pub suite: &'a str,
    pub components: &'a [String],
    /// Empty: the node's own.
    pub architectures: &'a [String],
}

/// The question what `suites` offer.
pub fn question(suites: &[Suite<'_>]) -> Command {
    let urls: Vec<String> = suites.iter().map(|of| format!("{}/dists/{}", of.uri.trim_end_matches('/'), of.suite)).collect();
    script(include_str!("../scripts/apt_offers.sh"), &urls.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Refuses what is not offered, and says what is; or says why it could not be asked.
pub fn judge(suites: &[Suite<'_>], world: &World) -> Result<Option<String>, Block> {
    let Some(ran) = world.ran(&question(suites)) else { return Ok(None) };
    let mut lines = ran.stdout.lines();
    let known: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let mut unasked = None;
    for (Suite { uri, suite, components: wished, architectures }, line) in suites.iter().zip(lines) {
        let own: Vec<&str> = if architectures.is_empty() { known.iter().copied().take(1).collect() } else { architectures.iter().map(String::as_str).collect() };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "missing" => return Err(Block::refused(format!("{uri} has no suite `{suite}`"), "see which it has under its `dists/`; it may not know this release of the node's yet, or not any more")),
            "offers" => {
                let (architectures, components) = rest.split_once('|').unwrap_or((rest, ""));
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                let (architectures, components) = (words(architectures), words(components));
                let has = |list: &[String], word: &str| list.iter().any(|have| have == word);
                if let Some(none) = own.iter().find(|arch| !has(&architectures, arch) && !has(&architectures, "all")) {
                    return Err(Block::refused(
                        format!("{uri} has nothing for {none} in `{suite}`, but for {}", architectures.join(", ")),
                        "use another repository or release for this node, or give the task a `when:`",
                    ));
                }
                // `updates/main` is offered as `main` by some.
                if let Some(none) = wished.iter().find(|part| !components.is_empty() && !components.iter().any(|have| have == *part || have.ends_with(&format!("/{part}")))) {
                    return Err(Block::refused(format!("{uri} has no component `{none}` in `{suite}`, but {}", components.join(", ")), "look at the spelling"));
                }
            }
            _ => unasked = Some(format!("not asked what {uri} offers: {rest}")),
        }
    }
    Ok(unasked)
}
