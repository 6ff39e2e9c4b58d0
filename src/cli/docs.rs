//! `homelab docs`: the reference that the code and the roles themselves declare.

use super::{Exit, Printer};
use crate::lang::{Diagnostic, Kind, elsewhere, suggest};
use crate::playbook::docs as roles;
use crate::resource::{KINDS, docs, kind};
use std::path::Path;

/// Arguments of `docs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A resource (`template`, `package`, …) or a role of this directory. Without it: all of them, a line each.
    pub name: Option<String>,
}

/// Prints the reference.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let here = Path::new(".");
    let known = roles::roles(here);
    let Some(name) = &args.name else {
        printer.out(&docs::index());
        let mut page = String::from("\n# Roles of this directory\n\n| name | does |\n|---|---|\n");
        for name in &known {
            // One that cannot be read has its page say why.
            let summary = roles::role(name, here).ok().flatten().map(|role| role.summary.clone()).unwrap_or_default();
            page.push_str(&format!("| `{name}` | {} |\n", summary.trim_end_matches('.').replace('|', "\\|")));
        }
        if !known.is_empty() {
            printer.out(&page);
        }
        return Exit::Ok;
    };
    if let Some(kind) = kind(name) {
        printer.out(&docs::reference(kind));
        return Exit::Ok;
    }
    if known.contains(name) {
        return match roles::role(name, here) {
            Ok(role) => {
                role.iter().for_each(|role| printer.out(&roles::reference(role)));
                Exit::Ok
            }
            Err(problems) => {
                printer.problems(&problems);
                Exit::Error
            }
        };
    }
    let names = KINDS.iter().map(|kind| kind.name).chain(known.iter().map(String::as_str));
    let hint = match (elsewhere::module(name), suggest::did_you_mean(name, names)) {
        (Some(here), _) => here,
        (None, Some(near)) => format!("did you mean `{near}`? `homelab docs` lists them all"),
        (None, None) => "`homelab docs` lists them all; roles are looked for in `roles` and `playbooks/roles` here".to_owned(),
    };
    printer.problems(&Diagnostic::new(Kind::Usage, format!("there is no resource or role `{name}`")).hint(hint).into());
    Exit::Usage
}
