//! `homelab init`: a directory to start from.

use super::{Exit, Printer};
use crate::lang::{Diagnostic, Diagnostics, Kind};
use std::path::{Path, PathBuf};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where; made if it is not there.
    #[arg(default_value = ".")]
    pub directory: PathBuf,
}

const FILES: &[(&str, &str)] = &[
    ("inventories/home.yaml", include_str!("init/home.yaml")),
    ("inventories/sandbox.yaml", include_str!("init/sandbox.yaml")),
    ("playbooks/site.yaml", include_str!("init/site.yaml")),
    ("templates/motd.j2", include_str!("init/motd.j2")),
    (".gitignore", "*.plan\n.sandbox/\n"),
];

/// Writes the files; never over one that is there.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let mut problems = Diagnostics::new();
    for (name, _) in FILES {
        if args.directory.join(name).exists() {
            problems.push(Diagnostic::new(Kind::Config, format!("{} is already there", args.directory.join(name).display())).hint("give another directory, or move the file away"));
        }
    }
    if problems.is_empty() {
        for (name, text) in FILES {
            if let Err(error) = write(&args.directory.join(name), text) {
                problems.push(Diagnostic::config(format!("cannot write {}: {error}", args.directory.join(name).display())).hint("is the directory yours to write in?"));
                break;
            }
            printer.say(&format!("wrote {}", args.directory.join(name).display()));
        }
    }
    printer.problems(&problems);
    if problems.is_empty() {
        printer.note("Next: `homelab plan inventories/sandbox.yaml` tries it on this machine; then put your machines into inventories/home.yaml.");
    }
    Exit::of(&problems)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())
}
