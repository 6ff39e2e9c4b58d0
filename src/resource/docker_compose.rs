//! `docker_compose`: a project of docker compose, up with what its files say. What is to be done for it is in `project`.

mod dotenv;
mod images;
mod project;
mod state;

use super::shared::attrs::{Mode, Wish, clean, wrong};
use super::shared::put::Manner;
use super::{Args, KindSpec, Loaded, Param, Resource, Ty};
use crate::lang::{Data, Diagnostics, Source, yaml};
use crate::node::Content;
use crate::node::op::Body;
use project::{FOUND, Project};
use std::sync::Arc;

/// The declaration.
pub static DOCKER_COMPOSE: KindSpec = KindSpec {
    name: "docker_compose",
    summary: "Brings up a project of docker compose, and keeps it so",
    description: "\
The project's files are on the node, in `project_src`: brought by other tasks, or by this one as `definition` or `src`, and `env`.
Then `docker compose up` makes of them what they say, and what it made is recorded on the node: the digests of the files, and of each
container its image and configuration.

The project is as wished while the files are those that were recorded, and what runs is what was recorded. So a plan names what is otherwise:
a changed file, a container that is gone, stopped or unhealthy, an image name that stands for another image now. Nothing is pulled to find that out.

A service that is starting is waited for, by its health check if it has one (`wait: false` does not). A container that ends by itself with status 0 before
that is a job that was done. Files that compose reads besides, as in `env_file` and `include`, and configuration that is mounted, can be named in `recreate_on`.

`state: stopped` keeps the containers but stops them. `state: absent` removes containers and networks, and the files that the task itself would
write; volumes stay. Taken back by the previous files and the previous images, brought up again; of a project that was not there, containers and networks
go, and volumes and pulled images stay.

It takes compose 2, as a plugin of docker or alone.",
    params: &[
        Param::required("project_src", Ty::Path, "The project's directory on the node; it must be there."),
        Param::new("project_name", Ty::Str, "The project's name.").default("`name` in `definition` or `src`, else that of the directory"),
        Param::new("state", Ty::Choice(&["present", "stopped", "absent"]), "What is to become of it.").default("present"),
        Param::new("definition", Ty::Any, "The compose file, as a map or a text."),
        Param::new("src", Ty::Template, "A template of the compose file, instead of `definition`."),
        Param::new("files", Ty::Strs, "The compose files, in `project_src` or absolute.").default("what compose finds by itself; `compose.yaml` with `definition` or `src`"),
        Param::new("env", Ty::StrMap, "Variables for the compose file: the whole content of `.env`, which only its owner can read."),
        Param::new("profiles", Ty::Strs, "Profiles to bring up, besides what has none."),
        Param::new("pull", Ty::Choice(&["policy", "missing", "always", "never"]), "Which images are pulled when it is brought up; `policy`: as the compose file says.").default("policy"),
        Param::new("build", Ty::Choice(&["policy", "always", "never"]), "Which images are built when it is brought up.").default("policy"),
        Param::new("remove_orphans", Ty::Bool, "When it is brought up, remove containers of services that it has no more.").default("false"),
        Param::new("recreate_on", Ty::Strs, "Files on the node, outside of the compose file, whose change makes all containers anew: configuration that is mounted."),
        Param::new("wait", Ty::Bool, "Wait until all services run, and are healthy where they have a check.").default("true"),
        Param::new("wait_timeout", Ty::Duration, "How long; never longer than the task's `timeout`.").default("120s"),
    ],
    bare: "project_src",
    example: "\
- name: Run the wiki
  docker_compose:
    project_src: /srv/wiki
    src: wiki/compose.yaml.j2
    env: { ADMIN_PASSWORD: \"{{ wiki_password }}\" }
    recreate_on: [/srv/wiki/wiki.ini]
",
    build,
};

/// The name that compose makes of a directory's.
fn name_of(dir: &str) -> String {
    let last = dir.rsplit('/').next().unwrap_or_default().to_lowercase();
    let name: String = last.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

fn good_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

/// The compose file that the task brings, and what it calls the project.
fn definition(args: &Args, problems: &mut Diagnostics) -> Option<(Content, Option<String>)> {
    let (key, content) = match (args.values.get("definition"), args.contents.get("src")) {
        (Some(_), Some(_)) => {
            problems.push(wrong(args, "src", "both `definition` and `src` are given", "", "keep one of the two"));
            return None;
        }
        (Some(value), None) => {
            let text = match &value.data {
                Data::Str(text) => text.clone(),
                _ => yaml::to_yaml(value),
            };
            ("definition", Content::inline(text, value.is_secret()))
        }
        (None, Some(Loaded::File(content))) => ("src", content.clone()),
        _ => return None,
    };
    let Body::Inline(bytes) = &content.body else { return Some((content, None)) };
    let source = Source { name: key.to_owned(), text: String::from_utf8_lossy(bytes).into_owned() };
    let mut wrong = |message: String, hint: &str| problems.push(wrong(args, key, message, "", hint));
    let name = match yaml::parse(&Arc::new(source)) {
        Err(found) => {
            let why = found.0.first().filter(|_| !content.secret).map_or("this is not YAML", |problem| &problem.message);
            wrong(format!("in the compose file: {why}"), "quote what a template puts into it: `{{ x | to_json }}`");
            None
        }
        Ok(value) if value.get("services").is_none_or(|services| services.as_map().is_none()) && value.get("include").is_none() => {
            wrong("the compose file has no `services`".into(), "it is a map of services, each with an `image` or a `build`");
            None
        }
        Ok(value) => value.get("name").and_then(|name| name.as_str()).map(str::to_owned),
    };
    Some((content, name))
}

fn env(args: &Args, problems: &mut Diagnostics) -> Option<Content> {
    if !args.has("env") {
        return None;
    }
    let vars = args.map("env");
    for (name, value) in &vars {
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            problems.push(wrong(args, "env", format!("`{}` is not the name of a variable", name.escape_debug()), "", "use letters, digits and `_`, and no digit first"));
        } else if value.contains(['\0', '\r']) {
            problems.push(wrong(args, "env", format!("the value of `{name}` has a NUL byte or a carriage return in it"), "", "leave it out: compose does not read it back"));
        }
    }
    Some(Content::inline(dotenv::text(&vars), args.is_secret("env")))
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    let dir = clean(args.str("project_src").unwrap_or_default()).0;
    let under = |path: &String| if path.starts_with('/') { clean(path).0 } else { clean(&format!("{dir}/{path}")).0 };
    let mut files: Vec<String> = args.strs("files").iter().map(under).collect();
    let recreate_on: Vec<String> = args.strs("recreate_on").iter().map(under).collect();
    let given = definition(args, &mut problems);
    if given.is_some() && files.len() > 1 {
        problems.push(wrong(args, "files", "the task brings one compose file, and names several", "", "name that one, and bring the others by tasks before this one"));
    }
    for (key, paths) in [("project_src", std::slice::from_ref(&dir)), ("files", &files[..]), ("recreate_on", &recreate_on[..])] {
        if let Some(path) = paths.iter().find(|path| path.contains([',', '\\']) || path.contains(char::is_control)) {
            let hint = "choose a path without a comma, a backslash and control characters";
            problems.push(wrong(args, key, format!("compose cannot take the path `{}`", path.escape_debug()), "", hint));
        }
    }
    let named = given.as_ref().and_then(|(_, name)| name.clone());
    let name = args.string("project_name").or(named).unwrap_or_else(|| name_of(&dir));
    if !good_name(&name) {
        let hint = "give `project_name`: lower-case letters, digits, `_` and `-`, the first a letter or digit";
        problems.push(wrong(args, if args.has("project_name") { "project_name" } else { "project_src" }, format!("`{}` is not a project's name", name.escape_debug()), "", hint));
    }
    let profiles = args.strs("profiles");
    if profiles.iter().any(|profile| profile.is_empty() || !profile.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))) {
        problems.push(wrong(args, "profiles", "a profile is named by letters, digits, `_`, `.` and `-`", "", "as in `profiles: [debug]`"));
    }
    let mut own = Vec::new();
    // First: the compose file is read with its values.
    if let Some(content) = env(args, &mut problems) {
        let wish = Wish { mode: Some(Mode::Octal(0o600)), ..Wish::default() };
        own.push((format!("{dir}/.env"), content, Manner { wish, ..Manner::default() }));
    }
    if let Some((content, _)) = given {
        if files.is_empty() {
            files.push(format!("{dir}/{}", FOUND[0]));
        }
        own.push((files[0].clone(), content, Manner::default()));
    }
    let mut options = Vec::new();
    match args.str("pull") {
        Some("policy") | None => {}
        Some(when) => options.push(format!("--pull {when}")),
    }
    match args.str("build") {
        Some("always") => options.push("--build".to_owned()),
        Some("never") => options.push("--no-build".to_owned()),
        _ => {}
    }
    if args.bool("remove_orphans", false) {
        options.push("--remove-orphans".to_owned());
    }
    let state = match args.str("state") {
        Some("absent") => None,
        Some("stopped") => Some("stopped"),
        _ => Some("up"),
    };
    let wait = args.bool("wait", true).then(|| args.int("wait_timeout").and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(120));
    let project = Project { dir, name, state, own, files, profiles: profiles.join(","), options: options.join(" "), recreate_on, wait, vars: args.map("env"), user: None };
    problems.into_result(Box::new(project) as Box<dyn Resource>)
}
