//! What is said to a node about its guard, and the new logins that disarm it.

use super::acts::read;
use super::wire::{Done, Make, Trouble, Unwound, Wire};
use crate::lang::Diagnostic;
use crate::node::journal::Journal;
use crate::node::program::{self, Verdict, guard};
use crate::node::{Op, runtime};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may be silent over it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that an op of a session whose line is gone is waited for.
const LONGEST: u64 = 3600;

impl Wire {
    fn guards<'a>(&mut self) -> Vec<Make<'a>> {
        match std::mem::replace(&mut self.guarding, true) {
            true => Vec::new(),
            false => vec![Box::new(runtime::guard_preamble)],
        }
    }

    /// Logs in anew: another connection, through jump hosts that are connected to anew too, and as the same user. `within`: what one try may take.
    pub async fn again(&self, within: Option<Duration>) -> Result<Wire, Diagnostic> {
        let mut target = self.target.clone();
        if let Some(within) = within {
            target.jumps.iter_mut().for_each(|jump| jump.connect_timeout = within);
            target.connect_timeout = within;
        }
        let talk = match &self.sandbox {
            Some(server) => self.pool.open_stream(&target, server.connect()).await?,
            None => self.pool.afresh().open(&target).await?,
        };
        Ok(Wire::new(talk, target, self.pool.clone(), self.sandbox.clone()))
    }

    /// As whom one logs in.
    pub fn login(&self) -> &str {
        &self.target.user
    }

    /// Whether anybody answers at once.
    pub async fn answers(&mut self) -> bool {
        self.call(vec![Box::new(guard::boot)], Duration::from_secs(5)).await.is_ok()
    }

    /// Arms the guard of the open run `run`. Answers what starts it again after a reboot, or why it cannot be armed.
    pub async fn arm(&mut self, run: &str, seconds: u64, trial: bool) -> Result<Result<String, String>, Trouble> {
        let mut units = self.guards();
        units.push(Box::new(move |seq| guard::arm(seq, run, seconds, trial)));
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        for frame in &frames {
            match frame.tag.as_str() {
                "armed" => {
                    self.guarded = true;
                    return Ok(Ok(frame.field(0).to_owned()));
                }
                "failed" => return Ok(Err(frame.text())),
                _ => {}
            }
        }
        Ok(Err("the node does not say why".into()))
    }

    /// Tells a session that was opened after the guard was armed.
    pub async fn guarded(&mut self, seconds: u64) -> Result<(), Trouble> {
        let mut units = self.guards();
        units.push(Box::new(move |seq| guard::guarded(seq, seconds)));
        self.call(units, PATIENCE).await?;
        self.guarded = true;
        Ok(())
    }

    /// The guard is gone: nobody is to be told any more.
    pub fn unguarded(&mut self) {
        self.guarded = false;
    }

    /// Disarms the guard of `run`, or hears what it has done already. What that was is for a new login to say.
    pub async fn disarm(&mut self, run: &str) -> Result<Verdict, Trouble> {
        self.guarded = false;
        self.ask(Box::new(move |seq| guard::disarm(seq, run))).await
    }

    /// What has become of the guard of `run`.
    pub async fn verdict(&mut self, run: &str) -> Result<Verdict, Trouble> {
        self.ask(Box::new(move |seq| guard::verdict(seq, run))).await
    }

    async fn ask(&mut self, unit: Make<'_>) -> Result<Verdict, Trouble> {
        let mut units = self.guards();
        units.push(unit);
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        Ok(guard::read_verdict(&frames))
    }

    /// Has the run's earlier session end, as soon as it is not in the middle of an op.
    pub async fn room(&mut self, run: &str) -> Result<(), Trouble> {
        let mut units = self.functions();
        units.extend(self.guards());
        units.push(Box::new(move |seq| guard::room(seq, run, LONGEST)));
        self.call(units, Duration::from_secs(LONGEST) + PATIENCE).await.map(drop)
    }

    /// The journal of `run`, as far as it can be read.
    pub async fn journal(&mut self, run: &str) -> Result<Journal, Trouble> {
        let frames = self.call(vec![Box::new(move |seq| guard::journal(seq, run))], PATIENCE).await?.pop().unwrap_or_default();
        let text = frames.iter().find(|frame| frame.tag == "journal").map(|frame| frame.text() + "\n");
        Ok(text.and_then(|text| Journal::read(&text)).unwrap_or_default())
    }

    /// Which boot of the node this is.
    pub async fn boot(&mut self) -> Result<String, Trouble> {
        let frames = self.call(vec![Box::new(guard::boot)], PATIENCE).await?.pop().unwrap_or_default();
        Ok(frames.iter().find(|frame| frame.tag == "boot").map(|frame| frame.text()).unwrap_or_default())
    }

    /// Has the node reboot, which is op `number`; marks `handlers` pending first. Answers why it does not, if it does not.
    pub async fn reboot(&mut self, handlers: &[String], number: u32, op: &Op) -> Result<Option<String>, Trouble> {
        let mut units: Vec<Make<'_>> = Vec::new();
        for handler in handlers {
            units.push(Box::new(move |seq| program::pending(seq, handler, true)));
        }
        let ops = [(number, op)];
        units.push(Box::new(move |seq| program::act(seq, &ops)));
        let frames = self.call(units, PATIENCE).await?.pop().unwrap_or_default();
        if frames.iter().any(|frame| frame.tag == "rebooting") {
            return Ok(None);
        }
        Ok(Some(match read(&frames).remove(&number) {
            Some(Done::Failed(why, _)) => why,
            _ => "the node did not say what came of it".into(),
        }))
    }

    /// Lets go of the line.
    pub fn drop_line(&mut self) {
        self.hang_up();
    }

    /// Notes that the reboot that is op `number` has happened.
    pub async fn booted(&mut self, number: u32) -> Result<BTreeMap<u32, Done>, Trouble> {
        let frames = self.call(vec![Box::new(move |seq| guard::booted(seq, number))], PATIENCE).await?.pop().unwrap_or_default();
        Ok(read(&frames))
    }
}

/// What the node did by itself.
pub fn unwound(frames: &[crate::node::frame::Frame]) -> Unwound {
    Unwound::read(frames)
}
