//! JSON Schema of inventories, playbooks and roles, for editors; made from the tables that the loader itself uses.

use super::keys as play;
use crate::inventory::fields::{Key, Shape};
use crate::inventory::keys as who;
use crate::resource::{KINDS, KindSpec, Param, Ty};
use serde_json::{Map, Value, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Of an inventory.
pub fn inventory() -> Value {
    let or_nothing = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let mut top = object(&who::top());
    set(&mut top, "groups", json!({"type": "object", "additionalProperties": or_nothing(object(&who::group()))}));
    set(&mut top, "hosts", json!({"type": "object", "additionalProperties": or_nothing(object(&who::host()))}));
    document(top, "An inventory of homelab", json!({}))
}

/// Of a playbook.
pub fn playbook() -> Value {
    let mut a_play = object(play::PLAY);
    a_play["required"] = json!(["hosts"]);
    document(json!({"type": "array", "items": a_play}), "A playbook of homelab", definitions())
}

/// Of a `role.yaml`.
pub fn role() -> Value {
    let mut role = object(play::ROLE);
    set(&mut role, "params", json!({"type": "object", "additionalProperties": object(play::PARAM)}));
    document(role, "A role of homelab", definitions())
}

/// Of a file of tasks, for `include:`.
pub fn tasks() -> Value {
    document(json!({"$ref": "#/$defs/tasks"}), "Tasks of homelab", definitions())
}

fn document(mut schema: Value, title: &str, definitions: Value) -> Value {
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!(title);
    if definitions.as_object().is_some_and(|map| !map.is_empty()) {
        schema["$defs"] = definitions;
    }
    schema
}

fn set(object: &mut Value, key: &str, mut schema: Value) {
    if let Some(help) = object["properties"][key].get("description") {
        schema["description"] = help.clone();
    }
    object["properties"][key] = schema;
}

fn definitions() -> Value {
    let mut task = object(&[play::TASK, play::ACTIONS, &[play::WITH]].concat());
    for kind in KINDS {
        task["properties"][kind.name] = resource(kind);
    }
    set(&mut task, "register", json!({"anyOf": [{"type": "string"}, object(play::REGISTER)]}));
    set(&mut task, "assert", json!({"anyOf": [expression(), object(play::ASSERT)]}));
    let actions = play::ACTIONS.iter().map(|key| key.name).chain(KINDS.iter().map(|kind| kind.name));
    task["oneOf"] = actions.map(|name| json!({"required": [name]})).collect();
    json!({"task": task, "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}}})
}

fn object(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut schema = shape(key.shape);
            schema["description"] = json!(key.help);
            (key.name.to_owned(), schema)
        })
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn expression() -> Value {
    json!({"anyOf": [{"type": ["string", "boolean"]}, {"type": "array", "items": {"type": ["string", "boolean"]}}]})
}

fn seconds() -> Value {
    json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]})
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": ["string", "number", "boolean"]}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int => json!({"type": "integer"}),
        Shape::Seconds => seconds(),
        Shape::SecondsOrNot => json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}, {"const": false}]}),
        Shape::Texts => texts(),
        Shape::List => json!({"type": "array"}),
        Shape::Map => json!({"type": "object"}),
        Shape::Expression => expression(),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::Tasks => json!({"$ref": "#/$defs/tasks"}),
        Shape::Any => json!({}),
    }
}

fn texts() -> Value {
    let text = json!({"type": ["string", "number", "boolean"]});
    json!({"anyOf": [text, {"type": "array", "items": text}]})
}

fn resource(kind: &KindSpec) -> Value {
    let mut properties = Map::new();
    for param in kind.params {
        for name in std::iter::once(&param.name).chain(param.aliases) {
            properties.insert((*name).to_owned(), parameter(param, name));
        }
    }
    let mut object = json!({"type": "object", "properties": properties, "additionalProperties": false});
    // An alias will do as well, so a parameter that has one cannot be asked for by name.
    let required: Vec<&str> = kind.params.iter().filter(|p| p.required && p.aliases.is_empty()).map(|p| p.name).collect();
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    let mut forms = vec![object];
    if let Some(bare) = kind.params.iter().find(|p| p.name == kind.bare) {
        forms.push(ty(bare.ty));
    }
    json!({"description": kind.summary, "anyOf": forms})
}

fn parameter(param: &Param, name: &str) -> Value {
    let template = json!({"type": "string", "pattern": "\\{\\{"});
    let mut schema = json!({"anyOf": [ty(param.ty), template]});
    let mut help = param.help.to_owned();
    if name != param.name {
        help = format!("The same as `{}`. {help}", param.name);
    }
    if !param.default.is_empty() {
        help = format!("{help} Default: {}.", param.default);
    }
    schema["description"] = json!(help);
    schema
}

fn ty(ty: Ty) -> Value {
    match ty {
        Ty::Str | Ty::LocalFile | Ty::Template => json!({"type": ["string", "number", "boolean"]}),
        Ty::Bool => json!({"enum": [true, false, "yes", "no", "on", "off"]}),
        Ty::Int => json!({"type": "integer"}),
        Ty::Mode => json!({"type": ["string", "integer"]}),
        Ty::Path => json!({"type": "string", "pattern": "^(/|.*\\{\\{)"}),
        Ty::Strs => texts(),
        Ty::StrMap => json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
        Ty::Choice(words) => json!({"enum": words}),
        Ty::Duration => seconds(),
        Ty::Any => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that the loader takes is in the schema, and so is every resource.
    #[test]
    fn nothing_is_left_out() {
        let schema = playbook();
        let task = &schema["$defs"]["task"]["properties"];
        for name in play::TASK.iter().chain(play::ACTIONS).map(|k| k.name).chain(KINDS.iter().map(|k| k.name)) {
            assert!(task[name]["description"].is_string(), "{name}");
        }
        assert_eq!(schema["items"]["properties"]["serial"]["description"], play::PLAY[2].help);
        let inventory = inventory();
        assert!(inventory["properties"]["hosts"]["additionalProperties"]["anyOf"][0]["properties"]["jump"].is_object());
        assert!(role()["properties"]["params"]["additionalProperties"]["properties"]["choices"].is_object());
        assert!(tasks()["$defs"]["task"].is_object());
    }

    #[test]
    fn references_lead_somewhere() {
        fn walk(value: &Value, root: &Value) {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                assert!(root.pointer(target.trim_start_matches('#')).is_some(), "{target}");
            }
            match value {
                Value::Object(map) => map.values().for_each(|value| walk(value, root)),
                Value::Array(items) => items.iter().for_each(|value| walk(value, root)),
                _ => {}
            }
        }
        for schema in [inventory(), playbook(), role(), tasks()] {
            walk(&schema, &schema);
        }
    }
}
