//! Takes what a channel delivers off the connection at once, so that a session nobody reads never holds up the
//! connection it shares: a node that talks without being asked harms its own session, not the hosts behind the same jump.

use super::Connection;
use russh::{ChannelMsg, ChannelReadHalf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use tokio::sync::{Notify, mpsc};

/// Bytes that may wait to be read.
const QUEUE: usize = 1 << 20;

/// The reading end.
#[derive(Debug)]
pub(super) struct Pump {
    queue: mpsc::UnboundedReceiver<ChannelMsg>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    /// Somebody reads: a full queue waits for them. Otherwise it is a flood.
    reading: AtomicBool,
    flooded: AtomicBool,
    less: Notify,
}

impl Pump {
    pub(super) fn start(mut channel: ChannelReadHalf, connection: &Arc<Connection>) -> Self {
        let connection = Arc::downgrade(connection);
        let (sender, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let mine = shared.clone();
        // Ends with the channel, or with this pump: a send then fails.
        tokio::spawn(async move {
            while let Some(message) = channel.wait().await {
                mine.waiting.fetch_add(size(&message), SeqCst);
                if sender.send(message).is_err() {
                    return;
                }
                while mine.waiting.load(SeqCst) > QUEUE {
                    if !mine.reading.load(SeqCst) {
                        mine.flooded.store(true, SeqCst);
                        // Or it would go on for ever, read and thrown away.
                        if let Some(connection) = connection.upgrade() {
                            connection.cut();
                        }
                        return;
                    }
                    tokio::select! {
                        () = mine.less.notified() => {}
                        () = sender.closed() => return,
                    }
                }
            }
        });
        Pump { queue, shared }
    }

    /// The next message; None at the end of the channel.
    pub(super) async fn wait(&mut self) -> Option<ChannelMsg> {
        let _reading = Reading::new(&self.shared);
        let message = self.queue.recv().await?;
        self.shared.waiting.fetch_sub(size(&message), SeqCst);
        self.shared.less.notify_one();
        Some(message)
    }

    /// It was cut off for sending more than was asked.
    pub(super) fn flooded(&self) -> bool {
        self.shared.flooded.load(SeqCst)
    }

    /// Says that a call is under way until the guard is dropped.
    pub(super) fn reading(&self) -> impl Drop + use<> {
        Reading::new(&self.shared)
    }
}

struct Reading(Option<Arc<Shared>>);

impl Reading {
    /// Nested ones do nothing: the outermost decides.
    fn new(shared: &Arc<Shared>) -> Self {
        let first = !shared.reading.swap(true, SeqCst);
        Reading(first.then(|| shared.clone()))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.reading.store(false, SeqCst);
            // One that waits for a reader must look again.
            shared.less.notify_one();
        }
    }
}

/// What a message counts: its data, and something for itself.
fn size(message: &ChannelMsg) -> usize {
    match message {
        ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => data.len() + 64,
        _ => 64,
    }
}
