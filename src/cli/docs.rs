//! `homelab docs`: the reference that the code itself declares.

use super::{Exit, Printer};
use crate::lang::{Diagnostic, Kind};
use crate::resource::{KINDS, docs, kind};

/// Arguments of `docs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A resource: `template`, `package`, … Without it: all of them, a line each.
    pub name: Option<String>,
}

/// Prints the reference.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    match &args.name {
        None => printer.out(&docs::index()),
        Some(name) => match kind(name) {
            Some(kind) => printer.out(&docs::reference(kind)),
            None => {
                let names = KINDS.iter().map(|kind| kind.name);
                let hint = match crate::lang::suggest::did_you_mean(name, names) {
                    Some(near) => format!("did you mean `{near}`? `homelab docs` lists them all"),
                    None => "`homelab docs` lists them all".to_owned(),
                };
                printer.problems(&Diagnostic::new(Kind::Usage, format!("there is no resource `{name}`")).hint(hint).into());
                return Exit::Usage;
            }
        },
    }
    Exit::Ok
}
