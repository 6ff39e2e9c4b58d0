//! Arguments of a case, checked and loaded by the playbook layer itself: only the rendering is left out, for cases
//! hold rendered values.

use homelab::lang::{Diagnostics, Files, Source, Span, Value as Raw, yaml};
use homelab::playbook::args::{Render, Trouble, check};
use homelab::playbook::local::Local;
use homelab::playbook::model::Home;
use homelab::resource::{Args, KindSpec};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// A case as values that know their places.
pub fn raw(name: &Path, text: &str) -> Result<Raw, Diagnostics> {
    yaml::parse(&Arc::new(Source { name: name.display().to_string(), text: text.to_owned() }))
}

/// The arguments in `params`, with the `files` and `secrets` of `case`; `Err` has the messages of what is wrong.
pub fn args(spec: &'static KindSpec, params: &Raw, case: &Map<String, Value>) -> Result<Args, Vec<String>> {
    let secrets: Vec<String> = case.get("secrets").and_then(Value::as_array).into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let mut params = params.clone();
    if let homelab::lang::Data::Map(map) = &mut params.data {
        for (_, value) in map.iter_mut().filter(|(name, _)| secrets.contains(name)) {
            value.secret = true;
        }
    }
    let here = tempfile::tempdir().map_err(|e| vec![e.to_string()])?;
    for (name, file) in case.get("files").and_then(Value::as_object).into_iter().flatten() {
        write(here.path(), name, file).map_err(|e| vec![format!("files: {name}: {e}")])?;
    }
    let home = Home { dir: here.path().to_owned(), ..Home::default() };
    let local = Local { files: &Files::on_disk(), cache: &Default::default(), identities: &homelab::lang::secret::Identities::none() };
    let mut args = check(spec, &params, params.origin.as_ref(), &home, &local, &mut AsItIs { secret: secrets.iter().any(|name| name == "src") })
        .map_err(|trouble| match trouble {
            Trouble::Wrong(problems) => messages(&problems),
            Trouble::Late { cause, .. } => vec![format!("waits for {cause}")],
        })?;
    args.handler = case.get("handler") == Some(&Value::Bool(true));
    Ok(args)
}

/// The messages of `problems`; one without a place or a hint says so, and no case expects that.
pub fn messages(problems: &Diagnostics) -> Vec<String> {
    let show = |d: &homelab::lang::Diagnostic| {
        let mut message = d.message.clone();
        if d.hint.is_none() {
            message.push_str(" (without a hint)");
        }
        if d.span.is_none() {
            message.push_str(" (without a place)");
        }
        message
    };
    problems.0.iter().map(show).collect()
}

/// A text is a file, `{zeros: COUNT}` a large one, a map of these a directory; null is an empty one.
fn write(dir: &Path, name: &str, file: &Value) -> std::io::Result<()> {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
    match (file, file.get("zeros").and_then(Value::as_u64)) {
        (_, Some(count)) => std::fs::write(path, vec![0; count as usize]),
        (Value::Object(entries), _) => {
            std::fs::create_dir_all(&path)?;
            entries.iter().try_for_each(|(name, file)| write(&path, name, file))
        }
        (Value::Null, _) => std::fs::create_dir_all(path),
        (text, _) => std::fs::write(path, text.as_str().unwrap_or_default()),
    }
}

struct AsItIs {
    secret: bool,
}

impl Render for AsItIs {
    fn value(&mut self, value: &Raw) -> Result<Raw, Trouble> {
        Ok(value.clone())
    }

    fn file(&mut self, path: &Path, _: Option<&Span>) -> Result<(String, bool), Trouble> {
        Ok((std::fs::read_to_string(path).unwrap_or_default(), self.secret))
    }
}
