//! Whether an image has anything for the node, before anything is done: one that has not would be pulled and then not run.

use super::names;
use super::tool::{command, script};
use crate::node::{Cause, Command, World};
use crate::resource::{Block, docker_login};

/// An image that is to be pulled, and for which platform, where that is not the node's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub image: String,
    pub platform: Option<String>,
}

/// The question what is offered of `wanted`.
pub fn question(wanted: &[Wanted], user: Option<&String>) -> Command {
    let mut images: Vec<&str> = wanted.iter().map(|wanted| wanted.image.as_str()).collect();
    images.sort_unstable();
    images.dedup();
    Command { user: user.cloned(), ..script(include_str!("../scripts/offers.sh"), &images) }
}

/// Whether docker would take it for an image's name: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, all of the path in lower case. It becomes part of a request.
/// After the grammar in the `reference` package of github.com/distribution/reference.
pub fn is_name(image: &str) -> bool {
    let word = |text: &str, good: fn(char) -> bool| !text.is_empty() && text.chars().all(good);
    let (image, digest) = image.split_once('@').map_or((image, None), |(image, digest)| (image, Some(digest)));
    let is_digest = |digest: &str| digest.split_once(':').is_some_and(|(kind, sum)| word(kind, |c| c.is_ascii_alphanumeric()) && word(sum, |c| c.is_ascii_hexdigit()));
    let (image, tag) = match image.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => (image, Some(tag)),
        _ => (image, None),
    };
    let is_tag = |tag: &str| tag.len() <= 128 && !tag.starts_with(['.', '-']) && word(tag, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            if !host.starts_with(|c: char| c.is_ascii_alphanumeric()) || !word(host, |c| c.is_ascii_alphanumeric() || ".-:".contains(c)) {
                return false;
            }
            path
        }
        _ => image,
    };
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| part.starts_with(ends) && part.ends_with(ends) && !part.contains("..") && word(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
    path.split('/').all(is_part) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

/// What nobody asks: that it is answered says that a task before makes the image anew, whoever asks by what name it is known then.
pub fn renewal(image: &str) -> Command {
    let tagged = image.contains('@') || image.rsplit('/').next().is_some_and(|last| last.contains(':'));
    command(["docker", "image", "inspect", if tagged { image.to_owned() } else { format!("{image}:latest") }.as_str()])
}

/// What could not be asked, in words.
///
/// # Errors
/// An image offers nothing for the node.
pub fn judge(wanted: &[Wanted], world: &World, user: Option<&String>) -> Result<Vec<String>, Block> {
    let node = world.facts.docker_platform.as_str();
    let mut notes = Vec::new();
    let logins = docker_login::file_in(&names::usual_home(user.map_or("root", String::as_str)));
    let ran = world.ran(&question(wanted, user));
    let said = ran.map(|ran| ran.stdout.as_str());
    // The login that it should have had, where nobody was let in without one.
    let without = |image: &str| {
        let mut lines = said.into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("without ")?.split_once(' '));
        lines.find(|(name, _)| *name == image).map_or_else(String::new, |(_, why)| format!(" ({why})"))
    };
    for Wanted { image, platform } in wanted {
        let platform = platform.as_deref().unwrap_or(node);
        let mut doubt = |why: &str| notes.push(format!("could not ask whether {image} is there for {}: {why}", if platform.is_empty() { "this node" } else { platform }));
        let Some(said) = said else {
            doubt("its name was not known before");
            continue;
        };
        let of = |line: &'_ str| line.split_once(' ').and_then(|(kind, rest)| match (kind, rest.split_once(' ')) {
            ("here", None) if rest == image => Some(None),
            ("asked", Some((name, answer))) if name == image => Some(Some(answer.to_owned())),
            _ => None,
        });
        match said.lines().find_map(of) {
            Some(None) => {}
            None => doubt("the node does not say"),
            Some(Some(answer)) => match offered(&answer) {
                // With the login that an earlier task brings it may be answered.
                Err(_) if world.plans(&logins) => return Err(Block::Later(Cause(format!("the login in {logins}")))),
                Err(why) => doubt(&format!("{why}{}", without(image))),
                Ok(_) if platform.is_empty() => doubt("the node does not know what it is"),
                Ok(offers) if offers.iter().any(|offer| fits(platform, offer)) => {}
                Ok(offers) => {
                    return Err(Block::refused(
                        format!("{image} has nothing for {platform}: it offers {}", offers.join(", ")),
                        "name a tag or an image that has it; who publishes it says which",
                    ));
                }
            },
        }
    }
    Ok(notes)
}

/// The platforms that the daemon was told of; else why not.
fn offered(answer: &str) -> Result<Vec<String>, String> {
    let json: serde_json::Value = serde_json::from_str(answer).map_err(|_| answer.trim().to_owned())?;
    if let Some(message) = json["message"].as_str() {
        let lines = message.lines().map(str::trim).filter(|line| !matches!(*line, "" | "errors:"));
        return Err(lines.collect::<Vec<_>>().join(", "));
    }
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let platforms = json["Platforms"].as_array().into_iter().flatten();
    let mut offers: Vec<String> = platforms
        .map(|platform| [text(&platform["os"]), text(&platform["architecture"]), text(&platform["variant"])])
        // What a registry keeps beside an image is for no system.
        .filter(|[os, ..]| !matches!(os.as_str(), "" | "unknown"))
        .map(|parts| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
        .collect();
    offers.dedup();
    if offers.is_empty() { Err("the registry does not say for what it is".to_owned()) } else { Ok(offers) }
}

/// Whether `offer` runs on `platform` as docker judges it: 64 bits run 32, and newer ones what was made for older ones.
fn fits(platform: &str, offer: &str) -> bool {
    let parts = |text: &str| {
        let mut parts = text.split('/').map(str::to_owned);
        [parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default()]
    };
    let ([os, arch, variant], [offer_os, offer_arch, offer_variant]) = (parts(platform), parts(offer));
    let number = |variant: &str, default: u32| variant.trim_start_matches('v').parse().unwrap_or(default);
    os == offer_os
        && match (arch.as_str(), offer_arch.as_str()) {
            ("arm", "arm") => number(&offer_variant, 7) <= number(&variant, 7),
            (one, other) => one == other || matches!((one, other), ("arm64", "arm") | ("amd64", "386")),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_where() {
        for (platform, offer) in [("linux/arm64", "linux/arm64/v8"), ("linux/arm64", "linux/arm/v7"), ("linux/arm/v7", "linux/arm/v6"), ("linux/arm/v7", "linux/arm"), ("linux/amd64", "linux/386")] {
            assert!(fits(platform, offer), "{offer} on {platform}");
        }
        for (platform, offer) in [("linux/arm64", "linux/amd64"), ("linux/arm/v6", "linux/arm/v7"), ("linux/arm/v6", "linux/arm"), ("linux/arm/v7", "linux/arm64"), ("linux/amd64", "windows/amd64")] {
            assert!(!fits(platform, offer), "{offer} on {platform}");
        }
    }

    #[test]
    fn what_the_daemon_says_is_read() {
        let list = r#"{"Platforms":[{"architecture":"arm","os":"linux","variant":"v7"},{"architecture":"unknown","os":"unknown"},{"architecture":"amd64","os":"linux"}]}"#;
        assert_eq!(offered(list).unwrap(), ["linux/arm/v7", "linux/amd64"]);
        assert_eq!(offered(r#"{"message":"manifest unknown"}"#).unwrap_err(), "manifest unknown");
        assert_eq!(offered(r#"{"message":"errors:\ndenied: no\nunauthorized: who\n"}"#).unwrap_err(), "denied: no, unauthorized: who");
        assert_eq!(offered("no answer within 30 s\n").unwrap_err(), "no answer within 30 s");
        assert_eq!(offered("{}").unwrap_err(), "the registry does not say for what it is");
    }

    #[test]
    fn a_name_is_no_request_of_its_own() {
        for good in ["nginx", "nginx:1.27", "ghcr.io/a/b:1", "10.0.0.1:5000/x@sha256:abc", "localhost/x", "a/b__c/d-e.f:V_1.0-rc", "sha256:abc"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a\r\nb", "../a", "a/../b", "-x", "a?b", "a//b", "UPPER/case", "a:b:c", "a:", "a:-b", "a@b", "a/b/", "a/-b", "-h.x/a"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
