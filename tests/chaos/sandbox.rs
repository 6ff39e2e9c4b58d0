//! A sandbox as a node that things go wrong on.

use crate::faults::{self, Node, Place, State, Tasks};
use crate::line::Line;
use crate::remote::Remote;
use crate::site::Site;
use crate::tree::{self, Times};
use std::path::PathBuf;

pub struct Sandbox(Remote);

/// A node on side `a`, in this site.
pub fn node(site: Site) -> Node<Sandbox> {
    Node::new(Sandbox(Remote::in_site(site, "", "[]")), Tasks::of_sandbox())
}

impl Place for Sandbox {
    fn name(&self) -> &str {
        "pi"
    }

    fn site(&self) -> &Site {
        &self.0.site
    }

    fn line(&self) -> &Line {
        &self.0.line
    }

    fn root(&self) -> PathBuf {
        self.0.site.inside("pi", "/")
    }

    fn state(&self) -> State {
        let but = [faults::but_accounts(), vec!["proc", "sys", "dev", "run"]].concat();
        let mut state = tree::tree(&self.root(), Times::OfFiles, &but);
        state.extend(faults::accounts(&self.root()));
        state
    }
}
