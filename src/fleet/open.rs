//! Opening the one channel of a run on a node, whichever way leads there.

use super::target::Way;
use super::wire::{Wire, nonce};
use crate::lang::{Diagnostic, Kind};
use crate::node::runtime;
use crate::transport::sandbox::{Sandbox, Server};
use crate::transport::{Method, Pool, Program, Target};
use bytes::Bytes;

/// Bytes that may be under way between this program and a sandbox's server.
const PIPE: usize = 256 << 10;

/// Logs in and starts the runtime.
pub async fn open(pool: &Pool, way: &Way) -> Result<Wire, Diagnostic> {
    let nonce = nonce();
    let program = program(way.target(), &nonce);
    match way {
        Way::Ssh(target) => Ok(Wire::new(pool.open_program(target, &program).await?, target.clone(), nonce)),
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

/// The runtime's command line and greeting for `target`, under the privilege that it asks for.
fn program(target: &Target, nonce: &str) -> Program {
    let password = target.privilege.as_ref().and_then(|privilege| privilege.password.as_ref());
    let how = match &target.privilege {
        None => runtime::Become::No,
        Some(privilege) => match privilege.method {
            Method::Sudo => runtime::Become::Sudo { user: privilege.user.clone(), asked: password.is_some() },
            Method::Doas => runtime::Become::Doas { user: privilege.user.clone() },
        },
    };
    let greeting = runtime::greeting(nonce, password.map(|secret| secret.expose()));
    Program { command: runtime::command(&how), greeting: Bytes::from(greeting) }
}
