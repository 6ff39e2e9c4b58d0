//! One command on one channel: its three streams, and its end as sshd reports it.

use super::power::Power;
use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelWriteHalf, Sig};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{Semaphore, mpsc};

/// How many bytes wait for a command that does not read its stdin before the client is made to wait.
const BACKLOG: usize = 1 << 20;
/// How long output must be stuck before input is let past the limit.
const STUCK: Duration = Duration::from_millis(50);

/// Runs `script` for the channel. As under sshd, a channel that closes closes the command's streams and nothing else.
pub async fn run(channel: Channel<Msg>, handle: Handle, power: Arc<Power>, script: Vec<u8>) {
    let id = channel.id();
    let (mut incoming, outgoing) = channel.split();
    let started = tokio::task::spawn_blocking(move || power.login(&script)).await;
    let child = match started {
        Ok(Ok(command)) => Command::from(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string()),
        Ok(Err(problem)) => Err(problem.message),
        Err(stopped) => Err(stopped.to_string()),
    };
    let mut child = match child {
        Ok(child) => child,
        Err(problem) => return refuse(&outgoing, &problem).await,
    };
    let stuck = Arc::new(AtomicUsize::new(0));
    let mut input = Some(Input::new(child.stdin.take(), stuck.clone()));
    let mut output = tokio::task::JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        output.spawn(pump(stdout, outgoing.make_writer(), stuck.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        output.spawn(pump(stderr, outgoing.make_writer_ext(Some(1)), stuck));
    }
    let (mut ended, mut drained) = (false, false);
    while !(ended && drained) {
        tokio::select! {
            message = incoming.wait() => match message {
                Some(ChannelMsg::Data { data }) => if let Some(input) = &input { input.push(data).await },
                Some(ChannelMsg::Eof) => input = None,
                Some(ChannelMsg::Close) | None => {
                    if let Some(input) = input.take() { input.cut() }
                    output.abort_all();
                    // Whatever it still does, its end is to be noted.
                    let _ = child.wait().await;
                    return;
                }
                Some(_) => {}
            },
            status = child.wait(), if !ended => {
                ended = true;
                report(&handle, id, status.ok()).await;
            }
            finished = output.join_next(), if !drained => drained = finished.is_none(),
        }
    }
    let _ = outgoing.eof().await;
    let _ = outgoing.close().await;
}

async fn report(handle: &Handle, id: ChannelId, status: Option<ExitStatus>) {
    let signal = status.and_then(|status| status.signal());
    let name = signal.and_then(|number| {
        Some(match number {
            1 => Sig::HUP,
            2 => Sig::INT,
            3 => Sig::QUIT,
            4 => Sig::ILL,
            6 => Sig::ABRT,
            8 => Sig::FPE,
            9 => Sig::KILL,
            10 => Sig::USR1,
            11 => Sig::SEGV,
            13 => Sig::PIPE,
            14 => Sig::ALRM,
            15 => Sig::TERM,
            _ => return None,
        })
    });
    let _ = match name {
        Some(name) => handle.exit_signal_request(id, name, false, String::new(), String::new()).await,
        None => {
            let code = status.and_then(|status| status.code()).or(signal.map(|number| 128 + number)).unwrap_or(255);
            handle.exit_status_request(id, u32::try_from(code).unwrap_or(255)).await
        }
    };
}

async fn refuse(outgoing: &ChannelWriteHalf<Msg>, problem: &str) {
    let _ = outgoing.extended_data_bytes(1, format!("homelab: sandbox: {problem}\n")).await;
    let _ = outgoing.exit_status(255).await;
    let _ = outgoing.eof().await;
    let _ = outgoing.close().await;
}

/// Carries output to the client, at the client's pace.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, stuck: Arc<AtomicUsize>) {
    let mut buffer = vec![0u8; 32 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        stuck.fetch_add(1, Ordering::Relaxed);
        let sent = to.write_all(&buffer[..count]).await;
        stuck.fetch_sub(1, Ordering::Relaxed);
        if sent.is_err() {
            break;
        }
    }
}

/// The way to the command's stdin. Dropping it is end of file after what is in it.
///
/// russh has the client send on as soon as data arrived here, so the only way to hold a client back is not to take the
/// next message, which holds back all else of the connection too. That must not happen while the command waits for us
/// to take its *output*: then input is stored instead.
struct Input {
    queue: mpsc::UnboundedSender<(Bytes, usize)>,
    room: Arc<Semaphore>,
    stuck: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Input {
    fn new(stdin: Option<ChildStdin>, stuck: Arc<AtomicUsize>) -> Input {
        let (queue, waiting) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(BACKLOG));
        let task = tokio::spawn(feed(stdin, waiting, room.clone()));
        Input { queue, room, stuck, task }
    }

    async fn push(&self, data: Bytes) {
        let wanted = data.len().min(BACKLOG);
        let taken = loop {
            match tokio::time::timeout(STUCK, self.room.acquire_many(wanted as u32)).await {
                Ok(Ok(permit)) => {
                    permit.forget();
                    break wanted;
                }
                // The command reads no more: what is sent to it is lost, as in any pipe.
                Ok(Err(_)) => return,
                Err(_) if self.stuck.load(Ordering::Relaxed) > 0 => break 0,
                Err(_) => {}
            }
        };
        let _ = self.queue.send((data, taken));
    }

    /// Closes it at once, with what is in it.
    fn cut(self) {
        self.task.abort();
    }
}

async fn feed(stdin: Option<ChildStdin>, mut waiting: mpsc::UnboundedReceiver<(Bytes, usize)>, room: Arc<Semaphore>) {
    if let Some(mut stdin) = stdin {
        while let Some((data, taken)) = waiting.recv().await {
            if stdin.write_all(&data).await.is_err() {
                break;
            }
            room.add_permits(taken);
        }
    }
    room.close();
}
