//! As much of the Kubernetes API as kubectl asks for when it applies, compares, gets, deletes and waits: a server that keeps objects, so
//! that the real kubectl can be a judge. It knows nothing of fields: an object is what was last applied.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const KINDS: [(&str, &str, &str, &str, bool); 4] = [
    ("api/v1", "", "configmaps", "ConfigMap", true),
    ("api/v1", "", "secrets", "Secret", true),
    ("apis/apps/v1", "apps", "deployments", "Deployment", true),
    // Last: the word is in the paths of the others, too.
    ("api/v1", "", "namespaces", "Namespace", false),
];

#[derive(Default)]
struct Kept {
    /// By their paths.
    objects: BTreeMap<String, Value>,
    /// Paths of what somebody else manages.
    foreign: Vec<String>,
    count: u64,
    deleted: Vec<String>,
}

/// A cluster, with what it was asked to delete.
pub struct Cluster {
    pub url: String,
    kept: Arc<Mutex<Kept>>,
}

impl Cluster {
    /// One with an empty namespace `default`.
    pub fn new() -> Cluster {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kept = Arc::new(Mutex::new(Kept::default()));
        kept.lock().unwrap().objects.insert("api/v1/namespaces/default".into(), json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "first"}}));
        let cluster = Cluster { url: format!("http://{}", listener.local_addr().unwrap()), kept: kept.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || serve(&stream, &kept));
            }
        });
        cluster
    }

    /// The paths of what it holds.
    pub fn holds(&self) -> Vec<String> {
        self.kept.lock().unwrap().objects.keys().cloned().collect()
    }

    /// The paths of what was deleted since it was last asked.
    pub fn deleted(&self) -> Vec<String> {
        std::mem::take(&mut self.kept.lock().unwrap().deleted)
    }

    /// From now on somebody else manages what is at `path`.
    pub fn is_foreign(&self, path: &str) {
        self.kept.lock().unwrap().foreign.push(path.to_owned());
    }
}

/// Requests of one connection; ends with it.
fn serve(stream: &TcpStream, kept: &Mutex<Kept>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).is_err() || header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let (path, query) = target.trim_start_matches('/').split_once('?').unwrap_or((target.trim_start_matches('/'), ""));
        let (code, answer) = answer(&method, path, query, &body, &mut kept.lock().unwrap());
        let text = answer.to_string();
        let head = format!("HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", text.len());
        if writer.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}))
}

fn answer(method: &str, path: &str, query: &str, body: &[u8], kept: &mut Kept) -> (u16, Value) {
    let version = |group: &str| group.split_once('/').map_or(String::new(), |(_, version)| version.to_owned());
    let of = |group: &str| KINDS.into_iter().filter(move |kind| kind.0 == group).collect::<Vec<_>>();
    match path {
        "version" => return (200, json!({"major": "1", "minor": "32", "gitVersion": "v1.32.0"})),
        "api" => return (200, json!({"kind": "APIVersions", "versions": ["v1"]})),
        "apis" => {
            let apps = json!({"groupVersion": "apps/v1", "version": "v1"});
            return (200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [{"name": "apps", "versions": [apps], "preferredVersion": apps}]}));
        }
        "api/v1" | "apis/apps/v1" => {
            let resources: Vec<Value> = of(path).iter().map(|(.., many, kind, inside)| json!({"name": many, "singularName": kind.to_lowercase(), "kind": kind, "namespaced": inside, "verbs": ["get", "list", "watch", "patch", "delete"]})).collect();
            return (200, json!({"kind": "APIResourceList", "groupVersion": version(path), "resources": resources}));
        }
        "openapi/v3" => return (200, json!({"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}, "apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1"}}})),
        _ => {}
    }
    if let Some(group) = path.strip_prefix("openapi/v3/") {
        // Only that the server itself looks for unknown fields.
        let paths: serde_json::Map<String, Value> = of(group)
            .iter()
            .map(|(_, name, many, kind, _)| {
                let gvk = json!({"group": name, "version": "v1", "kind": kind});
                let parameters = json!([{"name": "dryRun", "in": "query"}, {"name": "fieldValidation", "in": "query"}]);
                (format!("/{group}/{many}/{{name}}"), json!({"patch": {"x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": gvk, "parameters": parameters}}))
            })
            .collect();
        return (200, json!({"openapi": "3.0.0", "info": {"title": "x", "version": "1"}, "paths": paths, "components": {"schemas": {}}}));
    }
    let Some((group, _, many, kind, inside)) = KINDS.into_iter().find(|(group, _, many, ..)| path.starts_with(group) && path.split('/').any(|part| part == *many)) else {
        return status(404, "NotFound", "the server could not find the requested resource");
    };
    let namespace = path.strip_prefix(group).and_then(|rest| rest.strip_prefix("/namespaces/")).and_then(|rest| rest.split_once('/')).map(|(namespace, _)| namespace);
    if path.ends_with(many) {
        let items: Vec<&Value> = if query.contains("watch=") { Vec::new() } else { kept.objects.iter().filter(|(key, _)| key.starts_with(&format!("{path}/"))).map(|(_, object)| object).collect() };
        return (200, json!({"kind": format!("{kind}List"), "apiVersion": version(group), "metadata": {"resourceVersion": "1"}, "items": items}));
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    match method {
        "GET" => match kept.objects.get(path) {
            Some(object) => (200, object.clone()),
            None => status(404, "NotFound", &format!("{many} \"{name}\" not found")),
        },
        "DELETE" => match kept.objects.remove(path) {
            Some(_) => {
                kept.deleted.push(path.to_owned());
                (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            None => status(404, "NotFound", &format!("{many} \"{name}\" not found")),
        },
        "PATCH" => {
            if let Some(namespace) = namespace.filter(|namespace| inside && !kept.objects.contains_key(&format!("api/v1/namespaces/{namespace}"))) {
                return status(404, "NotFound", &format!("namespaces \"{namespace}\" not found"));
            }
            if kept.foreign.iter().any(|foreign| foreign == path) && !query.contains("force=true") {
                return status(409, "Conflict", "Apply failed with 1 conflict: conflict with \"somebody\": .data.x");
            }
            kept.count += 1;
            let count = kept.count;
            let Ok(mut object) = serde_json::from_slice::<Value>(body) else { return status(400, "BadRequest", "not JSON") };
            let before = kept.objects.get(path);
            // What a server writes by itself, and otherwise each time.
            let was = |key: &str| before.map(|before| before["metadata"][key].clone());
            object["metadata"]["uid"] = was("uid").unwrap_or_else(|| json!(format!("uid-{count}")));
            object["metadata"]["creationTimestamp"] = was("creationTimestamp").unwrap_or_else(|| json!(format!("2026-11-25T00:00:{:02}Z", count % 60)));
            object["metadata"]["resourceVersion"] = json!(count.to_string());
            object["metadata"]["generation"] = json!(count);
            if kind == "Deployment" {
                object["status"] = json!({"observedGeneration": count, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1});
            }
            let code = if before.is_some() { 200 } else { 201 };
            if !query.contains("dryRun") {
                kept.objects.insert(path.to_owned(), object.clone());
            }
            (code, object)
        }
        _ => status(405, "MethodNotAllowed", "not this"),
    }
}
