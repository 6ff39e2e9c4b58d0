//! How a project of docker compose stands: what was recorded when it was last brought up, what runs, and what differs.

use std::collections::BTreeMap;

/// A container: of the record or of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub service: String,
    pub number: String,
    /// `running`, `unhealthy`, `exited:1`, `paused`, …
    pub state: String,
    /// Compose's own digest of its configuration: compared, never predicted.
    pub hash: String,
    pub image: String,
    /// The image's name, as the compose file has it.
    pub name: String,
}

/// What was made of which inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Digest of the record itself.
    pub digest: String,
    /// `up` or `stopped`.
    pub state: String,
    pub profiles: String,
    /// Path → digest.
    pub inputs: BTreeMap<String, String>,
    pub runs: Vec<Container>,
}

/// The answer of the question about a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The version of compose; `none`.
    pub compose: String,
    pub record: Option<Record>,
    pub live: Vec<Container>,
    /// Image names, and what they stand for now.
    pub images: BTreeMap<String, String>,
    /// Where the running project was made from, and of which files.
    pub dir: Option<String>,
    pub files: Option<String>,
}

fn container(text: &str) -> Option<Container> {
    let words: Vec<String> = text.splitn(6, ' ').map(str::to_owned).collect();
    let [service, number, state, hash, image, name] = <[String; 6]>::try_from(words).ok()?;
    Some(Container { service, number, state, hash, image, name })
}

impl Container {
    /// `web-1`.
    pub fn label(&self) -> String {
        format!("{}-{}", self.service, self.number)
    }

    /// Whether it is there for something: it runs, or tries to.
    pub fn runs(&self) -> bool {
        matches!(self.state.as_str(), "running" | "unhealthy" | "restarting" | "paused")
    }
}

impl Standing {
    pub fn read(text: &str) -> Option<Standing> {
        let mut standing = Standing::default();
        let mut record = None::<Record>;
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "compose" => standing.compose = rest.to_owned(),
                "record" => record.get_or_insert_default().digest = rest.to_owned(),
                "was" => {
                    let record = record.get_or_insert_default();
                    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                    match kind {
                        "state" => record.state = rest.to_owned(),
                        "profiles" => record.profiles = rest.to_owned(),
                        "input" => drop(rest.split_once(' ').map(|(digest, path)| record.inputs.insert(path.to_owned(), digest.to_owned()))),
                        "runs" => record.runs.push(container(rest)?),
                        _ => return None,
                    }
                }
                "live" => standing.live.push(container(rest)?),
                "image" => drop(rest.split_once(' ').map(|(id, name)| standing.images.insert(name.to_owned(), id.to_owned()))),
                "dir" => standing.dir = Some(rest.to_owned()),
                "files" => standing.files = Some(rest.to_owned()),
                _ => return None,
            }
        }
        standing.record = record;
        (!standing.compose.is_empty()).then_some(standing)
    }

    /// What will be answered once the project is as `wished`: no container is foreseen, so none can be missed.
    pub fn foreseen(compose: &str, wished: &Record) -> String {
        let inputs: String = wished.inputs.iter().map(|(path, digest)| format!("was input {digest} {path}\n")).collect();
        format!("compose {compose}\nwas state {}\nwas profiles {}\n{inputs}", wished.state, wished.profiles)
    }

    /// The major version of compose, if there is one.
    pub fn major(&self) -> Option<u32> {
        self.compose.trim_start_matches('v').split('.').next()?.parse().ok()
    }
}

/// What is to be done, in words, and the services that `up` alone would leave as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    pub says: Vec<String>,
    pub anew: Vec<String>,
}

impl Differences {
    fn say(&mut self, what: impl Into<String>) {
        self.says.push(what.into());
    }

    fn of_containers(&mut self, now: &Standing, record: &Record) {
        for was in &record.runs {
            let label = was.label();
            let Some(is) = now.live.iter().find(|is| (&is.service, &is.number) == (&was.service, &was.number)) else {
                self.say(format!("make {label}, which is gone"));
                continue;
            };
            match is.state.as_str() {
                state if state == was.state || state == "running" => {}
                "unhealthy" | "restarting" | "dead" => {
                    self.say(format!("make {label} anew, which is {}", is.state));
                    if !self.anew.contains(&is.service) {
                        self.anew.push(is.service.clone());
                    }
                }
                state => match state.split_once(':') {
                    Some((_, code)) => self.say(format!("start {label}, which has ended with status {code}")),
                    None => self.say(format!("start {label}, which is {state}")),
                },
            }
            let named = now.images.get(&was.name).filter(|id| id.as_str() != "none");
            if is.image != was.image {
                self.say(format!("make {label} anew, which was made from another image: {} → {}", short(&was.image), short(&is.image)));
            } else if let Some(id) = named.filter(|id| **id != was.image) {
                self.say(format!("make {label} anew: {} is another image now, {} → {}", was.name, short(&was.image), short(id)));
            } else if is.hash != was.hash {
                self.say(format!("make {label} anew, which was made otherwise than by this project"));
            }
        }
        for is in &now.live {
            let known = |was: &&Container| was.service == is.service;
            if record.runs.iter().any(|was| known(&was)) && !record.runs.iter().any(|was| known(&was) && was.number == is.number) {
                self.say(format!("remove {}, which is one too many", is.label()));
            }
        }
    }
}

/// What stands between `now` and the project as `wished`; `anew`: inputs of which containers must be made anew when they change.
pub(super) fn differences(project: &str, now: &Standing, wished: &Record, anew: &[String]) -> Differences {
    let mut out = Differences::default();
    let Some(record) = &now.record else {
        let there = !now.live.is_empty();
        let what = if wished.state == "stopped" { "make" } else { "bring up" };
        out.say(format!("{what} the project {project}{}", if there { ", of which nothing is recorded yet" } else { "" }));
        return out;
    };
    for (path, digest) in &wished.inputs {
        match record.inputs.get(path) {
            Some(was) if was == digest => continue,
            Some(_) => out.say(format!("take up {path}, which is another than when it was last brought up")),
            None => out.say(format!("take up {path}")),
        }
        if anew.contains(path) {
            out.anew = vec![String::new()];
        }
    }
    for path in record.inputs.keys().filter(|path| !wished.inputs.contains_key(*path)) {
        out.say(format!("do without {path}"));
    }
    if record.profiles != wished.profiles {
        out.say(format!("profiles {} → {}", or_none(&record.profiles), or_none(&wished.profiles)));
    }
    if wished.state == "stopped" {
        for is in now.live.iter().filter(|is| is.runs()) {
            out.say(format!("stop {}", is.label()));
        }
        if record.state != wished.state && out.says.is_empty() {
            out.say(format!("note that {project} is stopped"));
        }
    } else if record.state == wished.state {
        out.of_containers(now, record);
    } else {
        out.say(format!("start the project {project}, which was stopped"));
    }
    out
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// Enough of an image's number to tell it from others.
fn short(id: &str) -> &str {
    id.strip_prefix("sha256:").map_or(id, |hex| hex.get(..12).unwrap_or(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = "compose v2.26.1-4\nrecord beef\ndir /srv/my shop\nfiles /srv/my shop/compose.yaml\nwas state up\nwas profiles \nwas input ab /srv/my shop/.env\n\
                    was runs web 1 running h sha256:1 nginx:1\nlive web 1 exited:3 h sha256:1 nginx:1\nimage none nginx:1\n";
        let standing = Standing::read(text).unwrap();
        assert_eq!((standing.major(), standing.dir.as_deref(), standing.live.len()), (Some(2), Some("/srv/my shop"), 1));
        let record = standing.record.unwrap();
        assert_eq!((record.digest.as_str(), record.inputs["/srv/my shop/.env"].as_str(), record.runs[0].name.as_str()), ("beef", "ab", "nginx:1"));
        for bad in ["", "live web 1\ncompose 2\n", "compose 2\nwhat\n", "compose 2\nwas what\n"] {
            assert_eq!(Standing::read(bad), None, "{bad:?}");
        }
    }
}
