//! "Did you mean": the nearest of the words that would have been right.

/// The candidate nearest to `word`, if it is near enough to be a slip.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = word.to_lowercase();
    let allowed = match wanted.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        // A word of which every letter would have to change is no slip.
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// `did you mean …?`, or `fallback` where nothing is near.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, fallback: &str) -> String {
    match did_you_mean(word, candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None => fallback.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let words = ["owner", "group", "mode", "recurse"];
        assert_eq!(did_you_mean("ownr", words).as_deref(), Some("owner"));
        assert_eq!(did_you_mean("Mode", words).as_deref(), Some("mode"));
        assert_eq!(did_you_mean("reucrse", words).as_deref(), Some("recurse"));
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(did_you_mean("content", ["owner", "group", "mode"]), None);
        assert_eq!(did_you_mean("x", ["y"]), None);
        assert_eq!(did_you_mean("mode", ["mode"]), None, "the word itself is no suggestion");
    }

    #[test]
    fn the_hint_falls_back() {
        assert_eq!(hint("mod", ["mode"], "see the docs"), "did you mean `mode`?");
        assert_eq!(hint("zzz", ["mode"], "see the docs"), "see the docs");
    }
}
