//! The language: source text with spans, YAML, templates, values, secrets, diagnostics. Knows nothing of hosts.

pub mod diagnostic;
pub mod duration;
pub mod elsewhere;
pub mod filters;
pub mod mask;
pub mod mode;
mod render;
pub mod secret;
pub mod source;
pub mod suggest;
pub mod template;
pub mod value;
pub mod yaml;
mod yaml_hint;

pub use diagnostic::{Diagnostic, Diagnostics, Kind};
pub use mask::Masker;
pub use render::printable;
pub use source::{Files, Source, Span};
pub use template::{Engine, Scope};
pub use value::{Data, Value};
