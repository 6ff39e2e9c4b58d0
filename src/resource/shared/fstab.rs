//! The lines of `/etc/fstab`, of which each mount and each swap owns its own; every other byte stays as it is.

use super::edit::{Edit, Lines};
use super::put::Manner;

/// Where it is.
pub const FSTAB: &str = "/etc/fstab";

/// The fields of a line, as they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub src: String,
    pub path: String,
    pub fstype: String,
    pub opts: String,
    pub dump: String,
    pub pass: String,
}

/// A field as fstab and mountinfo write it.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' => out.push_str(&format!("\\{:03o}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// The entry of a line, if it is one.
fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split_whitespace().map(str::to_owned);
    let src = words.next().filter(|word| !word.starts_with('#'))?;
    let (path, fstype) = (words.next()?, words.next()?);
    let mut or = |default: &str| words.next().filter(|word| !word.starts_with('#')).unwrap_or_else(|| default.to_owned());
    Some(Entry { src, path, fstype, opts: or("defaults"), dump: or("0"), pass: or("0") })
}

impl Entry {
    fn line(&self) -> String {
        let Entry { src, path, fstype, opts, dump, pass } = self;
        format!("{src} {path} {fstype} {opts} {dump} {pass}")
    }
}

/// The entries of `text` that `own` takes for its own.
pub fn entries(text: &str, own: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    Lines::new(text).lines.into_iter().filter_map(entry).filter(own).collect()
}

/// `text` with one line for what `own` takes for its own, or with none. A line that says the same is not touched.
pub fn edited(text: &str, wished: Option<&Entry>, own: impl Fn(&Entry) -> bool) -> String {
    let lines = Lines::new(text);
    let hits: Vec<usize> = (0..lines.lines.len()).filter(|at| entry(lines.lines[*at]).is_some_and(|entry| own(&entry))).collect();
    let kept = wished.map(|wished| (wished.line(), hits.iter().copied().find(|at| entry(lines.lines[*at]).as_ref() == Some(wished)).or(hits.first().copied())));
    let (line, kept) = match kept {
        Some((line, None)) => return lines.splice(lines.lines.len()..lines.lines.len(), &[&line]),
        Some((line, kept)) => (line, kept),
        None => (String::new(), None),
    };
    let mut out = text.to_owned();
    for at in hits.iter().rev() {
        let lines = Lines::new(&out);
        if Some(*at) != kept {
            out = lines.splice(*at..*at + 1, &[]);
        } else if entry(lines.lines[*at]).as_ref() != wished {
            out = lines.splice(*at..*at + 1, &[&line]);
        }
    }
    out
}

/// The file, of which a part is owned.
pub fn file(removes: bool, secret: bool) -> Edit {
    Edit { path: FSTAB.into(), create: !removes, removes, secret, manner: Manner::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wished() -> Entry {
        entry("/dev/sdb1 /data ext4 noatime 0 2").unwrap()
    }

    fn edit(text: &str, wished: Option<&Entry>) -> String {
        edited(text, wished, |entry| entry.path == "/data")
    }

    #[test]
    fn other_lines_stay_byte_for_byte() {
        let others = "# /etc/fstab\n\nUUID=1\t/ \t ext4  errors=remount-ro 0 1\r\n#/dev/sdb1 /data ext4\nbad";
        let with = edit(others, Some(&wished()));
        assert_eq!(with, format!("{others}\n/dev/sdb1 /data ext4 noatime 0 2\n"));
        assert_eq!(edit(&with, Some(&wished())), with);
        assert_eq!(edit(&with, None), format!("{others}\n"));
    }

    #[test]
    fn a_line_that_says_the_same_stays_as_it_is_written() {
        let text = "/dev/sdb1\t/data  ext4\tnoatime 0\t2 # mine\n";
        assert_eq!(edit(text, Some(&wished())), text);
        assert_eq!(edit("/dev/sdb1 /data ext4\n", Some(&entry("/dev/sdb1 /data ext4 defaults 0 0").unwrap())), "/dev/sdb1 /data ext4\n");
    }

    #[test]
    fn one_line_is_left_of_several() {
        let text = "/dev/x /data ext4 ro\na b c\n/dev/sdb1 /data ext4 noatime 0 2\n/dev/y /data xfs";
        assert_eq!(edit(text, Some(&wished())), "a b c\n/dev/sdb1 /data ext4 noatime 0 2\n");
        assert_eq!(edit("/dev/x /data ext4 ro\n/dev/y /data xfs", Some(&wished())), "/dev/sdb1 /data ext4 noatime 0 2\n");
        assert_eq!(edit(text, None), "a b c\n");
    }

    #[test]
    fn blanks_are_written_as_the_kernel_writes_them() {
        assert_eq!(escaped("/srv/a b\\c"), "/srv/a\\040b\\134c");
    }
}
