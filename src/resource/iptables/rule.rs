//! One rule of `iptables`, as a text in the notation of iptables-save or as a map with Ansible's names.

use crate::lang::{Data, Value};
use crate::resource::shared::words;

/// The tables, and the kernel's chains in each; in the order in which packets meet them.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    ("raw", &["PREROUTING", "OUTPUT"]),
    ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
];

/// A rule of a chain of the kernel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub table: &'static str,
    pub chain: &'static str,
    /// What follows the chain, as `iptables-restore` reads it.
    pub rest: String,
}

/// A key of a rule's map: its option, and how its value is written.
struct Key {
    name: &'static str,
    option: &'static str,
    /// The match that must be loaded before the option.
    module: &'static str,
    /// Values are joined by this; without it there is one.
    join: &'static str,
}

const fn key(name: &'static str, option: &'static str) -> Key {
    Key { name, option, module: "", join: "" }
}

const fn of(name: &'static str, option: &'static str, module: &'static str, join: &'static str) -> Key {
    Key { name, option, module, join }
}

/// In the order in which they are written. What iptables says besides, a text can.
const KEYS: &[Key] = &[
    key("in_interface", "-i"),
    key("out_interface", "-o"),
    key("protocol", "-p"),
    key("source", "-s"),
    key("destination", "-d"),
    key("source_port", "--sport"),
    key("destination_port", "--dport"),
    of("destination_ports", "--dports", "multiport", ","),
    key("icmp_type", "--icmp-type"),
    of("ctstate", "--ctstate", "conntrack", ","),
    of("limit", "--limit", "limit", ""),
    of("limit_burst", "--limit-burst", "limit", ""),
    of("src_range", "--src-range", "iprange", ""),
    of("dst_range", "--dst-range", "iprange", ""),
    of("comment", "--comment", "comment", ""),
    key("jump", "-j"),
    key("to_destination", "--to-destination"),
    key("to_source", "--to-source"),
    key("to_ports", "--to-ports"),
    key("reject_with", "--reject-with"),
    key("log_prefix", "--log-prefix"),
    key("log_level", "--log-level"),
];

/// Why a rule is none, and what to do about it.
pub(super) struct Wrong {
    pub message: String,
    pub hint: String,
}

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), hint: hint.into() })
}

fn place(table: &str, chain: &str) -> Result<(&'static str, &'static str), Wrong> {
    let Some((table, chains)) = TABLES.iter().find(|(name, _)| *name == table) else {
        return wrong(format!("`{}` is not a table", table.escape_debug()), "`filter`, `nat`, `mangle` or `raw`");
    };
    match chains.iter().find(|name| **name == chain) {
        Some(chain) => Ok((table, chain)),
        None => wrong(format!("the table `{table}` of the kernel has no chain `{}`", chain.escape_debug()), format!("one of {}", chains.join(", "))),
    }
}

/// A word as `iptables-restore` reads it.
fn word(text: &str) -> Result<String, Wrong> {
    if text.chars().any(char::is_control) {
        return wrong("a rule has a control character in it", "write it in one line");
    }
    if !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\' | '#')) {
        return Ok(text.to_owned());
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A text: `-t nat -A PREROUTING -i eth0 …`.
fn of_text(text: &str) -> Result<Rule, Wrong> {
    let all = match words::split(text) {
        Ok(words) => words,
        Err(why) => return wrong(format!("the rule cannot be split into words: {why}"), "close it"),
    };
    let (mut table, mut chain, mut rest) = ("filter".to_owned(), None, Vec::new());
    let mut words = all.into_iter();
    while let Some(next) = words.next() {
        match next.as_str() {
            "-t" | "--table" => table = words.next().unwrap_or_default(),
            "-A" | "--append" => chain = words.next(),
            "-I" | "--insert" | "-D" | "--delete" | "-R" | "--replace" | "-N" | "--new-chain" | "-P" | "--policy" | "-F" | "--flush" | "-X" | "--delete-chain" => {
                return wrong(format!("a rule says where it belongs with `-A`, not `{next}`"), "rules are had in the order in which they are listed, and go when they leave the list");
            }
            "iptables" | "ip6tables" if rest.is_empty() && chain.is_none() => {}
            _ => rest.push(word(&next)?),
        }
    }
    let Some(chain) = chain else {
        return wrong("the rule does not name its chain", "begin with `-A INPUT`, or with `-t nat -A PREROUTING`");
    };
    let (table, chain) = place(&table, &chain)?;
    Ok(Rule { table, chain, rest: rest.join(" ") })
}

/// The text or texts of a key's value.
fn values(key: &Key, value: &Value) -> Result<Vec<String>, Wrong> {
    let one = |value: &Value| match &value.data {
        Data::Str(text) => Some(text.clone()),
        Data::Int(number) => Some(number.to_string()),
        _ => None,
    };
    let all: Option<Vec<String>> = match value.as_seq() {
        Some(items) if !key.join.is_empty() => items.iter().map(one).collect(),
        Some(_) => None,
        None => one(value).map(|text| vec![text]),
    };
    match all {
        Some(all) if !all.is_empty() && all.iter().all(|text| !text.is_empty()) => Ok(all),
        _ => wrong(format!("`{}` is not {}", key.name, if key.join.is_empty() { "a text" } else { "a list of texts" }), "see the kind's example"),
    }
}

fn of_map(map: &indexmap::IndexMap<String, Value>) -> Result<Rule, Wrong> {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    for name in map.keys() {
        if name != "table" && name != "chain" && !KEYS.iter().any(|key| key.name == name) {
            return wrong(format!("a rule has no `{}`", name.escape_debug()), format!("it has table, chain, {}; all else in a text, as iptables-save writes it", KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")));
        }
    }
    let Some(chain) = text("chain") else {
        return wrong("the rule does not name its chain", "add `chain: INPUT`, or another chain of the kernel's");
    };
    let (table, chain) = place(text("table").unwrap_or("filter"), chain)?;
    let (mut rest, mut loaded): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for (key, value) in KEYS.iter().filter_map(|key| Some((key, map.get(key.name)?))) {
        if !key.module.is_empty() && !loaded.contains(&key.module) {
            loaded.push(key.module);
            rest.extend(["-m".to_owned(), key.module.to_owned()]);
        }
        let all = values(key, value)?.join(key.join);
        // As with Ansible: `!eth0` is anything but eth0.
        let (not, value) = all.strip_prefix('!').map_or((false, all.as_str()), |value| (true, value.trim_start()));
        if not {
            rest.push("!".into());
        }
        rest.extend([key.option.to_owned(), word(value)?]);
    }
    let ports = ["source_port", "destination_port", "destination_ports"].into_iter().find(|name| map.contains_key(*name));
    if let Some(name) = ports.filter(|_| !map.contains_key("protocol")) {
        return wrong(format!("`{name}` takes a protocol"), "add `protocol: tcp`, or `udp`");
    }
    Ok(Rule { table, chain, rest: rest.join(" ") })
}

/// The rule that `value` says.
pub(super) fn read(value: &Value) -> Result<Rule, Wrong> {
    let rule = match &value.data {
        Data::Str(text) => of_text(text)?,
        Data::Map(map) => of_map(map)?,
        _ => return wrong("a rule is a text or a map", "as in `-A INPUT -p tcp --dport 80 -j ACCEPT`"),
    };
    if rule.rest.is_empty() {
        return wrong("the rule says nothing", "say what it matches, and where it leads with `-j`");
    }
    Ok(rule)
}
