//! Opening the one channel of a run on a node, whichever way leads there.

use super::target::Way;
use super::wire::{Wire, nonce};
use crate::lang::{Diagnostic, Kind};
use crate::node::runtime;
use crate::transport::sandbox::{Sandbox, Server};
use crate::transport::{Pool, Program};
use bytes::Bytes;

/// Bytes that may be under way between this program and a sandbox's server.
const PIPE: usize = 256 << 10;

/// Logs in and starts the runtime.
pub async fn open(pool: &Pool, way: &Way) -> Result<Wire, Diagnostic> {
    let nonce = nonce();
    let program = Program { script: runtime::script().to_owned(), greeting: Bytes::from(runtime::greeting(&nonce)) };
    match way {
        Way::Ssh(target) => Ok(Wire::new(pool.open(target, &program).await?, target.clone(), nonce)),
        Way::Sandbox { target, dir, spec } => {
            let (dir, spec) = (dir.clone(), spec.clone());
            let made = tokio::task::spawn_blocking(move || Sandbox::prepare(&dir, &spec)).await;
            let sandbox = made.map_err(|error| Diagnostic::new(Kind::Failed, format!("making the sandbox ended early: {error}")).hint("run it again"))??;
            let mut target = target.clone();
            target.keys = vec![sandbox.client_key()];
            target.pins = vec![sandbox.fingerprint().to_owned()];
            let server = Server::new(sandbox)?;
            let (ours, theirs) = tokio::io::duplex(PIPE);
            tokio::spawn(async move { server.serve(theirs).await });
            let session = pool.open_stream(&target, ours, &program).await?;
            Ok(Wire::new(session, target, nonce))
        }
    }
}
