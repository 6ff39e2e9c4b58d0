//! The steps of a host as they are by now, and where each is: a run asks for every one of them several times.

use super::Failure;
use super::host::HostRun;
use crate::fleet::survey::compile_all;
use crate::playbook::Step;
use std::collections::HashMap;

/// Where things are, and whether they still hold.
#[derive(Debug, Default)]
pub(super) struct StepsNow {
    /// Step's key → which of the plays, and which of its steps and then handlers.
    at: HashMap<String, (usize, usize)>,
    /// Compiled from all that is known.
    current: bool,
    /// Step's key → index into the reports.
    pub(super) reported: HashMap<String, usize>,
}

impl StepsNow {
    /// Something has become known that steps may be made of.
    pub(super) fn outdated(&mut self) {
        self.current = false;
    }
}

impl HostRun {
    /// Whether this host has anything to do in the plays from this one on.
    pub(super) fn acts_from(&self, play: usize) -> bool {
        self.on.plan.lines.iter().any(|line| line.play >= play && line.acts())
    }

    /// Compiles the plays again if more is known than when they were compiled.
    pub(super) fn compile(&mut self) -> Result<(), Failure> {
        if !self.steps_now.current {
            self.on.plays = compile_all(&self.config, &self.on.host, &self.on.known).map_err(Failure::Step)?;
            self.index();
            self.steps_now.current = true;
        }
        Ok(())
    }

    /// Notes where each step is.
    pub(super) fn index(&mut self) {
        let steps = |(play, (_, compiled)): (usize, &(usize, crate::playbook::Compiled))| {
            compiled.all().enumerate().map(|(at, step)| (step.key.clone(), (play, at))).collect::<Vec<_>>()
        };
        self.steps_now.at = self.on.plays.iter().enumerate().flat_map(steps).collect();
    }

    /// The step of a line, if there is one by now.
    pub(super) fn step(&self, index: usize) -> Option<&Step> {
        let (play, at) = *self.steps_now.at.get(&self.on.plan.lines[index].key)?;
        let (_, compiled) = self.on.plays.get(play)?;
        compiled.at(at)
    }

    /// The items of a loop that was one line.
    pub(super) fn items(&self, index: usize) -> Vec<String> {
        let line = &self.on.plan.lines[index];
        let prefix = format!("{}/", line.key);
        self.on
            .plays
            .iter()
            .filter(|(play, _)| *play == line.play)
            .flat_map(|(_, compiled)| compiled.steps.iter())
            .filter(|step| step.key.starts_with(&prefix))
            .map(|step| step.key.clone())
            .collect()
    }
}
