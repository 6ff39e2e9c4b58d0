//! Clones of git repositories, by the node's own git.

use crate::debian::Debian;

/// A repository on the node, with two commits on `main`, a tag on the first, and a branch.
const ORIGIN: &str = r#"
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main /srv/work
cd /srv/work
echo one >file; git add .; git commit -qm one; git tag -am 'the first' v1
git checkout -qb other; echo other >other; git add .; git commit -qm other
git checkout -q main; echo two >file; git commit -qam two
git clone -q --bare /srv/work /srv/origin.git
"#;
const PUSH: &str = r#"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
cd /srv/work && echo three >file && git commit -qam three && git push -q /srv/origin.git main
"#;

fn at(node: &Debian) -> String {
    node.by_hand("cd /srv/clone && git log -1 --format=%s && git symbolic-ref -q --short HEAD || echo no branch").replace('\n', " ").trim().to_owned()
}

fn task(more: &str) -> String {
    format!("- git: {{repo: \"file:///srv/origin.git\", dest: /srv/clone{more}}}")
}

#[test]
fn a_clone_follows_its_branch_and_goes_back() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand(ORIGIN);
    node.fails(&task(""));
    assert!(!node.inside("/srv/clone").exists());
    node.apply(&task(""));
    assert_eq!(at(&node), "two main");
    node.has_nothing_to_do();

    node.by_hand(PUSH);
    let plan = node.site.expect(2, &["plan", "inventory.yaml", "--detailed-exitcode"]);
    assert!(plan.out.contains("/srv/clone (HEAD):") && plan.out.contains('→'), "{}", plan.out);
    assert_eq!(at(&node), "two main", "a plan moves nothing");
    node.fails(&task(", version: main"));
    assert_eq!(at(&node), "two main");
    node.apply(&task(", update: false"));
    assert_eq!(at(&node), "two main");
    node.apply(&task(", version: main"));
    assert_eq!((at(&node).as_str(), node.text("/srv/clone/file").as_str()), ("three main", "three\n"));
    node.has_nothing_to_do();

    for (version, is) in [("v1", "one no branch"), ("other", "other other")] {
        node.apply(&task(&format!(", version: {version}")));
        assert_eq!(at(&node), is);
        node.has_nothing_to_do();
    }
    let first = node.by_hand("git -C /srv/work rev-parse main~2").trim().to_owned();
    node.apply(&task(&format!(", version: \"{first}\"")));
    assert_eq!(at(&node), "one no branch");
    node.has_nothing_to_do();
    node.site.expect(0, &["rollback", "inventory.yaml", "--yes"]);
    assert_eq!(at(&node), "other other");
    node.site.tasks(&task(", version: nowhere"));
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("no branch or tag `nowhere`"));
}

#[test]
fn what_somebody_did_in_a_clone_is_not_lost() {
    let Some(node) = Debian::with_tools() else { return };
    node.by_hand(ORIGIN);
    node.by_hand("mkdir -m 700 /srv/clone");
    node.fails(&task(", depth: 1"));
    assert_eq!(node.by_hand("ls -A /srv/clone; stat -c %a /srv/clone").trim(), "700", "a directory that was there stays");
    node.apply(&task(", depth: 1"));
    assert_eq!(node.by_hand("git -C /srv/clone rev-list --count HEAD").trim(), "1");
    // Owned by another user, which git would refuse by itself.
    node.by_hand("chown -R 1234 /srv/clone; echo mine >>/srv/clone/file; echo untracked >/srv/clone/notes");
    node.has_nothing_to_do();
    node.by_hand(PUSH);
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("has local changes") && node.text("/srv/clone/file") == "two\nmine\n", "{}", refused.err);
    node.by_hand("git config --global user.name a; git config --global user.email a; git config --global --add safe.directory /srv/clone; git -C /srv/clone commit -qam mine");
    let refused = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(refused.err.contains("nowhere else"), "{}", refused.err);
    node.fails(&task(", force: true"));
    assert_eq!(at(&node), "mine main");
    node.apply(&task(", force: true"));
    assert_eq!((at(&node).as_str(), node.text("/srv/clone/notes").as_str()), ("three main", "untracked\n"));
    node.has_nothing_to_do();

    node.by_hand("rm -rf /srv/clone && mkdir /srv/clone && echo x >/srv/clone/x");
    assert!(node.site.expect(1, &["apply", "inventory.yaml", "--yes"]).err.contains("is not a clone"));
    node.site.tasks("- git: {repo: \"ssh://127.0.0.1:1/x\", dest: /srv/far}");
    let far = node.site.expect(1, &["apply", "inventory.yaml", "--yes"]);
    assert!(far.err.contains("cannot ask ssh://127.0.0.1:1/x") && far.err.contains("refused"), "{}", far.err);
}
