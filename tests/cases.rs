//! The behaviour of resources as data: every file in `tests/cases/<kind>/` is parameters and what is seen of a node,
//! and what the resource makes of it. `tests/cases/README.md` has the notation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/case_args.rs"]
mod case_args;
#[path = "support/case_ops.rs"]
mod case_ops;
#[path = "support/case_seen.rs"]
mod case_seen;
#[path = "support/shellcheck.rs"]
mod shellcheck;

use case_seen::Seen;
use homelab::lang::{Data, Value as Raw};
use homelab::node::{Grade, Op, Standing, World, program};
use homelab::resource::{Block, Claim, KINDS, KindSpec, Resource, kind};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// All keys that a case may have.
const KEYS: &[&str] = &[
    "params", "files", "secrets", "handler", "facts", "seen", "earlier", "ops", "grade", "later", "unmet", "refused", "wrong", "open", "id",
    "claims", "secret", "settled",
];

struct Case {
    kind: String,
    path: PathBuf,
    text: Map<String, Value>,
    raw: Raw,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = Vec::new();
    for dir in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for path in std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            assert!(path.extension().is_some_and(|ext| ext == "yaml"), "{} is no case", path.display());
            let text = std::fs::read_to_string(&path).unwrap();
            let raw = case_args::raw(&path, &text).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
            let text: Value = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let Value::Object(text) = text else { panic!("{}: a case is a map", path.display()) };
            let kind = dir.file_name().unwrap().to_string_lossy().into_owned();
            let path = path.strip_prefix(&root).unwrap().to_owned();
            cases.push(Case { kind, path, text, raw });
        }
    }
    cases.sort_by(|a, b| a.path.cmp(&b.path));
    cases
}

/// What came of a case, in the notation of the cases.
#[derive(Default)]
struct Outcome {
    text: Map<String, Value>,
    law: Option<String>,
    /// What its questions and its ops are on a node.
    shell: String,
}

fn build(spec: &'static KindSpec, params: &Raw, case: &Map<String, Value>) -> Result<Box<dyn Resource>, Vec<String>> {
    let args = case_args::args(spec, params, case)?;
    (spec.build)(&args).map_err(|problems| case_args::messages(&problems))
}

fn run(case: &Case) -> Result<Outcome, String> {
    if let Some(key) = case.text.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("`{key}` is no key of a case"));
    }
    let spec = kind(&case.kind).ok_or("there is no such resource")?;
    let mut outcome = Outcome::default();
    let given = case.raw.as_map().ok_or("a case is a map")?;
    let params = given.get("params").cloned().unwrap_or_else(|| Data::Null.into());
    let resource = match build(spec, &params, &case.text) {
        Ok(resource) => resource,
        Err(problems) => {
            outcome.text.insert("wrong".into(), json!(problems));
            return Ok(outcome);
        }
    };
    let mut earlier = Vec::new();
    for task in given.get("earlier").and_then(Raw::as_seq).into_iter().flatten() {
        let (name, params) = task.as_map().and_then(|task| task.iter().next()).ok_or("`earlier` is a list of `{kind: params}`")?;
        let spec = kind(name).ok_or_else(|| format!("there is no resource `{name}`"))?;
        earlier.push(build(spec, params, &Map::new()).map_err(|problems| format!("earlier {name}: {}", problems.join("; ")))?);
    }
    let mut seen = Seen::new(case.text.get("seen"))?;
    let mut answers = BTreeMap::new();
    for probe in earlier.iter().chain([&resource]).flat_map(|resource| resource.look()) {
        let answer = seen.answer(&probe)?;
        answers.insert(probe, answer);
    }
    let facts = case_seen::facts(case.text.get("facts"))?;
    let probes: Vec<_> = answers.keys().cloned().collect();
    outcome.shell = shell(&program::look(1, &probes, None, false));
    let mut world = World::new(facts, answers);
    for resource in &earlier {
        look_more(resource.as_ref(), &mut world, &mut seen)?;
        let ops = resource.plan(&world).map_err(|block| format!("{} is blocked: {block:?}", resource.id()))?;
        ops.iter().for_each(|op| world.effect(op));
    }
    look_more(resource.as_ref(), &mut world, &mut seen)?;
    seen.all_asked()?;
    describe(case, resource.as_ref(), &world, &mut outcome);
    match resource.plan(&world) {
        Ok(ops) => planned(resource.as_ref(), &ops, &mut world, &mut outcome),
        Err(block) => blocked(block, &mut outcome),
    }
    Ok(outcome)
}

/// The second round of questions, where there is one.
fn look_more(resource: &dyn Resource, world: &mut World, seen: &mut Seen) -> Result<(), String> {
    let answers: Result<_, String> = resource.look_more(world).into_iter().map(|probe| Ok((probe.clone(), seen.answer(&probe)?))).collect();
    world.learn(answers?);
    Ok(())
}

/// What a case may ask for beside the plan.
fn describe(case: &Case, resource: &dyn Resource, world: &World, outcome: &mut Outcome) {
    let mut tell = |key: &str, value: Value| {
        if case.text.contains_key(key) {
            outcome.text.insert(key.into(), value);
        }
    };
    tell("id", json!(resource.id().to_string()));
    tell("secret", json!(resource.secret()));
    let claims: Vec<String> = resource.claims().into_iter().map(claim).collect();
    tell("claims", json!(claims));
    tell("settled", json!(resource.settled(world).is_ok_and(|ops| ops.is_empty())));
}

/// A unit as the node evaluates it.
fn shell(unit: &program::Unit) -> String {
    let wire = String::from_utf8(unit.wire("nonce")).unwrap();
    wire.split_once('\n').unwrap().1.to_owned() + "\n"
}

fn claim(claim: Claim) -> String {
    match claim {
        Claim::Content(path) => format!("content {path}"),
        Claim::Slice(path, slice) => format!("slice {path}#{slice}"),
        Claim::Attrs(path) => format!("attrs {path}"),
        Claim::Other(name) => name,
    }
}

fn planned(resource: &dyn Resource, ops: &[Op], world: &mut World, outcome: &mut Outcome) {
    let mut open = BTreeSet::new();
    for op in ops {
        for need in op.needs() {
            match world.need(&need) {
                Standing::Met => {}
                Standing::Open(cause) => drop(open.insert(cause.to_string())),
                Standing::Refuted => return drop(outcome.text.insert("unmet".into(), json!(need.to_string()))),
            }
        }
        world.effect(op);
    }
    outcome.text.insert("ops".into(), ops.iter().map(case_ops::show).collect());
    outcome.shell += &shell(&program::act(2, &(1..).zip(ops).collect::<Vec<_>>()));
    if let Some(grade) = ops.iter().map(Op::grade).max() {
        outcome.text.insert("grade".into(), json!(grade_name(grade)));
    }
    if !open.is_empty() {
        outcome.text.insert("open".into(), json!(open));
    }
    outcome.law = match resource.settled(world) {
        Ok(ops) if ops.is_empty() => None,
        Err(Block::Later(_)) => None,
        left => Some(format!("the Law: after its own ops it still wants {left:?}")),
    };
}

fn blocked(block: Block, outcome: &mut Outcome) {
    let (key, text) = match block {
        Block::Later(cause) => ("later", cause.to_string()),
        Block::Unmet(need) => ("unmet", need.to_string()),
        Block::Refused(diagnostic) if diagnostic.hint.is_none() => ("refused", format!("{} (without a hint)", diagnostic.message)),
        Block::Refused(diagnostic) => ("refused", diagnostic.message),
    };
    outcome.text.insert(key.into(), json!(text));
}

fn grade_name(grade: Grade) -> Value {
    serde_json::to_value(grade).unwrap()
}

/// What a case says must come of it.
fn expected(case: &Case) -> Map<String, Value> {
    let given = ["params", "files", "secrets", "handler", "facts", "seen", "earlier"];
    case.text.iter().filter(|(key, _)| !given.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn every_case_holds() {
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        let name = case.path.display();
        match run(case) {
            Err(why) => failures.push(format!("--- {name}\n{why}")),
            Ok(outcome) => {
                let wished = expected(case);
                if wished != outcome.text {
                    let show = |text: &Map<String, Value>| serde_json::to_string_pretty(text).unwrap();
                    failures.push(format!("--- {name}\nexpected {}\ncame out {}", show(&wished), show(&outcome.text)));
                }
                failures.extend(outcome.law.map(|law| format!("--- {name}\n{law}")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn what_a_resource_becomes_on_a_node_is_clean_shell() {
    let told = |case: &Case| (case.path.to_str().unwrap().replace('/', "·"), run(case).map(|outcome| outcome.shell).unwrap_or_default());
    let all: Vec<_> = cases().iter().map(told).filter(|(_, text)| !text.is_empty()).collect();
    // Scripts within travel as they are, in single quotes.
    shellcheck::clean(&all, "SC2016");
}

#[test]
fn every_kind_has_the_three_sorts_of_case() {
    let cases = cases();
    let mut missing = Vec::new();
    for spec in KINDS {
        let of_kind: Vec<&Case> = cases.iter().filter(|case| case.kind == spec.name).collect();
        let ops = |empty: bool| of_kind.iter().any(|case| case.text.get("ops").and_then(Value::as_array).is_some_and(|ops| ops.is_empty() == empty));
        for (sort, there) in [
            ("nothing to do", ops(true)),
            ("changes", ops(false)),
            ("refused", of_kind.iter().any(|case| ["refused", "unmet", "wrong"].iter().any(|key| case.text.contains_key(*key)))),
        ] {
            if !there {
                missing.push(format!("{}: {sort}", spec.name));
            }
        }
    }
    assert!(missing.is_empty(), "no case for {missing:#?}");
}

#[test]
fn kinds_are_sorted_and_cases_belong_to_one() {
    assert!(KINDS.is_sorted_by_key(|kind| kind.name));
    for case in cases() {
        assert!(kind(&case.kind).is_some(), "{}: there is no such resource", case.path.display());
    }
}
