//! What happens to hosts while a command runs: told to whoever shows it. The library itself shows nothing.

use crate::plan::Mark;
use tokio::sync::mpsc::UnboundedSender;

/// Something happened on a host.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which.
    pub host: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// Logging in.
    Connecting,
    /// Asking.
    Looking,
    /// Its plan is made: so many steps have something to do.
    Planned(usize),
    /// Sending contents: bytes so far, of so many.
    Sending(u64, u64),
    /// A step begins.
    Step(String),
    /// A step is done and verified.
    Done(String, Mark),
    /// A step failed.
    Failed(String),
    /// Steps are being taken back.
    Unwinding,
    /// Something that a person should know now.
    Note(String),
    /// No more will happen here; in a few words.
    Finished(String),
}

/// Where events go. Nobody listening is fine.
#[derive(Debug, Clone, Default)]
pub struct Events(Option<UnboundedSender<Event>>);

impl Events {
    /// To `sender`.
    pub fn to(sender: UnboundedSender<Event>) -> Self {
        Events(Some(sender))
    }

    /// Tells it.
    pub fn tell(&self, host: &str, what: What) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(Event { host: host.to_owned(), what });
        }
    }
}
