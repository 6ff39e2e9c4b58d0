//! The objects of a Kubernetes manifest, as far as homelab must know them: what names them, and their text.

use crate::lang::{Data, Source, Value, yaml};
use std::sync::Arc;

/// Kinds that are in no namespace. Of others that are not either, the cluster knows by itself.
const OF_THE_CLUSTER: [&str; 12] = [
    "APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node",
    "PersistentVolume", "PriorityClass", "StorageClass", "ValidatingWebhookConfiguration",
];

/// What names an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// `apps/v1`.
    pub version: String,
    pub kind: String,
    /// Empty: of the cluster, or the context's own.
    pub namespace: String,
    pub name: String,
}

/// An object and its document, as it was written.
#[derive(Debug)]
pub(super) struct Object {
    pub named: Named,
    pub text: String,
    /// As people read it.
    pub shown: String,
}

impl Named {
    /// As the record has it.
    pub fn line(&self) -> String {
        let namespace = if self.namespace.is_empty() { "-" } else { &self.namespace };
        format!("{} {} {namespace} {}", self.version, self.kind, self.name)
    }

    /// From such a line.
    pub fn read(line: &str) -> Option<Named> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let [version, kind, namespace, name] = <[String; 4]>::try_from(words).ok()?;
        Some(Named { version, kind, namespace: if namespace == "-" { String::new() } else { namespace }, name })
    }

    /// A document that names it and says nothing else, for kubectl to find or delete it by.
    pub fn document(&self) -> String {
        let mut metadata = serde_json::json!({ "name": self.name });
        if !self.namespace.is_empty() {
            metadata["namespace"] = self.namespace.as_str().into();
        }
        serde_json::json!({ "apiVersion": self.version, "kind": self.kind, "metadata": metadata }).to_string()
    }

    /// One and the same, perhaps by another version of its kind.
    pub fn is(&self, other: &Named) -> bool {
        (&self.kind, &self.namespace, &self.name) == (&other.kind, &other.namespace, &other.name) && self.group() == other.group()
    }

    fn group(&self) -> &str {
        self.version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// What kubectl's diff calls it.
    pub fn file(&self) -> String {
        format!("{}.{}.{}.{}", self.version.replace('/', "."), self.kind, self.namespace, self.name)
    }

    /// Whether kubectl's diff calls it `file`: group, version, kind, namespace and name, with dots between. The namespace that it names
    /// is the context's where nothing else is said.
    pub fn is_file(&self, file: &str) -> bool {
        let start = format!("{}.{}.", self.version.replace('/', "."), self.kind);
        let Some((namespace, name)) = file.strip_prefix(&start).and_then(|rest| rest.split_once('.')) else { return false };
        // Not every file system takes a colon.
        (name == self.name || name == self.name.replace(':', "-")) && (namespace == self.namespace || self.namespace.is_empty() || namespace.is_empty())
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.kind, self.namespace, self.name)
    }
}

/// What is wrong with a manifest: a message and a hint.
pub(super) type Wrong = (String, &'static str);

/// The objects that `value` (a map, a list of such, or a text) says, those without a namespace in `namespace`.
pub(super) fn of_value(value: &Value, namespace: Option<&str>) -> Result<Vec<Object>, Wrong> {
    match &value.data {
        Data::Str(text) => of_text(text, namespace, value.is_secret()),
        Data::Seq(items) => items.iter().map(|item| of_map(item, namespace)).collect(),
        _ => Ok(vec![of_map(value, namespace)?]),
    }
}

/// As JSON: what kubectl takes for truth values in YAML (`yes`, `on`) are texts here.
fn of_map(value: &Value, namespace: Option<&str>) -> Result<Object, Wrong> {
    let text = serde_json::to_string(value).map_err(|_| ("the object cannot be written as JSON".to_owned(), "its numbers are finite"))?;
    Ok(Object { named: named(value, namespace)?, text, shown: yaml::to_yaml(value) })
}

/// The documents of a text, each as it was written.
pub(super) fn of_text(text: &str, namespace: Option<&str>, secret: bool) -> Result<Vec<Object>, Wrong> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            Some(rest) => documents.push(rest.trim_start().to_owned()),
            None => documents.last_mut().into_iter().for_each(|last| last.push_str(line)),
        }
    }
    let mut objects = Vec::new();
    for document in documents {
        let source = Source { name: "manifest".into(), text: document.clone() };
        let value = yaml::parse(&Arc::new(source)).map_err(|found| {
            let why = found.0.first().filter(|_| !secret).map_or("this is not YAML", |problem| &problem.message);
            (format!("in the manifest: {why}"), "quote what a template puts into it: `{{ x | to_json }}`")
        })?;
        if !value.is_null() {
            let shown = document.trim_matches('\n').to_owned();
            objects.push(Object { named: named(&value, namespace)?, text: document, shown });
        }
    }
    Ok(objects)
}

fn named(value: &Value, namespace: Option<&str>) -> Result<Named, Wrong> {
    let word = |value: Option<&Value>| value.and_then(Value::as_str).filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control())).map(str::to_owned);
    let metadata = value.get("metadata");
    let get = |key: &str| word(metadata.and_then(|metadata| metadata.get(key)));
    let (Some(version), Some(kind)) = (word(value.get("apiVersion")), word(value.get("kind"))) else {
        return Err(("a document of the manifest is no object of Kubernetes'".into(), "each has `apiVersion`, `kind` and `metadata`"));
    };
    if kind == "List" {
        return Err(("the manifest has a `List` in it".into(), "write its items as documents of their own"));
    }
    let Some(name) = get("name") else {
        return Err((format!("a {kind} of the manifest has no name"), "give it `metadata.name`: what was applied is known by it"));
    };
    let own = get("namespace");
    match (&own, namespace) {
        (Some(own), Some(wished)) if own != wished => Err((format!("the {kind} {name} is in the namespace {own}, the task says {wished}"), "leave `namespace` out of the one or the other")),
        _ if OF_THE_CLUSTER.contains(&kind.as_str()) => Ok(Named { version, kind, namespace: String::new(), name }),
        _ => Ok(Named { version, kind, namespace: own.or(namespace.map(str::to_owned)).unwrap_or_default(), name }),
    }
}

/// How an object's documents are waited for, if they are.
pub(super) fn waited(named: &Named) -> Option<&'static str> {
    match named.kind.as_str() {
        "DaemonSet" | "Deployment" | "StatefulSet" => Some("rollout"),
        "Pod" => Some("ready"),
        "Job" => Some("complete"),
        _ => None,
    }
}

/// What the record is to be: what names the objects, and then the manifest.
pub(super) fn record(objects: &[Object]) -> String {
    let names: String = objects.iter().map(|object| format!("# homelab: {}\n", object.named.line())).collect();
    names + &manifest(objects.iter())
}

/// The documents as one text.
pub(super) fn manifest<'a>(objects: impl Iterator<Item = &'a Object>) -> String {
    objects.map(|object| format!("---\n{}\n", object.text.trim_end_matches('\n'))).collect()
}

/// What kubectl and the node's record say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The record's digest, if there is one.
    pub record: Option<String>,
    /// An apply was begun and not ended.
    pub begun: bool,
    pub recorded: Vec<Named>,
    /// By the names that kubectl's diff gives: `None` is not there, else the lines that differ.
    pub other: Vec<(String, Option<Vec<String>>)>,
}

impl Standing {
    /// From the answer of `look`; an answer without its end is none.
    pub fn read(text: &str) -> Option<Standing> {
        let mut standing = Standing::default();
        let mut ended = false;
        for line in text.lines() {
            if ended {
                return None;
            }
            match (line.split_once(' ').unwrap_or((line, "")), line.chars().next(), standing.other.last_mut()) {
                (_, Some(' ' | '+' | '-'), Some((_, Some(lines)))) => lines.push(line.to_owned()),
                (("record", digest), ..) => standing.record = Some(digest.to_owned()),
                (("begun", _), ..) => standing.begun = true,
                (("was", line), ..) => {
                    let named = Named::read(line)?;
                    if !standing.recorded.contains(&named) {
                        standing.recorded.push(named);
                    }
                }
                (("new", file), ..) => standing.other.push((file.to_owned(), None)),
                (("changed", file), ..) => standing.other.push((file.to_owned(), Some(Vec::new()))),
                (("end", _), ..) => ended = true,
                _ => return None,
            }
        }
        ended.then_some(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stay_as_they_were_written() {
        let text = "# a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    y: yes\n--- # two\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: web}\n";
        let objects = of_text(text, None, false).unwrap();
        let names: Vec<String> = objects.iter().map(|object| object.named.to_string()).collect();
        assert_eq!(names, ["ConfigMap a", "Deployment web/b"]);
        assert!(objects[0].text.ends_with("  x: |\n    ---\n    y: yes\n"), "{}", objects[0].text);
        assert_eq!(Named::read(&objects[1].named.line()), Some(objects[1].named.clone()));
    }

    #[test]
    fn an_object_is_known_by_what_kubectl_calls_it() {
        let named = |line| Named::read(line).unwrap();
        let set = named("apps/v1 StatefulSet - web.one");
        assert!(set.is_file("apps.v1.StatefulSet.default.web.one") && !set.is_file("apps.v1.StatefulSet.default.web"));
        assert!(!named("apps/v1 StatefulSet a web").is_file("apps.v1.StatefulSet.b.web"));
        assert!(named("v1 Namespace - web").is_file("v1.Namespace..web"));
        assert!(named("extensions/v1 Ingress a x").is(&named("extensions/v1beta1 Ingress a x")));
        assert!(!named("extensions/v1 Ingress a x").is(&named("networking.k8s.io/v1 Ingress a x")));
    }

    #[test]
    fn an_answer_is_read() {
        let standing = Standing::read("record beef\nwas v1 ConfigMap - a\nwas v1 ConfigMap - a\nchanged v1.ConfigMap.default.a\n data:\n-  k: a\n+  end: b\nnew v1.Namespace..web\nend\n").unwrap();
        assert_eq!((standing.record.as_deref(), standing.recorded.len()), (Some("beef"), 1));
        assert_eq!(standing.other[0].1.as_ref().unwrap().len(), 3);
        assert_eq!(standing.other[1], ("v1.Namespace..web".to_owned(), None));
        for bad in ["", "record beef\n", "was x\nend\n", "end\nrecord x\n", " data:\nend\n"] {
            assert_eq!(Standing::read(bad), None, "{bad:?}");
        }
    }
}
