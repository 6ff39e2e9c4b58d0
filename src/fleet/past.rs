//! What is said to a node about its runs of the past: telling of them, and opening one again to take it back.

use super::acts::seconds;
use super::wire::{Begun, Make, Trouble, Unwound, Wire};
use crate::node::frame::Frame;
use crate::node::journal::{Journal, Stamp, stamps};
use crate::node::program::{self, NodeState};
use crate::node::runtime;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may be silent while it reads its journals.
const PATIENCE: Duration = Duration::from_secs(120);
/// And while it takes a run back.
const OP_PATIENCE: Duration = Duration::from_secs(3600);

/// What became of what a run touched: its paths when it ended and now, and what is in directories that it made.
pub type Since = (BTreeMap<String, Option<Stamp>>, BTreeMap<String, Option<Stamp>>, Vec<String>);

impl Wire {
    fn past_functions<'a>(&mut self) -> Vec<Make<'a>> {
        match std::mem::replace(&mut self.past, true) {
            true => Vec::new(),
            false => vec![Box::new(runtime::history_preamble)],
        }
    }

    /// All runs that the node keeps, by name, oldest first; none of a journal that cannot be read. And what else it keeps.
    pub async fn history(&mut self) -> Result<(Vec<(String, Option<Journal>)>, NodeState), Trouble> {
        let mut units = self.past_functions();
        units.push(Box::new(program::history));
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        let state = self.look(&[], None).await?.state;
        let journals = frames.iter().filter(|frame| frame.tag == "journal");
        let read = |frame: &Frame| {
            let text = frame.text();
            // The dot keeps the shell from cutting off the last newline.
            Journal::read(text.strip_suffix('.').unwrap_or(&text))
        };
        Ok((journals.map(|frame| (frame.field(0).to_owned(), read(frame))).collect(), state))
    }

    /// What became of what `run` touched.
    pub async fn since(&mut self, run: &str) -> Result<Since, Trouble> {
        let mut units = self.functions();
        units.append(&mut self.past_functions());
        units.push(Box::new(move |seq| program::changed(seq, run)));
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        let text = |tag: &str| frames.iter().find(|frame| frame.tag == tag).map(Frame::text).unwrap_or_default();
        let foreign = frames.iter().filter(|frame| frame.tag == "foreign").map(Frame::text).collect();
        Ok((stamps(&text("after")), stamps(&text("now")), foreign))
    }

    /// Takes the node's lock for a run of the past.
    pub async fn reopen(&mut self, run: &str, owner: &str) -> Result<Begun, Trouble> {
        let over = self.break_lock;
        let mut units = self.functions();
        units.append(&mut self.past_functions());
        units.push(Box::new(move |seq| program::reopen(seq, run, owner, seconds(), over)));
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        Ok(self.refusal(&frames)?.unwrap_or_else(|| Begun::Yes(BTreeMap::new())))
    }

    /// Takes back the run that was opened again; `force`: over what stands against it.
    pub async fn take_back(&mut self, run: &str, force: bool) -> Result<Unwound, Trouble> {
        let frames = self.call(vec![Box::new(move |seq| program::take_back(seq, run, force))], OP_PATIENCE).await?.pop().unwrap_or_default();
        Ok(Unwound::read(&frames))
    }
}
