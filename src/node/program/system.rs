//! The ops that are not about files: each is captured, journalled and done alone.

use super::Unit;
use super::look::{script, sysctl_path};
use crate::node::op::{Op, UnitAct, UserOp};
use crate::node::probe::{Command, Node};
use crate::node::quote::{quote, words};

/// The call that performs `op`.
pub(super) fn op(unit: &mut Unit, number: u32, op: &Op) {
    let flag = |on: bool| if on { "y" } else { "-" };
    let call = match op {
        Op::Packages { install, remove, purge, refresh, lock_timeout, .. } => format!(
            "h_transact {number} {} {} {lock_timeout}{} --{}",
            flag(*refresh),
            flag(*purge),
            words(install),
            words(remove)
        ),
        Op::Unit { name, act } => format!("h_unit {number} {} {}", verb(*act), quote(name)),
        Op::DaemonReload => format!("h_reload {number}"),
        Op::Group { name, present, gid, system } => format!(
            "h_group {number} {} {} {} {}",
            if *present { "present" } else { "absent" },
            gid.map_or_else(|| "-".to_owned(), |gid| gid.to_string()),
            if *system { "-r" } else { "-" },
            quote(name)
        ),
        Op::User(user) => account(number, user),
        Op::Crontab { user, text } => {
            format!("h_cron {number} {}{}", quote(user), text.as_deref().map(|text| words([text])).unwrap_or_default())
        }
        Op::Sysctl { key, value } => format!("h_sysctl {number} {} {}", quote(&sysctl_path(key)), quote(value)),
        Op::Hostname { name } => format!("h_sysctl {number} kernel/hostname {}", quote(name)),
        Op::Reboot { timeout, message, .. } => format!("h_reboot {number} {} {timeout}", quote(message)),
        Op::Run { command, undo, ok, again, .. } => run(number, command, undo.as_ref(), ok, if *again && undo.is_none() { "h" } else { "y" }),
        Op::Tool(tool) => run(number, &tool.command, tool.undo.as_ref(), &[], if tool.again { "h" } else { "t" }),
        // File ops have their own way.
        Op::Put { .. } | Op::Mkdir { .. } | Op::Attr { .. } | Op::Link { .. } | Op::Remove { .. } => return,
    };
    let brought = brought(op);
    if !brought.is_empty() {
        unit.push(format!("h_brings{}\n", words(brought)));
    }
    unit.push(call);
    unit.push("\n");
}

/// What comes to be by `op` and goes again by its undo, beside what it writes itself.
fn brought(op: &Op) -> Vec<&str> {
    match op {
        Op::Run { creates, brings, undo: Some(_), .. } => creates.iter().chain(brings).map(String::as_str).collect(),
        Op::Tool(tool) if tool.undo.is_some() => {
            let made = tool.makes.iter().filter(|(_, node)| *node != Node::Absent).map(|(path, _)| path.as_str());
            made.chain(tool.brings.iter().map(String::as_str)).collect()
        }
        _ => Vec::new(),
    }
}

/// `class`: how the journal has it, if it can be taken back: by a user's undo (`y`), by a tool's (`t`), or when all else is back (`h`).
fn run(number: u32, command: &Command, undo: Option<&Command>, ok: &[i32], class: &str) -> String {
    let good: Vec<String> = if ok.is_empty() { vec!["0".into()] } else { ok.iter().map(i32::to_string).collect() };
    let user = |command: Option<&str>| quote(command.unwrap_or_default());
    let mut call = format!(
        "h_run {number} {} '{}' {} {} {} {}",
        user(command.user.as_deref()),
        good.join(" "),
        quote(&script(command)),
        if undo.is_some() || class == "h" { class } else { "-" },
        user(undo.and_then(|undo| undo.user.as_deref())),
        quote(&undo.map(script).unwrap_or_default())
    );
    if let Some(stdin) = &command.stdin {
        call.push_str(&words([stdin]));
    }
    call
}

fn verb(act: UnitAct) -> &'static str {
    match act {
        UnitAct::Enable => "enable",
        UnitAct::Disable => "disable",
        UnitAct::Mask => "mask",
        UnitAct::Unmask => "unmask",
        UnitAct::Start => "start",
        UnitAct::Stop => "stop",
        UnitAct::Restart => "restart",
        UnitAct::Reload => "reload",
    }
}

/// Arguments as useradd and usermod take them; the password goes apart from them, to chpasswd's input.
fn account(number: u32, user: &UserOp) -> String {
    let act = match (user.present, user.exists) {
        (false, _) => "del",
        (true, true) => "mod",
        (true, false) => "add",
    };
    let mut args: Vec<String> = Vec::new();
    if user.present {
        for (name, option, value) in user.fields() {
            // A new account has no groups to lose.
            let value = value.filter(|value| user.exists || name != "groups" || !value.is_empty());
            args.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        }
        if !user.exists {
            if user.system {
                args.push("-r".into());
            }
            args.push(if user.create_home { "-m" } else { "-M" }.into());
        }
    }
    let home = if user.remove_home { "y" } else { "-" };
    let password = user.password.clone().filter(|_| user.present).unwrap_or_default();
    format!("h_user {number} {} {act} {home} {}{}", quote(&user.name), quote(&password), words(args))
}
