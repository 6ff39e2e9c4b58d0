//! `blockinfile`: several lines of a text file that others own too, between two marker lines.

use super::shared::attrs::{GROUP, MODE, OWNER, wrong};
use super::shared::edit::{Edit, Lines, Place};
use super::shared::put::{VALIDATE, check};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::{Op, Probe, World};

/// The declaration.
pub static BLOCKINFILE: KindSpec = KindSpec {
    name: "blockinfile",
    summary: "Keeps a block of lines in a text file, between two marker lines",
    description: "\
Two blocks in one file need two different `marker`s. Set `marker` to `# {mark} ANSIBLE MANAGED BLOCK` to take over a block that Ansible made.
A block that is there stays where it is; `insertafter` and `insertbefore` say where a new one goes.

Several tasks may edit one file, also one that does not exist yet: each sees what the earlier ones will have made of it.
An empty `block` is the same as `state: absent`. Lines of the file outside the block are left as they are, line endings included; the lines of the block end like the first line of the file.
A block that read a secret is secret: the diff is masked.

Files above 1 MiB, files that are not UTF-8 text, links, and files in which only one of the two markers is left are refused. Taken back exactly.",
    params: &[
        Param::required("path", Ty::Path, "The file.").aliases(&["dest", "destfile", "name"]),
        Param::new("block", Ty::Str, "The lines.").aliases(&["content"]).default("empty: the block is removed"),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether the block is to be there.").default("present"),
        Param::new("marker", Ty::Str, "The marker lines; `{mark}` stands for `marker_begin` and `marker_end`. It must be a comment to whoever reads the file.")
            .default("# {mark} HOMELAB MANAGED BLOCK"),
        Param::new("marker_begin", Ty::Str, "What `{mark}` is in the line before the block.").default("BEGIN"),
        Param::new("marker_end", Ty::Str, "What `{mark}` is in the line after the block.").default("END"),
        Param::new("insertafter", Ty::Str, "Where a new block goes: after the last line that this expression matches, or `EOF`, or `BOF`.").default("EOF"),
        Param::new("insertbefore", Ty::Str, "Likewise: before the last line that this expression matches, or `BOF`."),
        Param::new("create", Ty::Bool, "Make the file where it is missing.").default("false"),
        MODE.default("as it is; `0644` for a new file, `0600` if the block is secret"),
        OWNER,
        GROUP,
        VALIDATE,
    ],
    bare: "",
    example: "\
- name: Name the machines of the house
  blockinfile:
    path: /etc/hosts
    marker: '# {mark} the house'
    block: |
      192.168.7.31 router
      192.168.7.32 registry
",
    build,
};

#[derive(Debug)]
struct BlockInFile {
    edit: Edit,
    block: Vec<String>,
    marker: String,
    begin: String,
    end: String,
    place: Place,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    check(args, &mut problems);
    let marker = args.string("marker").unwrap_or_else(|| "# {mark} HOMELAB MANAGED BLOCK".into());
    if !marker.contains("{mark}") {
        problems.push(wrong(args, "marker", "the marker does not tell begin from end", "no `{mark}` in it", "write `{mark}` where BEGIN and END go"));
    }
    for name in ["marker", "marker_begin", "marker_end"] {
        if args.str(name).is_some_and(|text| text.contains(['\n', '\r'])) {
            problems.push(wrong(args, name, "a marker is one line", "", "leave the line feed out"));
        }
        if args.is_secret(name) {
            problems.push(wrong(args, name, "a marker must not be secret", "", "it names the block in plans"));
        }
    }
    let line = |name: &str, word: &str| marker.replace("{mark}", args.str(name).unwrap_or(word));
    let (begin, end) = (line("marker_begin", "BEGIN"), line("marker_end", "END"));
    if marker.contains("{mark}") && begin == end {
        problems.push(wrong(args, "marker_end", "both markers are the same", "", "let `marker_begin` and `marker_end` differ"));
    }
    let block: Vec<String> = args.str("block").unwrap_or_default().lines().map(str::to_owned).collect();
    if block.iter().any(|line| *line == begin || *line == end) {
        problems.push(wrong(args, "block", "the block has a marker line in it", "", "leave it out of the block, or choose another `marker`"));
    }
    let place = Place::from_args(args, &mut problems);
    let mut edit = Edit::from_args(args, args.is_secret("block"));
    edit.removes |= block.is_empty();
    // With markers of its own a block is a slice of its own.
    let marker = if args.has("marker_begin") { begin.clone() } else { marker };
    problems.into_result(Box::new(BlockInFile { edit, block, marker, begin, end, place }) as Box<dyn Resource>)
}

impl BlockInFile {
    fn edited(&self, text: &str) -> Result<String, Block> {
        let split = Lines::new(text);
        let find = |marker: &String| -> Vec<usize> {
            split.lines.iter().enumerate().filter(|(_, line)| line.trim_end() == marker.trim_end()).map(|(at, _)| at).collect()
        };
        let range = match (find(&self.begin).as_slice(), find(&self.end).as_slice()) {
            ([], []) => None,
            ([begin], [end]) if begin < end => Some(*begin..*end + 1),
            _ => {
                return Err(Block::refused(
                    format!("the markers of the block in {} do not make a pair: `{}` and `{}` must each be there once, in this order", self.edit.path, self.begin, self.end),
                    "mend the file by hand; nothing was guessed",
                ));
            }
        };
        if self.edit.removes {
            return Ok(range.map_or_else(|| text.to_owned(), |range| split.splice(range, &[])));
        }
        let mut new: Vec<&str> = vec![&self.begin];
        new.extend(self.block.iter().map(String::as_str));
        new.push(&self.end);
        let range = range.unwrap_or_else(|| {
            let at = self.place.at(&split.lines, false);
            at..at
        });
        Ok(match split.lines[range.clone()] == new {
            true => text.to_owned(),
            false => split.splice(range, &new),
        })
    }
}

impl Resource for BlockInFile {
    fn id(&self) -> Id {
        Id { kind: BLOCKINFILE.name.into(), key: self.edit.path.clone(), slice: self.marker.clone() }
    }

    fn claims(&self) -> Vec<Claim> {
        self.edit.claims(&self.marker)
    }

    fn look(&self) -> Vec<Probe> {
        self.edit.look()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.edit.plan(world, |text| self.edited(text))
    }

    fn slice(&self, text: &str) -> Option<String> {
        let lines = Lines::new(text).lines;
        let at = |marker: &String| lines.iter().position(|line| line.trim_end() == marker.trim_end());
        let (begin, end) = (at(&self.begin), at(&self.end));
        // Half a block is no block, and both markers without order are none either.
        Some(begin.zip(end).and_then(|(begin, end)| lines.get(begin..=end)).map(|lines| lines.join("\n")).unwrap_or_default())
    }

    fn secret(&self) -> bool {
        self.edit.secret
    }
}
