//! `kubernetes`: objects in a cluster, by a manifest that `kubectl` on the node applies.

mod object;

use super::shared::attrs::wrong;
use super::shared::names;
use super::shared::tool::{answer, says, script, trouble};
use super::{Args, Block, Claim, Id, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{Body, ToolOp, Turn, sha256};
use crate::node::probe::Ran;
use crate::node::{Command, Op, Probe, World};
use object::{Named, Object, Standing, Wrong, manifest, of_text, of_value, record, waited};

/// The declaration.
pub static KUBERNETES: KindSpec = KindSpec {
    name: "kubernetes",
    summary: "Has a Kubernetes cluster hold what a manifest says",
    description: "\
The manifest is applied by `kubectl`, on a node that has it and may speak to the cluster: server-side, so that fields that others manage stay theirs.
What the plan shows is the cluster's own answer to what would change (`kubectl diff`); of a `Secret`, and of a manifest with secrets in it, that it would.

What was applied is recorded on the node, readable by its owner only. What leaves the manifest is removed from the cluster by that record, never by labels:
objects that another task, tool or person made are not touched. `state: absent` removes what is recorded. A namespace may be in one manifest with what is in it;
definitions of kinds (`CustomResourceDefinition`) come in a task before the one that uses them.

Taken back by applying what was recorded before, and removing what came; volumes that a StatefulSet claimed stay. An object that was there before without being
recorded is taken over; where that changes it, the change cannot be taken back, and the plan says so.",
    params: &[
        Param::required("name", Ty::Str, "What the record of what was applied is called."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether the cluster is to hold it; `absent` removes what is recorded.").default("present"),
        Param::new("definition", Ty::Any, "The manifest: an object, a list of objects, or a text of one or more documents.").aliases(&["resource_definition"]),
        Param::new("src", Ty::Template, "A template of the manifest, instead of `definition`."),
        Param::new("namespace", Ty::Str, "The namespace of objects that name none.").default("the context's"),
        Param::new("kubeconfig", Ty::Path, "The file on the node that says how to reach the cluster.").default("kubectl's own"),
        Param::new("context", Ty::Str, "The context in it.").default("its current one"),
        Param::new("field_manager", Ty::Str, "As whom the fields are managed.").default("homelab"),
        Param::new("force_conflicts", Ty::Bool, "Take over fields that somebody else manages.").default("false"),
        Param::new("wait", Ty::Bool, "Wait until deployments, stateful and daemon sets are rolled out, pods ready and jobs complete.").default("false"),
        Param::new("wait_timeout", Ty::Duration, "How long for each; never longer than the task's `timeout`.").default("120s"),
    ],
    bare: "",
    example: "\
- name: Run the wiki in the cluster
  kubernetes:
    name: wiki
    src: wiki/manifest.yaml.j2
    namespace: wiki
    wait: true
",
    build,
};

const SCRIPT: &str = include_str!("scripts/kubernetes.sh");
/// What brings kubectl.
const HINT: &str = "put what brings kubectl before this task: `package: kubernetes-client`, or k3s, which has it";

#[derive(Debug)]
struct Manifest {
    name: String,
    /// `None`: nothing of it is to be there.
    objects: Option<Vec<Object>>,
    environment: Vec<(&'static str, String)>,
    /// Seconds.
    wait: Option<u64>,
    secret: bool,
    user: Option<String>,
}

fn objects(args: &Args) -> Result<(Vec<Object>, &'static str), (&'static str, Wrong)> {
    let namespace = args.str("namespace");
    let (key, found) = match (args.values.get("definition"), args.contents.get("src")) {
        (Some(_), Some(_)) => return Err(("src", ("both `definition` and `src` are given".into(), "keep one of the two"))),
        (Some(value), None) => ("definition", of_value(value, namespace)),
        (None, Some(Loaded::File(content))) => match &content.body {
            Body::Inline(bytes) => ("src", of_text(&String::from_utf8_lossy(bytes), namespace, content.secret)),
            Body::Local(_) => return Err(("src", ("the manifest is too large".into(), "bring it in several tasks"))),
        },
        _ => return Err(("name", ("there is no manifest".into(), "give it as `definition`, or a template as `src`"))),
    };
    match found {
        Ok(objects) if objects.is_empty() => Err((key, ("the manifest is empty".into(), "say `state: absent` where nothing is to be there"))),
        Ok(objects) => Ok((objects, key)),
        Err(wrong) => Err((key, wrong)),
    }
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let plain = |text: &str| text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    for (key, what) in [("name", "the name of a record"), ("namespace", "a namespace"), ("field_manager", "the name of a manager")] {
        if let Some(value) = args.str(key).filter(|value| !plain(value)) {
            problems.push(wrong(args, key, format!("{} is not {what}", names::shown(args, key, value)), "", "letters, digits, `_`, `.` and `-`, the first a letter or digit"));
        }
    }
    for key in ["context", "kubeconfig"] {
        if let Some(value) = args.str(key) {
            problems.take(names::line(args, key, value));
        }
    }
    let found = match objects(args) {
        _ if args.str("state") == Some("absent") => None,
        Ok((objects, key)) => {
            if let Some((at, twice)) = objects.iter().enumerate().find(|(at, object)| objects[..*at].iter().any(|other| other.named.is(&object.named))) {
                problems.push(wrong(args, key, format!("{} is in the manifest twice", twice.named), format!("document {}", at + 1).as_str(), "keep one of the two"));
            }
            Some(objects)
        }
        Err((key, (message, hint))) => {
            problems.push(wrong(args, key, message, "", hint));
            None
        }
    };
    let given = [("KUBECONFIG", args.string("kubeconfig")), ("HL_CONTEXT", args.string("context")), ("HL_NAMESPACE", args.string("namespace"))];
    let mut environment: Vec<(&str, String)> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    environment.push(("HL_MANAGER", args.str("field_manager").unwrap_or("homelab").to_owned()));
    environment.extend(args.bool("force_conflicts", false).then(|| ("HL_FORCE", "y".to_owned())));
    let wait = args.bool("wait", false).then(|| args.int("wait_timeout").and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(120));
    let secret = args.is_secret("definition") || matches!(args.contents.get("src"), Some(Loaded::File(content)) if content.secret);
    let manifest = Manifest { name: args.str("name").unwrap_or_default().to_owned(), objects: found, environment, wait, secret, user: None };
    problems.into_result(Box::new(manifest) as Box<dyn Resource>)
}

impl Manifest {
    fn told(&self, function: &str, args: &[&str], stdin: Option<String>) -> Command {
        let environment = self.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let secret = self.secret && stdin.is_some();
        Command { environment, stdin, secret, user: self.user.clone(), ..script(&format!("{SCRIPT}{function} \"$@\"\n"), args) }
    }

    fn wished(&self) -> &[Object] {
        self.objects.as_deref().unwrap_or_default()
    }

    /// Whether the manifest makes the namespace that the object is in: until then the cluster cannot compare it.
    fn made_with(&self, object: &Object) -> Option<&str> {
        let namespace = &object.named.namespace;
        let makes = |other: &Object| other.named.kind == "Namespace" && other.named.name == *namespace;
        self.wished().iter().find(|other| makes(other)).map(|other| other.named.name.as_str())
    }

    /// The namespaces that the manifest makes and puts something into.
    fn made(&self) -> Vec<&str> {
        let mut made: Vec<&str> = self.wished().iter().filter_map(|object| self.made_with(object)).collect();
        made.sort_unstable();
        made.dedup();
        made
    }

    /// What is recorded, and how all differs but what is in namespaces that the manifest makes.
    fn question(&self) -> Command {
        let text = self.objects.as_ref().map(|objects| manifest(objects.iter().filter(|object| self.made_with(object).is_none())));
        self.told("look", &[&self.name], text)
    }

    /// How what is in the namespace differs.
    fn question_in(&self, namespace: &str) -> Command {
        let inside = self.wished().iter().filter(|object| self.made_with(object) == Some(namespace));
        self.told("look", &["", namespace], Some(manifest(inside)))
    }

    fn said(&self, world: &World, ran: &Ran) -> Result<Standing, Block> {
        if ran.rc == 0 {
            return Standing::read(&ran.stdout).ok_or_else(|| Block::refused("kubectl compares in a way that is not understood", "see what `kubectl diff` says on the node; it takes `awk` and `diff`"));
        }
        // What follows it is kubectl's advice.
        match ran.stderr.lines().find_map(|line| line.split_once("Apply failed with").map(|(_, conflict)| conflict)) {
            Some(conflict) if world.changed().is_none() => Err(Block::refused(
                format!("somebody else manages what the manifest says:{conflict}"),
                "leave those fields out of the manifest, or take them over with `force_conflicts: true`",
            )),
            _ => Err(trouble(world, ran, "kubectl", "see that the cluster can be reached from the node, and name its `kubeconfig`; kinds of one's own are defined by a task before")),
        }
    }

    fn now(&self, world: &World) -> Result<Standing, Block> {
        let mut now = self.said(world, answer(world, &self.question(), "kubectl", HINT)?)?;
        for namespace in self.made() {
            let ran = answer(world, &self.question_in(namespace), "kubectl", HINT)?;
            let comes = now.other.iter().any(|(file, lines)| lines.is_none() && *file == format!("v1.Namespace..{namespace}"));
            if comes && ran.rc != 0 && ran.stderr.contains(&format!("namespaces \"{namespace}\" not found")) {
                let inside = self.wished().iter().filter(|object| self.made_with(object) == Some(namespace));
                now.other.extend(inside.map(|object| (object.named.file(), None)));
            } else {
                now.other.extend(self.said(world, ran)?.other);
            }
        }
        Ok(now)
    }

    /// What takes it back: what was recorded, and none of what came.
    fn undo(&self, now: &Standing, came: &[&Named]) -> Command {
        let came: Vec<String> = came.iter().map(|named| named.document()).collect();
        let mut args = vec![self.name.as_str(), now.record.as_deref().unwrap_or_default()];
        args.extend(came.iter().map(String::as_str));
        self.told("restore", &args, None)
    }

    fn present(&self, now: &Standing, wished: &[Object]) -> Vec<Op> {
        let (mut told, mut differs, mut came, mut lost) = (Vec::new(), Vec::new(), Vec::new(), false);
        for object in wished {
            let named = &object.named;
            let recorded = now.recorded.iter().any(|other| other.is(named));
            let shown = !self.secret && named.kind != "Secret";
            match now.other.iter().find(|(file, _)| named.is_file(file)).map(|(_, lines)| lines) {
                None if recorded => {}
                None => told.push(format!("take over {named}, which is as wished")),
                Some(None) => {
                    told.push(format!("make {named}"));
                    came.push(named);
                    differs.extend(shown.then(|| (named.to_string(), object.shown.lines().map(|line| format!("+{line}")).collect())));
                }
                Some(Some(lines)) => {
                    lost |= !recorded;
                    told.push(format!("change {named}{}", if recorded { "" } else { ", which is not recorded: this cannot be taken back" }));
                    differs.extend(shown.then(|| (named.to_string(), lines.clone())));
                }
            }
        }
        // What is in a namespace before the namespace.
        let gone: Vec<&Named> = now.recorded.iter().rev().filter(|was| !wished.iter().any(|object| object.named.is(was))).collect();
        told.extend(gone.iter().map(|named| format!("remove {named}")));
        if told.is_empty() && now.begun {
            told.push("end what was begun and broken off".into());
        }
        if told.is_empty() {
            return Vec::new();
        }
        let documents: Vec<(&str, String)> = gone.iter().map(|named| ("remove", named.document())).chain(self.waits(wished)).collect();
        let patience = self.wait.unwrap_or_default().to_string();
        let mut args = vec![self.name.as_str(), &patience];
        args.extend(documents.iter().flat_map(|(what, document)| [*what, document.as_str()]));
        let kept = record(wished);
        let known: String = wished.iter().map(|object| format!("was {}\n", object.named.line())).collect();
        let mut answers = vec![(self.question(), says(format!("record {}\n{known}end\n", sha256(kept.as_bytes()))))];
        answers.extend(self.made().into_iter().map(|namespace| (self.question_in(namespace), says("end\n"))));
        vec![Op::Tool(ToolOp {
            says: told,
            differs,
            turn: if now.recorded.is_empty() && came.len() == wished.len() { Turn::Create } else { Turn::Change },
            command: self.told("apply", &args, Some(kept)),
            undo: (!lost).then(|| self.undo(now, &came)),
            answers,
            ..ToolOp::default()
        })]
    }

    fn waits<'a>(&self, wished: &'a [Object]) -> impl Iterator<Item = (&'static str, String)> + 'a {
        let patient = self.wait.is_some();
        wished.iter().filter(move |_| patient).filter_map(|object| Some((waited(&object.named)?, object.named.document())))
    }

    fn absent(&self, now: &Standing) -> Vec<Op> {
        if now.recorded.is_empty() && now.record.is_none() && !now.begun {
            return Vec::new();
        }
        let documents: Vec<String> = now.recorded.iter().rev().map(Named::document).collect();
        let mut args = vec![self.name.as_str()];
        args.extend(documents.iter().map(String::as_str));
        vec![Op::Tool(ToolOp {
            says: now.recorded.iter().map(|named| format!("remove {named}")).collect(),
            turn: Turn::Remove,
            command: self.told("absent", &args, None),
            undo: Some(self.undo(now, &[])),
            answers: vec![(self.question(), says("end\n"))],
            ..ToolOp::default()
        })]
    }
}

impl Resource for Manifest {
    fn id(&self) -> Id {
        Id { kind: KUBERNETES.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        let cluster: String = self.environment.iter().filter(|(name, _)| ["KUBECONFIG", "HL_CONTEXT"].contains(name)).map(|(_, value)| format!("{value} ")).collect();
        let objects = self.wished().iter().map(|object| Claim::Other(format!("kubernetes:{cluster}{}", object.named)));
        objects.chain([Claim::Other(format!("kubernetes record:{}", self.name))]).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let inside = self.made().into_iter().map(|namespace| Probe::Run(self.question_in(namespace)));
        [Probe::Run(self.question())].into_iter().chain(inside).collect()
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let now = self.now(world)?;
        Ok(match &self.objects {
            Some(wished) => self.present(&now, wished),
            None => self.absent(&now),
        })
    }

    fn run_as(&mut self, login: &str) {
        self.user = Some(login.to_owned());
    }

    fn within(&mut self, seconds: u64) {
        self.wait = self.wait.map(|wait| wait.min(seconds));
    }

    fn secret(&self) -> bool {
        self.secret
    }
}
