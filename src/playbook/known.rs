//! What is known of the nodes when a play is compiled, and the names that templates see of it.

use super::config::Config;
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
}

/// What is known of each host.
#[derive(Debug, Default)]
pub struct Hosts {
    known: BTreeMap<String, HostKnown>,
    values: OnceLock<Arc<Value>>,
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
        Hosts { known, values: OnceLock::new() }
    }

    /// `hosts`, as templates see it. Made once.
    fn value(&self, inventory: &Inventory) -> Arc<Value> {
        self.values
            .get_or_init(|| {
                let hosts = inventory.hosts.keys().map(|name| {
                    let mut map = describe(inventory, name);
                    if let Some(known) = self.known.get(name)
                        && let Some(facts) = &known.facts
                    {
                        map.insert("facts".into(), facts_value(facts));
                        map.insert("kept".into(), kept_value(&known.kept));
                    }
                    (name.clone(), Value::from(Data::Map(map)))
                });
                Arc::new(Data::Map(hosts.collect()).into())
            })
            .clone()
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
pub fn inventory_scope(inventory: &Inventory, host: &str, sets: &IndexMap<String, Value>) -> Scope {
    let about = [("host".to_owned(), Data::Map(describe(inventory, host)).into()), ("groups".to_owned(), groups(inventory))];
    let late = |what: &str| (what.to_owned(), "a connection is made before anything is known of the node".to_owned());
    let scope = Scope::default().data(about).late([late("facts"), late("hosts"), late("kept")].into());
    push(scope, &inventory.layers(host)).vars(sets.clone())
}

fn groups(inventory: &Inventory) -> Value {
    let map = inventory.groups.keys().map(|name| (name.clone(), texts(&inventory.members(name).unwrap_or_default())));
    Data::Map(map.collect()).into()
}

fn push(scope: Scope, layers: &[Layer]) -> Scope {
    layers.iter().fold(scope, |scope, layer| scope.vars(layer.vars.iter().map(|(k, v)| (k.clone(), v.clone()))))
}

/// The scope of a play's tasks on `host`.
pub fn play_scope(config: &Config, play: usize, host: &str, known: &Known) -> Scope {
    let inventory = &config.inventory;
    let mut late = BTreeMap::new();
    let mut names = vec![("host".to_owned(), Data::Map(describe(inventory, host)).into()), ("groups".to_owned(), groups(inventory))];
    if let Some(play) = config.plays.get(play) {
        let about = [("name".to_owned(), Value::from(play.name.as_str())), ("hosts".to_owned(), texts(&play.hosts))];
        names.push(("play".to_owned(), Data::Map(about.into_iter().collect()).into()));
    }
    match &known.facts {
        Some(facts) => names.push(("facts".to_owned(), facts_value(facts))),
        None => {
            late.insert("facts".to_owned(), format!("facts of {host} not gathered yet"));
        }
    }
    let own = known.hosts.known.get(host);
    match own.filter(|own| own.facts.is_some() || !own.kept.is_empty()) {
        Some(own) => names.push(("kept".to_owned(), kept_value(&own.kept))),
        None => {
            late.insert("kept".to_owned(), format!("what {host} keeps not read yet"));
        }
    }
    for other in inventory.hosts.keys() {
        if known.hosts.known.get(other).is_none_or(|k| k.facts.is_none()) {
            late.insert(format!("hosts.{other}.facts"), format!("facts of {other} not gathered yet"));
            late.insert(format!("hosts.{other}.kept"), format!("what {other} keeps not read yet"));
        }
    }
    for keep in &config.keeps {
        let hosts = config.plays.get(keep.play).map(|play| play.hosts.as_slice()).unwrap_or_default();
        for other in hosts {
            if known.hosts.known.get(other).is_none_or(|k| !k.kept.contains_key(&keep.name)) {
                let cause = format!("result of {} on {other}", keep.task);
                late.insert(format!("hosts.{other}.kept.{}", keep.name), cause.clone());
                if other == host {
                    late.insert(format!("kept.{}", keep.name), cause);
                }
            }
        }
    }
    let scope = Scope::default()
        .data(names)
        .shared_data(BTreeMap::from([("hosts".to_owned(), known.hosts.value(inventory))]))
        .late(late);
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
