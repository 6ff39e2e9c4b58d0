//! `get_url`: a file that the node downloads.

use super::shared::attrs::{self, GROUP, MODE, OWNER, Wish, answered, clean, parent, stat, wrong};
use super::shared::put::{FRESH, FRESH_SECRET};
use super::shared::tool::script;
use super::{Args, Block, Claim, Id, KindSpec, Param, Resource, Ty};
use crate::lang::{Diagnostic, Diagnostics, Value};
use crate::node::op::{ToolOp, Turn};
use crate::node::probe::{Attrs, Depth, File, Node};
use crate::node::{Command, Op, Probe, World};

/// The declaration.
pub static GET_URL: KindSpec = KindSpec {
    name: "get_url",
    summary: "Downloads a file to the node",
    description: "\
The node downloads it by `curl`, else `wget`, else by what every Debian has: apt's own downloader (which sends no headers). So nothing passes through the controller, and
what only the node can reach can be had. It comes to a file beside `dest`, is verified there, gets its mode and owner, and then takes its place: never half a file.
What breaks off is tried three times, and gone on with where the server can.

With a `checksum`, a file of another content is downloaded anew. Without one, a file that is there is as wished, whatever is in it: nobody asks the server.
A URL or header that is a secret goes by curl's standard input, so it takes `curl`.

Taken back: the file that was there, exactly; a new one is removed.",
    params: &[
        Param::required("url", Ty::Str, "Where it is: `http`, `https` or `ftp`."),
        Param::required("dest", Ty::Path, "Where it goes; with a `/` at its end, below that by the URL's last part."),
        Param::new("checksum", Ty::Str, "What it must be: `sha256:…`."),
        Param::new("headers", Ty::StrMap, "Headers to send."),
        Param::new("timeout", Ty::Duration, "How long nothing may come.").default("30s"),
        MODE,
        OWNER,
        GROUP,
    ],
    bare: "",
    example: "\
- name: Have the release
  get_url:
    url: https://releases.example/waypoint_0.11.4_linux_arm64.zip
    dest: /usr/local/src/
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
",
    build,
};

#[derive(Debug)]
struct GetUrl {
    url: String,
    dest: String,
    sum: Option<String>,
    /// As wget's options.
    headers: Vec<String>,
    /// As lines of curl's configuration.
    config: Vec<String>,
    timeout: i64,
    wish: Wish,
    /// The URL or a header is.
    secret: bool,
}

fn build(args: &Args) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut problems = Diagnostics::new();
    attrs::check(args, &mut problems);
    let mut refuse = |name: &str, message: String, hint: &str| problems.push(wrong(args, name, message, "", hint));
    let secret = args.is_secret("url") || args.is_secret("headers");
    let url = args.str("url").unwrap_or_default().trim().to_owned();
    let schemes = ["http://", "https://", "ftp://"];
    let bare = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or_default();
    if bare.is_empty() || url.chars().any(|c| c.is_control() || c == ' ') {
        let shown = if secret { "the URL".to_owned() } else { format!("`{}`", url.escape_debug()) };
        refuse("url", format!("{shown} cannot be downloaded"), "write it as `https://server/path`, with blanks as `%20`");
    }
    let (mut dest, slash) = clean(args.str("dest").unwrap_or_default());
    if slash || dest == "/" {
        let name = bare.split(['?', '#']).next().unwrap_or_default().split_once('/').map_or("", |(_, path)| path.rsplit('/').next().unwrap_or_default());
        if name.is_empty() || name == "." || name == ".." {
            refuse("dest", "the URL has no last part to name the file by".into(), "write the file's whole path");
        }
        dest = format!("{}/{name}", dest.trim_end_matches('/'));
    }
    let sum = args.str("checksum").and_then(|text| {
        let hex = text.strip_prefix("sha256:").map(str::to_ascii_lowercase).filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if hex.is_none() {
            refuse("checksum", format!("`{}` is not a SHA-256", text.escape_debug()), "write `sha256:` and its 64 digits, as `sha256sum` prints them");
        }
        hex
    });
    let timeout = args.values.get("timeout").and_then(Value::as_int).unwrap_or(30);
    if timeout < 1 {
        refuse("timeout", "`timeout` leaves no time".into(), "write it like `30s`, or leave it out");
    }
    let (headers, config) = match header_config(args) {
        Ok(both) => both,
        Err(problem) => {
            problems.push(problem);
            Default::default()
        }
    };
    problems.into_result(Box::new(GetUrl { url, dest, sum, headers, config, timeout, wish: Wish::from_args(args), secret }) as Box<dyn Resource>)
}

/// The `headers`: as wget's options, and as lines of curl's configuration.
pub(super) fn header_config(args: &Args) -> Result<(Vec<String>, Vec<String>), Diagnostic> {
    let headers = args.map("headers");
    let token = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if headers.iter().any(|(name, value)| !token(name) || value.chars().any(char::is_control)) {
        return Err(wrong(args, "headers", "a header is a word and a text without line breaks", "", "write them as `{Accept: application/octet-stream}`"));
    }
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    Ok((lines.iter().map(|line| format!("--header={line}")).collect(), lines.iter().map(|line| format!("header = {}", quoted(line))).collect()))
}

/// A text between quotes as curl's configuration has it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl GetUrl {
    fn question() -> Command {
        script(include_str!("scripts/downloader.sh"), &[])
    }

    /// What is had of it, in words.
    fn shown(&self) -> &str {
        if self.secret { "it from a secret place" } else { &self.url }
    }

    /// The node's tool.
    fn tool<'w>(&self, world: &'w World) -> Result<&'w str, Block> {
        let tool = world.ran(&Self::question()).map_or("", |ran| ran.stdout.trim());
        let fits = match tool {
            "curl" => true,
            "" => false,
            "wget" => !self.secret,
            _ => !self.secret && self.headers.is_empty(),
        };
        if fits {
            return Ok(tool);
        }
        Err(match world.opaque(Some("/usr/bin/curl")) {
            Some(cause) => Block::Later(cause),
            None if tool.is_empty() => Block::refused("nothing on the node can download", "put `package: curl` before this task"),
            None => Block::refused(format!("the node has only {tool}, which cannot download this without telling everybody the secret, or at all"), "put `package: curl` before this task"),
        })
    }

    fn download(&self, to: &str, attrs: &Attrs, tool: &str) -> ToolOp {
        let mut config = vec![format!("url = {}", quoted(&self.url))];
        config.extend(self.config.iter().cloned());
        let (mode, timeout) = (format!("{:04o}", attrs.mode), self.timeout.to_string());
        let url = if self.secret { "the URL" } else { &self.url };
        let mut words = vec![url, to, tool, self.sum.as_deref().unwrap_or_default(), &mode, &attrs.owner, &attrs.group, &timeout];
        if tool == "wget" {
            words.extend(self.headers.iter().map(String::as_str));
        }
        let command = Command { stdin: Some(config.join("\n")), secret: self.secret, ..script(include_str!("scripts/get_url.sh"), &words) };
        let undo = Some(script("rm -f -- \"$1\" \"$1.part\"", &[to]));
        ToolOp { says: vec![format!("download {}", self.shown())], turn: Turn::Create, command, undo, ..ToolOp::default() }
    }
}

impl Resource for GetUrl {
    fn id(&self) -> Id {
        Id { kind: GET_URL.name.into(), key: self.dest.clone(), slice: String::new() }
    }

    fn claims(&self) -> Vec<Claim> {
        [Claim::Content(self.dest.clone())].into_iter().chain(self.wish.claim(&self.dest)).collect()
    }

    fn look(&self) -> Vec<Probe> {
        let depth = if self.sum.is_some() { Depth::Digest } else { Depth::Stat };
        let mut probes = vec![Probe::Path { path: self.dest.clone(), depth }, stat(parent(&self.dest)), Probe::Run(Self::question())];
        self.wish.look(&mut probes);
        probes
    }

    fn plan(&self, world: &World) -> Result<Vec<Op>, Block> {
        answered(world, &self.look())?;
        let node = world.path(&self.dest).unwrap_or(Node::Absent);
        let present = match &node {
            Node::File(file) if self.sum.is_none() || file.sha256 == self.sum => {
                return Ok(self.wish.fix(&self.dest, &file.attrs, false, world)?.into_iter().collect());
            }
            Node::File(file) => Some(&file.attrs),
            Node::Absent | Node::Link { .. } => None,
            Node::Dir(_) => return Err(Block::refused(format!("{} is a directory", self.dest), "end `dest` with `/`, or name the file in it")),
            Node::Other(_) => return Err(Block::refused(format!("{} is a device, a FIFO or a socket", self.dest), "choose another `dest`")),
        };
        let tool = self.tool(world)?;
        self.wish.possible(&self.dest, world)?;
        let kept = |wished: &Option<String>, now: Option<&String>| wished.clone().or(now.cloned()).unwrap_or_default();
        let attrs = Attrs {
            mode: self.wish.bits(present.map(|attrs| attrs.mode), if self.secret { FRESH_SECRET } else { FRESH }, false),
            owner: kept(&self.wish.owner, present.map(|attrs| &attrs.owner)),
            group: kept(&self.wish.group, present.map(|attrs| &attrs.group)),
            ..Attrs::default()
        };
        // Who makes it, owns it, unless somebody else is to.
        let me = &world.facts.identity;
        let or_me = |name: &String| if name.is_empty() { me.name.clone() } else { name.clone() };
        let number = |name: &str, found: Option<u32>| if name.is_empty() { me.uid } else { found.unwrap_or(me.uid) };
        let will = Attrs {
            mode: attrs.mode,
            uid: number(&attrs.owner, world.uid(&attrs.owner)),
            gid: number(&attrs.group, world.gid(&attrs.group)),
            owner: or_me(&attrs.owner),
            group: or_me(&attrs.group),
        };
        let file = Node::File(File { attrs: will, sha256: self.sum.clone(), secret: self.secret, ..File::default() });
        let makes = vec![(self.dest.clone(), file)];
        if node == Node::Absent {
            let mut tool = self.download(&self.dest, &attrs, tool);
            tool.command.chdir = Some(parent(&self.dest).to_owned());
            return Ok(vec![Op::Tool(ToolOp { makes, ..tool })]);
        }
        let staged = format!("{}.homelab", self.dest);
        let put = ToolOp {
            says: vec![format!("put it at {}", self.dest)],
            turn: Turn::Change,
            command: script("mv -f -- \"$1\" \"$2\"", &[&staged, &self.dest]),
            // Not begun, what is to come is still where it was.
            undo: Some(script("[ -e \"$1\" ] || rm -f -- \"$2\"", &[&staged, &self.dest])),
            makes,
            ..ToolOp::default()
        };
        let download = ToolOp { turn: Turn::Change, ..self.download(&staged, &attrs, tool) };
        Ok(vec![Op::Tool(download), Op::Remove { path: self.dest.clone() }, Op::Tool(put)])
    }

    fn secret(&self) -> bool {
        self.secret
    }
}
