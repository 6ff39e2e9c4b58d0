//! The guard on one host's side of a run: armed before what may cut the line, disarmed by a new login. What a node says
//! that it took back by itself is believed when its journal says so, and not before.

use super::host::{Act, HostRun};
use super::report::StepEnd;
use super::{End, Failure};
use crate::fleet::event::What;
use crate::fleet::guard::unwound;
use crate::fleet::wire::{Done, Trouble, Wire};
use crate::lang::{Diagnostic, Kind};
use crate::node::Op;
use crate::node::frame::Frame;
use crate::node::journal::Stage;
use crate::node::program::Verdict;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// How long after its time a node may take to begin.
const SLACK: Duration = Duration::from_secs(45);
/// How long it may take to take a run back.
const UNWINDING: Duration = Duration::from_secs(900);
/// Between two tries to log in.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// What one try may take.
pub(super) const TRY: Duration = Duration::from_secs(10);

/// A guard that is armed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// How long it waits.
    pub(super) seconds: u64,
    /// For the whole run, which waits to be kept.
    pub(super) trial: bool,
}

impl HostRun {
    /// Arms the guard if one of `acts` may cut the line and it is not armed yet.
    pub(super) async fn guard(&mut self, acts: &[Act]) -> Result<(), Failure> {
        let seconds = acts.iter().filter_map(|act| self.on.plan.lines[act.line].guard).max();
        match seconds {
            Some(seconds) if self.guard.is_none() => self.arm(seconds, false).await,
            _ => Ok(()),
        }
    }

    /// Arms it.
    pub(super) async fn arm(&mut self, seconds: u64, trial: bool) -> Result<(), Failure> {
        match self.on.wire.arm(&self.run, seconds, trial).await? {
            Ok(hook) => {
                if hook == "none" {
                    self.note("the guard would not outlive a reboot before its time: nothing on this node starts it at boot".into());
                }
                self.guard = Some(Guard { seconds, trial });
                Ok(())
            }
            Err(why) => Err(self.failed("arming the guard", &why)),
        }
    }

    /// Something to say of the host at the end, once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Sleeps, and lets the guard know that somebody is there.
    pub(super) async fn pause(&mut self, pause: Duration) -> Result<(), Failure> {
        let until = Instant::now() + pause;
        while let Some(guard) = self.guard {
            let left = until.saturating_duration_since(Instant::now());
            let turn = Duration::from_millis(guard.seconds.saturating_mul(300).max(300));
            if left <= turn {
                break;
            }
            tokio::time::sleep(turn).await;
            self.on.wire.boot().await?;
        }
        tokio::time::sleep_until(until).await;
        Ok(())
    }

    /// Performs the steps of `play`, and disarms its guard by a new login. A line that was lost is looked for.
    pub async fn guarded_play(&mut self, play: usize) -> Result<(), Failure> {
        let end = match self.play(play).await {
            Ok(()) => self.release().await,
            failed => failed,
        };
        match end {
            Err(Failure::Lost(problem)) if self.guard.is_some() && self.verdict.is_none() => match self.reach(false).await? {
                Some(wire) => {
                    self.change_line(wire).await?;
                    // It can be taken back like any other failure.
                    Err(Failure::Step(problem.into()))
                }
                None => Err(Failure::Lost(problem)),
            },
            end => end,
        }
    }

    /// Disarms the guard of a play, if it is armed: a new login succeeds, or the node takes everything back.
    pub(super) async fn release(&mut self) -> Result<(), Failure> {
        if self.guard.is_none_or(|guard| guard.trial) {
            return Ok(());
        }
        self.events.tell(&self.on.host, What::Step("a new login".into()));
        let Some(wire) = self.reach(true).await? else { return Ok(()) };
        self.guard = None;
        self.on.wire.unguarded();
        // The old line may have died of what was done, and nobody has heard yet.
        if self.on.wire.answers().await { Ok(()) } else { self.change_line(wire).await }
    }

    /// Logs in anew, with as many tries as the guard leaves time for. With `disarm`, disarms it.
    ///
    /// # Errors
    /// The node has taken the run back, or cannot be reached: `verdict` says how this host ends.
    pub(super) async fn reach(&mut self, disarm: bool) -> Result<Option<Wire>, Failure> {
        let Some(guard) = self.guard else { return Ok(None) };
        let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut until = Instant::now() + Duration::from_secs(guard.seconds) + SLACK;
        let mut firing = false;
        let mut last: Option<Diagnostic> = None;
        while Instant::now() < until {
            match self.ask(disarm).await {
                Ok((wire, Verdict::Disarmed | Verdict::Armed | Verdict::Unguarded)) => return Ok(Some(wire)),
                Ok((_, Verdict::Fired(frames))) => return Err(self.taken_back(guard, &frames, last.as_ref())),
                Ok((_, Verdict::Firing)) if !firing => {
                    firing = true;
                    self.events.tell(&self.on.host, What::Unwinding);
                    until = Instant::now() + UNWINDING;
                }
                Ok(_) => {}
                Err(problem) => last = Some(problem),
            }
            tokio::time::sleep(PAUSE).await;
        }
        let host = self.on.host.clone();
        let when = crate::fleet::wire::since(began + guard.seconds);
        self.verdict = Some((End::Lost, vec![format!("if it runs, the node took run {} back by itself at about {when}; nobody has seen that it did", self.run)]));
        self.forget();
        let mut problem = Diagnostic::new(Kind::Unreachable, format!("{host}: nobody can log in any more, also after the time of its guard ({} s)", guard.seconds))
            .hint("look at the machine itself; once it answers, `homelab plan` shows what is there");
        if let Some(last) = last {
            problem = problem.note(format!("the last try: {}", last.message), None);
        }
        Err(Failure::Lost(problem))
    }

    async fn ask(&self, disarm: bool) -> Result<(Wire, Verdict), Diagnostic> {
        let mut wire = self.on.wire.again(Some(TRY)).await?;
        let said = if disarm { wire.disarm(&self.run).await } else { wire.verdict(&self.run).await };
        Ok((wire, said.map_err(Trouble::into_problem)?))
    }

    /// The node has acted by itself. What its journal says is what came of it.
    fn taken_back(&mut self, guard: Guard, frames: &[Frame], last: Option<&Diagnostic>) -> Failure {
        let mut residue = Vec::new();
        let end = self.unwound(unwound(frames), &mut residue);
        self.verdict = Some((end, residue));
        self.forget();
        let host = &self.on.host;
        let what = match end {
            End::TakenBack => "taken back by the node",
            _ => "the node could not take all of it back",
        };
        let mut problem = Diagnostic::new(Kind::Failed, format!("{host}: no new login within {} s: {what}", guard.seconds))
            .hint("one of the guarded steps keeps logins out; see what it does to sshd, accounts, keys, the network or the firewall");
        if let Some(last) = last {
            problem = problem.note(format!("a try to log in said: {}", last.message), None);
        }
        Failure::Step(problem.into())
    }

    /// There is no run on the node any more.
    fn forget(&mut self) {
        self.guard = None;
        self.begun = false;
        self.on.wire.drop_line();
    }

    /// Goes on over a new line. The session of the old one ends first, at the end of its op.
    pub async fn change_line(&mut self, mut wire: Wire) -> Result<(), Failure> {
        wire.room(&self.run).await?;
        match wire.begin(&self.run, &self.owner, &[], &[], |_, _| {}).await? {
            Ok(crate::fleet::wire::Begun::Yes(_)) => {}
            Ok(crate::fleet::wire::Begun::Locked { who, since }) => return Err(Failure::Locked { who, since }),
            Ok(crate::fleet::wire::Begun::Guarded(armed)) => return Err(self.watched(&armed)),
            Err(why) => return Err(self.failed("going on over a new line", &why)),
        }
        if let Some(guard) = self.guard {
            wire.guarded(guard.seconds).await?;
        }
        let mut old = std::mem::replace(&mut self.on.wire, wire);
        self.on.wire.take_on(&mut old);
        old.drop_line();
        Ok(())
    }

    /// A guard keeps a run from beginning.
    pub(super) fn watched(&self, armed: &crate::node::program::Armed) -> Failure {
        Failure::Stale(super::failure::watched(&self.on.host, armed).into())
    }

    /// The line was lost in the middle of `acts`: finds the node over a new one, hears how far it came, and does the rest.
    pub(super) fn mend<'a>(&'a mut self, acts: &'a [Act], trouble: Trouble) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
        Box::pin(self.mended(acts, trouble))
    }

    async fn mended(&mut self, acts: &[Act], trouble: Trouble) -> Result<(), Failure> {
        let problem = trouble.into_problem();
        let Some(wire) = self.reach(false).await? else { return Err(Failure::Lost(problem)) };
        self.change_line(wire).await?;
        let journal = self.on.wire.journal(&self.run).await?;
        let stage = |number: u32| journal.ops.get(&number).copied();
        let mut left = Vec::new();
        for act in acts {
            let stages: Vec<Option<Stage>> = act.ops().map(|(number, _)| stage(number)).collect();
            let label = self.on.plan.lines[act.line].label.clone();
            if stages.contains(&Some(Stage::Failed)) {
                self.set(act.line, StepEnd::Failed);
                return Err(self.failed(&label, "the line was lost, and the node says that it failed"));
            }
            if stages.iter().any(|stage| *stage != Some(Stage::Done)) {
                left.push(act.line);
                continue;
            }
            let runs = act.ops().any(|(_, op)| matches!(op, Op::Run { .. }));
            if runs && self.step(act.line).is_some_and(|step| step.register.is_some()) {
                self.set(act.line, StepEnd::Failed);
                return Err(self.failed(&label, "the line was lost, and with it what the command said"));
            }
            let done: BTreeMap<u32, Done> = act.ops().map(|(number, _)| (number, Done::Ok(None))).collect();
            let probes = self.probes(act.line);
            let seen = self.on.wire.look(&probes, None).await?.answers;
            self.on.world.learn(seen);
            self.judge(std::slice::from_ref(act), &done).await?;
        }
        for line in left {
            self.fresh(line).await?;
        }
        Ok(())
    }
}
