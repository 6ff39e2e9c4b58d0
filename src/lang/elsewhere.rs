//! What other tools call otherwise: `docs/from-ansible.md`, read, so that a word from there is answered with what stands here.

const PAGE: &str = include_str!("../../docs/from-ansible.md");

/// A hint for a module of Ansible's or an operation of pyinfra's; its collection may stand before it.
pub fn module(name: &str) -> Option<String> {
    answer("Modules and operations", name).or_else(|| answer("Modules and operations", name.rsplit('.').next()?))
}

/// A hint for a keyword of a playbook or an inventory.
pub fn keyword(name: &str) -> Option<String> {
    answer("Keywords", name)
}

fn answer(section: &str, name: &str) -> Option<String> {
    let (_, here) = rows(section).find(|(there, _)| words(there).any(|word| word == name))?;
    Some(match here.strip_prefix("- ") {
        Some(why) => format!("there is no such thing here. {why}"),
        None => format!("here that is {here}"),
    })
}

/// The two cells of each row in the table below this heading.
pub fn rows(section: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let table = PAGE.split("\n## ").find_map(|part| part.strip_prefix(section)).unwrap_or_default();
    table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")).skip(1)
}

/// What stands between backticks.
pub fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_from_elsewhere_is_answered() {
        assert_eq!(module("apt").as_deref(), Some("here that is `package`"));
        assert_eq!(module("ansible.builtin.shell").as_deref(), Some("here that is `command` with `shell: true`"));
        assert_eq!(module("files.put"), module("copy"));
        assert!(module("parted").is_some_and(|hint| hint.starts_with("there is no such thing here. What makes a file system")));
        assert_eq!(keyword("ansible_host").as_deref(), Some("here that is `address` of the host"));
        assert_eq!((module("ansible_host"), keyword("apt"), module("pakage"), module("")), (None, None, None, None));
        assert!(rows("Modules and operations").count() > 50 && rows("Keywords").count() > 20);
    }
}
