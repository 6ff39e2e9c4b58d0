//! Templates: minijinja over our values, strict about what is undefined, lazy about what is read, and watchful of
//! secrets.
//!
//! - A variable's text may be a template itself. It is rendered when it is read, so that a variable that is never
//!   read can name what is not known yet.
//! - A text that is exactly one `{{ expression }}` keeps the expression's type.
//! - Every path read from the scope is reported: what was read of `facts` decides what must be checked again.
//! - A text that read a secret leaf is secret as a whole. Its neighbours in the same map are not.
//! - In template *files* a block tag takes its own line with it (`trim_blocks` and `lstrip_blocks`), as Ansible's
//!   do; in texts of YAML every blank counts. Both keep their last newline.

mod convert;
mod explain;
mod node;
mod place;
mod scope;
mod session;

pub(crate) use convert::{from_mini, to_mini};
pub use scope::Scope;

use super::diagnostic::Diagnostics;
use super::source::{Files, Span};
use super::value::{Data, Value};
use super::{Diagnostic, filters};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use place::Text;
use session::{Session, Trail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Steps that one template may take: a million-line file renders, an endless loop does not.
const FUEL: u64 = 10_000_000;

/// Renders texts, values and files. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    files: Arc<Files>,
    search: Vec<PathBuf>,
    /// For texts within YAML.
    texts: Environment<'static>,
    /// For template files.
    templates: Environment<'static>,
}

/// A rendered text.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// It read a secret: the whole text must not be shown.
    pub secret: bool,
    /// Dotted paths of what was read from the scope: `facts.os.family`.
    pub reads: BTreeSet<String>,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.secret { "‹masked›" } else { &self.text };
        f.debug_struct("Rendered").field("text", &text).field("reads", &self.reads).finish()
    }
}

/// A rendered value; what is secret in it says so itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The value, with the origins of what it was rendered from.
    pub value: Value,
    /// Dotted paths of what was read from the scope.
    pub reads: BTreeSet<String>,
}

/// Why something could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It reads what is known only later.
    Late {
        /// Why, as given to [`Scope::late`].
        cause: String,
        /// The dotted path that was read.
        name: String,
        /// Where it was read, if that is known.
        span: Option<Span>,
    },
    /// The user has to mend something.
    Wrong(Diagnostics),
}

impl Error {
    fn late(cause: String, name: &str) -> Self {
        Error::Late { cause, name: name.to_owned(), span: None }
    }

    /// The problems; lateness becomes one, for callers that cannot wait.
    pub fn into_diagnostics(self) -> Diagnostics {
        match self {
            Error::Wrong(problems) => problems,
            Error::Late { cause, name, span } => Diagnostic::config(format!("`{name}` is not known yet: {cause}"))
                .maybe_at(span.as_ref())
                .hint("read it in a task that runs after it is known")
                .into(),
        }
    }
}

impl Engine {
    /// An engine that reads templates through `files`, and looks for included ones in `search` when they are not
    /// beside the file that names them.
    pub fn new(files: Arc<Files>, search: Vec<PathBuf>) -> Self {
        let texts = environment(&files, &search, false);
        let templates = environment(&files, &search, true);
        Engine { inner: Arc::new(Inner { files, search, texts, templates }) }
    }

    /// Renders a text to a text. `span`: where it was written.
    ///
    /// # Errors
    /// [`Error`].
    pub fn render_text(&self, text: &str, span: Option<&Span>, scope: &Scope) -> Result<Rendered, Error> {
        let session = Session::new(self);
        let text = if is_template(text) { session.run_text(&Text::new(text, span), scope, &Trail::default())? } else { text.to_owned() };
        Ok(Rendered { text, secret: session.secret(), reads: session.reads() })
    }

    /// Renders all texts in a value; map keys stay as they are.
    ///
    /// # Errors
    /// [`Error`]: all problems of all its texts. Lateness is told only where nothing is wrong.
    pub fn render_value(&self, value: &Value, scope: &Scope) -> Result<Evaluated, Error> {
        let mut reads = BTreeSet::new();
        let value = self.render_into(value, scope, &mut reads)?;
        Ok(Evaluated { value, reads })
    }

    fn render_into(&self, value: &Value, scope: &Scope, reads: &mut BTreeSet<String>) -> Result<Value, Error> {
        let mut problems = Diagnostics::new();
        let mut late = None;
        let mut part = |value: &Value| match self.render_into(value, scope, reads) {
            Ok(value) => value,
            Err(Error::Wrong(wrong)) => {
                problems.0.extend(wrong.0);
                Value::null()
            }
            Err(error) => {
                late.get_or_insert(error);
                Value::null()
            }
        };
        let data = match &value.data {
            Data::Str(text) if is_template(text) => {
                let session = Session::new(self);
                let text = Text::new(text, value.origin.as_ref());
                let mini = session.run(&text, scope, &Trail::default())?;
                let mut rendered = self.realized(&session, &mini, &text, scope)?.tainted(value.secret);
                reads.extend(session.reads());
                rendered.origin = value.origin.clone().or(rendered.origin);
                return Ok(rendered);
            }
            Data::Seq(items) => Data::Seq(items.iter().map(&mut part).collect()),
            Data::Map(map) => Data::Map(map.iter().map(|(key, value)| (key.clone(), part(value))).collect()),
            other => other.clone(),
        };
        match (problems.is_empty(), late) {
            (false, _) => Err(Error::Wrong(problems)),
            (true, Some(late)) => Err(late),
            (true, None) => {
                Ok(Value { data, origin: value.origin.clone(), secret: value.secret, keys: value.keys.clone() })
            }
        }
    }

    /// Evaluates a bare expression: `when`, `loop`, `that`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn eval(&self, expression: &str, span: Option<&Span>, scope: &Scope) -> Result<Evaluated, Error> {
        let session = Session::new(self);
        let text = Text::new(expression, span);
        let mini = session.run_expression(expression, 0, &text, scope, &Trail::default())?;
        let value = self.realized(&session, &mini, &text, scope)?;
        Ok(Evaluated { value, reads: session.reads() })
    }

    fn realized(
        &self,
        session: &Arc<Session>,
        mini: &minijinja::Value,
        text: &Text<'_>,
        scope: &Scope,
    ) -> Result<Value, Error> {
        let value = session.finish(convert::realize(session, mini), text, 0, scope)?;
        Ok(value.tainted(session.secret()))
    }

    /// Renders a template file. `path` as it is, or in the search directories.
    ///
    /// # Errors
    /// [`Error`].
    pub fn render_file(&self, path: &Path, scope: &Scope) -> Result<Rendered, Error> {
        let found = self.find(path).unwrap_or_else(|| path.to_owned());
        let source = self.inner.files.read(&found).map_err(|error| unreadable(&found, &error))?;
        let span = Span::new(&source, 0..source.text.len());
        let session = Session::new(self);
        let name = found.display().to_string();
        let result = self
            .inner
            .templates
            .get_template(&name)
            .and_then(|template| template.render(session.root(scope, &Trail::default())));
        let text = session.finish(result, &Text::new(&source.text, Some(&span)), 0, scope)?;
        Ok(Rendered { text, secret: session.secret(), reads: session.reads() })
    }

    /// The file that `path` means: itself, or the first in the search directories.
    pub fn find(&self, path: &Path) -> Option<PathBuf> {
        locate(&self.inner.files, &self.inner.search, None, path)
    }

    /// Whether a text can be read as a template at all; contacts no variable.
    ///
    /// # Errors
    /// The syntax error, or an unknown filter or test where the engine can tell.
    pub fn check_syntax(&self, text: &str, span: Option<&Span>) -> Result<(), Diagnostics> {
        let text = Text::new(text, span);
        let result = self.inner.texts.template_from_named_str(&text.name(), text.text).map(drop);
        result.map_err(|error| explain::explain(&Session::new(self), &error, &text, 0, &Scope::default()))
    }

    /// The same for a bare expression.
    ///
    /// # Errors
    /// The syntax error.
    pub fn check_expression(&self, expression: &str, span: Option<&Span>) -> Result<(), Diagnostics> {
        let text = Text::new(expression, span);
        let result = self.inner.texts.compile_expression(expression).map(drop);
        result.map_err(|error| explain::explain(&Session::new(self), &error, &text, 0, &Scope::default()))
    }
}

/// Whether a value counts as true: not nothing, not false, not zero, not empty.
pub fn truthy(value: &Value) -> bool {
    match &value.data {
        Data::Null => false,
        Data::Bool(truth) => *truth,
        Data::Int(number) => *number != 0,
        Data::Float(number) => *number != 0.0,
        Data::Str(text) => !text.is_empty(),
        Data::Seq(items) => !items.is_empty(),
        Data::Map(map) => !map.is_empty(),
    }
}

/// Whether a text has anything to render.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The names that a text reads from the scope, as far as can be told without rendering it; empty where it cannot be
/// read. Names that its variables' own texts read are not among them.
pub fn names_read(text: &str) -> BTreeSet<String> {
    let environment = Environment::new();
    let names = environment.template_from_str(text).map(|template| template.undeclared_variables(false));
    names.unwrap_or_default().into_iter().collect()
}

/// The same for a bare expression.
pub fn names_read_by_expression(expression: &str) -> BTreeSet<String> {
    let environment = Environment::new();
    let names = environment.compile_expression(expression).map(|compiled| compiled.undeclared_variables(false));
    names.unwrap_or_default().into_iter().collect()
}

/// The expression of a text that is exactly one `{{ expression }}`.
fn single_expression<'t>(environment: &Environment<'_>, text: &'t str) -> Option<&'t str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    if inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']) {
        return None;
    }
    environment.compile_expression(inner).is_ok().then_some(inner)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path; templates are looked for beside the playbook and in `templates/`",
        std::io::ErrorKind::InvalidData => "a template must be UTF-8 text; `copy` takes any file",
        _ => "check that you may read it",
    };
    Error::Wrong(Diagnostic::config(format!("the template {} cannot be read: {error}", path.display())).hint(hint).into())
}

/// Finds `name` beside `from`, then as it is, then in `search`.
fn locate(files: &Files, search: &[PathBuf], from: Option<&Path>, name: &Path) -> Option<PathBuf> {
    let beside = from.and_then(Path::parent).map(|dir| dir.join(name));
    let mut places = beside.into_iter().chain([name.to_owned()]).chain(search.iter().map(|dir| dir.join(name)));
    places.find(|path| !matches!(files.read(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound))
}

fn environment(files: &Arc<Files>, search: &[PathBuf], blocks: bool) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder()
        .trim_blocks(blocks)
        .lstrip_blocks(blocks)
        .keep_trailing_newline(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    let (reader, dirs) = (files.clone(), search.to_vec());
    environment.set_path_join_callback(move |name, parent| {
        match locate(&reader, &dirs, Some(Path::new(parent)), Path::new(name)) {
            Some(path) => path.display().to_string().into(),
            None => name.to_owned().into(),
        }
    });
    let reader = files.clone();
    environment.set_loader(move |name| match reader.read(Path::new(name)) {
        Ok(source) => Ok(Some(source.text.clone())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(minijinja::Error::new(
            minijinja::ErrorKind::InvalidOperation,
            format!("the template {name} cannot be read: {error}"),
        )),
    });
    filters::add(&mut environment);
    environment
}

#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod fuzz_tests;
