//! The keys of the SSH agent.

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PublicKey};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// How long an agent may take to say what it holds. (Signing has the login's own limit: a person may have to confirm.)
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the agent.
pub(super) struct Agent(AgentClient<UnixStream>);

/// Signs through the agent.
impl russh::Signer for Agent {
    type Error = russh::AgentAuthError;

    async fn auth_sign(&mut self, key: &AgentIdentity, hash: Option<HashAlg>, data: Vec<u8>) -> Result<Vec<u8>, Self::Error> {
        self.0.auth_sign(key, hash, data).await
    }
}

impl Agent {
    /// Connects, and asks for the keys it holds. None where there is no agent, or it does not answer: as for `ssh`,
    /// that is no error.
    pub(super) async fn at(socket: &Path) -> Option<(Self, Vec<PublicKey>)> {
        let ask = async {
            let mut client = AgentClient::connect_uds(socket).await.ok()?;
            let keys = client.request_identities().await.ok()?;
            let plain = |identity| match identity {
                AgentIdentity::PublicKey { key, comment } => Some(PublicKey::new(key.key_data().clone(), comment)),
                AgentIdentity::Certificate { .. } => None,
            };
            Some((Agent(client), keys.into_iter().filter_map(plain).collect()))
        };
        tokio::time::timeout(PATIENCE, ask).await.ok().flatten()
    }

    /// Tells the agent which connection it signs for, so that keys bound to destinations work. Old agents refuse, which
    /// does no harm.
    pub(super) async fn bind(&mut self, binding: &russh::keys::agent::AgentSessionBinding) {
        let _ = tokio::time::timeout(PATIENCE, self.0.bind_session(binding, false)).await;
    }
}
