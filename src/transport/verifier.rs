//! What answers russh while a connection lives: the host key is checked here, and why a line ended is kept.

use super::Target;
use super::hostkey::{HostKey, Known};
use crate::lang::Diagnostic;
use russh::Channel;
use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::PublicKeyOrCertificate;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What became of a line, told by the task that drives it.
#[derive(Debug, Default)]
pub(super) struct Line {
    lost: Mutex<Option<String>>,
    banner: Mutex<String>,
}

impl Line {
    /// `: why`, or nothing where it is not known.
    pub(super) fn because(&self) -> String {
        self.why().map(|why| format!(": {why}")).unwrap_or_default()
    }

    pub(super) fn why(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the server said before the login: at most five lines, without control characters.
    pub(super) fn banner(&self) -> Vec<String> {
        let banner = self.banner.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = banner.lines().map(|line| line.trim_end().replace(char::is_control, " "));
        lines.filter(|line| !line.trim().is_empty()).take(5).collect()
    }
}

/// Checks the host key, and keeps what is learned on the way.
pub(super) struct Verifier {
    pub(super) target: Target,
    pub(super) known: Known,
    pub(super) line: Arc<Line>,
    /// Take the key and go no further.
    pub(super) learn: Option<Arc<Mutex<Option<HostKey>>>>,
}

/// Why a connection did not come about.
#[derive(Debug)]
pub(super) enum Broken {
    Ssh(russh::Error),
    HostKey(Box<Diagnostic>),
    Learned,
}

impl From<russh::Error> for Broken {
    fn from(error: russh::Error) -> Self {
        Broken::Ssh(error)
    }
}

impl client::Handler for Verifier {
    type Error = Broken;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Broken> {
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => HostKey(key.clone()),
            // Never asked for, so never right.
            PublicKeyOrCertificate::Certificate(_) => return Ok(false),
        };
        if let Some(learned) = &self.learn {
            *learned.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
            return Err(Broken::Learned);
        }
        match self.known.judge(&self.target, &key) {
            Ok(()) => Ok(true),
            Err(diagnostic) => Err(Broken::HostKey(Box::new(diagnostic))),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), Broken> {
        let mut kept = self.line.banner.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < 4096 {
            kept.extend(banner.chars().take(4096));
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Broken>) -> Result<(), Broken> {
        let why = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => format!("the server hung up: {}", info.message.replace(char::is_control, " ")),
            DisconnectReason::Error(Broken::Ssh(error)) => plain(error),
            DisconnectReason::Error(_) => "the host key was refused".into(),
        };
        self.line.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    // What a server opens towards us is nothing that was asked for; russh would accept it. A reply that is dropped refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(&mut self, _: Channel<Msg>, _: ChannelOpenHandle, _: &mut client::Session) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_session(&mut self, _: Channel<Msg>, _: ChannelOpenHandle, _: &mut client::Session) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Broken> {
        Ok(())
    }
}

/// What ends a line, in plain words.
pub(super) fn plain(error: &russh::Error) -> String {
    match error {
        russh::Error::KeepaliveTimeout => "the host no longer answers".into(),
        russh::Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        russh::Error::IO(error) if error.kind() == io::ErrorKind::ConnectionReset => "the connection was reset".into(),
        russh::Error::IO(error) => error.kind().to_string(),
        russh::Error::HUP | russh::Error::Disconnect => "the connection was closed".into(),
        other => other.to_string(),
    }
}
