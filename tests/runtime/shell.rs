//! A session with the runtime in a real shell.

use homelab::node::frame::{Decoder, Frame};
use homelab::node::op::Body;
use homelab::node::program::{self, Look, Part, Unit};
use homelab::node::{Costly, Op, Probe, runtime};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

pub const NONCE: &str = "n0nce";

/// Which shell plays `sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sh {
    Dash,
    Bash,
    Busybox,
}

pub const ALL: [Sh; 3] = [Sh::Dash, Sh::Bash, Sh::Busybox];

/// A node: a shell, a PATH, a place for its state, and a directory to work in.
pub struct Node {
    pub sh: Sh,
    dir: TempDir,
}

impl Node {
    pub fn new(sh: Sh) -> Self {
        Node::below(sh, tempfile::tempdir().unwrap())
    }

    /// One whose disk is memory, where that can be had: syncing costs nothing there.
    pub fn in_memory(sh: Sh) -> Self {
        Node::below(sh, tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn below(sh: Sh, dir: TempDir) -> Self {
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        match sh {
            Sh::Dash => symlink("/bin/dash", bin.join("sh")).unwrap(),
            Sh::Bash => symlink("/bin/bash", bin.join("sh")).unwrap(),
            Sh::Busybox => {
                let busybox = Path::new("/bin/busybox");
                assert!(busybox.exists(), "busybox is missing: apt-get install busybox-static");
                let list = Command::new(busybox).arg("--list").output().unwrap();
                for applet in String::from_utf8(list.stdout).unwrap().lines() {
                    // As on a node without Debian's tools.
                    if !applet.starts_with("dpkg") && applet != "rpm" {
                        symlink(busybox, bin.join(applet)).unwrap();
                    }
                }
            }
        }
        Node { sh, dir }
    }

    /// The directory to work in, as text.
    pub fn root(&self) -> String {
        self.dir.path().join("root").to_str().unwrap().to_owned()
    }

    pub fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.root())
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    /// The real exec command, with this node's PATH and state directory in it.
    pub fn command(&self, how: &runtime::Become) -> String {
        let bin = self.bin();
        let path = match self.sh {
            Sh::Busybox => bin.display().to_string(),
            _ => format!("{}:{}", bin.display(), runtime::PATH),
        };
        runtime::command(how).replace(&format!("PATH={}", runtime::PATH), &format!("PATH={path} HOMELAB_STATE={}", self.state().display()))
    }

    pub fn connect(&self) -> Session {
        Session::start(Command::new("/bin/sh").arg("-c").arg(self.command(&runtime::Become::No)))
    }

    /// A session that can be killed with all that it has started.
    pub fn connect_apart(&self) -> Session {
        use std::os::unix::process::CommandExt;
        Session::start(Command::new("/bin/sh").arg("-c").arg(self.command(&runtime::Become::No)).process_group(0))
    }

    /// A session in namespaces of its own, over a copy-on-write view of this machine: root may do anything there.
    /// What was done is gone when it ends.
    pub fn caged(&self) -> Session {
        self.caged_with("-munpf")
    }

    /// In these namespaces.
    pub fn caged_with(&self, namespaces: &str) -> Session {
        let cage = self.dir.path().join("cage");
        std::fs::create_dir_all(&cage).unwrap();
        let script = r#"c=$1; mount -t tmpfs none "$c" && mkdir "$c/up" "$c/wk" "$c/m" &&
            mount -t overlay o -o "lowerdir=/,upperdir=$c/up,workdir=$c/wk" "$c/m" &&
            mount -t proc proc "$c/m/proc" && mount --rbind /dev "$c/m/dev" && exec chroot "$c/m" /bin/sh -c "$2""#;
        let mut command = Command::new("unshare");
        command.args([namespaces, "--kill-child", "/bin/sh", "-c", script, "sh"]).arg(cage).arg(self.command(&runtime::Become::No));
        Session::start(&mut command)
    }

    /// Looks in a session of its own.
    pub fn look(&self, probes: &[Probe]) -> Look {
        let mut session = self.connect();
        let look = session.look(probes, false);
        session.close();
        look
    }
}

/// One channel.
pub struct Session {
    pub child: Child,
    pub input: Option<ChildStdin>,
    output: ChildStdout,
    decoder: Decoder,
    waiting: Vec<Frame>,
    seq: u32,
}

impl Session {
    pub fn start(command: &mut Command) -> Self {
        Self::greet(command, None)
    }

    pub fn greet(command: &mut Command, password: Option<&str>) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = child.stdout.take().unwrap();
        let mut session = Session { child, input, output, decoder: Decoder::new(NONCE), waiting: Vec::new(), seq: 0 };
        session.write(&runtime::greeting(NONCE, password));
        let unit = runtime::preamble(session.next());
        session.run(&unit);
        session
    }

    pub fn next(&mut self) -> u32 {
        self.seq += 1;
        self.seq
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a unit and returns its answer, which must end with success.
    pub fn run(&mut self, unit: &Unit) -> Vec<Frame> {
        let (frames, status) = self.try_run(unit).expect("the session ended");
        assert_eq!(status, 0, "{frames:?}");
        frames
    }

    pub fn try_run(&mut self, unit: &Unit) -> Option<(Vec<Frame>, i32)> {
        self.write(&unit.wire(NONCE));
        self.answer(unit.seq())
    }

    pub fn answer(&mut self, seq: u32) -> Option<(Vec<Frame>, i32)> {
        let mut frames = std::mem::take(&mut self.waiting);
        let mut buffer = vec![0; 1 << 16];
        loop {
            if let Some(at) = frames.iter().position(|frame| frame.ends(seq).is_some()) {
                self.waiting = frames.split_off(at + 1);
                let status = frames[at].ends(seq).unwrap();
                return Some((frames, status));
            }
            let n = self.output.read(&mut buffer).unwrap();
            if n == 0 {
                return None;
            }
            frames.extend(self.decoder.push(&buffer[..n]).unwrap());
        }
    }

    pub fn look(&mut self, probes: &[Probe], facts: bool) -> Look {
        self.look_with(probes, facts, false)
    }

    pub fn look_with(&mut self, probes: &[Probe], facts: bool, paranoid: bool) -> Look {
        self.look_for(probes, facts.then_some(Costly::ALL), paranoid)
    }

    pub fn look_for(&mut self, probes: &[Probe], facts: Option<Costly>, paranoid: bool) -> Look {
        let unit = program::look(self.next(), probes, facts, paranoid);
        let frames = self.run(&unit);
        program::read_look(&frames, probes).unwrap()
    }

    /// Sends what applying needs and takes the lock.
    pub fn begin(&mut self, run: &str) -> Vec<Frame> {
        self.ready_to_act();
        self.begin_again(run)
    }

    /// Sends what applying needs.
    pub fn ready_to_act(&mut self) {
        let unit = runtime::apply_preamble(self.next());
        self.run(&unit);
    }

    /// Takes the lock, over a session that can act already.
    pub fn begin_again(&mut self, run: &str) -> Vec<Frame> {
        let unit = program::begin(self.next(), run, "me@here", 1_700_000_000);
        self.try_run(&unit).unwrap().0
    }

    /// Leaves the run as it is, and the lock.
    pub fn abandon(&mut self) {
        let unit = program::abandon(self.next());
        self.run(&unit);
    }

    /// Marks a handler as pending.
    pub fn mark(&mut self, handler: &str) {
        let unit = program::pending(self.next(), handler, true);
        self.run(&unit);
    }

    /// Sends a unit, and kills the shell and all that it has started a little after so many ops have been answered, or undone.
    pub fn killed_after(mut self, unit: &Unit, ops: usize, microseconds: u64) {
        use nix::sys::signal::{Signal, killpg};
        self.write(&unit.wire(NONCE));
        let mut buffer = vec![0; 1 << 16];
        let mut done = 0;
        while done < ops {
            let n = self.output.read(&mut buffer).unwrap();
            assert!(n > 0, "it ended by itself");
            done += self.decoder.push(&buffer[..n]).unwrap().iter().filter(|frame| matches!(frame.tag.as_str(), "op" | "undone")).count();
        }
        std::thread::sleep(std::time::Duration::from_micros(microseconds));
        killpg(nix::unistd::Pid::from_raw(self.child.id() as i32), Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
    }

    /// Stages and performs; every op as one batch. Answers the failed op and its message.
    pub fn perform(&mut self, ops: &[(u32, &Op)]) -> Result<(), (u32, String)> {
        self.stage(ops);
        self.act(ops)
    }

    /// Sends the contents.
    pub fn stage(&mut self, ops: &[(u32, &Op)]) {
        for part in program::stage(&mut self.seq, ops) {
            match part {
                Part::Unit(unit) => {
                    self.run(&unit);
                }
                Part::Stream { op, body: Body::Inline(bytes) } => self.write(&program::chunks(op, &bytes)),
                Part::Stream { op, body: Body::Local(path) } => {
                    let mut file = std::fs::File::open(path).unwrap();
                    let mut chunk = vec![0; program::CHUNK];
                    loop {
                        let n = file.read(&mut chunk).unwrap();
                        if n == 0 {
                            break;
                        }
                        self.write(&program::chunk_header(op, n));
                        self.write(&chunk[..n]);
                    }
                }
            }
        }
    }

    fn act(&mut self, ops: &[(u32, &Op)]) -> Result<(), (u32, String)> {
        let unit = program::act(self.next(), ops);
        let (frames, status) = self.try_run(&unit).expect("the session ended");
        let failed = frames.iter().find(|f| f.tag == "op" && f.field(1) == "failed");
        match failed {
            Some(frame) => Err((frame.number(0).unwrap() as u32, frame.text())),
            None => {
                assert_eq!(status, 0, "{frames:?}");
                let done = frames.iter().filter(|f| f.tag == "op" && f.field(1) == "done").count();
                assert_eq!(done, ops.len(), "{frames:?}");
                Ok(())
            }
        }
    }

    pub fn unwind(&mut self, run: &str) -> Vec<Frame> {
        self.try_unwind(run).unwrap_or_else(|stuck| panic!("{stuck}"))
    }

    /// Unwinds; or what it is stuck at.
    pub fn try_unwind(&mut self, run: &str) -> Result<Vec<Frame>, String> {
        let unit = program::unwind(self.next(), run);
        let (frames, status) = self.try_run(&unit).unwrap();
        if status == 0 && frames.iter().any(|f| f.tag == "unwound") {
            return Ok(frames);
        }
        Err(frames.iter().map(|frame| format!("{} {}: {}\n", frame.tag, frame.fields.join(" "), frame.text())).collect())
    }

    pub fn finish(&mut self) {
        self.finish_with(&Default::default());
    }

    pub fn finish_with(&mut self, sums: &program::Sums) {
        let unit = program::finish(self.next(), &Default::default(), sums);
        let frames = self.run(&unit);
        assert!(frames.iter().any(|f| f.tag == "finished"), "{frames:?}");
    }

    /// Stops listening, but does not end the input.
    pub fn hang_up(self) -> Hung {
        drop(self.output);
        Hung { child: self.child, _input: self.input }
    }

    /// Ends the input and waits.
    pub fn close(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

/// Numbers ops from 1.
pub fn numbered(ops: &[Op]) -> Vec<(u32, &Op)> {
    (1..).zip(ops).collect()
}

/// Everything below a directory, as text lines that can be compared: kind, mode, owners, time, content.
pub fn snapshot(root: &str, nanoseconds: bool) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut out = Vec::new();
    let mut todo = vec![PathBuf::from(root)];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let time = if nanoseconds { meta.mtime_nsec() } else { 0 };
        let what = if meta.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "dir".to_owned()
        } else if meta.is_symlink() {
            format!("link {:?}", std::fs::read_link(&path).unwrap())
        } else if meta.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            format!("file {}.{time} {} {}", meta.mtime(), bytes.len(), homelab::node::op::sha256(&bytes))
        } else {
            "other".to_owned()
        };
        out.push(format!("{path:?} {:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid()));
    }
    out.sort();
    out
}

/// A session to which nobody listens any more.
pub struct Hung {
    child: Child,
    _input: Option<ChildStdin>,
}

impl Hung {
    pub fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.child.wait()
    }
}
