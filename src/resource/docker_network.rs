//! `docker_network`: a network of docker's, which compose projects share.

use super::shared::attrs::wrong;
use super::shared::names;
use super::shared::tool::{answer, command, says};
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::{ToolOp, Turn};
use crate::node::{Command, Op, Probe, World};

/// The declaration.
pub static DOCKER_NETWORK: KindSpec = KindSpec {
    name: "docker_network",
    summary: "Makes a docker network",
    description: "\
Makes a network that outlives the containers in it, so that projects of docker compose can name it as `external`.

A network cannot be changed: one whose driver, subnet or the like is another is refused while containers are in it, else it is made anew.
Taken back by removing it, or by making the old one again; its number is then another.",
    params: &[
        Param::required("name", Ty::Str, "The network's name."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether it is to be there.").default("present"),
        Param::new("driver", Ty::Str, "What makes it: `bridge`, `macvlan`, `ipvlan` or a plugin.").default("bridge"),
        Param::new("subnet", Ty::Str, "Its addresses, as `172.30.0.0/24`.").default("docker chooses"),
        Param::new("gateway", Ty::Str, "The node's own address in it; takes a `subnet`.").default("docker chooses"),
        Param::new("internal", Ty::Bool, "Nothing in it reaches other networks.").default("false"),
    ],
    bare: "name",
    example: "\
- name: Have the network of the web sites
  docker_network: web
",
    build,
};

/// What brings docker.
pub(super) const HINT: &str = "put `docker_engine`, or a `package` with docker, before this task, and see that its service runs";

#[derive(Debug)]
struct Network {
    name: String,
    present: bool,
    driver: String,
    subnet: Option<String>,
    gateway: Option<String>,
    internal: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let name = args.str("name").unwrap_or_default().to_owned();
    let good = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphanumeric()) && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    if !good(&name) {
        problems.push(wrong(args, "name", format!("{} is not a network's name", names::shown(args, "name", &name)), "", "letters, digits, `_`, `.` and `-`, the first a letter or digit"));
    } else if ["bridge", "host", "none"].contains(&name.as_str()) {
        problems.push(wrong(args, "name", format!("`{name}` is docker's own network"), "", "choose another name"));
    }
    let driver = args.str("driver").unwrap_or("bridge").to_owned();
    if !good(&driver.replace(['/', ':'], "")) {
        problems.push(wrong(args, "driver", format!("{} is not a driver", names::shown(args, "driver", &driver)), "", "`bridge`, `macvlan`, `ipvlan` or a plugin's name"));
    }
    let subnet = args.string("subnet");
    let net = subnet.as_deref().map(|text| (text, text.parse::<ipnetwork::IpNetwork>()));
    match &net {
        Some((_, Ok(net))) if net.network() == net.ip() => {}
        Some((text, _)) => problems.push(wrong(args, "subnet", format!("`{}` is not a subnet", text.escape_debug()), "", "as in `172.30.0.0/24`, with no bit set behind the prefix")),
        None => {}
    }
    let gateway = args.string("gateway");
    if let Some(text) = &gateway {
        match (text.parse::<std::net::IpAddr>(), &net) {
            (Ok(_), None) => problems.push(wrong(args, "gateway", "a gateway takes a subnet", "", "say `subnet` too")),
            (Ok(address), Some((_, Ok(net)))) if !net.contains(address) => problems.push(wrong(args, "gateway", format!("{address} is not in {net}"), "", "an address of the subnet")),
            (Ok(_), _) => {}
            (Err(_), _) => problems.push(wrong(args, "gateway", format!("`{}` is not an address", text.escape_debug()), "", "as in `172.30.0.1`")),
        }
    }
    let network = Network { name, present: args.str("state") != Some("absent"), driver, subnet, gateway, internal: args.bool("internal", false) };
    problems.into_result(Box::new(network) as Box<dyn Resource>)
}

/// A network as docker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    driver: String,
    internal: bool,
    /// Each with its gateway.
    subnets: Vec<(String, String)>,
    /// How many containers are in it.
    used: usize,
}

/// One line: the driver, `true` or `false`, how many containers, and `SUBNET,GATEWAY` each.
const FORMAT: &str = "{{.Driver}} {{.Internal}} {{len .Containers}}{{range .IPAM.Config}} {{.Subnet}},{{.Gateway}}{{end}}";

fn read(line: &str) -> Option<Seen> {
    let mut words = line.split_whitespace();
    let (driver, internal, used) = (words.next()?.to_owned(), words.next()? == "true", words.next()?.parse().ok()?);
    let subnets = words.filter_map(|word| word.split_once(',')).map(|(subnet, gateway)| (subnet.to_owned(), gateway.to_owned())).collect();
    Some(Seen { driver, internal, used, subnets })
}

impl Network {
    fn question(&self) -> Command {
        command(["docker", "network", "inspect", "--format", FORMAT, self.name.as_str()])
    }

    fn now(&self, world: &World) -> Result<Option<Seen>, Block> {
        let ran = answer(world, &self.question(), "docker", HINT)?;
        match ran.rc {
            0 => read(&ran.stdout).map(Some).ok_or_else(|| Block::refused("docker describes the network in a way that is not understood", HINT)),
            // Also `Error response from daemon: network web not found`.
            1 if { let why = ran.stderr.to_lowercase(); why.contains("no such network") || why.contains("not found") } => Ok(None),
            _ => Err(super::shared::tool::trouble(world, ran, "docker", HINT)),
        }
    }

    fn remove(&self) -> Vec<String> {
        ["docker", "network", "rm", self.name.as_str()].map(str::to_owned).to_vec()
    }

    /// What makes a network of this name.
    fn create(&self, driver: &str, internal: bool, subnets: &[(String, String)]) -> Vec<String> {
        let mut words = ["docker", "network", "create", "--driver", driver].map(str::to_owned).to_vec();
        words.extend(internal.then(|| "--internal".to_owned()));
        for (subnet, gateway) in subnets {
            words.extend(["--subnet".to_owned(), subnet.clone()]);
            if !gateway.is_empty() {
                words.extend(["--gateway".to_owned(), gateway.clone()]);
            }
        }
        words.push(self.name.clone());
        words
    }

    fn wished(&self) -> Vec<(String, String)> {
        self.subnet.iter().map(|subnet| (subnet.clone(), self.gateway.clone().unwrap_or_default())).collect()
    }

    /// What is other than wished.
    fn differences(&self, now: &Seen) -> Vec<String> {
        let mut out = Vec::new();
        let mut add = |what: &str, before: &str, after: &str| {
            if before != after {
                out.push(format!("{what} {before} → {after}"));
            }
        };
        add("driver", &now.driver, &self.driver);
        add("internal", &now.internal.to_string(), &self.internal.to_string());
        let (subnet, gateway) = now.subnets.first().cloned().unwrap_or_default();
        add("subnet", &subnet, self.subnet.as_deref().unwrap_or(&subnet));
        add("gateway", &gateway, self.gateway.as_deref().unwrap_or(&gateway));
        out
    }

    fn told(&self, says: Vec<String>, turn: Turn, command: Command, undo: &str, after: crate::node::probe::Ran) -> Op {
        Op::Tool(ToolOp { says, turn, command, undo: Some(super::shared::tool::script(undo, &[])), answers: vec![(self.question(), after)], ..ToolOp::default() })
    }
}

fn gone() -> crate::node::probe::Ran {
    crate::node::probe::Ran { rc: 1, stdout: String::new(), stderr: "no such network".into() }
}

impl Resource for Network {
    fn id(&self) -> Id {
        Id { kind: DOCKER_NETWORK.name.into(), key: self.name.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Other(format!("docker_network:{}", self.name))]
    }

    fn look(&self) -> Vec<Probe> {
        vec![Probe::Run(self.question())]
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        let now = self.now(world)?;
        let words = |words: &[String]| crate::resource::shared::words::join(words);
        let remove = words(&self.remove());
        // Who is in it came after it, and is put back without it.
        let absent = format!(
            "ids=$(docker network inspect --format '{{{{range $id, $c := .Containers}}}}{{{{$id}}}} {{{{end}}}}' {0} 2>/dev/null) || exit 0\n\
             for id in $ids; do docker network disconnect --force {0} \"$id\"; done\n{remove}",
            crate::node::quote::quote(&self.name)
        );
        let Some(now) = now else {
            if !self.present {
                return Ok(Vec::new());
            }
            let create = self.create(&self.driver, self.internal, &self.wished());
            let after = says(format!("{} {} 0{}\n", self.driver, self.internal, self.subnet.iter().map(|subnet| format!(" {subnet},{}", self.gateway.as_deref().unwrap_or_default())).collect::<String>()));
            return Ok(vec![self.told(vec![format!("make the network {}", self.name)], Turn::Create, command(create), &absent, after)]);
        };
        let differences = self.differences(&now);
        if self.present && differences.is_empty() {
            return Ok(Vec::new());
        }
        if now.used > 0 {
            let what = if self.present { format!("cannot be changed ({})", differences.join(", ")) } else { "cannot go".to_owned() };
            return Err(Block::refused(
                format!("the network {} {what}: {} containers are in it", self.name, now.used),
                "stop them first, as with `docker_compose: {state: absent}`",
            ));
        }
        let old = words(&self.create(&now.driver, now.internal, &now.subnets));
        let again = format!("docker network rm {0} >/dev/null 2>&1\n{old}", crate::node::quote::quote(&self.name));
        if !self.present {
            return Ok(vec![self.told(vec![format!("remove the network {}", self.name)], Turn::Remove, command(self.remove()), &again, gone())]);
        }
        let create = words(&self.create(&self.driver, self.internal, &self.wished()));
        let (subnet, gateway) = now.subnets.first().cloned().unwrap_or_default();
        let net = self.subnet.clone().unwrap_or(subnet);
        let after = says(format!("{} {} 0 {net},{}\n", self.driver, self.internal, self.gateway.clone().unwrap_or(gateway)));
        Ok(vec![self.told(differences, Turn::Change, super::shared::tool::script(&format!("{remove} && {create}"), &[]), &again, after)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_is_read() {
        let seen = read("bridge false 2 172.18.0.0/16,172.18.0.1 fd00::/64,fd00::1\n").unwrap();
        assert_eq!((seen.driver.as_str(), seen.internal, seen.used, seen.subnets.len()), ("bridge", false, 2, 2));
        assert_eq!(read("null false 0\n").unwrap().subnets, []);
        assert_eq!(read("template parsing error"), None);
    }
}
