//! Looking at hosts and planning them. A steady host costs one round trip after login: its tasks are compiled from the
//! facts last seen, the probes of all of them go out in one program, and the answer says whether those facts still hold.

use super::cache::Cache;
use super::memory;
use super::event::{Events, What};
use super::open::open;
use super::reads::{costly, fact_reads, read_elsewhere, reads_others, same_facts};
use super::surveyed::{Surveyed, all_steps};
use super::target::{Targets, cache_name};
use super::wire::{Trouble, Wire};
use crate::lang::{Data, Diagnostic, Diagnostics, Kind, Value};
use crate::node::probe::Ran;
use crate::node::program::NodeState;
use crate::node::{Answers, Costly, Facts, Probe, World};
use crate::plan::planner::{PlaySteps, plan_host};
use crate::plan::divergence;
use crate::plan::{HostPlan, Outcome};
use crate::playbook::{Body, Compiled, Config, HostKnown, Hosts, Known, Register, Step, compile, from_json, ownership};
use crate::resource::Resource;
use crate::transport::Pool;
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What surveying needs.
pub struct Survey {
    /// The configuration.
    pub config: Arc<Config>,
    /// Connections.
    pub pool: Arc<Pool>,
    /// Hosts to connection targets.
    pub targets: Arc<Targets>,
    /// Facts last seen.
    pub cache: Cache,
    /// Who is told.
    pub events: Events,
    /// Hosts at a time.
    pub forks: usize,
    /// Only facts are wanted: no task is looked at.
    pub facts_only: bool,
    /// Every file is hashed, also those of which the node has recorded the digest.
    pub paranoid: bool,
    /// What the plans are made for.
    pub purpose: Purpose,
}

/// What is held of a host that has been planned: a thousand of them are to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Its plan, its facts and what it keeps.
    Show,
    /// What the plan was made from, too: it is saved.
    Save,
    /// And the line to it, where it has something to do.
    Apply,
    /// And the line to it, where a run was interrupted.
    Resume,
}

/// Rounds after which a configuration whose tasks keep changing with what they learn is given up on.
const ROUNDS: usize = 8;

/// Looks at `hosts` and plans them. The order of the answer is that of `hosts`; who could not be looked at has problems.
///
/// Hosts that read other hosts are planned again when all have been looked at, over the line that is still open.
pub async fn survey(survey: Arc<Survey>, hosts: &[String]) -> Vec<(String, Result<Surveyed, Diagnostics>)> {
    let cached = |host: &String| survey.cache.facts(&cache_name(&survey.config.inventory, host));
    let others: BTreeMap<_, _> = hosts.iter().map(|host| (host.clone(), HostKnown { facts: cached(host), ..HostKnown::default() })).collect();
    let first = hosts.iter().map(|host| (host.clone(), None)).collect();
    let mut done = wave(&survey, first, Hosts::new(others.clone())).await;
    let short = read_elsewhere(&survey, &done);
    if !short.is_empty() {
        done.extend(wave(&survey, short, Hosts::new(others)).await);
    }
    let again: Vec<String> = done.iter().filter(|(_, end)| end.as_ref().is_ok_and(reads_others)).map(|(host, _)| host.clone()).collect();
    if again.is_empty() {
        return in_order(hosts, done);
    }
    let seen = done
        .iter()
        .filter_map(|(host, end)| {
            let surveyed = end.as_ref().ok()?;
            Some((host.clone(), HostKnown { facts: Some(surveyed.world.facts.clone()), kept: kept(&surveyed.state) }))
        })
        .collect();
    let second = again.into_iter().filter_map(|host| Some((host.clone(), Some(done.remove(&host)?.ok()?)))).collect();
    done.extend(wave(&survey, second, Hosts::new(seen)).await);
    in_order(hosts, done)
}

fn in_order(hosts: &[String], mut done: BTreeMap<String, Result<Surveyed, Diagnostics>>) -> Vec<(String, Result<Surveyed, Diagnostics>)> {
    hosts
        .iter()
        .map(|host| {
            let end = done.remove(host).unwrap_or_else(|| {
                Err(Diagnostic::new(Kind::Failed, format!("{host}: looking at it ended early")).hint("run it again").into())
            });
            (host.clone(), end)
        })
        .collect()
}

/// Looks at many hosts at once, those that were looked at before over their open lines.
async fn wave(
    survey: &Arc<Survey>,
    hosts: Vec<(String, Option<Surveyed>)>,
    others: Hosts,
) -> BTreeMap<String, Result<Surveyed, Diagnostics>> {
    let gate = Arc::new(Semaphore::new(survey.forks.max(1)));
    let others = Arc::new(others);
    let mut running = tokio::task::JoinSet::new();
    for (host, before) in hosts {
        let (survey, gate, others) = (survey.clone(), gate.clone(), others.clone());
        running.spawn(async move {
            let _turn = gate.acquire_owned().await;
            let first = before.is_none();
            let mut end = match before {
                None => one(&survey, &host, &others).await,
                Some(surveyed) => again(&survey, surveyed, &others).await,
            };
            // What nobody needs any more is not held until the last node has answered.
            if let Ok(surveyed) = &mut end
                && !(first && reads_others(surveyed))
            {
                surveyed.settle(survey.purpose).await;
            }
            if let Err(problems) = &end {
                let words = problems.0.first().map(|problem| problem.message.clone()).unwrap_or_default();
                survey.events.tell(&host, What::Finished(words));
            }
            (host, end)
        });
    }
    running.join_all().await.into_iter().collect()
}

/// Logs in and looks.
async fn one(survey: &Survey, host: &str, others: &Arc<Hosts>) -> Result<Surveyed, Diagnostics> {
    let name = cache_name(&survey.config.inventory, host);
    let way = survey.targets.of(host)?;
    let known = Known { facts: survey.cache.facts(&name), hosts: others.clone(), ..Known::default() };
    // Configuration errors are said before anybody is contacted.
    let privileged = !survey.facts_only && wants_privilege(&compile_all(&survey.config, host, &known)?);
    survey.events.tell(host, What::Connecting);
    let mut wire = open(&survey.pool, way, privileged).await?;
    wire.paranoid = survey.paranoid;
    survey.events.tell(host, What::Looking);
    if survey.facts_only {
        let look = wire.look(&[], Some(Costly::ALL)).await.map_err(Trouble::into_problem)?;
        wire.close().await;
        let facts = look.facts.unwrap_or_default();
        survey.cache.put_facts(&name, &facts);
        let world = World::new(facts, Answers::new());
        return Ok(Surveyed { host: host.to_owned(), wire, known, world, plays: Vec::new(), plan: HostPlan::default(), state: look.state, asked: Costly::ALL });
    }
    settle(survey, host, wire, known, others, None, survey.cache.wanted(&name)).await
}

/// Plans a host that was looked at again, now that the others are known.
async fn again(survey: &Survey, before: Surveyed, others: &Hosts) -> Result<Surveyed, Diagnostics> {
    let host = before.host.clone();
    settle(survey, &host, before.wire, before.known, others, Some((before.world, before.state)), before.asked).await
}

/// Compiles, looks, and compiles again with what was seen, until nothing is news. Of the facts that cost the node something,
/// `asked` are among those that are known, and those that the tasks read are asked for.
async fn settle(
    survey: &Survey,
    host: &str,
    mut wire: Wire,
    mut known: Known,
    others: &Hosts,
    before: Option<(World, NodeState)>,
    mut asked: Costly,
) -> Result<Surveyed, Diagnostics> {
    let name = cache_name(&survey.config.inventory, host);
    let mut answers = before.as_ref().map(|(world, _)| world.seen().clone()).unwrap_or_default();
    let mut fresh: Option<(Facts, NodeState)> = before.map(|(world, state)| (world.facts, state));
    for _ in 0..ROUNDS {
        if let Some((facts, state)) = &fresh {
            known.hosts = Arc::new(others.with(host, HostKnown { facts: Some(facts.clone()), kept: kept(state) }));
            known.facts = Some(facts.clone());
        }
        let plays = compile_all(&survey.config, host, &known)?;
        let mut wanted = probes(&plays);
        if let Some((facts, state)) = &fresh {
            let mut world = World::new(facts.clone(), answers.clone());
            wanted.extend(plan_all(&survey.config, &plays, &mut world, &pending(state)).asks);
        }
        wanted.retain(|probe| !answers.contains_key(probe));
        let guess = known.facts.clone();
        let reads: BTreeSet<&str> = fact_reads(&plays).collect();
        let needed = if guess.is_some() { costly(&plays, &reads) } else { Costly::ALL };
        let (facts, state) = match fresh.take() {
            Some(seen) if wanted.is_empty() && asked.covers(needed) => seen,
            _ => {
                asked = asked.and(needed);
                let wanted: Vec<Probe> = wanted.into_iter().collect();
                let look = wire.look(&wanted, Some(asked)).await.map_err(Trouble::into_problem)?;
                answers.extend(look.answers);
                let before = guess.clone().unwrap_or_default();
                let facts = look.facts.map_or_else(|| before.clone(), |seen| asked.complete(seen, &before));
                survey.cache.put_facts(&name, &facts);
                (facts, look.state)
            }
        };
        // What the node keeps was not known when these tasks were compiled, unless it had been looked at before.
        let kept_read = reads.iter().any(|read| read.starts_with("kept")) || plays.iter().any(|(_, c)| c.steps.iter().any(is_late));
        let known_before = known.hosts.knows(host, &kept(&state));
        let guessed_right = guess.as_ref().is_some_and(|guess| same_facts(guess, &facts, &reads)) && (!kept_read || known_before);
        let world = World::new(facts.clone(), answers.clone());
        if guessed_right {
            known.facts = Some(facts.clone());
            let mut plan = plan_all(&survey.config, &plays, &mut world.clone(), &pending(&state));
            if !plan.asks.iter().all(|probe| answers.contains_key(probe)) {
                fresh = Some((facts, state));
                continue;
            }
            let learned = results(&plays, &plan, &world);
            let masker = survey.config.identities.masker();
            kept(&state).values().chain(learned.values()).for_each(|value| masker.add_value(value));
            let news = learned.iter().any(|(name, value)| known.registered.get(name) != Some(value));
            if !news {
                divergence::judge(&mut plan, all_steps(&plays), &state.receipts, world.seen());
                survey.events.tell(host, What::Planned(plan.lines.iter().filter(|line| line.acts()).count()));
                let surveyed = Surveyed { host: host.to_owned(), wire, known, world, plays, plan, state, asked };
                memory::keep(&survey.config, &survey.cache, &surveyed, &divergence::held(&surveyed.plan));
                return Ok(surveyed);
            }
            known.registered.extend(learned);
        }
        fresh = Some((facts, state));
    }
    Err(Diagnostic::config(format!("{host}: its tasks do not settle: each look makes them ask for something else"))
        .hint("is there a `when` or a loop that depends on something that changes at every look?")
        .into())
}

pub(super) fn is_late(step: &Step) -> bool {
    matches!(step.body, Body::Late { .. })
}

/// Whether any task of these plays asks for privilege.
pub(super) fn wants_privilege(plays: &[(usize, Compiled)]) -> bool {
    plays.iter().any(|(_, compiled)| compiled.all().any(|step| step.become_))
}

/// Compiles all plays of `host`; problems of the configuration end it.
pub fn compile_all(config: &Config, host: &str, known: &Known) -> Result<Vec<(usize, Compiled)>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut plays = Vec::new();
    for play in config.plays_of(host) {
        let mut compiled = compile(config, play, host, known);
        problems.0.append(&mut compiled.problems.0);
        plays.push((play, compiled));
    }
    problems.0.extend(ownership::check(&[(host, plays.iter().map(|(_, compiled)| compiled).collect())]).0);
    if wants_privilege(&plays) {
        plays.iter_mut().for_each(|(_, compiled)| drop_identity(compiled, host, known));
    }
    problems.into_result(plays)
}

/// Commands of tasks without privilege run as the login, while planning too. Who that is, is a fact.
fn drop_identity(compiled: &mut Compiled, host: &str, known: &Known) {
    let login = known.facts.as_ref().map(|facts| facts.user.name.as_str());
    let mut asked = false;
    for step in compiled.steps.iter_mut().chain(&mut compiled.handlers).chain(&mut compiled.on_failure).filter(|step| !step.become_) {
        let Body::Resource(resource) = &mut step.body else { continue };
        if !resource.look().iter().any(|probe| matches!(probe, Probe::Run(_))) {
            continue;
        }
        asked = true;
        match login {
            Some("" | "root") => {}
            Some(login) => resource.run_as(login),
            None => step.body = Body::Late { cause: format!("facts of {host} not gathered yet"), needs_facts: true },
        }
    }
    if asked {
        compiled.fact_reads.insert("facts.user.name".to_owned());
    }
}

/// Plans all plays against `world`.
pub fn plan_all(config: &Config, plays: &[(usize, Compiled)], world: &mut World, pending: &BTreeSet<String>) -> HostPlan {
    let plays: Vec<PlaySteps<'_>> = plays
        .iter()
        .map(|(play, compiled)| PlaySteps {
            play: *play,
            name: &config.plays[*play].name,
            guard: config.plays[*play].guard,
            steps: &compiled.steps,
            handlers: &compiled.handlers,
        })
        .collect();
    plan_host(&plays, world, pending)
}

pub(super) fn probes(plays: &[(usize, Compiled)]) -> BTreeSet<Probe> {
    all_steps(plays)
        .filter_map(|step| match &step.body {
            Body::Resource(resource) => Some(resource.look()),
            _ => None,
        })
        .flatten()
        .collect()
}

fn pending(state: &NodeState) -> BTreeSet<String> {
    state.pending.iter().cloned().collect()
}

/// What steps that will not act are known to answer already: read-only commands, and whatever is as wished.
fn results(plays: &[(usize, Compiled)], plan: &HostPlan, world: &World) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let mut items = Items::new();
    for step in all_steps(plays) {
        let Some(register) = &step.register else { continue };
        let Some(line) = plan.lines.iter().find(|line| line.key == step.key) else { continue };
        let value = match (&line.outcome, &step.body) {
            (Outcome::AsWished, Body::Resource(resource)) => {
                let ran = said(resource.as_ref(), world);
                result(register, false, ran.map(|ran| (ran.rc, ran.stdout.as_str(), ran.stderr.as_str())))
            }
            (Outcome::Skipped(_), _) => result(register, false, None),
            _ => continue,
        };
        looped(&mut items, &mut out, register, value);
    }
    out
}

/// What a read-only command has answered.
pub fn said<'a>(resource: &dyn Resource, world: &'a World) -> Option<&'a Ran> {
    if !resource.reads() {
        return None;
    }
    resource.look().iter().find_map(|probe| match probe {
        Probe::Run(command) => world.ran(command),
        _ => None,
    })
}

/// Results of the items of loops, by name, as they come in.
pub type Items = BTreeMap<String, Vec<Option<Value>>>;

/// Puts a result where tasks find it: a loop's when all of its items have theirs, as `{results: […]}`.
pub fn looped(items: &mut Items, out: &mut BTreeMap<String, Value>, register: &Register, value: Value) {
    let Some((index, count)) = register.item else {
        out.insert(register.name.clone(), value);
        return;
    };
    let list = items.entry(register.name.clone()).or_default();
    list.resize(count, None);
    if let Some(slot) = list.get_mut(index) {
        *slot = Some(value);
    }
    if list.iter().all(Option::is_some) {
        let results = Value::from(Data::Seq(list.iter().flatten().cloned().collect()));
        out.insert(register.name.clone(), Value::from(Data::Map([("results".to_owned(), results)].into_iter().collect())));
    }
}

/// A registered result as tasks see it: `changed`, `rc`, `stdout`, `stdout_lines`, `stderr`.
pub fn result(register: &Register, changed: bool, ran: Option<(i32, &str, &str)>) -> Value {
    let (rc, stdout, stderr) = ran.unwrap_or((0, "", ""));
    let leaf = |data: Data| Value { secret: register.secret, ..Value::from(data) };
    let text = |text: &str| leaf(Data::Str(text.trim_end_matches('\n').to_owned()));
    let mut map = IndexMap::new();
    map.insert("changed".to_owned(), Value::from(Data::Bool(changed)));
    map.insert("rc".to_owned(), Value::from(Data::Int(rc.into())));
    map.insert("stdout".to_owned(), text(stdout));
    map.insert("stdout_lines".to_owned(), Value::from(Data::Seq(stdout.lines().map(text).collect())));
    map.insert("stderr".to_owned(), text(stderr));
    Value::from(Data::Map(map))
}

/// Values kept on the node by `register: {keep: true}`. The node does not say which of them are secret: all are.
pub fn kept(state: &NodeState) -> BTreeMap<String, Value> {
    state
        .kept
        .iter()
        .map(|(name, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            let value = serde_json::from_str::<serde_json::Value>(&text).map_or_else(|_| Value::from(text.as_ref()), from_json);
            (name.clone(), value.into_secret())
        })
        .collect()
}
