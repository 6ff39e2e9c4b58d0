//! What bench/scale needs: many nodes in one process of their own, and a program measured from outside.
//!
//!     scale serve DIR BINARY NODES SLOW      nodes on ports of 127.0.0.1, told one a line; then until stdin ends
//!     scale measure PID PROGRAM…             its wall time, processor time and peak memory, and the nodes' time meanwhile
//!
//! All nodes are one sandbox: they only read it, once an apply to one of them has made it what it is to be.
//! Every connection to the node numbered SLOW (0: none) is answered five seconds late.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

use homelab::transport::sandbox::{Sandbox, SandboxSpec, Server};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const LATE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", dir, binary, nodes, slow] => serve(dir.as_ref(), binary.as_ref(), nodes.parse().expect("a number"), slow.parse().expect("a number")),
        ["measure", pid, program, ..] => measure(pid, program, &words[3..]),
        _ => {
            eprintln!("see bench/scale");
            ExitCode::from(64)
        }
    }
}

fn serve(dir: &Path, binary: &Path, nodes: usize, slow: usize) -> ExitCode {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of open files");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("more open files");
    let spec = SandboxSpec { name: "node".into(), user: "pi".into(), sudo_password: None, shell: None };
    let sandbox = Sandbox::prepare(dir, &spec).expect("a sandbox");
    let server = Server::start(&sandbox, Some(binary)).expect("a sandbox that is up");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for node in 1..=nodes {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            println!("{}", listener.local_addr().expect("an address").port());
            let server = server.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    let server = server.clone();
                    tokio::spawn(async move {
                        if node == slow {
                            tokio::time::sleep(LATE).await;
                        }
                        server.serve(stream).await;
                    });
                }
            });
        }
        println!("ready");
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    });
    runtime.shutdown_background();
    ExitCode::SUCCESS
}

/// Prints: wall time in ms, user and system time in ms, peak memory in KiB, the nodes' server's own time and that of
/// what it started in ms.
fn measure(nodes: &str, program: &str, args: &[&str]) -> ExitCode {
    let before = spent(nodes);
    let begin = Instant::now();
    let status = Command::new(program).args(args).stdin(Stdio::null()).status().expect("a program");
    let wall = begin.elapsed().as_millis();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what it used");
    let after = spent(nodes);
    let (user, system) = (usage.user_time().num_milliseconds(), usage.system_time().num_milliseconds());
    eprintln!("measured {wall} {user} {system} {} {} {}", usage.max_rss(), after.0 - before.0, after.1 - before.1);
    ExitCode::from(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255))
}

/// Milliseconds of processor time that a process has used, and those of its children that have ended.
fn spent(pid: &str) -> (u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the nodes are served");
    let fields: Vec<u64> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    // In hundredths of a second, as Linux has it everywhere.
    (10 * (fields[0] + fields[1]), 10 * (fields[2] + fields[3]))
}
