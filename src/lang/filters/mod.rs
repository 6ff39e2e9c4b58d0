//! What templates can do to a value beyond minijinja's own filters. Ansible's names where Ansible has the same.
//!
//! An error says what was given; the template engine withholds that where a secret was read.

mod codec;
mod htpasswd;
mod net;
mod patch;
mod text;

pub use text::shell_quote;

use minijinja::{Environment, Error, ErrorKind, Value};

/// Every filter there is, for "did you mean".
pub const NAMES: &[&str] = &[
    "abs", "address", "attr", "b64decode", "b64encode", "basename", "batch", "bool", "broadcast", "capitalize", "chain",
    "count", "d", "default", "dictsort", "dirname", "e", "escape", "first", "float", "format", "from_json", "from_yaml",
    "groupby", "hash", "host", "htpasswd", "in_network", "indent", "int", "items", "join", "last", "length", "lines", "list",
    "lower", "mandatory", "map", "max", "min", "netmask", "network", "pprint", "prefixlen", "quote", "regex_replace",
    "regex_search", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice",
    "sort", "split", "string", "sum", "title", "to_json", "to_nice_json", "to_nice_yaml", "to_yaml", "tojson", "trim",
    "unique", "upper", "urlencode", "yaml_set", "zip",
];

/// Every test, likewise.
pub const TESTS: &[&str] = &[
    "boolean", "defined", "divisibleby", "endingwith", "eq", "equalto", "escaped", "even", "false",
    "filter", "float", "ge", "greaterthan", "gt", "in", "int", "integer", "iterable", "le", "lessthan", "lower", "lt",
    "mapping", "ne", "none", "number", "odd", "safe", "sameas", "sequence", "startingwith", "string", "test", "true",
    "undefined", "upper",
];

/// Every function, likewise.
pub const FUNCTIONS: &[&str] = &["debug", "dict", "namespace", "range"];

/// Adds ours to an environment.
pub(crate) fn add(environment: &mut Environment<'static>) {
    codec::add(environment);
    htpasswd::add(environment);
    net::add(environment);
    patch::add(environment);
    text::add(environment);
}

/// The error of a wrong input.
fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// The input as a text; numbers and truth values as they print.
fn text_of(filter: &str, value: &Value) -> Result<String, Error> {
    use minijinja::value::ValueKind as V;
    match value.kind() {
        V::String | V::Number | V::Bool => Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        V::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        kind => Err(wrong(format!("`{filter}` wants a text, not a {kind}"))),
    }
}

#[cfg(test)]
mod tests;
