//! What is known of the nodes when a play is compiled, and the names that templates see of it.

use super::config::{Config, Keep};
use super::failed::Failed;
use crate::inventory::{Inventory, Layer, Level};
use crate::lang::{Data, Scope, Value};
use crate::node::Facts;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What is known of the nodes. The default knows nothing.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Facts of the host itself, if they were gathered.
    pub facts: Option<Facts>,
    /// Of all hosts; shared, for it is the same for each.
    pub hosts: Arc<Hosts>,
    /// Results registered on this host, by name; one that must not show says so itself.
    pub registered: BTreeMap<String, Value>,
    /// What failed, for the tasks of `on_failure`; `None`: nothing has.
    pub failed: Option<Arc<Failed>>,
}

/// What is known of each host; one of them may be known better than it was when the others were learned.
#[derive(Debug, Default)]
pub struct Hosts {
    all: Arc<All>,
    own: Option<(String, HostKnown)>,
}

/// What is the same for whoever looks.
#[derive(Debug, Default)]
struct All {
    known: BTreeMap<String, HostKnown>,
    names: OnceLock<Names>,
}

/// The names that templates of all hosts see alike. With one of these for each host, n hosts would be n times n hosts.
#[derive(Debug)]
struct Names {
    hosts: Arc<Value>,
    groups: Arc<Value>,
    /// `play`, by its number.
    plays: Vec<Arc<Value>>,
    /// What is not known yet below `hosts`.
    late: Arc<BTreeMap<String, String>>,
}

/// What is known of a host.
#[derive(Debug, Clone, Default)]
pub struct HostKnown {
    /// Its facts; `None`: not gathered yet, and then what it keeps is not known either.
    pub facts: Option<Facts>,
    /// What was registered there with `keep`.
    pub kept: BTreeMap<String, Value>,
}

impl Hosts {
    /// Of these hosts.
    pub fn new(known: BTreeMap<String, HostKnown>) -> Self {
        Hosts { all: Arc::new(All { known, names: OnceLock::new() }), own: None }
    }

    /// The same, with what is known of `host` itself by now. `hosts[…]` stays as it was, for this host as for others.
    #[must_use]
    pub fn with(&self, host: &str, known: HostKnown) -> Self {
        Hosts { all: self.all.clone(), own: Some((host.to_owned(), known)) }
    }

    /// Whether exactly `kept` was known to be kept on `host`, whose facts were known.
    pub fn knows(&self, host: &str, kept: &BTreeMap<String, Value>) -> bool {
        self.get(host).is_some_and(|known| known.facts.is_some() && known.kept == *kept)
    }

    /// What is known, by host.
    pub fn known(&self) -> BTreeMap<String, HostKnown> {
        let mut known = self.all.known.clone();
        known.extend(self.own.clone());
        known
    }

    /// What is known of `host`.
    pub fn get(&self, host: &str) -> Option<&HostKnown> {
        let own = self.own.as_ref().filter(|(name, _)| name == host).map(|(_, known)| known);
        own.or_else(|| self.all.known.get(host))
    }

    /// Made once for all that share it. A run has one configuration.
    fn names(&self, config: &Config) -> &Names {
        self.all.names.get_or_init(|| self.all.names(config))
    }
}

impl All {
    fn names(&self, config: &Config) -> Names {
        let inventory = &config.inventory;
        let mut late = BTreeMap::new();
        let hosts = inventory.hosts.keys().map(|name| {
            let mut map = describe(inventory, name);
            let known = self.known.get(name);
            match known.and_then(|known| Some((known.facts.as_ref()?, &known.kept))) {
                Some((facts, kept)) => {
                    map.insert("facts".into(), facts_value(facts));
                    map.insert("kept".into(), kept_value(kept));
                }
                None => {
                    late.insert(format!("hosts.{name}.facts"), format!("facts of {name} not gathered yet"));
                    late.insert(format!("hosts.{name}.kept"), format!("what {name} keeps not read yet"));
                }
            }
            (name.clone(), Value::from(Data::Map(map)))
        });
        let hosts: IndexMap<_, _> = hosts.collect();
        for keep in &config.keeps {
            for host in config.plays.get(keep.play).map(|play| play.hosts.as_slice()).unwrap_or_default() {
                if self.known.get(host).is_none_or(|known| !known.kept.contains_key(&keep.name)) {
                    late.insert(format!("hosts.{host}.kept.{}", keep.name), keep.cause(host));
                }
            }
        }
        let plays = config.plays.iter().map(|play| {
            let about = [("name".to_owned(), Value::from(play.name.as_str())), ("hosts".to_owned(), texts(&play.hosts))];
            Arc::new(Data::Map(about.into_iter().collect()).into())
        });
        Names { hosts: Arc::new(Data::Map(hosts).into()), groups: Arc::new(groups(inventory)), plays: plays.collect(), late: Arc::new(late) }
    }
}

impl Keep {
    fn cause(&self, host: &str) -> String {
        format!("result of {} on {host}", self.task)
    }
}

fn kept_value(kept: &BTreeMap<String, Value>) -> Value {
    Data::Map(kept.iter().map(|(k, v)| (k.clone(), v.clone())).collect()).into()
}

/// A host as templates see it: `host.name`, `hosts["pi-1"].address`.
fn describe(inventory: &Inventory, name: &str) -> IndexMap<String, Value> {
    let mut map = IndexMap::new();
    map.insert("name".into(), Value::from(name));
    map.insert("address".into(), Value::from(inventory.address(name)));
    if let Some(host) = inventory.hosts.get(name) {
        map.insert("port".into(), Value::from(Data::Int(i64::from(host.connection.port.unwrap_or(22)))));
        map.insert("user".into(), host.connection.user.as_deref().map_or(Value::null(), Value::from));
        map.insert("groups".into(), texts(&host.groups));
    }
    map
}

fn texts(list: &[String]) -> Value {
    Data::Seq(list.iter().map(|text| Value::from(text.as_str())).collect()).into()
}

/// Facts as templates see them.
pub fn facts_value(facts: &Facts) -> Value {
    serde_json::to_value(facts).map_or(Value::null(), from_json)
}

/// A JSON document as a value.
pub fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let data = match json {
        Json::Null => Data::Null,
        Json::Bool(yes) => Data::Bool(yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Data::Int(whole),
            None => Data::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Data::Str(text),
        Json::Array(items) => Data::Seq(items.into_iter().map(from_json).collect()),
        Json::Object(map) => Data::Map(map.into_iter().map(|(k, v)| (k, from_json(v))).collect()),
    };
    data.into()
}

/// The names of the inventory, without anything of the nodes: for rendering connection fields.
pub fn inventory_scope(inventory: &Inventory, host: &str, groups: &Arc<Value>, sets: &IndexMap<String, Value>) -> Scope {
    let about = [("host".to_owned(), Data::Map(describe(inventory, host)).into())];
    let late = |what: &str| (what.to_owned(), "a connection is made before anything is known of the node".to_owned());
    let alike = BTreeMap::from([("groups".to_owned(), groups.clone())]);
    let scope = Scope::default().data(about).shared_data(alike).late([late("facts"), late("hosts"), late("kept")].into());
    push(scope, &inventory.layers(host)).vars(sets.clone())
}

/// `groups`, as templates see it.
pub(super) fn groups(inventory: &Inventory) -> Value {
    let map = inventory.groups.keys().map(|name| (name.clone(), texts(&inventory.members(name).unwrap_or_default())));
    Data::Map(map.collect()).into()
}

fn push(scope: Scope, layers: &[Layer]) -> Scope {
    layers.iter().fold(scope, |scope, layer| scope.vars(layer.vars.iter().map(|(k, v)| (k.clone(), v.clone()))))
}

/// The scope of a play's tasks on `host`.
pub fn play_scope(config: &Config, play: usize, host: &str, known: &Known) -> Scope {
    let shared = known.hosts.names(config);
    let mut late = BTreeMap::new();
    let mut names = vec![("host".to_owned(), Data::Map(describe(&config.inventory, host)).into())];
    match &known.facts {
        Some(facts) => names.push(("facts".to_owned(), facts_value(facts))),
        None => {
            late.insert("facts".to_owned(), format!("facts of {host} not gathered yet"));
        }
    }
    let own = known.hosts.get(host);
    match own.filter(|own| own.facts.is_some() || !own.kept.is_empty()) {
        Some(own) => names.push(("kept".to_owned(), kept_value(&own.kept))),
        None => {
            late.insert("kept".to_owned(), format!("what {host} keeps not read yet"));
        }
    }
    for keep in config.keeps.iter().filter(|keep| own.is_none_or(|own| !own.kept.contains_key(&keep.name))) {
        if config.plays.get(keep.play).is_some_and(|play| play.hosts.iter().any(|name| name == host)) {
            late.insert(format!("kept.{}", keep.name), keep.cause(host));
        }
    }
    let mut alike = BTreeMap::from([("hosts".to_owned(), shared.hosts.clone()), ("groups".to_owned(), shared.groups.clone())]);
    alike.extend(shared.plays.get(play).map(|play| ("play".to_owned(), play.clone())));
    let scope = Scope::default().data(names).shared_data(alike).late(late).shared_late(shared.late.clone());
    push(scope, &config.layers(play, host))
}

impl Config {
    /// All levels that hold for every task of the play on `host`, weakest first.
    pub fn layers(&self, play: usize, host: &str) -> Vec<Layer> {
        let mut layers = self.inventory.layers(host);
        if let Some(play) = self.plays.get(play) {
            layers.push(Layer { level: Level::Play(play.name.clone()), vars: play.vars.clone() });
        }
        layers.push(Layer { level: Level::Set, vars: Arc::new(self.sets.clone()) });
        layers
    }
}
