//! One rendering: what it has read, whether it has touched a secret, and the variables it is in the middle of.

use super::convert;
use super::explain::{self, Text};
use super::node::{Node, Root};
use super::scope::{Binding, Found, Scope};
use super::{Engine, Error};
use crate::lang::diagnostic::{Diagnostic, Diagnostics};
use crate::lang::filters;
use crate::lang::source::Span;
use crate::lang::value::{Data, Value};
use minijinja::value::Value as Mini;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many variables may stand in each other: more is a mistake, and the stack is finite.
const MAX_NESTING: usize = 40;

/// A variable's text being rendered: its layer and dotted path.
pub(super) type Key = (usize, String);

/// The variables' texts through which a container was reached. A list may hold a template that answers the list
/// itself; being lazy it would have no end.
pub(super) type Trail = Arc<Vec<Key>>;

/// A name or key that was looked for in vain.
pub(super) struct Missing {
    /// The dotted path of the map; empty for the scope itself.
    pub(super) base: String,
    pub(super) key: String,
    /// What the map has instead.
    pub(super) present: Vec<String>,
}

#[derive(Default)]
struct State {
    /// Path to whether all of it was read.
    reads: BTreeMap<String, bool>,
    secret: bool,
    stack: Vec<Key>,
    memo: HashMap<Key, (Mini, bool)>,
    error: Option<Error>,
    missing: Vec<Missing>,
}

pub(super) struct Session {
    pub(super) engine: Engine,
    state: Mutex<State>,
}

impl Session {
    pub(super) fn new(engine: &Engine) -> Arc<Self> {
        Arc::new(Session { engine: engine.clone(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Notes that `path` was read; `whole`: with all that is in it.
    pub(super) fn read(&self, path: &str, whole: bool) {
        let mut state = self.state();
        match state.reads.get_mut(path) {
            Some(known) => *known |= whole,
            None => {
                state.reads.insert(path.to_owned(), whole);
            }
        }
    }

    pub(super) fn missing(&self, base: &str, key: &str, present: Vec<String>) {
        self.state().missing.push(Missing { base: base.to_owned(), key: key.to_owned(), present });
    }

    /// The latest thing looked for in vain that the failing expression names.
    pub(super) fn missing_in(&self, expression: &str) -> Option<Missing> {
        let mut state = self.state();
        let named = state.missing.iter().rposition(|missing| explain::names(expression, &missing.key));
        // A filter's error covers the filter's name only; what it was given was looked for last.
        let last = || {
            let function = |missing: &Missing| missing.base.is_empty() && filters::FUNCTIONS.contains(&missing.key.as_str());
            state.missing.iter().rposition(|missing| !function(missing))
        };
        let at = named.or_else(last)?;
        Some(state.missing.swap_remove(at))
    }

    pub(super) fn taint(&self, secret: bool) {
        self.state().secret |= secret;
    }

    /// Whether a secret has been touched.
    pub(super) fn secret(&self) -> bool {
        self.state().secret
    }

    /// Sets the taint and answers what it was.
    pub(super) fn swap_secret(&self, secret: bool) -> bool {
        std::mem::replace(&mut self.state().secret, secret)
    }

    /// The deepest paths that were read, and those read whole.
    pub(super) fn reads(&self) -> BTreeSet<String> {
        let state = self.state();
        let mut paths: BTreeSet<String> = BTreeSet::new();
        for (path, whole) in &state.reads {
            let below = format!("{path}.");
            let deeper = state.reads.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
            if *whole || !deeper {
                paths.insert(path.clone());
            }
        }
        paths
    }

    /// Keeps `error` as the outcome, and answers a value that ends the rendering.
    pub(super) fn fail(&self, error: Error) -> Mini {
        let mut state = self.state();
        if state.error.is_none() {
            state.error = Some(error);
        }
        unreadable()
    }

    pub(super) fn failed(&self) -> bool {
        self.state().error.is_some()
    }

    pub(super) fn take_error(&self) -> Option<Error> {
        self.state().error.take()
    }

    /// What a name stands for, for the template engine.
    pub(super) fn lookup(self: &Arc<Self>, name: &str, scope: &Scope, trail: &Trail) -> Option<Mini> {
        // What has failed is not tried again: the engine may ask twice, and twice at each level is for ever.
        if self.failed() {
            return Some(unreadable());
        }
        match scope.find(name) {
            Found::Missing => {
                self.missing("", name, scope.names().into_iter().collect());
                None
            }
            Found::Late(cause) => {
                self.read(name, true);
                Some(self.fail(Error::late(cause, name)))
            }
            Found::Value(binding) => {
                let root = binding.value.clone();
                Some(self.present(&root, &binding, &[], name, false, trail))
            }
        }
    }

    /// A value for the template engine: containers lazily, texts rendered. `steps` lead from the binding to `value`.
    pub(super) fn present(
        self: &Arc<Self>,
        value: &Value,
        binding: &Binding,
        steps: &[usize],
        path: &str,
        secret: bool,
        trail: &Trail,
    ) -> Mini {
        self.read(path, false);
        let secret = secret || value.secret;
        match &value.data {
            Data::Seq(_) | Data::Map(_) => Mini::from_object(Node {
                session: self.clone(),
                binding: binding.clone(),
                steps: steps.to_vec(),
                path: path.to_owned(),
                secret,
                trail: trail.clone(),
            }),
            Data::Str(text) => {
                self.taint(secret);
                match &binding.home {
                    Some(_) if self.failed() => unreadable(),
                    Some(home) if super::is_template(text) => {
                        let text = Text::new(text, value.origin.as_ref());
                        self.nested(&text, home, (binding.layer, path.to_owned()), trail)
                    }
                    _ => Mini::from(text.as_str()),
                }
            }
            // `0644` is a mode, an id, a PIN: what was written, not 644.
            Data::Int(_) if value.written().is_some_and(zero_led) => {
                self.taint(secret);
                Mini::from(value.written().unwrap_or_default())
            }
            _ => {
                self.taint(secret);
                convert::scalar(value)
            }
        }
    }

    /// Renders the text of a variable that is read.
    fn nested(self: &Arc<Self>, text: &Text<'_>, home: &Scope, key: Key, trail: &Trail) -> Mini {
        {
            let mut state = self.state();
            if let Some((value, secret)) = state.memo.get(&key) {
                let (value, secret) = (value.clone(), *secret);
                state.secret |= secret;
                return value;
            }
            let chain = |keys: &[Key]| {
                let at = keys.iter().position(|known| *known == key)?;
                Some(keys[at..].iter().map(|(_, path)| path.clone()).collect::<Vec<_>>())
            };
            if let Some(chain) = chain(&state.stack).or_else(|| chain(trail)) {
                drop(state);
                return self.fail(Error::Wrong(cycle(&chain, &key.1, text.span).into()));
            }
            if state.stack.len() >= MAX_NESTING || trail.len() >= MAX_NESTING {
                drop(state);
                let problem = Diagnostic::config(format!("more than {MAX_NESTING} variables stand in each other"))
                    .maybe_at(text.span)
                    .hint("write some of them out");
                return self.fail(Error::Wrong(problem.into()));
            }
            state.stack.push(key.clone());
        }
        let before = self.swap_secret(false);
        let result = self.run(text, home, &Arc::new(trail.iter().cloned().chain([key.clone()]).collect()));
        let secret = self.swap_secret(before);
        self.taint(secret);
        self.state().stack.pop();
        match result {
            Ok(value) => {
                // A container knows its own trail, so it is made anew.
                if value.as_object().is_none() {
                    self.state().memo.insert(key, (value.clone(), secret));
                }
                value
            }
            Err(error) => self.fail(error),
        }
    }

    /// Evaluates a text: one `{{ expression }}` to what it is, anything else to a text.
    pub(super) fn run(self: &Arc<Self>, text: &Text<'_>, scope: &Scope, trail: &Trail) -> Result<Mini, Error> {
        match super::single_expression(&self.engine.inner.texts, text.text) {
            Some(expression) => self.run_expression(expression, 2, text, scope, trail),
            None => self.run_text(text, scope, trail).map(Mini::from),
        }
    }

    /// Renders a text to a text.
    pub(super) fn run_text(self: &Arc<Self>, text: &Text<'_>, scope: &Scope, trail: &Trail) -> Result<String, Error> {
        let name = text.name();
        let result = self
            .engine
            .inner
            .texts
            .template_from_named_str(&name, text.text)
            .and_then(|template| template.render(self.root(scope, trail)));
        self.finish(result, text, 0, scope)
    }

    /// Evaluates an expression that begins `offset` bytes into `text`.
    pub(super) fn run_expression(
        self: &Arc<Self>,
        expression: &str,
        offset: usize,
        text: &Text<'_>,
        scope: &Scope,
        trail: &Trail,
    ) -> Result<Mini, Error> {
        let result =
            self.engine.inner.texts.compile_expression(expression).and_then(|compiled| compiled.eval(self.root(scope, trail)));
        let result = result.and_then(|value| if value.is_undefined() { Err(undefined()) } else { Ok(value) });
        self.finish(result, text, offset, scope)
    }

    /// The scope as the template engine sees it.
    pub(super) fn root(self: &Arc<Self>, scope: &Scope, trail: &Trail) -> Mini {
        Mini::from_object(Root { session: self.clone(), scope: scope.clone(), trail: trail.clone() })
    }

    /// Turns the engine's outcome into ours. A kept error counts even where the engine went on: it printed it.
    pub(super) fn finish<T>(
        self: &Arc<Self>,
        result: Result<T, minijinja::Error>,
        text: &Text<'_>,
        offset: usize,
        scope: &Scope,
    ) -> Result<T, Error> {
        let kept = self.take_error();
        match (kept, result) {
            (None, Ok(value)) => Ok(value),
            (None, Err(error)) => Err(Error::Wrong(explain::explain(self, &error, text, offset, scope))),
            (Some(error), result) => Err(explain::used_here(error, result.err().as_ref(), text, offset, &self.engine)),
        }
    }
}

fn zero_led(token: &str) -> bool {
    token.len() > 1 && token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit())
}

/// A value that ends the rendering that touches it.
fn unreadable() -> Mini {
    Mini::from(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "cannot be read"))
}

/// What strict reading says of an expression whose outcome is undefined.
fn undefined() -> minijinja::Error {
    minijinja::Error::from(minijinja::ErrorKind::UndefinedError)
}

fn cycle(chain: &[String], path: &str, span: Option<&Span>) -> Diagnostic {
    let mut names: Vec<_> = chain.iter().map(|name| format!("`{name}`")).collect();
    names.push(format!("`{path}`"));
    let message = match chain.len() {
        1 => format!("`{path}` is defined by itself"),
        _ => format!("variables are defined by each other: {}", names.join(" → ")),
    };
    Diagnostic::config(message).maybe_at(span).hint("give one of them a value of its own")
}

/// All problems of `error`, for callers that want only those.
impl From<Diagnostics> for Error {
    fn from(problems: Diagnostics) -> Self {
        Error::Wrong(problems)
    }
}
