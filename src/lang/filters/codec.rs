//! To and from YAML, JSON and base64; digests.

use super::{text_of, wrong};
use crate::lang::source::Source;
use crate::lang::template::{from_mini, to_mini};
use crate::lang::value::{Data, Value as Ours};
use crate::lang::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use sha1::Digest as _;
use std::sync::Arc;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("to_yaml", to_yaml);
    environment.add_filter("to_nice_yaml", to_yaml);
    environment.add_filter("from_yaml", from_yaml);
    environment.add_filter("to_json", to_json);
    environment.add_filter("to_nice_json", to_nice_json);
    environment.add_filter("from_json", from_json);
    environment.add_filter("b64encode", |value: &Value| text_of("b64encode", value).map(|text| STANDARD.encode(text)));
    environment.add_filter("b64decode", b64decode);
    environment.add_filter("hash", hash);
}

/// Without its last newline: the template's line has one.
fn to_yaml(value: &Value) -> Result<String, Error> {
    Ok(yaml::to_yaml(&from_mini(value)?).trim_end_matches('\n').to_owned())
}

fn from_yaml(value: &Value) -> Result<Value, Error> {
    let text = text_of("from_yaml", value)?;
    let source = Arc::new(Source { name: "from_yaml".into(), text });
    match yaml::parse(&source) {
        Ok(value) => Ok(to_mini(&value)),
        Err(problems) => {
            let first = problems.0.first().map(|problem| {
                let line = problem.span.as_ref().map_or(1, |span| span.line_column().0);
                format!("{} (in its line {line})", problem.message)
            });
            Err(wrong(format!("`from_yaml` cannot read the text: {}", first.unwrap_or_default())))
        }
    }
}

/// On one line; `indent=2` on several.
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    json(value, indent)
}

fn to_nice_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    json(value, Some(indent.unwrap_or(4)))
}

fn json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let value = from_mini(value)?;
    let failed = |error: serde_json::Error| wrong(format!("`to_json` cannot write the value: {error}"));
    let Some(indent) = indent else { return serde_json::to_string(&value).map_err(failed) };
    let blanks = " ".repeat(indent.min(16));
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(blanks.as_bytes());
    serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut out, formatter)).map_err(failed)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn from_json(value: &Value) -> Result<Value, Error> {
    let text = text_of("from_json", value)?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("`from_json` cannot read the text: {error}")))?;
    Ok(to_mini(&ours(parsed)))
}

/// A JSON value as one of ours.
fn ours(json: serde_json::Value) -> Ours {
    use serde_json::Value as J;
    match json {
        J::Null => Data::Null,
        J::Bool(truth) => Data::Bool(truth),
        J::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Data::Int(whole),
            (None, Some(float)) => Data::Float(float),
            (None, None) => Data::Str(number.to_string()),
        },
        J::String(text) => Data::Str(text),
        J::Array(items) => Data::Seq(items.into_iter().map(ours).collect()),
        J::Object(map) => Data::Map(map.into_iter().map(|(key, value)| (key, ours(value))).collect()),
    }
    .into()
}

fn b64decode(value: &Value) -> Result<String, Error> {
    let text = text_of("b64decode", value)?;
    let clean: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(clean).map_err(|error| wrong(format!("`b64decode` cannot read the text: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("`b64decode`: what it decodes to is not UTF-8 text"))
}

fn hash(value: &Value, algorithm: Option<&str>) -> Result<String, Error> {
    let text = text_of("hash", value)?;
    match algorithm.unwrap_or("sha256") {
        "sha256" => Ok(hex(&sha2::Sha256::digest(text))),
        "sha512" => Ok(hex(&sha2::Sha512::digest(text))),
        "sha1" => Ok(hex(&sha1::Sha1::digest(text))),
        other => Err(wrong(format!("`hash` knows sha256, sha512 and sha1, not `{other}`"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
