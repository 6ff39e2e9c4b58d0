//! What a run's op touched, so that two runs that touched the same are found out.

use crate::node::journal::{Journal, Stage, Touch};

/// Something on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A path; `whole`: with all that is below it, for it came, went, or became something else.
    Path {
        /// Absolute.
        path: String,
        /// More than its attributes.
        whole: bool,
    },
    /// A package, a unit, an account, …
    Named {
        /// In a word, as people read it.
        sort: &'static str,
        /// Its name.
        name: String,
    },
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Thing::Path { path, .. } => write!(f, "{path}"),
            Thing::Named { sort, name } => write!(f, "{sort} {name}"),
        }
    }
}

fn named(sort: &'static str, name: &str) -> Vec<Thing> {
    vec![Thing::Named { sort, name: name.to_owned() }]
}

impl Thing {
    /// What an op is about. A command and a restart are about nothing that is left of them.
    pub fn of(touch: &Touch) -> Vec<Thing> {
        let name = touch.name.as_str();
        match touch.kind.as_str() {
            "put" | "link" | "remove" => vec![Thing::Path { path: name.to_owned(), whole: true }],
            "attr" | "mkdir" => vec![Thing::Path { path: name.to_owned(), whole: touch.kind == "mkdir" && touch.class == "a" }],
            "unit" if matches!(touch.class.as_str(), "restart" | "reload") => Vec::new(),
            "unit" => named("unit", name),
            "group" => named("group", name),
            "user" => named("user", name),
            "crontab" => named("crontab of", name),
            "sysctl" => named("kernel parameter", &name.replace('/', ".")),
            // NAME of a new one, NAME_VERSION_ARCHITECTURE of one that was there; `-` in old journals.
            "packages" => name
                .split(',')
                .map(|package| package.split('_').next().unwrap_or_default().split(':').next().unwrap_or_default())
                .filter(|package| !package.is_empty() && *package != "-")
                .flat_map(|package| named("package", package))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether taking this one back may harm what was made of the other.
    pub fn meets(&self, other: &Thing) -> bool {
        match (self, other) {
            (Thing::Path { path, whole }, Thing::Path { path: theirs, whole: their_whole }) => {
                path == theirs || (*whole && below(theirs, path)) || (*their_whole && below(path, theirs))
            }
            _ => self == other,
        }
    }
}

/// Whether `path` is below `directory`.
fn below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/') || directory.ends_with('/'))
}

/// What of a run is still there, by op. Kept values have no op.
pub fn of_run(journal: &Journal) -> Vec<(Option<u32>, Thing)> {
    let there = |op: &u32| !matches!(journal.ops.get(op), Some(Stage::Undone | Stage::Left));
    let ops = journal.touched.iter().filter(|(op, _)| there(op));
    let things = ops.flat_map(|(op, touch)| Thing::of(touch).into_iter().map(|thing| (Some(*op), thing)));
    let kept = journal.kept.iter().flat_map(|name| named("kept value", name)).map(|thing| (None, thing));
    things.chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: &str, class: &str, name: &str) -> Thing {
        Thing::of(&Touch { kind: kind.into(), class: class.into(), name: name.into() }).remove(0)
    }

    #[test]
    fn a_directory_that_was_made_meets_what_is_in_it_and_one_that_was_changed_does_not() {
        let file = path("put", "a", "/srv/d/x");
        assert!(path("mkdir", "a", "/srv/d").meets(&file) && file.meets(&path("mkdir", "a", "/srv/d")));
        assert!(!path("mkdir", "d", "/srv/d").meets(&file) && !path("attr", "d", "/srv").meets(&file));
        assert!(!path("put", "a", "/srv/d").meets(&path("put", "a", "/srv/data")), "a name is not a directory");
        assert!(file.meets(&path("attr", "f", "/srv/d/x")) && file.meets(&path("remove", "d", "/srv")));
    }

    #[test]
    fn packages_are_named_without_version_and_architecture() {
        let things = Thing::of(&Touch { kind: "packages".into(), class: "-".into(), name: "new,libold_1:2.0-1_arm64,-".into() });
        assert_eq!(things.iter().map(ToString::to_string).collect::<Vec<_>>(), ["package new", "package libold"]);
    }
}
