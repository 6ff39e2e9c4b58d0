//! Health checks: one question, asked when planning, and asked again and again after what is planned before it. They change nothing, so
//! nothing of them is taken back; but one that fails takes back the run.

use super::attrs::answered;
use super::tool::answer;
use crate::lang::Value;
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::Ran;
use crate::node::{Command, Op, Probe, World};
use crate::resource::{Args, Block, Claim, Id, Resource};

/// A question, and how long its answer may take to be right.
#[derive(Debug)]
pub struct Waiting {
    pub kind: &'static str,
    /// What is asked, for people.
    pub key: String,
    /// A script, and its words.
    pub script: &'static str,
    pub words: Vec<String>,
    /// For the script's standard input.
    pub input: Option<String>,
    pub secret: bool,
    /// The answers that are right; the first is what is foreseen.
    pub wished: Vec<String>,
    /// The tool that the script needs, and what brings it.
    pub tool: (&'static str, &'static str),
    pub says: String,
    pub timeout: i64,
    pub delay: i64,
    pub sleep: i64,
}

/// A duration in seconds.
pub fn seconds(args: &Args, name: &str, default: i64) -> i64 {
    args.values.get(name).and_then(Value::as_int).unwrap_or(default)
}

impl Waiting {
    fn script(&self, text: &str, before: &[&str]) -> Command {
        let words: Vec<&str> = before.iter().copied().chain(self.words.iter().map(String::as_str)).collect();
        Command { stdin: self.input.clone(), secret: self.secret, ..super::tool::script(text, &words) }
    }

    fn question(&self) -> Command {
        self.script(self.script, &[])
    }

    fn wait(&self) -> Op {
        let text = format!("check() {{\n{}}}\n{}", self.script, include_str!("../scripts/wait.sh"));
        let [limit, delay, sleep] = [self.timeout, self.delay, self.sleep].map(|seconds| seconds.to_string());
        let foreseen = Ran { stdout: format!("{}\n", self.wished.first().map_or("", String::as_str)), ..Ran::default() };
        Op::Tool(ToolOp {
            says: vec![self.says.clone()],
            turn: Turn::Run,
            command: self.script(&text, &[&limit, &delay, &sleep, &self.wished.join("\n")]),
            undo: Some(super::tool::command(["true"])),
            answers: vec![(self.question(), foreseen)],
            asks: true,
            ..ToolOp::default()
        })
    }

    fn right(&self, world: &World) -> Result<bool, Block> {
        let ran = answer(world, &self.question(), self.tool.0, self.tool.1)?;
        Ok(self.wished.iter().any(|wished| ran.stdout.trim() == wished))
    }
}

impl Resource for Waiting {
    fn id(&self) -> Id {
        Id { kind: self.kind.into(), key: self.key.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    fn look(&self) -> Vec<Probe> {
        vec![Probe::Run(self.question())]
    }

    /// As wished only if the answer is right, and nothing is planned before that may make it another.
    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let right = self.right(world)?;
        Ok(if right && world.changed().is_none() { Vec::new() } else { vec![self.wait()] })
    }

    /// After it has waited, the answer is what counts.
    fn settled(&self, world: &World) -> Result<Vec<Op>, Block> {
        Ok(if self.right(world)? { Vec::new() } else { vec![self.wait()] })
    }

    fn within(&mut self, seconds: u64) {
        // What it waits for by itself must leave it time to say so.
        self.timeout = self.timeout.min(i64::try_from(seconds.saturating_sub(2).max(1)).unwrap_or(i64::MAX));
    }

    fn secret(&self) -> bool {
        self.secret
    }
}
