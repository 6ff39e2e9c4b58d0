//! Which images a compose file wants: as far as its text tells it. Compose itself is asked nothing, for the file may not be there yet.

use crate::lang::{Source, yaml};
use crate::resource::shared::image_offer::{Wanted, is_name};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The images that `text` names for the services of `profiles`, but for those that are built here; and the services whose image's name cannot be told.
pub(super) fn wanted(text: &str, vars: &BTreeMap<String, String>, profiles: &str) -> (Vec<Wanted>, Vec<String>) {
    let source = Source { name: String::new(), text: text.to_owned() };
    let Ok(file) = yaml::parse(&Arc::new(source)) else { return Default::default() };
    let services = file.get("services").and_then(|services| services.as_map()).into_iter().flatten();
    let (mut wanted, mut untold) = (Vec::new(), Vec::new());
    for (name, service) in services {
        let text = |key: &str| service.get(key).and_then(|value| value.as_str()).map(|text| interpolate(text, vars));
        let of = service.get("profiles").and_then(|list| list.as_seq()).unwrap_or_default();
        let on = of.is_empty() || of.iter().filter_map(|profile| profile.as_str()).any(|profile| profiles.split(',').any(|on| on == profile));
        match text("image").filter(|_| on && service.get("build").is_none()) {
            Some(Some(image)) if is_name(&image) => wanted.push(Wanted { image, platform: text("platform").flatten() }),
            Some(None) => untold.push(name.clone()),
            _ => {}
        }
    }
    wanted.sort();
    wanted.dedup();
    (wanted, untold)
}

/// `text` with its variables as compose puts them in; `None` where one is not known here.
fn interpolate(text: &str, vars: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(braced) = rest.strip_prefix('{') {
            let (inside, after) = braced.split_once('}')?;
            rest = after;
            let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
            let (name, default) = inside.split_at(end);
            match (vars.get(name), default) {
                (Some(value), _) if !value.is_empty() => out += value,
                (Some(value), "") => out += value,
                (Some(value), default) if !default.starts_with(':') => out += value,
                (_, default) => out += default.strip_prefix(":-").or_else(|| default.strip_prefix('-')).filter(|default| !default.contains('$'))?,
            }
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            out += vars.get(name)?;
            rest = after;
        }
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_compose_does() {
        let vars = BTreeMap::from([("TAG".to_owned(), "1".to_owned()), ("EMPTY".to_owned(), String::new())]);
        for (text, is) in [
            ("a:$TAG", Some("a:1")),
            ("a:${TAG}-b", Some("a:1-b")),
            ("a:${NONE:-2}", Some("a:2")),
            ("a:${NONE-2}", Some("a:2")),
            ("a:${EMPTY:-2}", Some("a:2")),
            ("a${EMPTY-2}", Some("a")),
            ("a$$b", Some("a$b")),
            ("a:$NONE", None),
            ("a:${NONE}", None),
            ("a:${NONE:?say it}", None),
            ("a:${NONE:-$TAG}", None),
            ("a:${TAG", None),
        ] {
            assert_eq!(interpolate(text, &vars).as_deref(), is, "{text}");
        }
    }

    #[test]
    fn images_that_are_pulled() {
        let text = "services:\n  a: {image: b:1}\n  c: {image: own, build: .}\n  d: {image: e, profiles: [x]}\n  f: {image: b:1}\n  g: {image: h, platform: linux/arm64}\n  i: {image: \"bad name\"}\n";
        let named = |profiles: &str| wanted(text, &BTreeMap::new(), profiles).0.into_iter().map(|wanted| wanted.image).collect::<Vec<_>>();
        assert_eq!(named(""), ["b:1", "h"]);
        assert_eq!(named("y,x"), ["b:1", "e", "h"]);
        assert_eq!(wanted("{", &BTreeMap::new(), ""), Default::default());
        let text = "services:\n  a: {image: \"b:${TAG}\"}\n  c: {image: \"d:${TAG}\", build: .}\n  e: {image: \"f:${TAG}\", profiles: [x]}\n";
        assert_eq!(wanted(text, &BTreeMap::new(), ""), (vec![], vec!["a".to_owned()]));
    }
}
