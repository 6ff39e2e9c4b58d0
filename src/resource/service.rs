//! `service`: a unit that systemd knows is running or not, and starts at boot or not.

use super::shared::attrs::wrong;
use super::shared::names;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::op::UnitAct;
use crate::node::probe::UnitState;
use crate::node::{Need, Op, Probe, Standing, World};

/// The declaration of `service`.
pub static SERVICE: KindSpec = KindSpec {
    name: "service",
    summary: "Runs a systemd unit or stops it, now and at boot",
    description: "\
Works on units that are there already or that an earlier task brings (`package`, `systemd_unit`, a file below `/etc/systemd/system`).
On a node without systemd the task is refused, with the name of the init system found.

`restarted` and `reloaded` are acts, not states: an ordinary task with one of them acts at **every** apply, and every plan says so.
Write it as a handler instead and `notify` it. `reloaded` starts a unit that does not run.

A unit that is still starting counts as started; one that has failed does not. A `Type=oneshot` service without
`RemainAfterExit=yes` never counts as running: start it from a handler or a timer.
A unit that does not exist is as wished when it is to be stopped and disabled.
When unit files have changed on disk since systemd read them, they are read again before anything is done to the unit.",
    params: &[
        Param::required("name", Ty::Str, "The unit; `.service` is added where there is no suffix.").aliases(&["unit", "service"]),
        Param::new("state", Ty::Choice(&["started", "stopped", "restarted", "reloaded"]), "What it is to do now."),
        Param::new("enabled", Ty::Bool, "Whether it starts at boot."),
        Param::new("masked", Ty::Bool, "Whether it is made impossible to start."),
        Param::new("daemon_reload", Ty::Bool, "Let systemd read changed unit files even where nothing else is to be done.")
            .aliases(&["daemon-reload"])
            .default("false"),
    ],
    bare: "",
    example: "\
- name: Serve the registry, now and after a reboot
  service:
    name: verdaccio
    state: started
    enabled: true
",
    build,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Started,
    Stopped,
    Restarted,
    Reloaded,
}

#[derive(Debug)]
struct Service {
    name: String,
    state: Option<State>,
    enabled: Option<bool>,
    masked: Option<bool>,
    daemon_reload: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let given = args.str("name").unwrap_or_default();
    let name = problems.take(names::unit(args, "name", given)).unwrap_or_default();
    let name = if names::has_unit_suffix(&name) { name } else { format!("{name}.service") };
    if name.contains("@.") {
        problems.push(wrong(args, "name", format!("`{name}` is a template, not a unit"), "no instance", "name an instance: `name@instance.service`"));
    }
    let flag = |key: &str| args.has(key).then(|| args.bool(key, false));
    let service = Service {
        name,
        state: match args.str("state") {
            Some("started") => Some(State::Started),
            Some("stopped") => Some(State::Stopped),
            Some("restarted") => Some(State::Restarted),
            Some("reloaded") => Some(State::Reloaded),
            _ => None,
        },
        enabled: flag("enabled"),
        masked: flag("masked"),
        daemon_reload: args.bool("daemon_reload", false),
    };
    if service.state.is_none() && service.enabled.is_none() && service.masked.is_none() && !service.daemon_reload {
        problems.push(wrong(args, "name", "the task does not say what the service is to be", "nothing is wished of it", "add `state: started`, `enabled: true`, or both"));
    }
    if service.masked == Some(true) {
        if !matches!(service.state, None | Some(State::Stopped)) {
            problems.push(wrong(args, "masked", "a masked unit cannot be started", "makes it impossible to start", "use `state: stopped`, or remove `masked`"));
        }
        if service.enabled == Some(true) {
            problems.push(wrong(args, "masked", "a masked unit cannot be enabled", "makes it impossible to start", "remove `enabled`, or `masked`"));
        }
    }
    problems.into_result(Box::new(service))
}

/// Whether it runs, or is about to: what is still starting is waited for, not started again.
pub(super) fn runs(unit: &UnitState) -> bool {
    matches!(unit.active.as_str(), "active" | "activating" | "reloading" | "refreshing")
}

/// Refuses on a node that is known to have no systemd.
pub(super) fn has_systemd(world: &World, name: &str) -> Result<(), Block> {
    let init = world.facts.init.as_str();
    if world.unit(name) == Some(None) || !matches!(init, "" | "systemd") {
        let found = match init {
            "" | "none" | "systemd" => "no init system was found running".to_owned(),
            other => format!("its init system is {other}"),
        };
        return Err(Block::refused(
            format!("{name} cannot be managed: this node does not run systemd; {found}"),
            "skip the task there: `when: facts.init == \"systemd\"`",
        ));
    }
    let probe = Probe::Unit { name: name.to_owned() };
    names::answered(world, &probe, &format!("how {name} is"), "see that `systemctl` works on the node")
}

/// What `enabled` asks of the unit file.
pub(super) fn boot_act(name: &str, enabled: bool, unit: &UnitState) -> Result<Option<UnitAct>, Block> {
    match (enabled, unit.file.as_str()) {
        // Enabled by other means, or through what it is an alias or a companion of.
        (true, "enabled" | "alias" | "indirect" | "generated" | "transient") => Ok(None),
        (true, "static") => Err(Block::refused(
            format!("{name} cannot be enabled: its unit file has no [Install] section"),
            "remove `enabled: true` (something else starts it), or add a drop-in with `[Install]` and `WantedBy=multi-user.target`",
        )),
        (true, _) => Ok(Some(UnitAct::Enable)),
        (false, "enabled" | "enabled-runtime" | "alias") => Ok(Some(UnitAct::Disable)),
        (false, "generated") => Err(Block::refused(
            format!("{name} cannot be disabled: systemd generates it from something else"),
            "use `masked: true`, or remove what it is generated from (an entry of /etc/fstab, a script in /etc/init.d)",
        )),
        (false, _) => Ok(None),
    }
}

impl Service {
    fn acts(&self, unit: &UnitState, state: Option<State>) -> Result<Vec<UnitAct>, Block> {
        let masked = unit.load == "masked" || unit.file.starts_with("masked");
        let mut unit = unit.clone();
        let mut acts = Vec::new();
        if masked && self.masked == Some(false) {
            acts.push(UnitAct::Unmask);
            unit.load = "loaded".into();
            unit.file = "disabled".into();
        } else if masked {
            let wishes = matches!(state, Some(State::Started | State::Restarted | State::Reloaded)) || self.enabled == Some(true);
            if wishes {
                return Err(Block::refused(
                    format!("{} is masked on the node, so it cannot be started or enabled", self.name),
                    "add `masked: false` to take that back",
                ));
            }
        }
        if matches!(unit.load.as_str(), "bad-setting" | "error") && !matches!(state, None | Some(State::Stopped)) {
            return Err(Block::refused(
                format!("systemd cannot load {} (it says `{}`)", self.name, unit.load),
                format!("see `systemctl status {}` on the node", self.name),
            ));
        }
        let boot = match self.enabled {
            Some(_) if masked && self.masked != Some(false) => None,
            Some(enabled) => boot_act(&self.name, enabled, &unit)?,
            None => None,
        };
        let now = match state {
            Some(State::Started) if !runs(&unit) => Some(UnitAct::Start),
            Some(State::Stopped) if runs(&unit) || unit.active == "deactivating" => Some(UnitAct::Stop),
            Some(State::Restarted) => Some(UnitAct::Restart),
            Some(State::Reloaded) if runs(&unit) => Some(UnitAct::Reload),
            Some(State::Reloaded) => Some(UnitAct::Start),
            _ => None,
        };
        // Starting comes last, stopping first: no moment in which it is to run and cannot.
        match now {
            Some(UnitAct::Stop) => acts.extend([UnitAct::Stop].into_iter().chain(boot)),
            _ => acts.extend(boot.into_iter().chain(now)),
        }
        if self.masked == Some(true) && !masked {
            acts.push(UnitAct::Mask);
        }
        Ok(acts)
    }

    fn wish(&self, world: &World, state: Option<State>) -> Result<Vec<Op>, Block> {
        has_systemd(world, &self.name)?;
        let act = |act| Op::Unit { name: self.name.clone(), act };
        let unit = match world.unit(&self.name).flatten() {
            Some(unit) if unit.load != "not-found" || runs(&unit) => unit,
            // Nobody looked: everything that is wished is to be done.
            None => UnitState { file: self.unknown_file(), active: self.unknown_active(state), ..UnitState::default() },
            Some(unit) => {
                let need = Need::Unit(self.name.clone());
                match world.need(&need) {
                    // What may bring it may also start and enable it, so nothing that is wished can be left out.
                    Standing::Open(_) => UnitState { file: self.unknown_file(), active: self.unknown_active(state), ..unit },
                    _ if self.nothing_needed(state) => {
                        let mask = self.masked == Some(true);
                        return Ok(if mask { vec![act(UnitAct::Mask)] } else { Vec::new() });
                    }
                    _ => return Err(Block::Unmet(need)),
                }
            }
        };
        let acts = self.acts(&unit, state)?;
        let reload = unit.stale && (self.daemon_reload || !acts.is_empty());
        Ok(reload.then_some(Op::DaemonReload).into_iter().chain(acts.into_iter().map(act)).collect())
    }

    /// A unit that does not exist is stopped and not enabled.
    fn nothing_needed(&self, state: Option<State>) -> bool {
        matches!(state, None | Some(State::Stopped)) && self.enabled != Some(true)
    }

    fn unknown_file(&self) -> String {
        if self.enabled == Some(false) { "enabled" } else { "disabled" }.into()
    }

    fn unknown_active(&self, state: Option<State>) -> String {
        if state == Some(State::Stopped) { "active" } else { "inactive" }.into()
    }
}

impl Resource for Service {
    fn id(&self) -> Id {
        // A handler that restarts is not the task that keeps it running; nor is what enables it what starts it.
        let slice = match (self.state, self.enabled) {
            (Some(State::Restarted), _) => "restarted",
            (Some(State::Reloaded), _) => "reloaded",
            (Some(_), None) => "state",
            (None, Some(_)) => "enabled",
            (None, None) if self.masked.is_some() => "masked",
            (None, None) => "daemon_reload",
            (Some(_), Some(_)) => "",
        };
        Id { kind: "service".into(), key: self.name.clone(), slice: slice.into() }
    }

    fn claims(&self) -> Vec<Claim> {
        let facet = |facet: &str| Claim::Other(format!("unit:{}:{facet}", self.name));
        let mut claims = Vec::new();
        if matches!(self.state, Some(State::Started | State::Stopped)) {
            claims.push(facet("state"));
        }
        if self.enabled.is_some() {
            claims.push(facet("enabled"));
        }
        if self.masked.is_some() {
            claims.push(facet("masked"));
        }
        claims
    }

    fn look(&self) -> Vec<Probe> {
        vec![Probe::Unit { name: self.name.clone() }]
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        self.wish(world, self.state)
    }

    fn settled(&self, world: &World) -> Result<Vec<Op>, Block> {
        let state = match self.state {
            Some(State::Restarted | State::Reloaded) => Some(State::Started),
            other => other,
        };
        self.wish(world, state)
    }
}
