//! Opening the one channel of a run on a node, whichever way leads there.

use super::target::Way;
use super::wire::Wire;
use crate::lang::{Diagnostic, Kind};
use crate::transport::Pool;
use crate::transport::sandbox::{Sandbox, Server};

/// Logs in and starts the runtime.
pub async fn open(pool: &Pool, way: &Way) -> Result<Wire, Diagnostic> {
    match way {
        Way::Ssh(target) => Ok(Wire::new(pool.open(target).await?, target.clone(), None)),
        Way::Sandbox { target, dir, spec } => {
            let (dir, spec) = (dir.clone(), spec.clone());
            let made = tokio::task::spawn_blocking(move || {
                let sandbox = Sandbox::prepare(&dir, &spec)?;
                Ok::<_, Diagnostic>((Server::start(&sandbox, None)?, sandbox))
            });
            let (server, sandbox) = made
                .await
                .map_err(|error| Diagnostic::new(Kind::Failed, format!("making the sandbox ended early: {error}")).hint("run it again"))??;
            let mut target = target.clone();
            target.keys = vec![sandbox.client_key_path()];
            target.pins = vec![sandbox.pin()];
            let talk = pool.open_stream(&target, server.connect()).await?;
            Ok(Wire::new(talk, target, Some(server)))
        }
    }
}
