//! Rendering for one task: the engine with the task's scope, noting what is read.

use super::args::{Render, Trouble};
use crate::lang::template::{self, Engine, Error, Scope};
use crate::lang::{Data, Span, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The engine and what it reads.
pub struct Renderer<'a> {
    /// Renders.
    pub engine: &'a Engine,
    /// The names in reach.
    pub scope: Scope,
    /// Fact paths read so far.
    pub reads: &'a mut BTreeSet<String>,
    /// Hosts whose kept values are waited for.
    pub waits: &'a mut BTreeMap<String, Option<Span>>,
}

impl Renderer<'_> {
    fn note(&mut self, reads: BTreeSet<String>) {
        let of_facts = |path: &String| path == "facts" || path.starts_with("facts.") || (path.starts_with("hosts.") && path.contains(".facts")) || path == "hosts";
        self.reads.extend(reads.into_iter().filter(of_facts));
    }

    fn trouble(&mut self, error: Error) -> Trouble {
        match error {
            Error::Late { cause, name, span } => {
                let kept = name.strip_prefix("hosts.").and_then(|rest| rest.find(".kept").map(|at| rest[..at].to_owned()));
                if let Some(host) = kept {
                    self.waits.entry(host).or_insert(span);
                } else if name.starts_with("hosts.") {
                    // It will be known when that host has been looked at.
                    self.reads.insert(name.clone());
                }
                Trouble::Late { cause, facts: name == "facts" || name.starts_with("facts.") }
            }
            Error::Wrong(problems) => Trouble::Wrong(problems),
        }
    }

    /// The value of a bare expression.
    pub fn expression(&mut self, value: &Value) -> Result<Value, Trouble> {
        let Some(text) = value.as_str() else { return Ok(value.clone()) };
        match self.engine.eval(text, value.origin.as_ref(), &self.scope) {
            Ok(done) => {
                self.note(done.reads);
                Ok(done.value)
            }
            Err(error) => Err(self.trouble(error)),
        }
    }

    /// Whether all of these expressions are true; else the text of the first that is not.
    pub fn all_true<'v>(&mut self, expressions: &'v [Value]) -> Result<Option<&'v Value>, Trouble> {
        let mut late = None;
        for expression in expressions {
            match self.expression(expression) {
                Ok(value) if template::truthy(&value) => {}
                Ok(_) => return Ok(Some(expression)),
                // A later one may still be false for sure.
                Err(trouble @ Trouble::Late { .. }) => late = late.or(Some(trouble)),
                Err(wrong) => return Err(wrong),
            }
        }
        late.map_or(Ok(None), Err)
    }

    /// The scalar that a plain `{{ name.path }}` stands for, as it was written: a mode and a version need their token.
    fn token(&self, value: &Value) -> Option<Value> {
        let mut text = value.as_str()?.to_owned();
        for _ in 0..8 {
            let path = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim().to_owned();
            if path.is_empty() || !path.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
                return None;
            }
            let raw = self.scope.raw(path.split('.').next()?)?;
            let found = path.split('.').skip(1).try_fold(&*raw, |value, key| value.get(key))?;
            match found.as_str() {
                Some(next) => text = next.to_owned(),
                None => return Some(found.clone()),
            }
        }
        None
    }
}

impl Render for Renderer<'_> {
    fn value(&mut self, value: &Value) -> Result<Value, Trouble> {
        match self.engine.render_value(value, &self.scope) {
            Ok(done) => {
                self.note(done.reads);
                let mut rendered = done.value;
                if matches!(rendered.data, Data::Int(_) | Data::Float(_))
                    && let Some(token) = self.token(value).filter(|token| token.data == rendered.data)
                {
                    rendered.origin = token.origin;
                }
                Ok(rendered)
            }
            Err(error) => Err(self.trouble(error)),
        }
    }

    fn file(&mut self, path: &Path, from: Option<&Span>) -> Result<(String, bool), Trouble> {
        match self.engine.render_file(path, &self.scope) {
            Ok(done) => {
                self.note(done.reads);
                Ok((done.text, done.secret))
            }
            Err(error) => Err(match self.trouble(error) {
                Trouble::Wrong(mut problems) => {
                    for problem in &mut problems.0 {
                        *problem = problem.clone().note("the template is named here", from);
                    }
                    Trouble::Wrong(problems)
                }
                late => late,
            }),
        }
    }
}
