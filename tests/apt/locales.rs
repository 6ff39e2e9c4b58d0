//! Locales, by the node's own locale-gen: made, held, taken back, and taken away.

use crate::debian::Debian;

fn there(node: &Debian) -> String {
    node.by_hand("locale -a; localedef --list-archive 2>/dev/null || :").lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_locale_is_generated_and_goes_back() {
    let Some(node) = Debian::with_locales() else { return };
    let files = |node: &Debian| node.by_hand("cat /etc/locale.gen; ls -l /etc/default/locale; cat /etc/locale.conf 2>/dev/null || echo none");
    let (before, made) = (files(&node), there(&node));
    assert!(!made.contains("de_DE"), "{made}");
    let german = "- locale_gen: {name: [de_DE.UTF-8, de_DE], default: true}";
    node.fails(german);
    assert_eq!((files(&node), there(&node)), (before.clone(), made.clone()));

    node.apply(german);
    assert!(there(&node).contains("de_DE.utf8") && files(&node).contains("\nde_DE.UTF-8 UTF-8\n"), "{} {}", there(&node), files(&node));
    assert_eq!(node.text("/etc/locale.conf").lines().last(), Some("LANG=de_DE.UTF-8"));
    assert_eq!(node.by_hand("LC_ALL=de_DE.UTF-8 locale -k d_fmt").trim(), "d_fmt=\"%d.%m.%Y\"");
    node.has_nothing_to_do();

    // One more costs nothing of those there.
    node.apply("- locale_gen: en_GB.UTF-8");
    assert!(there(&node).contains("de_DE.utf8") && there(&node).contains("en_GB.utf8"), "{}", there(&node));
    node.has_nothing_to_do();

    // Away, and back.
    let held = (files(&node), there(&node));
    node.fails("- locale_gen: {name: en_GB.UTF-8, state: absent}");
    assert_eq!((files(&node), there(&node)), held);
    node.apply("- locale_gen: {name: en_GB.UTF-8, state: absent}");
    assert!(!there(&node).contains("en_GB") && there(&node).contains("de_DE.utf8") && files(&node).contains("\n# en_GB.UTF-8 UTF-8\n"), "{}", there(&node));
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!((files(&node), there(&node)), held);

    for (task, says) in [
        ("de_DE.utf8", "did you mean `de_DE.UTF-8`?"),
        ("tlh_XX.UTF-8", "knows no locale `tlh_XX.UTF-8`"),
        ("{name: C.UTF-8, state: absent}", "`locale-gen` has not made it"),
    ] {
        node.site.tasks(&format!("- locale_gen: {task}"));
        let refused = node.site.expect(1, &["plan", "inventory.yaml"]);
        assert!(refused.err.contains(says), "{}", refused.err);
    }
}

#[test]
fn what_generates_locales_may_be_missing() {
    let Some(node) = Debian::start() else { return };
    node.site.tasks("- locale_gen: de_DE.UTF-8");
    let refused = node.site.expect(1, &["plan", "inventory.yaml"]);
    assert!(refused.err.contains("there is no `locale-gen`") && refused.err.contains("package: locales"), "{}", refused.err);
}
