//! Opening the one channel of a run on a node, whichever way leads there.

use super::target::Way;
use super::wire::Wire;
use crate::lang::{Diagnostic, Kind};
use crate::transport::Pool;
use crate::transport::sandbox::{Sandbox, Server};

/// Logs in and starts the runtime, as whom the host's `become` says if `privileged`, else as the login.
pub async fn open(pool: &Pool, way: &Way, privileged: bool) -> Result<Wire, Diagnostic> {
    let target = way.target_for(privileged);
    match way {
        Way::Ssh(_) => Ok(Wire::new(pool.open(&target).await?, target, pool.clone(), None)),
        Way::Sandbox { dir, spec, .. } => {
            let (dir, spec) = (dir.clone(), spec.clone());
            let made = tokio::task::spawn_blocking(move || {
                let sandbox = Sandbox::prepare(&dir, &spec)?;
                Ok::<_, Diagnostic>((Server::start(&sandbox, None)?, sandbox))
            });
            let (server, sandbox) = made
                .await
                .map_err(|error| Diagnostic::new(Kind::Failed, format!("making the sandbox ended early: {error}")).hint("run it again"))??;
            let mut target = target;
            target.keys = vec![sandbox.client_key_path()];
            target.pins = vec![sandbox.pin()];
            let talk = pool.open_stream(&target, server.connect()).await?;
            Ok(Wire::new(talk, target, pool.clone(), Some(server)))
        }
    }
}
