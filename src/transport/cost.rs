//! What a run cost on the wire: counters that every connection of the run adds to.
//!
//! **Round trips** are counted as turns in which nothing useful can happen before the other side has answered:
//! opening a TCP connection 1 (a jump host's channel likewise), identification and key exchange 2, asking for the
//! login service 1, an offered key 1 if it is turned down and 2 if it is taken (russh asks before it signs),
//! opening an exec channel 1, and each call over it 1, however much it carries.
//! **Bytes** are those of the TCP connections, encrypted and compressed as they travel; what goes through a jump host is
//! counted once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one run. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Cost(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    channels: AtomicU64,
    round_trips: AtomicU64,
    exchanges: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// What has been spent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Spent {
    /// SSH connections begun, jump hosts included.
    pub connections: u64,
    /// Exec channels opened.
    pub channels: u64,
    /// Turns; see the module.
    pub round_trips: u64,
    /// Those of them that were conversation, not login.
    pub exchanges: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
}

impl Cost {
    /// Everything at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has been spent so far.
    pub fn spent(&self) -> Spent {
        Spent {
            connections: self.0.connections.load(Relaxed),
            channels: self.0.channels.load(Relaxed),
            round_trips: self.0.round_trips.load(Relaxed),
            exchanges: self.0.exchanges.load(Relaxed),
            bytes_up: self.0.up.load(Relaxed),
            bytes_down: self.0.down.load(Relaxed),
        }
    }

    pub(super) fn connection(&self) {
        self.0.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn channel(&self) {
        self.0.channels.fetch_add(1, Relaxed);
    }

    pub(super) fn turns(&self, turns: u64) {
        self.0.round_trips.fetch_add(turns, Relaxed);
    }

    /// A turn of a conversation: everything else is logging in.
    pub(super) fn exchange(&self) {
        self.turns(1);
        self.0.exchanges.fetch_add(1, Relaxed);
    }

    pub(super) fn up(&self, bytes: usize) {
        self.0.up.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn down(&self, bytes: usize) {
        self.0.down.fetch_add(bytes as u64, Relaxed);
    }
}
