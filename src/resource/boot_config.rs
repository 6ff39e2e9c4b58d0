//! `boot_config`: what a Raspberry Pi's firmware and kernel are told at boot.

mod text;

use super::shared::attrs::{answered, stat, wrong};
use super::shared::edit::Edit;
use super::shared::put::Manner;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::Diagnostics;
use crate::node::probe::Node;
use crate::node::{Content, Op, Probe, World};
use std::collections::BTreeMap;
use text as boot;

/// The declaration.
pub static BOOT_CONFIG: KindSpec = KindSpec {
    name: "boot_config",
    summary: "Sets what a Raspberry Pi is told at boot",
    description: "\
Edits `config.txt` and `cmdline.txt`, in `/boot/firmware` where they are there (Raspberry Pi OS since 12), else in `/boot`. All other lines and words stay byte for byte.

`settings` are lines `name=value` of one section of `config.txt`, of which each name has one; `overlays` and `dtparams` are lines of which there may be many. An overlay that is
there with other parameters gets those. `cmdline` are words of the kernel's command line, `cmdline_absent` those that it must not have. With `state: absent` all that is
named goes; values do not count then.

A change makes `/run/reboot-required`, as Debian's upgrades do: it is gone after the reboot, so `reboot: {if_exists: /run/reboot-required}` after it reboots when it must, also in
a later run. The guard is armed: a Pi that does not let anybody in again takes the change back, if it gets so far as to start.

Refused where neither directory has a `config.txt`. Taken back exactly; what was in effect before is so again after the next reboot.",
    params: &[
        Param::new("settings", Ty::StrMap, "Names and values, as `{arm_64bit: 1}`."),
        Param::new("section", Ty::Str, "The section of `config.txt` in which they hold, as `pi4`.").default("all"),
        Param::new("overlays", Ty::Strs, "Device tree overlays, as `disable-bt` or `gpio-fan,gpiopin=14`.").aliases(&["dtoverlay"]),
        Param::new("dtparams", Ty::Strs, "Device tree parameters, as `i2c_arm=on`.").aliases(&["dtparam"]),
        Param::new("cmdline", Ty::Strs, "Words of the kernel's command line, as `cgroup_enable=memory`."),
        Param::new("cmdline_absent", Ty::Strs, "Words that the kernel's command line must not have."),
        Param::new("state", Ty::Choice(&["present", "absent"]), "Whether they are to be there.").default("present"),
    ],
    bare: "",
    example: "\
- name: Let the kernel count memory for containers, and leave Bluetooth off
  boot_config:
    overlays: [disable-bt]
    cmdline: [cgroup_memory=1, cgroup_enable=memory]
",
    build,
};

const DIRS: [&str; 2] = ["/boot/firmware", "/boot"];
const MARKER: &str = "/run/reboot-required";

#[derive(Debug)]
struct Boot {
    section: String,
    settings: BTreeMap<String, String>,
    /// With the key of their lines.
    lines: Vec<(&'static str, String)>,
    words: Vec<String>,
    no_words: Vec<String>,
    present: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let section = args.str("section").unwrap_or("all").trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    if section.is_empty() || section.chars().any(|c| c.is_control() || "[]#".contains(c)) {
        refuse("section", format!("`{}` is not a section", section.escape_debug()), "as `all`, `pi4` or `cm5`");
    }
    let settings = args.map("settings");
    for (name, value) in &settings {
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        if !good || value.chars().any(char::is_control) {
            refuse("settings", format!("`{}={}` is not a line of config.txt", name.escape_debug(), value.escape_debug()), "a name of letters, digits and `_`, and a value of one line");
        } else if ["dtoverlay", "dtparam"].contains(&name.as_str()) {
            refuse("settings", format!("there may be many lines of `{name}`"), "write them as `overlays` or `dtparams`");
        } else if ["include", "initramfs"].contains(&name.as_str()) {
            refuse("settings", format!("`{name}` is no setting with a value"), "use `lineinfile` for it");
        }
    }
    let mut lines = Vec::new();
    for (list, key) in [("dtparams", "dtparam"), ("overlays", "dtoverlay")] {
        for text in args.strs(list) {
            let text = text.trim().to_owned();
            if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '#') {
                refuse(list, format!("`{}` is not one word", text.escape_debug()), "as `gpio-fan,gpiopin=14`, without blanks");
            }
            lines.push((key, text));
        }
    }
    let mut words = |list: &str| {
        let words = args.strs(list);
        if let Some(odd) = words.iter().find(|word| word.is_empty() || word.chars().any(|c| c.is_control() || c.is_whitespace())) {
            refuse(list, format!("`{}` is not one word", odd.escape_debug()), "write a list of words");
        }
        words
    };
    let (words, no_words) = (words("cmdline"), words("cmdline_absent"));
    if let Some(both) = words.iter().find(|word| no_words.contains(word)) {
        refuse("cmdline_absent", format!("`{both}` is to be there and not to be there"), "keep it in one of the lists");
    }
    if settings.is_empty() && lines.is_empty() && words.is_empty() && no_words.is_empty() {
        refuse("section", "nothing is to be set".into(), "give `settings`, `overlays`, `dtparams` or `cmdline`");
    }
    let secret = ["settings", "overlays", "dtparams", "cmdline"].iter().find(|name| args.is_secret(name));
    if let Some(name) = secret {
        refuse(name, "every user of the node can read this".into(), "no secret belongs here");
    }
    let present = args.str("state") != Some("absent");
    problems.into_result(Box::new(Boot { section, settings, lines, words, no_words, present }) as Box<dyn Resource>)
}

impl Boot {
    fn config(&self, before: &str) -> String {
        let mut out = before.to_owned();
        for (name, value) in &self.settings {
            out = boot::set(&out, &self.section, name, self.present.then_some(value));
        }
        for (key, text) in &self.lines {
            out = boot::line(&out, &self.section, key, text, self.present);
        }
        out
    }

    fn cmdline(&self, before: &str) -> String {
        match self.present {
            true => boot::words(before, &self.words, &self.no_words),
            false => boot::words(before, &[], &self.words),
        }
    }

    fn touches(&self) -> [(&'static str, bool); 2] {
        [("config.txt", !self.settings.is_empty() || !self.lines.is_empty()), ("cmdline.txt", !self.words.is_empty() || !self.no_words.is_empty())]
    }

    fn edit(dir: &str, file: &str) -> Edit {
        Edit { path: format!("{dir}/{file}"), create: false, removes: false, secret: false, manner: Manner::default() }
    }
}

impl Resource for Boot {
    fn id(&self) -> Id {
        let named = self.settings.keys().cloned().chain(self.lines.iter().map(|(key, text)| format!("{key}={text}"))).chain(self.words.iter().cloned()).chain(self.no_words.iter().map(|word| format!("!{word}")));
        Id { kind: BOOT_CONFIG.name.into(), key: self.section.clone(), slice: named.collect::<Vec<_>>().join(" ") }
    }

    fn claims(&self) -> Vec<Claim> {
        let of = |what: String| Claim::Other(format!("boot_config:{what}"));
        let settings = self.settings.keys().map(|name| of(format!("[{}] {name}", self.section)));
        let lines = self.lines.iter().map(|(key, text)| of(format!("[{}] {key}={}", self.section, text.split(',').next().unwrap_or_default())));
        settings.chain(lines).chain(self.words.iter().chain(&self.no_words).map(|word| of(word.clone()))).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let mut probes: Vec<Probe> = DIRS.iter().flat_map(|dir| self.touches().map(|(file, _)| Self::edit(dir, file))).flat_map(|edit| edit.look()).collect();
        probes.extend([stat(MARKER), stat("/run")]);
        probes
    }

    fn slice(&self, text: &str) -> Option<String> {
        // Whatever it would change is what it owns; what it leaves is as wished.
        Some(format!("{}\n{}", self.config(text) == text, self.cmdline(text) == text))
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let has = |dir: &&str| matches!(world.path(&format!("{dir}/config.txt")), Some(Node::File(_)));
        let Some(dir) = DIRS.into_iter().find(has) else {
            return Err(world.opaque(Some("/boot")).map_or_else(
                || Block::refused("this node has no config.txt in /boot/firmware or /boot: it is no Raspberry Pi, or boots otherwise", "give the task `when: facts.boot_firmware != \"\"`"),
                Block::Later,
            ));
        };
        let mut ops = Vec::new();
        for (file, touched) in self.touches() {
            if touched {
                let edit = |text: &str| Ok(if file == "config.txt" { self.config(text) } else { self.cmdline(text) });
                ops.extend(Self::edit(dir, file).plan(world, edit)?);
            }
        }
        if !ops.is_empty() && world.path(MARKER) == Some(Node::Absent) {
            // First: what is broken off after it is not forgotten.
            ops.insert(0, Op::Put { path: MARKER.into(), content: Content::inline("*** System restart required ***\n", false), mode: 0o644, owner: None, group: None, validate: None });
        }
        Ok(ops)
    }
}
